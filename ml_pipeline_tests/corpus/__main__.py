"""``python -m ml_pipeline_tests.corpus``: runs the corpus and prints what came of every row of it."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from ml_pipeline_tests.corpus.catalog import ALL, attempt, violations
from ml_pipeline_tests.corpus.workshop import Bench, build_workshop

_SHOP = Path(__file__).parents[1] / "shop"
_WIDTH = 150


def main() -> int:
    """Print one line a case; the exit code is 1 if one did not come out as specified."""
    folder = Path(tempfile.mkdtemp(prefix="corpus_"))
    failed = 0
    try:
        bench = Bench(build_workshop(_SHOP, folder / "workshop"), folder / "cases")
        for case in ALL:
            result = attempt(case, bench)
            broken = violations(case, result)
            failed += bool(broken)
            message = result.message.replace(str(folder), "...")[:_WIDTH]
            print(f"{case.row:4} {case.name:48.48} {result.outcome:10} {'NOT AS SPECIFIED' if broken else message}")
            print("".join(f"     {told}\n" for told in broken), end="")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(ALL)} cases, {failed} not as specified")
    return 1 if failed else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # DuckDB's binding ends an ordinary exit with a page of warnings under the table.
    os._exit(code)
