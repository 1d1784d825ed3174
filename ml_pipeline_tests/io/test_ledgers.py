import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ml_pipeline.io.ledgers import Ledger, LedgerConflictError, LedgerFinding
from ml_pipeline_tests.processes import release, start_python

WRITER = """
import sys
from pathlib import Path
from ml_pipeline.io.ledgers import Ledger
ledger = Ledger(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    ledger.append({"writer": sys.argv[2], "written": number})
"""


def chain_holds(ledger: Ledger) -> bool:
    """Each entry names the hash of the file before it."""
    previous = ""
    for path in ledger.paths():
        if json.loads(path.read_text())["previous"] != previous:
            return False
        previous = hashlib.sha256(path.read_bytes()).hexdigest()
    return True


def test_entries_come_back_in_order_with_number_and_clock(tmp_path: Path) -> None:
    ledger, before = Ledger(tmp_path / "promotions"), datetime.now(UTC)
    assert [ledger.append({"title": title}) for title in "abc"] == [1, 2, 3]
    entries = ledger.entries()
    assert [(entry["number"], entry["title"]) for entry in entries] == [(1, "a"), (2, "b"), (3, "c")]
    assert all(before <= datetime.fromisoformat(entry["recorded_at"]) <= datetime.now(UTC) for entry in entries)
    assert chain_holds(ledger)


def test_an_unborn_ledger_is_empty(tmp_path: Path) -> None:
    assert Ledger(tmp_path / "none").entries() == []
    assert not (tmp_path / "none").exists()


def test_entries_of_several_processes_are_all_kept_without_a_gap(tmp_path: Path) -> None:
    writers = [start_python(WRITER, str(tmp_path / "alerts"), str(number), "60") for number in range(3)]
    release(writers)
    errors = [writer.communicate(timeout=60)[1] for writer in writers]
    ledger = Ledger(tmp_path / "alerts")
    written = sorted((entry["writer"], entry["written"]) for entry in ledger.entries())
    assert [error.splitlines()[-1] for error in errors if error] == []
    assert written == [(str(writer), number) for writer in range(3) for number in range(60)]
    assert [entry["number"] for entry in ledger.entries()] == list(range(1, 181))
    assert chain_holds(ledger)
    assert [path.name for path in ledger.folder.iterdir() if not path.name.endswith(".json")] == []


def test_a_decision_on_an_old_ledger_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "promotions")
    ledger.append({"title": "first"}, after=0)
    for after in (0, 2):
        with pytest.raises(
            LedgerConflictError, match=f"promotions has 1 entries, the last is 1, {after} were expected"
        ):
            ledger.append({"title": "second"}, after=after)
    assert [entry["title"] for entry in ledger.entries()] == ["first"]
    assert ledger.append({"title": "second"}, after=1) == 2


def test_of_many_processes_that_decide_on_the_same_ledger_one_wins(tmp_path: Path) -> None:
    code = WRITER.replace('"written": number}', '"written": number}, after=0')
    deciders = [start_python(code, str(tmp_path / "promotions"), str(number), "1") for number in range(4)]
    for decider in deciders:
        assert decider.stdout is not None
        assert decider.stdout.readline() == "ready\n"
    errors = [decider.communicate("go\n", timeout=60)[1] for decider in deciders]
    assert sorted("LedgerConflictError" in error for error in errors) == [False, True, True, True]
    assert len(Ledger(tmp_path / "promotions").entries()) == 1


def written(folder: Path, titles: str = "abcd") -> Ledger:
    ledger = Ledger(folder)
    for title in titles:
        ledger.append({"title": title})
    return ledger


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_edited_entry_is_found_at_its_number(tmp_path: Path, number: int) -> None:
    ledger = written(tmp_path / "promotions")
    assert ledger.verify() == ()
    path = ledger.paths()[number - 1]
    path.write_text(path.read_text().replace('"title": "', '"title": "forged '))
    assert ledger.verify() == (LedgerFinding(number, "it was altered after it was written"),)
    assert chain_holds(ledger) == (number == 4)


def test_an_entry_that_is_missing_or_no_json_is_found(tmp_path: Path) -> None:
    ledger = written(tmp_path / "promotions", "abcdefg")
    paths = ledger.paths()
    for gone in (paths[0], paths[2], paths[3]):
        gone.unlink()
    paths[5].write_text("[1, 2")
    found = {finding.number: finding.problem for finding in ledger.verify()}
    assert found == dict.fromkeys((1, 3, 4), "it is missing") | {6: "it was altered after it was written"}


def sealed(content: dict[str, object]) -> str:
    """``content`` as somebody writes it who knows how an entry is hashed."""
    unsigned = {name: value for name, value in content.items() if name != "sha256"}
    own = hashlib.sha256((json.dumps(unsigned, sort_keys=True) + "\n").encode()).hexdigest()
    return json.dumps({**unsigned, "sha256": own}, sort_keys=True) + "\n"


def test_an_entry_that_was_written_anew_no_longer_fits_its_successor(tmp_path: Path) -> None:
    ledger = written(tmp_path / "promotions")
    path = ledger.paths()[1]
    path.write_text(sealed(json.loads(path.read_text()) | {"title": "forged"}))
    assert ledger.verify() == (LedgerFinding(3, "it does not follow the entry before it"),)


def test_an_entry_from_before_entries_held_their_hash_is_vouched_for_by_the_next(tmp_path: Path) -> None:
    folder, previous = tmp_path / "promotions", ""
    folder.mkdir()
    for number in (1, 2, 3):
        path = folder / f"{number:06d}.json"
        path.write_text(json.dumps({"number": number, "previous": previous, "title": "old"}))
        previous = hashlib.sha256(path.read_bytes()).hexdigest()
    ledger = written(folder, "a")
    assert ledger.verify() == ()
    (folder / "000002.json").write_text((folder / "000002.json").read_text().replace("old", "new"))
    assert ledger.verify() == (LedgerFinding(2, "it was altered after it was written"),)


def test_after_a_gap_entries_go_on_but_no_decision_rests_on_it(tmp_path: Path) -> None:
    ledger = written(tmp_path / "alerts", "abc")
    ledger.paths()[1].unlink()
    for after in (2, 3):
        with pytest.raises(LedgerConflictError, match=f"has 2 entries, the last is 3, {after} were expected"):
            ledger.append({"title": "d"}, after=after)
    assert ledger.append({"title": "d"}) == 4
    assert ledger.verify() == (LedgerFinding(2, "it is missing"),)


def test_what_a_killed_writer_left_is_no_entry(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "alerts")
    ledger.append({"title": "a"})
    (ledger.folder / ".000002.4711.aside").write_text('{"half": ')
    assert ledger.append({"title": "b"}) == 2
    assert [entry["title"] for entry in ledger.entries()] == ["a", "b"]
    assert chain_holds(ledger)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_a_value_that_json_does_not_have_is_refused(tmp_path: Path, value: object) -> None:
    ledger = Ledger(tmp_path / "alerts")
    with pytest.raises((ValueError, TypeError)):
        ledger.append({"value": value})
    assert ledger.entries() == []
    assert ledger.append({"value": 1}) == 1


def test_order_holds_beyond_six_digits_of_names(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "alerts")
    for number in range(1, 12):
        ledger.append({"written": number})
    assert [entry["written"] for entry in ledger.entries()] == list(range(1, 12))
