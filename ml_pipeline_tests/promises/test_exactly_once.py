"""A night is published once and whole, however often it is scored and whenever the scoring dies."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline.io.catalog import View, files_select, write_catalog
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.scorers import NEW
from ml_pipeline_tests.faults.scoring_kills import Reader, kill_scorings


def test_scoring_the_same_nights_again_makes_no_commit(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    score(site, NEW)
    before, files = site.tables.version(SCORES), site.tables.files(SCORES)
    trials = [NEW, NEW[::-1], NEW[:1], (*SHOP_SCORED, *NEW), NEW + NEW]
    wrong = sum(bool(score(site, nights).published.changed) for nights in trials)
    wrong += (site.tables.version(SCORES), site.tables.files(SCORES)) != (before, files)
    print(f"scored again: {len(trials)} / {wrong}")
    assert wrong == 0


def test_a_scoring_that_is_killed_at_any_moment_harms_no_reader_and_is_finished_by_one_more_run(
    scored_shop: Site, tmp_path: Path
) -> None:
    (outcome,) = kill_scorings(Bench(scored_shop, tmp_path, is_quick=True))
    print(f"kills: {outcome.trials} / {outcome.violations} ({outcome.details})")
    assert outcome.wrong == ()
    assert outcome.trials == 8


def test_the_harness_catches_a_catalog_that_is_partial_doubled_or_broken(scored_shop_copy: Site) -> None:
    root = scored_shop_copy.data
    files = scored_shop_copy.tables.files(SCORES)
    schema = scored_shop_copy.tables.schema(SCORES)
    half = root / "aside" / f"score_date={NEW[0]}" / "half.parquet"
    half.parent.mkdir(parents=True)
    rows: pa.Table = pq.read_table(files[0], partitioning=None)
    pq.write_table(rows.slice(0, 17), half)
    found = []
    for shown in ([*files, files[0]], [*files, half], files[1:], [*files, root / "gone.parquet"]):
        views = [View("scores", files_select(list(shown), schema), "")]
        try:
            write_catalog(root, views)
        except duckdb.Error:
            found.append("broken")
            continue
        reader = Reader(root / "warehouse.duckdb")
        reader.ask()
        found.append("wrong" if reader.wrong else "fine")
    assert found == ["wrong", "wrong", "wrong", "broken"]
