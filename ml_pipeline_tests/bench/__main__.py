"""``make bench``: what features cost, beside what they would cost written by hand and what reading and writing alone costs."""

import json
import subprocess
import sys
from pathlib import Path

from ml_pipeline_tests.bench.history import one_year, ten_years
from ml_pipeline_tests.bench.peers import PEERS

_REPEATS = 3


def best_of(what: str, folder: Path) -> dict[str, float]:
    """The repeat with the least wall time; each is a process of its own."""
    command = [sys.executable, "-m", "ml_pipeline_tests.bench.measure", what, str(folder)]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(_REPEATS)
    ]
    return min(runs, key=lambda run: run["seconds"])


def main(folder: Path) -> None:
    print("landing 2013, and ten years of it, one commit a night (some minutes the first time) ...", flush=True)
    ten_years(folder, one_year(folder))
    lines = {
        "year": "all features, 365 nights, published",
        "one_year": "all features, one new night, after 1 year",
        "ten_years": "all features, one new night, after 10 years",
    } | {name: f"four features, 365 nights: {name}" for name in PEERS}
    print(f"best of {_REPEATS}\n{'':48}{'seconds':>9}{'cpu s':>9}{'rows':>9}{'peak MB':>9}")
    for what, words in lines.items():
        found = best_of(what, folder)
        print(
            f"{words:48}{found['seconds']:9.2f}{found['cpu_seconds']:9.2f}{found['rows']:9,.0f}{found['peak_mb']:9,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
