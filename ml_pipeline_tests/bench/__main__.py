"""``make bench``: what features and scores cost, beside other ways to make them and beside reading and writing alone."""

import json
import subprocess
import sys
from pathlib import Path

from ml_pipeline_tests.bench.history import one_year, ten_years
from ml_pipeline_tests.bench.peers import PEERS
from ml_pipeline_tests.bench.scoring import SCORING, prepare

_REPEATS = 3


def best_of(what: str, folder: Path) -> dict[str, float]:
    """The repeat with the least wall time; each is a process of its own."""
    command = [sys.executable, "-m", "ml_pipeline_tests.bench.measure", what, str(folder)]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(_REPEATS)
    ]
    return min(runs, key=lambda run: run["seconds"])


def main(folder: Path) -> None:
    print("landing 2013, ten years of it, and a model (some minutes the first time) ...", flush=True)
    year = one_year(folder)
    ten_years(folder, year)
    prepare(folder, year)
    lines = (
        {
            "year": "all features, 365 nights, published",
            "one_year": "all features, one new night, after 1 year",
            "ten_years": "all features, one new night, after 10 years",
        }
        | {name: f"four features, 365 nights: {name}" for name in PEERS}
        | {what: what for what in SCORING}
    )
    print(f"best of {_REPEATS}\n{'':48}{'seconds':>9}{'cpu s':>9}{'rows':>9}{'peak MB':>9}{'us a row':>9}")
    for what, words in lines.items():
        found = best_of(what, folder)
        print(
            f"{words:48}{found['seconds']:9.2f}{found['cpu_seconds']:9.2f}{found['rows']:9,.0f}{found['peak_mb']:9,.0f}"
            f"{found['seconds'] / found['rows'] * 1e6:9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
