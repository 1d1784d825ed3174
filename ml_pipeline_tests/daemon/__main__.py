"""``python -m ml_pipeline_tests.daemon``: the whole proof with the real daemon, on a shop of its own; a few minutes.

Two pieces of evidence. For each the daemon dies at four places between the look and the end of its tick, and the training
fails twice; then the sensor is evaluated until it has been a hundred times.
"""

import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path

from ml_pipeline.operations.promote import promote_if_better
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import train
from ml_pipeline_tests.conftest import (
    SHOP_LANDED_UNTIL,
    SHOP_SCORED,
    SHOP_TRAINED_ON,
    build_everything,
    land_everything,
    open_test_site,
)
from ml_pipeline_tests.daemon.proof import prove
from ml_pipeline_tests.shop_deliveries import write_deliveries

_SHOP = Path(__file__).parents[1] / "shop"
_EVIDENCE = {"e1": date(2024, 5, 20), "e2": date(2024, 5, 22)}
_DEATHS = ("TICK_CREATED", "TICK_HELD", "RUN_CREATED", "RUN_LAUNCHED")
_FAILURES = 2


def main() -> int:
    """Print what came of the evidence; the exit code is 1 if a run was lost or doubled."""
    folder = Path(tempfile.mkdtemp(prefix="daemon_"))
    try:
        answers = prove(_scored_shop(folder), _EVIDENCE, deaths=_DEATHS, failures=_FAILURES, evaluations=100)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"evaluations of the sensor {answers.evaluations}, deaths of the daemon {answers.deaths}")
    for name, ended in answers.runs.items():
        print(f"evidence {name}: runs {', '.join(ended)}")
    succeeded = [name for name, ended in answers.runs.items() for status in ended if status == "SUCCESS"]
    lost, doubled = sorted(set(_EVIDENCE) - set(succeeded)), len(succeeded) - len(set(succeeded))
    print(f"distinct evidence {len(_EVIDENCE)}, answered {len(set(succeeded))}, lost {len(lost)}, doubled {doubled}")
    is_kept = succeeded == [*_EVIDENCE] and answers.trained == [str(night) for night in _EVIDENCE.values()]
    return 0 if is_kept and len(set(answers.run_keys)) == len(answers.run_keys) else 1


def _scored_shop(folder: Path) -> Site:
    project = Path(shutil.copytree(_SHOP, folder / "shop_returns"))
    write_deliveries(project)
    site = open_test_site(project, folder / "data")
    land_everything(site, SHOP_LANDED_UNTIL)
    build_everything(site)
    site.registry.prepare(site.lock_file("mlflow"))
    promote_if_better(site, train(site, SHOP_TRAINED_ON).bundle.version, SHOP_TRAINED_ON)
    score(site, SHOP_SCORED)
    return site


if __name__ == "__main__":
    sys.exit(main())
