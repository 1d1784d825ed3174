import shutil
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ml_pipeline.domain.drift import stability_index
from ml_pipeline.domain.prediction_drift import count_probabilities, probability_bins
from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.watch_predictions import (
    PREDICTION_DRIFT,
    measure_prediction_drift,
    stale_prediction_drift,
)
from ml_pipeline_tests.conftest import SHOP_SCORED, copy_of

LAST = SHOP_SCORED[-1]


@pytest.fixture(scope="module")
def watched(scored_shop: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = copy_of(scored_shop, scored_shop.sql.folder, tmp_path_factory.mktemp("prediction_drift") / "data")
    measure_prediction_drift(site, SHOP_SCORED)
    return site


def row_of(site: Site, night: Night) -> "pd.Series[object]":
    return site.tables.read(PREDICTION_DRIFT, [night]).to_pandas().iloc[0]


def test_the_window_is_held_against_the_test_block_as_the_model_scores_it(watched: Site) -> None:
    bundle = read_bundle(watched.models, str(current_champion(watched)))
    first, last = (date.fromisoformat(text) for text in bundle.manifest["blocks"]["test"])
    scorer = load_scorer(bundle)
    block = watched.tables.read(features_table(watched.sql), nights_between(first, last), list(scorer.encoder.names))
    test = scorer.calibrator.probability(raw_scores(scorer, scorer.encoder.transform(block), threads=1))
    said = watched.tables.read("scores", SHOP_SCORED[-7:])["probability"].to_numpy()
    bins = probability_bins(test)
    mine = row_of(watched, LAST)
    assert mine["psi"] == pytest.approx(stability_index(bins, count_probabilities(bins, said))[0])
    assert (mine["rows"], mine["window_nights"]) == (len(said), 7)
    assert (mine["mean_probability"], mine["test_mean_probability"]) == pytest.approx((said.mean(), test.mean()))
    bundle_metrics = bundle.json("metrics.json")["test"]["model"]
    assert mine["test_mean_probability"] == pytest.approx(bundle_metrics["mean_probability"])
    # Eight scored nights leave one before the window: what was lately is missing, and so is the finding.
    assert np.isnan(mine["effect_trailing"]) and mine["finding"] == "missing"
    assert not np.isnan(mine["effect_test"])
    assert np.isnan(row_of(watched, SHOP_SCORED[1])["effect_test"])


def with_other_probabilities(site: Site, nights: tuple[Night, ...]) -> None:
    rows = site.tables.read("scores", nights)
    moved = pa.array(np.minimum(rows["probability"].to_numpy() + 0.35, 1.0))
    column = rows.schema.get_field_index("probability")
    published = site.tables.published("scores", nights)
    site.tables.publish("scores", rows.set_column(column, "probability", moved), published, key=site.project.entity_key)


def test_probabilities_that_moved_are_seen_and_their_nights_alone_are_stale(watched: Site, tmp_path: Path) -> None:
    site = copy_of(watched, watched.sql.folder, tmp_path / "data")
    assert measure_prediction_drift(site, SHOP_SCORED).changed == ()
    with_other_probabilities(site, SHOP_SCORED[3:])
    assert stale_prediction_drift(site, SHOP_SCORED) == list(SHOP_SCORED[3:])
    before = row_of(site, LAST)
    measure_prediction_drift(site, SHOP_SCORED)
    after = row_of(site, LAST)
    assert after["psi"] > 0.25 > before["psi"]
    assert after["effect_test"] > before["effect_test"]


def test_nights_alone_give_what_the_range_gave_and_an_unscored_one_is_empty(watched: Site, tmp_path: Path) -> None:
    site = copy_of(watched, watched.sql.folder, tmp_path / "data")
    shutil.rmtree(site.tables.path(PREDICTION_DRIFT))
    for night in (date(2024, 5, 20), *reversed(SHOP_SCORED)):
        measure_prediction_drift(site, [night])
    ours, theirs = (one.tables.published(PREDICTION_DRIFT) for one in (site, watched))
    assert {night: ours[night].content_hash for night in SHOP_SCORED} == {
        night: facts.content_hash for night, facts in theirs.items()
    }
    assert ours[date(2024, 5, 20)].rows == 0


def test_a_bundle_that_is_gone_leaves_its_numbers_missing(watched: Site, tmp_path: Path) -> None:
    site = copy_of(watched, watched.sql.folder, tmp_path / "data")
    shutil.rmtree(site.models / str(current_champion(site)))
    shutil.rmtree(site.tables.path(PREDICTION_DRIFT))
    measure_prediction_drift(site, [LAST])
    found = row_of(site, LAST)
    assert found[["psi", "effect_test", "test_mean_probability"]].isna().all()
    assert (found["finding"], found["window_nights"]) == ("missing", 7)


def test_analysts_find_it_with_words_for_every_column(watched: Site) -> None:
    with duckdb.connect(str(watched.data / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.sql("select count(*) from prediction_drift").fetchall() == [(len(SHOP_SCORED),)]
        silent = "select column_name from duckdb_columns() where table_name = 'prediction_drift' and comment is null"
        assert connection.sql(silent).fetchall() == []
