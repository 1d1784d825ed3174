"""``python -m ml_pipeline_tests.faults``: tries the faults that the pipeline must stand, and prints one table.

python -m ml_pipeline_tests.faults                      # all, with the full counts
python -m ml_pipeline_tests.faults --quick zombies      # a few trials of one harness
"""

import argparse
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from ml_pipeline_tests.faults.bench import Bench, build_shop
from ml_pipeline_tests.faults.catalog import HARNESSES
from ml_pipeline_tests.faults.outcome import HEAD, Line, Outcome, row, table


def main() -> int:
    """The exit code is 1 if anything was violated, or a harness could not be run to its end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(HARNESSES)}; all, if none is given")
    parser.add_argument("--quick", action="store_true", help="few trials, to see that everything is in order")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(HARNESSES):
        parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(HARNESSES)}")
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="ml_pipeline_faults_", ignore_cleanup_errors=True) as folder:
        bench = Bench(build_shop(Path(folder) / "shop"), Path(folder), is_quick=asked.quick)
        print(HEAD, flush=True)
        for name in asked.names or HARNESSES:
            found = run(name, bench.inside(name))
            lines += found
            print("\n".join(map(row, found)), flush=True)
    if len(lines) > 1:
        print(f"\n{table(lines)}")
    return int(any(line.outcome.violations for line in lines))


def run(name: str, bench: Bench) -> list[Line]:
    """The lines of one harness; one that breaks down is a violation and does not keep the others from running."""
    began = time.monotonic()
    try:
        outcomes = HARNESSES[name](bench)
    except Exception as error:  # noqa: BLE001 - what stopped it is told, and counts
        traceback.print_exc()
        outcomes = (Outcome(0, f"harness {name}", 1, (f"it broke down: {type(error).__name__}: {error}",)),)
    return [Line(outcome, time.monotonic() - began) for outcome in outcomes]


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # DuckDB's binding ends an ordinary exit with a page of warnings under the table.
    os._exit(code)
