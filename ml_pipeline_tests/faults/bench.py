"""Where harnesses work: a shop that is landed, trained and scored, copies of it, and the front doors as a shell opens them."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.build import build_features, build_labels
from ml_pipeline.operations.decide import decide_retraining
from ml_pipeline.operations.expect import judge_expectations
from ml_pipeline.operations.mature import measure_performance
from ml_pipeline.operations.promote import promote_if_better
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import train
from ml_pipeline.operations.watch import measure_drift
from ml_pipeline_tests import shop_deliveries
from ml_pipeline_tests.conftest import (
    SHOP_LANDED_UNTIL,
    SHOP_SCORED,
    SHOP_TRAINED_ON,
    copy_of,
    land_everything,
    open_test_site,
)
from ml_pipeline_tests.processes import ROOT

_SHOP = ROOT / "ml_pipeline_tests" / "shop"
_DAY = re.compile(r"\b20\d\d-\d\d-\d\d\b")


@dataclass(frozen=True)
class Bench:
    """Attributes:
    shop: scored; read it, never write to it.
    folder: of the harness alone.
    is_quick: whether a few trials are enough.
    """

    shop: Site
    folder: Path
    is_quick: bool

    def trials(self, *, full: int, quick: int) -> int:
        return quick if self.is_quick else full

    def tell(self, done: int, trials: int, wrong: int) -> None:
        """Say now and then how far it has come: full counts take minutes."""
        if not self.is_quick and done % max(1, trials // 10) == 0:
            print(f"       {done} of {trials} trials, {wrong} violations", file=sys.stderr, flush=True)

    def copy(self, name: str) -> Site:
        """The shop in a project and data root of its own below the folder."""
        home = self.folder / name
        project = Path(shutil.copytree(self.shop.sql.folder, home / self.shop.sql.folder.name))
        return copy_of(self.shop, project, home / "data")

    def inside(self, name: str) -> "Bench":
        folder = self.folder / name
        folder.mkdir(parents=True)
        return replace(self, folder=folder)


@dataclass(frozen=True)
class Installation:
    """A use case and a data root, as a shell would set them."""

    project: Path
    data: Path

    @classmethod
    def of(cls, site: Site) -> "Installation":
        return cls(site.sql.folder, site.data)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "ML_PIPELINE_PROJECT": str(self.project), "ML_PIPELINE_DATA": str(self.data),
            "DAGSTER_HOME": str(self.data / "dagster_home"), "MLFLOW_TRACKING_URI": f"sqlite:///{self.data / 'mlflow.db'}",
            "PYTHONUNBUFFERED": "1",
        }  # fmt: skip

    def job_command(self, night: date, *, job: str = "nightly_scoring") -> list[str]:
        """``dagster job execute`` of one night."""
        tags = json.dumps({"dagster/partition": str(night)})
        return [
            sys.executable, "-m", "dagster", "job", "execute", "-m", "ml_pipeline.definitions", "-j", job, "--tags", tags,
        ]  # fmt: skip

    def start_night(self, night: date) -> "subprocess.Popen[bytes]":
        """The job in a process group of its own."""
        log = (self.data / "night.log").open("ab")
        return subprocess.Popen(
            self.job_command(night), cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )

    def call(self, *arguments: str) -> str:
        """What a command of ``ml-pipeline`` says; it must succeed."""
        command = [sys.executable, "-m", "ml_pipeline.cli", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, text=True, capture_output=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def build_shop(folder: Path, *, moved: timedelta = timedelta(0), until: date | None = None) -> Site:
    """A shop that is landed, built, trained, scored, watched and decided, all its days ``moved``.

    ``until`` (not moved, SHOP_LANDED_UNTIL if None) is the last night whose files have landed.
    """
    project = Path(shutil.copytree(_SHOP, folder / "shop_returns"))
    for path in (project / "project.yml", project / "sources.yml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(_DAY.sub(lambda day: str(date.fromisoformat(day[0]) + moved), text), encoding="utf-8")
    first = shop_deliveries.FIRST_NIGHT
    shop_deliveries.FIRST_NIGHT = first + moved
    try:
        shop_deliveries.write_deliveries(project)
    finally:
        shop_deliveries.FIRST_NIGHT = first
    site = open_test_site(project, folder / "data")
    last, trained_on = (until or SHOP_LANDED_UNTIL) + moved, SHOP_TRAINED_ON + moved
    scored = [night + moved for night in SHOP_SCORED]
    land_everything(site, last)
    nights = nights_between(site.calendar.first_night, last)
    build_features(site, nights)
    build_labels(site, nights)
    site.registry.prepare(site.lock_file("mlflow"))
    verdict = promote_if_better(site, train(site, trained_on).bundle.version, trained_on).verdict
    assert verdict.is_promoted, verdict.reasons
    score(site, scored)
    measure_performance(site, nights_between(scored[0], min(last, scored[-1] + timedelta(days=4))))
    measure_drift(site, scored)
    judge_expectations(site, scored)
    decide_retraining(site, scored)
    return site
