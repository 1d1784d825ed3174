"""Three trainers that promote at once, round after round: the best of them must be champion in every round.

Real processes, bundles and MLflow on SQLite. One model is strong, two are weak; whoever comes first has no champion to
beat. A naive contest, without the lock and the compare-and-swap, has to fail: else the rounds would prove nothing.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from ml_pipeline.io.mlflow_registry import MlflowRegistry
from ml_pipeline.operations.promote import PROMOTIONS, current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import train
from ml_pipeline_tests.conftest import open_test_site
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.processes import start_python

EARLIER, LATER = date(2024, 5, 5), date(2024, 5, 20)
STRONG, WEAK, WEAKER = 60, 2, 1
# The 480 rows of twelve nights are not enough to be surer.
_TERMS = ("promotion: {min_log_loss_gain: 0.0005", "promotion: {confidence: 0.9, min_log_loss_gain: 0.0005")

TRAINER = """
import sys
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline.operations import promote
from ml_pipeline_tests.conftest import open_test_site
project, data, version, night, is_naive = sys.argv[1:]
if is_naive == "naive":
    whole = Ledger.append
    promote.exclusive_lock = lambda path: nullcontext()
    Ledger.append = lambda ledger, entry, after=None: whole(ledger, entry)
site = open_test_site(Path(project), Path(data))
site.registry.version_of(version)
print("ready", flush=True)
for line in sys.stdin:
    try:
        promote.promote_if_better(site, version, date.fromisoformat(night))
        print("done", flush=True)
    except Exception as error:
        print(f"{type(error).__name__}: {error}".replace(chr(10), " "), flush=True)
"""


@dataclass(frozen=True)
class Contest:
    """An installation in which nothing is promoted, the three versions with the nights of their training, and the best."""

    site: Site
    nights: dict[str, date]
    best: str


@dataclass(frozen=True)
class Count:
    """How many of ``rounds`` ended as they must, and what went wrong in the others."""

    rounds: int
    right: int
    wrong: tuple[str, ...]


def set_up(site: Site) -> Contest:
    """Train three models in ``site``, a shop whose features and labels are built and that has an MLflow store."""
    path = site.sql.folder / "project.yml"
    text = path.read_text(encoding="utf-8").replace(*_TERMS)
    versions: dict[int, str] = {}
    for trees, night in ((WEAK, EARLIER), (WEAKER, EARLIER), (STRONG, LATER)):
        path.write_text(text.replace(f"max_trees: {STRONG}", f"max_trees: {trees}"), encoding="utf-8")
        versions[trees] = train(open_test_site(site.sql.folder, site.data), night).bundle.version
    nights = {versions[WEAK]: EARLIER, versions[WEAKER]: EARLIER, versions[STRONG]: LATER}
    return Contest(open_test_site(site.sql.folder, site.data), nights, versions[STRONG])


@contextmanager
def trainers(contest: Contest, *, is_naive: bool = False) -> Iterator[list["subprocess.Popen[str]"]]:
    """A process for each of the three versions, which promotes it at every line that it is sent."""
    here, how = (str(contest.site.sql.folder), str(contest.site.data)), "naive" if is_naive else "locked"
    processes = [start_python(TRAINER, *here, version, str(night), how) for version, night in contest.nights.items()]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
        yield processes
    finally:
        for process in processes:
            process.communicate(timeout=60)


def promote_at_once(contest: Contest, processes: list["subprocess.Popen[str]"]) -> str:
    """One round from an empty ledger; what is wrong at its end, empty if all is as it must be."""
    shutil.rmtree(contest.site.ledger(PROMOTIONS).folder, ignore_errors=True)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.stdout.readline().strip() for process in processes if process.stdout is not None]
    ledger, champion = contest.site.ledger(PROMOTIONS), current_champion(contest.site)
    alias = alias_of(contest.site.registry, "champion")
    checks = {
        "a trainer failed": told != ["done"] * 3, "the best is not champion": champion != contest.best,
        "the alias is another": alias != champion, "a verdict is missing": len(ledger.entries()) != 3,
        "the ledger is damaged": bool(ledger.verify()),
    }  # fmt: skip
    return "; ".join([name for name, is_wrong in checks.items() if is_wrong])


def alias_of(registry: MlflowRegistry, alias: str) -> str:
    """The bundle at which ``alias`` points."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=registry.tracking_uri, registry_uri=registry.tracking_uri)
    return str(client.get_model_version_by_alias(registry.name, alias).tags["bundle_version"])


def count_rounds(contest: Contest, rounds: int, *, is_naive: bool = False) -> Count:
    """Let the three promote at once, ``rounds`` times."""
    with trainers(contest, is_naive=is_naive) as processes:
        wrong = [found for _ in range(rounds) if (found := promote_at_once(contest, processes))]
    return Count(rounds, rounds - len(wrong), tuple(wrong))


def promote_all_at_once(bench: Bench) -> tuple[Outcome, ...]:
    """The rounds under the lock, and some without it."""
    site = bench.copy("contest")
    shutil.rmtree(site.models)
    shutil.rmtree(site.data / "ledgers")
    contest = set_up(site)
    rounds = bench.trials(full=25, quick=2)
    sound = count_rounds(contest, rounds)
    naive = count_rounds(contest, rounds, is_naive=True)
    wrong = () if naive.wrong else ("without lock and compare-and-swap nothing went wrong",)
    return (
        Outcome(7, "rounds in which three trainers promote at once", rounds, sound.wrong),
        Outcome(7, "contests without lock and compare-and-swap, to be found out", 1, wrong,
                f"{naive.right} of {rounds} rounds ended right by chance"),
    )  # fmt: skip
