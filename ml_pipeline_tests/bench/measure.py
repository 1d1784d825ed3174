"""One measurement in a process of its own: ``python -m ml_pipeline_tests.bench.measure WHAT FOLDER``; prints JSON."""

import json
import shutil
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.bench.clock import timed
from ml_pipeline_tests.bench.history import PROJECT, YEAR, open_bench_site
from ml_pipeline_tests.bench.peers import PEERS
from ml_pipeline_tests.bench.scoring import SCORING

_NEW_NIGHTS = YEAR[-15:]


def year_of_features(folder: Path) -> dict[str, float]:
    site = open_bench_site(PROJECT, folder / "one_year")
    shutil.rmtree(site.data / "features", ignore_errors=True)
    return timed(lambda: build_features(site, YEAR).rows)


def new_nights(site: Site) -> dict[str, float]:
    """The median of single new nights, built and published; the first one pays for the imports and is left out."""
    shutil.rmtree(site.data / "features", ignore_errors=True)
    found = [timed(lambda night=night: build_features(site, [night]).rows) for night in _NEW_NIGHTS][1:]
    return {name: median(one[name] for one in found) for name in found[0]}


def peer(folder: Path, name: str) -> dict[str, float]:
    site = open_bench_site(PROJECT, folder / "one_year")
    with TemporaryDirectory() as out:
        PEERS[name](site, Path(out))  # imports, and the page cache
        return timed(lambda: PEERS[name](site, Path(out)))


def main(what: str, folder: Path) -> None:
    if what == "year":
        found = year_of_features(folder)
    elif what in ("one_year", "many_years"):
        found = new_nights(
            open_bench_site(PROJECT if what == "one_year" else folder / "many_years_project", folder / what)
        )
    elif what in SCORING:
        found = SCORING[what](folder)
    else:
        found = peer(folder, what)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
