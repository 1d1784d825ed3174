import shutil
from dataclasses import replace
from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from ml_pipeline.domain.evaluation import row_log_loss
from ml_pipeline.domain.paired_bootstrap import paired_gain
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.judged_nights import baseline_of, features_of
from ml_pipeline.operations.mature import PERFORMANCE, SLICE_PERFORMANCE, measure_performance, stale_performance
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_SCORED

JUDGED = nights_between(SHOP_SCORED[0], date(2024, 5, 16))


def truth(site: Site, night: date, window: int) -> pd.DataFrame:
    """Scores of the window that ends a label horizon before ``night``, with outcomes known to it, by plain pandas."""
    last = nights_back(night, site.project.label.horizon_nights)
    nights = [one for one in nights_between(nights_back(last, window - 1), last) if one in SHOP_SCORED]
    scores = site.tables.read("scores", nights).to_pandas()
    known = [one for one in site.tables.published("raw/returns") if one <= night]
    returns = site.tables.read("raw/returns", known).to_pandas().sort_values(["score_date", "known_at"])
    latest = returns.drop_duplicates(["order_id"], keep="last")[["order_id", "is_sent_back"]]
    return scores.merge(latest, on="order_id", how="left")


@pytest.mark.parametrize("window", [1, 7, 28])
@pytest.mark.parametrize("night", [date(2024, 5, 9), date(2024, 5, 13), date(2024, 5, 16)])
def test_performance_is_what_plain_pandas_finds(scored_shop: Site, night: date, window: int) -> None:
    rows = scored_shop.tables.read(PERFORMANCE, [night]).to_pandas()
    mine = rows[(rows["window_nights"] == window) & (rows["subject"] == "model")].iloc[0]
    frame = truth(scored_shop, night, window)
    known = frame[frame["is_sent_back"].notna()]
    labels = known["is_sent_back"].astype(float)
    assert (mine["rows_scored"], mine["rows"]) == (len(frame), len(known))
    assert mine["coverage"] == pytest.approx(len(known) / len(frame))
    assert mine["roc_auc"] == pytest.approx(oracle.roc_auc_score(labels, known["probability"]))
    assert mine["log_loss"] == pytest.approx(oracle.log_loss(labels, known["probability"]))
    wrong = np.where(known["decision"], (labels == 0) * 1.0, (labels == 1) * 2.0)
    assert mine["mean_cost"] == pytest.approx(wrong.mean())


def test_nights_with_nothing_to_judge_are_published_empty(scored_shop: Site) -> None:
    published = scored_shop.tables.published(PERFORMANCE)
    assert [published[night].rows for night in JUDGED] == [0] * 4 + [6] * 8


def test_the_baseline_stands_beside_the_model_on_the_same_rows(scored_shop: Site) -> None:
    frame = scored_shop.tables.read(PERFORMANCE, JUDGED).to_pandas()
    by_subject = frame.pivot(index=["score_date", "window_nights"], columns="subject", values="rows")
    assert (by_subject["model"] == by_subject["baseline"]).all()
    assert len(by_subject) == 24
    rows = scored_shop.tables.read("scores", SHOP_SCORED)
    features = scored_shop.tables.read(features_table(scored_shop.sql), SHOP_SCORED)
    expected = features.sort_by([("score_date", "ascending"), ("order_id", "ascending")])["baseline_return_rate"]
    found = features_of(scored_shop, rows, list(SHOP_SCORED), ("baseline_return_rate",))
    assert np.array_equal(baseline_of(scored_shop, found), expected.to_numpy())


def test_judging_again_commits_nothing_and_a_changed_label_judges_its_nights_anew(scored_shop_copy: Site) -> None:
    site, arrival = scored_shop_copy, date(2024, 5, 14)
    assert measure_performance(site, JUDGED).changed == ()
    rows = site.tables.read("labels", [arrival])
    flipped = rows.set_column(rows.schema.get_field_index("label"), "label", [[True] * rows.num_rows])
    site.tables.publish("labels", flipped, {arrival: NightInputs("", {})}, key=["order_id", "label_known_at"])
    assert stale_performance(site, JUDGED) == [night for night in JUDGED if night >= arrival]
    changed = measure_performance(site, JUDGED).changed
    assert JUDGED[-1] in changed
    assert min(changed) >= arrival


def test_nights_alone_give_what_the_range_gave(scored_shop: Site, scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    shutil.rmtree(site.tables.path(PERFORMANCE))
    for night in reversed(JUDGED):
        measure_performance(site, [night])
    hashes = [
        {night: facts.content_hash for night, facts in one.tables.published(PERFORMANCE).items()}
        for one in (site, scored_shop)
    ]
    assert hashes[0] == hashes[1]


def test_a_window_has_its_interval_its_gains_and_what_the_champion_promised(scored_shop: Site) -> None:
    night = JUDGED[-1]
    rows = scored_shop.tables.read(PERFORMANCE, [night]).to_pandas().set_index(["window_nights", "subject"])
    frame = truth(scored_shop, night, 28)
    known = frame[frame["is_sent_back"].notna()]
    losses = row_log_loss(known["is_sent_back"].astype(float).to_numpy(), known["probability"].to_numpy())
    seed = scored_shop.project.training.seed
    around = paired_gain(known["score_date"].to_numpy().astype("M8[D]"), losses, confidence=0.975, seed=seed)
    model = rows.loc[(28, "model")]
    assert (model["log_loss_low"], model["log_loss_high"]) == pytest.approx((around.low, around.high))
    baseline = rows.loc[(28, "baseline")]
    assert model["log_loss_gain"] == pytest.approx(baseline["log_loss"] - model["log_loss"])
    assert model["cost_gain"] == pytest.approx(baseline["mean_cost"] - model["mean_cost"])
    assert model["log_loss_gain_low"] < model["log_loss_gain"] < model["log_loss_gain_high"]
    test = read_bundle(scored_shop.models, str(current_champion(scored_shop))).json("metrics.json")["test"]
    assert (model["promised_log_loss"], baseline["promised_log_loss"]) == pytest.approx(
        (test["model"]["log_loss"], test["baseline"]["log_loss"])
    )
    # One night says nothing of others, and only the model has gains.
    assert rows.loc[(1, "model")][["log_loss_low", "cost_gain_low"]].isna().all()
    assert pd.isna(baseline["cost_gain"])


def test_a_slice_is_what_plain_pandas_finds(scored_shop_copy: Site) -> None:
    terms = scored_shop_copy.project.promotion.model_copy(update={"groups": ("channel",), "min_slice_rows": 40})
    project = scored_shop_copy.project.model_copy(update={"promotion": terms})
    site, night = replace(scored_shop_copy, sql=replace(scored_shop_copy.sql, project=project)), JUDGED[-1]
    measure_performance(site, JUDGED)
    frame = truth(site, night, 28)
    features = site.tables.read(features_table(site.sql), SHOP_SCORED, ["order_id", "channel"]).to_pandas()
    known = frame[frame["is_sent_back"].notna()].merge(features[["order_id", "channel"]], on="order_id", how="left")
    rows = site.tables.read(SLICE_PERFORMANCE, [night]).to_pandas()
    mine = rows[rows["subject"] == "model"].set_index("value")
    assert set(rows["feature"]) == {"channel"}
    for value, part in known.groupby("channel"):
        labels, said = part["is_sent_back"].astype(float), part["probability"]
        assert mine.loc[value, "rows"] == len(part)
        assert mine.loc[value, "log_loss"] == pytest.approx(oracle.log_loss(labels, said))
        assert mine.loc[value, "roc_auc"] == pytest.approx(oracle.roc_auc_score(labels, said))
        assert mine.loc[value, "mean_cost"] == pytest.approx(np.where(part["decision"], labels == 0, 2 * labels).mean())
    assert set(mine["finding"][mine["rows"] < 40]) <= {"too few rows"}
    assert (mine["rows_scored"] >= mine["rows"]).all()
    alone = copy_without(site, night)
    measure_performance(site, [night])
    assert site.tables.published(SLICE_PERFORMANCE)[night].content_hash == alone


def copy_without(site: Site, night: date) -> str:
    """Forget what was judged; returns the hash of the slices of ``night`` as they were."""
    before = site.tables.published(SLICE_PERFORMANCE)[night].content_hash
    for table in (PERFORMANCE, SLICE_PERFORMANCE):
        shutil.rmtree(site.tables.path(table))
    return before


def test_an_installation_of_before_the_intervals_is_judged_again_without_a_hand(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    rows = site.tables.read(PERFORMANCE, JUDGED)
    copy_without(site, JUDGED[-1])
    old = rows.select(rows.column_names[: rows.column_names.index("mean_cost") + 1])
    site.tables.publish(
        PERFORMANCE, old, dict.fromkeys(JUDGED, NightInputs("old", {})), key=["window_nights", "subject"]
    )
    assert stale_performance(site, JUDGED) == list(JUDGED)
    measure_performance(site, JUDGED[6:])
    assert site.tables.has_grown(PERFORMANCE)
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "select score_date > ?, count(promised_log_loss) from performance group by all order by 1", [JUDGED[5]]
        ).fetchall()
        (words,) = connection.sql(
            "select comment from duckdb_columns() where table_name = 'slice_performance' and column_name = 'value'"
        ).fetchall()
    assert found == [(False, 0), (True, 36)]
    assert "makes the slice" in words[0]


def test_labels_that_were_never_built_are_asked_for(scored_shop: Site) -> None:
    with pytest.raises(LookupError, match="labels has not been built"):
        measure_performance(scored_shop, [date(2024, 5, 30)])
