"""``make bench``: what features and scores cost, beside other ways to make them and beside reading and writing alone.

``python -m ml_pipeline_tests.bench FOLDER --years 1`` leaves the long history out, which takes most of the preparation;
``--only WORDS`` measures the lines that hold these words.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from ml_pipeline_tests.bench.history import many_years, one_year
from ml_pipeline_tests.bench.peers import PEERS
from ml_pipeline_tests.bench.scoring import SCORING, prepare

_YEARS = 10


def best_of(repeats: int, what: str, folder: Path) -> dict[str, float]:
    """The repeat with the least wall time; each is a process of its own."""
    command = [sys.executable, "-m", "ml_pipeline_tests.bench.measure", what, str(folder)]
    runs = [
        json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
        for _ in range(repeats)
    ]
    return min(runs, key=lambda run: run["seconds"])


def lines(years: int) -> dict[str, str]:
    """What is measured, and the words of its line."""
    return (
        {"year": "all features, 365 nights, published", "one_year": "all features, one new night, after 1 year"}
        | ({"many_years": f"all features, one new night, after {years} years"} if years > 1 else {})
        | {name: f"four features, 365 nights: {name}" for name in PEERS}
        | {what: what for what in SCORING}
    )


def main(folder: Path, *, years: int, repeats: int, only: str) -> None:
    wanted = {what: words for what, words in lines(years).items() if only in words}
    print("landing 2013, a long history of it, and a model (some minutes the first time) ...", flush=True)
    year = one_year(folder)
    if "many_years" in wanted:
        many_years(folder, year, years)
    if set(SCORING) & set(wanted):
        prepare(folder, year)
    print(f"best of {repeats}\n{'':48}{'seconds':>9}{'cpu s':>9}{'rows':>9}{'peak MB':>9}{'us a row':>9}")
    for what, words in wanted.items():
        found = best_of(repeats, what, folder)
        print(
            f"{words:48}{found['seconds']:9.2f}{found['cpu_seconds']:9.2f}{found['rows']:9,.0f}{found['peak_mb']:9,.0f}"
            f"{found['seconds'] / found['rows'] * 1e6:9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    given = argparse.ArgumentParser(prog="python -m ml_pipeline_tests.bench", description=__doc__)
    given.add_argument("folder", type=Path)
    given.add_argument("--years", type=int, default=_YEARS, help="of history before the new night; 1 leaves it out")
    given.add_argument("--repeats", type=int, default=3)
    given.add_argument("--only", default="", metavar="WORDS")
    found = given.parse_args()
    main(found.folder, years=found.years, repeats=found.repeats, only=found.only)
