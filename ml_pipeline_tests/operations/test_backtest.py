from datetime import date

import numpy as np
import pytest
from sklearn import metrics as oracle

from ml_pipeline.domain.backtest_table import metric_by_span
from ml_pipeline.domain.labelling import match_labels
from ml_pipeline.domain.scoring import score_matrix
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.backtest import BACKTEST, nights_needed, run_backtest, stale_backtest
from ml_pipeline.operations.backtest_report import report_path
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.train import train
from ml_pipeline_tests.shop_backtest import APRIL, MAY, complete, with_short_blocks

SUBJECTS = {"model", "baseline", "constant", "logistic"}


@pytest.fixture
def shop(trainable_shop: Site) -> Site:
    return complete(with_short_blocks(trainable_shop))


def test_a_backtest_of_two_months(shop: Site) -> None:
    """The model of May is the one that a training as of May makes, judged on all of May; a second run does nothing."""
    found = run_backtest(shop, APRIL, MAY)
    assert found.published.changed == found.months == (APRIL, MAY)
    rows = found.rows.to_pylist()
    losses = metric_by_span(rows, "log_loss")
    assert set(losses) == {"2024-04", "2024-05", "pooled"}
    assert all(set(by_subject) == SUBJECTS for by_subject in losses.values())

    scorer = load_scorer(train(shop, MAY).bundle)
    last, known_by = nights_needed(shop, MAY)
    assert (last, known_by) == (date(2024, 5, 31), date(2024, 6, 1))
    features = shop.tables.read(features_table(shop.sql), nights_between(MAY, last))
    labels = match_labels(features, shop.tables.read("labels", nights_between(MAY, known_by)), ["order_id"])
    known = ~np.isnan(labels)
    scored = score_matrix(scorer, scorer.encoder.transform(features), threads=1).probability
    assert losses["2024-05"]["model"] == pytest.approx(oracle.log_loss(labels[known], scored[known]))
    areas = metric_by_span(rows, "roc_auc")
    assert areas["2024-05"]["model"] == pytest.approx(oracle.roc_auc_score(labels[known], scored[known]))
    (may,) = [row for row in rows if row["score_date"] == MAY and not row["is_pooled"]
              and (row["subject"], row["metric"]) == ("model", "brier")]  # fmt: skip
    assert (may["rows_scored"], may["rows"]) == (features.num_rows, int(known.sum()))
    assert may["rows"] > 0

    before, version = report_path(shop).read_bytes(), shop.tables.version(BACKTEST)
    assert stale_backtest(shop, APRIL, MAY) == []
    assert run_backtest(shop, APRIL, MAY).published.changed == ()
    assert (report_path(shop).read_bytes(), shop.tables.version(BACKTEST)) == (before, version)


def test_outcomes_of_the_month_itself_cannot_reach_its_model(shop: Site) -> None:
    """Every outcome that becomes known after April began is turned round: no probability may move, and so the mean."""
    before = metric_by_span(run_backtest(shop, APRIL, APRIL).rows.to_pylist(), "mean_probability")["2024-04"]
    for night in nights_between(date(2024, 4, 2), date(2024, 5, 4)):
        rows = shop.tables.read("labels", [night])
        turned = [not label for label in rows["label"].to_pylist()]
        rows = rows.set_column(rows.schema.get_field_index("label"), rows.schema.field("label"), [turned])
        shop.tables.publish("labels", rows, {night: NightInputs("turned", {})}, key=["order_id", "label_known_at"])
    assert stale_backtest(shop, APRIL, APRIL) == [APRIL]
    again = run_backtest(shop, APRIL, APRIL)
    after = metric_by_span(again.rows.to_pylist(), "mean_probability")["2024-04"]
    assert after == before
    assert again.published.changed == (APRIL,)


@pytest.mark.parametrize(("first", "last"), [(date(2024, 4, 2), MAY), (MAY, APRIL), (APRIL, date(2024, 5, 2))])
def test_it_refuses_what_are_no_months(built_shop: Site, first: date, last: date) -> None:
    with pytest.raises(ValueError, match="first nights"):
        run_backtest(built_shop, first, last)


def test_a_night_that_was_not_built_is_named_and_nothing_is_published(trainable_shop: Site) -> None:
    with pytest.raises(LookupError, match=r"2024-05-29 to 2024-05-31\); materialise features"):
        run_backtest(trainable_shop, MAY, MAY)
    assert not trainable_shop.tables.exists(BACKTEST)
