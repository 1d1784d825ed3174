"""SIGKILL before and after every step of a publication: what stands is the old answer or the new one, whole."""

import shutil
import signal

import duckdb

from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.recover import sweep
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.faults.scorers import NEW, Place, Scorer, hashes
from ml_pipeline_tests.second_model import promoted, second_version

STEPS = (
    ("ml_pipeline.operations.score", "publish_scores"), ("ml_pipeline.io.table_store", "write_commit"),
    ("ml_pipeline.io.commit_receipts:CommitReceipts", "seal"), ("ml_pipeline.operations.score", "publish_catalog"),
    ("ml_pipeline.io.catalog", "renew_database"), ("ml_pipeline.io.catalog", "sync_file"),
    ("ml_pipeline.io.catalog", "replace_durably"), ("ml_pipeline.io.catalog", "write_durably"),
    ("ml_pipeline.operations.score", "alert_of_falls"),
)  # fmt: skip
PLACES = tuple(Place(module, name, when) for module, name in STEPS for when in ("before", "after"))


def kill_at_each_step(bench: Bench) -> tuple[Outcome, ...]:
    """Each place, for nights that are new and for nights that have an older answer."""
    places = PLACES[2::8] if bench.is_quick else PLACES
    wrong: list[str] = []
    states = {"old": 0, "new": 0}
    shops = {kind: _prepared(bench.copy(kind), kind) for kind in ("first", "overwrite")}
    for kind, shop in shops.items():
        bench_of_kind = Bench(shop, bench.folder, is_quick=True)
        expected = _expected(bench_of_kind.copy(f"{kind}_whole"))
        for place in places:
            site = bench_of_kind.copy(f"{kind}_now")
            before = hashes(site)
            code, told = Scorer(site, place).end()
            where = f"{kind}, {place.when} {place.name}"
            wrong += [] if code == -signal.SIGKILL else [f"{where}: the place was not reached ({code}, {told})"]
            state = {str(before): "old", str(expected): "new"}.get(str(hashes(site)), "neither")
            wrong += [f"{where}: neither the old answer nor the new one"] if state == "neither" else []
            states[state] = states.get(state, 0) + 1
            wrong += [f"{where}: {words}" for words in _after_one_more_run(site, expected)]
            shutil.rmtree(site.data.parent)
    details = f"{states['old']} states old, {states['new']} new"
    return (Outcome(3, "SIGKILL before and after each step of a publication", 2 * len(places), tuple(wrong), details),)


def _prepared(site: Site, kind: str) -> Site:
    """For an overwrite the nights are scored, and another model is champion of them since."""
    if kind == "overwrite":
        score(site, NEW)
        promoted(site, second_version(site, str(current_champion(site))), str(NEW[0]))
    return site


def _expected(site: Site) -> list[str]:
    score(site, NEW)
    return hashes(site)


def _after_one_more_run(site: Site, expected: list[str]) -> list[str]:
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as analyst:
        ((rows, keys),) = analyst.sql("select count(*), count(distinct (score_date, order_id)) from scores").fetchall()
    wrong = [] if rows == keys else [f"the analyst saw {rows} rows of {keys} keys"]
    score(site, NEW)
    swept = sweep(site)
    wrong += [] if hashes(site) == expected else ["one more run did not bring it to the end"]
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as analyst:
        ((nights,),) = analyst.sql("select count(distinct score_date) from scores").fetchall()
    published = len(site.tables.published("scores"))
    wrong += [] if nights == published else [f"the catalog shows {nights} of {published} nights"]
    return wrong + ([] if swept.is_whole else ["a lock is held by nobody"])
