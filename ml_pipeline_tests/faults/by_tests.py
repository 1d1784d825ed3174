"""What pytest proves with its full counts already: run once, one line a number, with the counts that the tests print."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.processes import ROOT

# The title of each number, and the tests: a file, or a file and a part of a test's name.
PROVEN: Mapping[int, tuple[str, tuple[tuple[str, str], ...]]] = {
    4: ("the same night scored ten times", (("promises/test_publishing.py", "scored_ten_times"),)),
    5: ("a commit whose reply is lost, and the retry", (("promises/test_publishing.py", "reply_is_lost"),)),
    9: ("a run killed inside a step: failed, slot free, asked for again", (("promises/test_recovery.py", ""),)),
    10: ("features against the point-in-time oracle, and mutants of both", (("promises/test_point_in_time_oracle.py", ""),)),
    15: ("flipped bits in files, bundles, receipts, ledgers; damaged bundles", (("operations/test_verify.py", ""), ("promises/test_bundles.py", ""))),
    21: ("late rows and corrections of earlier nights", (("promises/test_late_data.py", ""),)),
    22: ("five time zones of the machine, nights of clock changes", (("promises/test_time_zones.py", ""),)),
    24: ("rollback of the model and of scores beside readers", (
        ("promises/test_promotion.py", "a_rollback_is_a_matter"), ("operations/test_repair.py", ""), ("operations/test_rollback.py", ""))),
    25: ("nights alone, in ranges, shuffled, in another place", (("promises/test_same_bytes.py", ""),)),
    30: ("checks of deliveries taken away, one at a time", (("promises/test_bad_input.py", "no_rule_can_be_taken_away"),)),
    31: ("malicious bundles whose hashes are right, and unsafe calls in the source", (
        ("promises/test_malicious_bundles.py", ""), ("test_rooms.py", "nothing_unpickles"))),
    32: ("mutated bundles", (("promises/test_bundles.py", "500_of_500"),)),
    34: ("attacks of foreign pages on both UIs, over HTTP and websockets", (
        ("promises/test_servers.py", ""), ("promises/test_mlflow_server.py", ""), ("ui/test_request_guard.py", ""))),
    37: ("spreadsheet and HTML payloads in exports and reports", (
        ("io/test_exports.py", ""), ("io/test_spreadsheet_cells.py", ""), ("domain/test_document_html.py", ""))),
    39: ("files that are bombs", (("promises/test_bombs.py", ""),)),
}  # fmt: skip


def run_tests(bench: Bench) -> tuple[Outcome, ...]:
    """One pytest run of all of them; trials are tests, and below stands what they count themselves."""
    numbers = sorted(PROVEN)[:2] if bench.is_quick else sorted(PROVEN)
    report = bench.folder / "report.xml"
    files = sorted({file for number in numbers for file, _ in PROVEN[number][1]})
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_logging=system-out", f"--junitxml={report}",
        f"--basetemp={bench.folder / 'pytest'}", *(f"ml_pipeline_tests/{file}" for file in files),
    ]  # fmt: skip
    if bench.is_quick:
        command += ["-k", " or ".join(part for number in numbers for _, part in PROVEN[number][1])]
    subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=3600)
    cases = list(ET.parse(report).iter("testcase"))
    return tuple(_outcome(number, *PROVEN[number], cases) for number in numbers)


def _outcome(number: int, title: str, tests: Sequence[tuple[str, str]], cases: Sequence[ET.Element]) -> Outcome:
    mine = [case for case in cases if any(_is_of(case, file, part) for file, part in tests)]
    ran = [case for case in mine if case.find("skipped") is None]
    wrong = [f"{case.get('name')} failed" for case in ran if {"failure", "error"} & {part.tag for part in case}]
    wrong += [] if ran else ["no test was run"]
    counts = [line.strip() for case in ran for line in (case.findtext("system-out") or "").splitlines()]
    told = [line for line in dict.fromkeys(counts) if re.search(r"\d+ (/|of|trials /) \d+|\d+ / \d+", line)]
    return Outcome(number, f"{title} (tests)", len(ran), tuple(wrong), "; ".join(told)[:400])


def _is_of(case: ET.Element, file: str, part: str) -> bool:
    module = "ml_pipeline_tests." + str(Path(file).with_suffix("")).replace("/", ".")
    return case.get("classname") == module and part in str(case.get("name"))
