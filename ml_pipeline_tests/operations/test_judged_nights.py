from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.operations.judged_nights import features_of, judged_rows, plan_judging, read_judged
from ml_pipeline.operations.mature import PERFORMANCE, measure_performance
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED
from ml_pipeline_tests.operations.test_mature import JUDGED, truth

CAPACITY = 7


def with_capacity(site: Site) -> Site:
    decision = site.project.decision.model_copy(update={"capacity_per_night": CAPACITY})
    return replace(site, sql=replace(site.sql, project=site.project.model_copy(update={"decision": decision})))


def test_a_night_sees_the_rows_of_its_window_and_the_labels_known_to_it(scored_shop: Site) -> None:
    plan = plan_judging(scored_shop, ["monitoring/none"], JUDGED, made_from=())
    assert plan.stale == list(JUDGED)
    evidence = read_judged(scored_shop, plan)
    for night in JUDGED[4:]:
        rows = judged_rows(scored_shop, night, plan.judged[night], evidence)
        frame = truth(scored_shop, night, 28)
        assert np.array_equal(rows.probabilities["model"], frame["probability"])
        assert np.array_equal(np.isnan(rows.labels), frame["is_sent_back"].isna())
        assert np.array_equal(rows.acts["model"], frame["decision"])


def test_a_feature_that_a_feature_set_has_not_is_null(scored_shop: Site) -> None:
    rows = scored_shop.tables.read("scores", SHOP_SCORED)
    found = features_of(scored_shop, rows, list(SHOP_SCORED), ("channel", "colour", "channel"))
    assert found.column_names == ["channel", "colour"]
    assert found.column("colour").null_count == found.num_rows == rows.num_rows
    assert found.column("channel").null_count == 0


def test_rows_in_another_order_than_their_features_find_them_all_the_same(scored_shop: Site) -> None:
    rows = scored_shop.tables.read("scores", SHOP_SCORED)
    order = np.random.default_rng(5).permutation(rows.num_rows)
    found, shuffled = (
        features_of(scored_shop, each, list(SHOP_SCORED), ("channel", "baseline_return_rate"))
        for each in (rows, rows.take(order))
    )
    assert found.take(order).equals(shuffled)
    fewer = features_of(scored_shop, rows.slice(3), list(SHOP_SCORED), ("channel", "baseline_return_rate"))
    assert found.slice(3).equals(fewer)


def test_where_a_capacity_decides_the_published_decision_is_what_costs(scored_shop_copy: Site) -> None:
    """The scores say who was acted on; a threshold that decided nothing must not be charged for."""
    site = with_capacity(scored_shop_copy)
    rows = site.tables.read("scores", SHOP_SCORED)
    acts = pd.Series(rows.column("rank").to_numpy() <= CAPACITY)
    acted = rows.set_column(rows.schema.get_field_index("decision"), "decision", [acts.to_numpy()])
    published = site.tables.published("scores", SHOP_SCORED)
    site.tables.publish("scores", acted, published, key=site.project.entity_key)
    measure_performance(site, JUDGED)
    night = JUDGED[-1]
    frame = truth(site, night, 28)
    known = frame[frame["is_sent_back"].notna()]
    labels = known["is_sent_back"].astype(float)
    wrong = np.where(known["decision"], (labels == 0) * 1.0, (labels == 1) * 2.0)
    found = site.tables.read(PERFORMANCE, [night]).to_pandas().query("window_nights == 28").set_index("subject")
    assert found.loc["model", "mean_cost"] == pytest.approx(wrong.mean())
    plan = plan_judging(site, ["monitoring/none"], [night], made_from=())
    rows_judged = judged_rows(site, night, plan.judged[night], read_judged(site, plan))
    by_night = pd.Series(rows_judged.acts["baseline"]).groupby(rows_judged.dates).sum()
    assert set(by_night) == {CAPACITY}, "the baseline has as many hands as the model"
