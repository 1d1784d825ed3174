"""What scoring costs: one night, a year of nights, a million rows, and the whole nightly job as a process.

The champion of the default project scores; a ledger entry lets it serve the whole year, also the nights that it learned
from: here only the clock judges it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.project import ExplainedRows
from ml_pipeline.domain.audit import audit_scores
from ml_pipeline.domain.scoring import Scorer, explain
from ml_pipeline.io.duckdb_connections import utc_connection
from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import Night
from ml_pipeline.operations.build import build_features, build_labels
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.land import land
from ml_pipeline.operations.promote import PROMOTIONS
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.score_rows import score_nights
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.train import train
from ml_pipeline_tests.bench.clock import timed
from ml_pipeline_tests.bench.history import PROJECT, YEAR, copied_project, moved, open_bench_site

Measured = dict[str, float]

_TRAINED_ON = date(2013, 7, 1)
_NEW_NIGHTS = [night for night in YEAR if date(2013, 10, 1) <= night <= date(2013, 10, 8)]
_UNTIL_OCTOBER = [night for night in YEAR if night < date(2013, 10, 1)]
_YEARS_BACK = (2, 1, 0)
_WEEKS_A_YEAR = timedelta(days=364)
_EXPLAINED_ROWS = 20_000
# The million rows as a thousand nights, and as one night.
_MANY, _ONE = "million", "large_night"


def prepare(folder: Path, one_year: Site) -> None:
    """A root with everything built, trained and promoted, and one with three times the year's features."""
    data = folder / "scoring"
    if not (data / "ready").exists():
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(one_year.data, data, ignore=shutil.ignore_patterns("features", "night_index.sqlite"))
        site = open_bench_site(PROJECT, data)
        build_features(site, YEAR)
        build_labels(site, YEAR)
        _serve(site, train(site, _TRAINED_ON).bundle.version)
        (data / "ready").touch()
    parts = (("nightly", _prepare_nightly), (_MANY, _prepare_million), (_ONE, _prepare_large_night))
    for name, make in parts:
        data = folder / name
        if not (data / "ready").exists():
            shutil.rmtree(data, ignore_errors=True)
            make(folder)
            (data / "ready").touch()


def _serve(site: Site, version: str) -> None:
    site.ledger(PROMOTIONS).append(
        {"challenger": version, "champion_before": None, "judged_on": str(YEAR[0]), "effective_from": str(YEAR[0]),
         "is_promoted": True, "reasons": ["to be measured"], "numbers": {}},
        after=0,
    )  # fmt: skip


def _prepare_nightly(folder: Path) -> None:
    """Landed and scored until the last night of September, and nothing later: the next night is new to every step."""
    year, site = open_bench_site(PROJECT, folder / "scoring"), open_bench_site(PROJECT, folder / "nightly")
    shutil.copytree(year.models, site.models)
    shutil.copytree(year.data / "ledgers", site.data / "ledgers")
    for source in site.sql.sources:
        land(site, source, _UNTIL_OCTOBER)
    build_labels(site, _UNTIL_OCTOBER)
    score(site, _UNTIL_OCTOBER[-30:])


def _prepare_million(folder: Path) -> None:
    year = open_bench_site(PROJECT, folder / "scoring")
    site = open_bench_site(copied_project(folder / "million_project", years_before=2), folder / "million")
    shutil.copytree(year.models, site.models)
    table = features_table(year.sql)
    for back in _YEARS_BACK:
        rows = moved(year.tables.read(table, YEAR[: _WEEKS_A_YEAR.days]), back * _WEEKS_A_YEAR)
        nights = [night - back * _WEEKS_A_YEAR for night in YEAR[: _WEEKS_A_YEAR.days]]
        site.tables.publish(
            table, rows, {night: NightInputs.made_from(str(night)) for night in nights}, key=site.project.entity_key
        )
    load_scorer(_bundle(site))


def _prepare_large_night(folder: Path) -> None:
    many, bundle, nights = _million(folder, _MANY)
    one = open_bench_site(folder / "million_project", folder / _ONE)
    shutil.copytree(many.models, one.models)
    table = features_table(bundle.feature_set)
    rows = many.tables.read(table, nights)
    rows = rows.set_column(0, rows.schema.field(0), pa.repeat(pa.scalar(_NEW_NIGHTS[0]), rows.num_rows))
    one.tables.publish(
        table, rows, {_NEW_NIGHTS[0]: NightInputs.made_from("a large night")}, key=one.project.entity_key
    )
    load_scorer(_bundle(one))


def _bundle(site: Site) -> ModelBundle:
    (version,) = [path.name for path in site.models.iterdir() if not path.name.startswith(".")]
    return read_bundle(site.models, version)


def night(folder: Path) -> Measured:
    """The median new night: features, scores, audit, catalog; the first one pays for the imports and is left out."""
    site = open_bench_site(PROJECT, folder / "scoring")
    for name in (SCORES, features_table(site.sql)):
        shutil.rmtree(site.tables.path(name), ignore_errors=True)
    score(site, YEAR[240:272])
    found = [timed(lambda one=one: score(site, [one]).published.rows) for one in _NEW_NIGHTS][1:]
    return {name: median(one[name] for one in found) for name in found[0]}


def nightly_job(folder: Path) -> Measured:
    """``dagster job execute`` of the next night, as a process of its own."""
    data = folder / "nightly"
    environment = os.environ | {
        "ML_PIPELINE_DATA": str(data), "DAGSTER_HOME": str(data / "dagster_home"), "ML_PIPELINE_PROJECT": str(PROJECT),
    }  # fmt: skip
    # A machine that may not keep compiled modules would compile this package anew in every process.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    programs = Path(sys.executable).parent
    subprocess.run([programs / "ml-pipeline", "init"], check=True, env=environment, capture_output=True)
    site = open_bench_site(PROJECT, data)
    one = max(site.tables.published(SCORES)) + timedelta(days=1)
    command = [
        programs / "dagster", "job", "execute", "-m", "ml_pipeline.definitions", "-j", "nightly_scoring",
        "--tags", json.dumps({"dagster/partition": str(one)}),
    ]  # fmt: skip

    def run() -> int:
        subprocess.run(command, check=True, env=environment, capture_output=True)
        return site.tables.published(SCORES)[one].rows

    return timed(run, of_children=True)


def backfill(folder: Path) -> Measured:
    """Every night of the year in one call and one commit, features built before."""
    site = open_bench_site(PROJECT, folder / "scoring")
    build_features(site, YEAR)
    shutil.rmtree(site.tables.path(SCORES), ignore_errors=True)
    return timed(lambda: score(site, YEAR).published.rows)


def _million(folder: Path, name: str) -> tuple[Site, ModelBundle, list[Night]]:
    site = open_bench_site(folder / "million_project", folder / name)
    shutil.rmtree(site.tables.path(SCORES), ignore_errors=True)
    bundle = _bundle(site)
    return site, bundle, list(site.tables.published(features_table(bundle.feature_set)))


def scored_and_published(folder: Path, name: str, explained: ExplainedRows) -> Measured:
    site, bundle, nights = _million(folder, name)
    table = features_table(bundle.feature_set)

    def work() -> int:
        rows = score_nights(site, bundle, nights, version=site.tables.version(table), explained=explained)
        expected = {one: facts.rows for one, facts in site.tables.published(table).items()}
        if any(audit.broken for audit in audit_scores(rows, expected, site.project.entity_key)):
            raise AssertionError("the audit refuses the scores")
        inputs = {one: NightInputs.made_from(str(one)) for one in nights}
        site.tables.publish(SCORES, rows, inputs, key=site.project.entity_key)
        publish_catalog(site)
        return int(rows.num_rows)

    return timed(work)


def _features(site: Site, bundle: ModelBundle, nights: list[Night]) -> Iterator[pa.Table]:
    for start in range(0, len(nights), 100):
        yield site.tables.read(features_table(bundle.feature_set), nights[start : start + 100])


def read_and_write(folder: Path, name: str) -> Measured:
    """The limit: read every feature, write as many columns of numbers as scores have numbers, and the key."""
    site, bundle, nights = _million(folder, name)
    files = [str(path) for path in site.tables.files(features_table(bundle.feature_set), nights)]
    names = [column.name for column in load_scorer(bundle).encoder.columns]

    def work() -> int:
        with TemporaryDirectory() as out, utc_connection() as connection:
            read = connection.read_parquet(files, hive_partitioning=True).to_arrow_table()
            key = ["score_date", *site.project.entity_key]
            pa.parquet.write_table(read.select([*key, *names[-3:]]), Path(out) / "scores.parquet")
            return int(read.num_rows)

    import pyarrow.parquet  # noqa: F401

    return timed(work)


def bare_booster(folder: Path) -> Measured:
    """Booster.predict on matrices that are there already."""
    import lightgbm

    site, bundle, nights = _million(folder, _MANY)
    scorer = load_scorer(bundle)
    booster = lightgbm.Booster(model_str=scorer.trees_text)
    parts = [scorer.encoder.transform(rows) for rows in _features(site, bundle, nights)]
    return timed(lambda: sum(len(np.asarray(booster.predict(part, num_threads=2))) for part in parts))


def _explained(folder: Path, work: Callable[[Scorer, np.ndarray], object]) -> Measured:
    site, bundle, nights = _million(folder, _MANY)
    scorer = load_scorer(bundle)
    matrix = scorer.encoder.transform(next(_features(site, bundle, nights)))[:_EXPLAINED_ROWS]
    return timed(lambda: len(matrix) if work(scorer, matrix) is not None else 0)


def reasons(folder: Path) -> Measured:
    return _explained(folder, lambda scorer, matrix: explain(scorer, matrix, threads=2))


def lightgbm_contributions(folder: Path) -> Measured:
    import lightgbm

    return _explained(
        folder,
        lambda scorer, matrix: lightgbm.Booster(model_str=scorer.trees_text).predict(
            matrix, pred_contrib=True, num_threads=2
        ),
    )


SCORING: dict[str, Callable[[Path], Measured]] = {
    "one new night: features, scores, audit, catalog": night,
    "one new night: the nightly job as a process": nightly_job,
    "365 nights scored in one run": backfill,
    "a million rows: Booster.predict alone": bare_booster,
    "a million rows, one night: read and write only": lambda folder: read_and_write(folder, _ONE),
    "a million rows, one night: scored and published": lambda folder: scored_and_published(folder, _ONE, "none"),
    "a million rows, 1,092 nights: read and write only": lambda folder: read_and_write(folder, _MANY),
    "a million rows, 1,092 nights: scored, published": lambda folder: scored_and_published(folder, _MANY, "none"),
    "a million rows, 1,092 nights: with reasons": lambda folder: scored_and_published(folder, _MANY, "every"),
    "20,000 rows: reasons": reasons,
    "20,000 rows: LightGBM's contributions": lightgbm_contributions,
}
