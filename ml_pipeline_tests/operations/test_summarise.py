import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.summarise import summarise
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL, SHOP_SCORED


def test_the_account_adds_up(scored_shop: Site) -> None:
    summary = summarise(scored_shop, SHOP_SCORED)
    landed = {
        name: scored_shop.tables.read(f"raw/{name}", list(scored_shop.tables.published(f"raw/{name}")))
        for name in scored_shop.sql.sources
    }
    assert summary.nights_landed == len(nights_between(scored_shop.project.first_night, SHOP_LANDED_UNTIL))
    assert summary.rows_landed == sum(rows.num_rows for rows in landed.values())
    assert (summary.rows_quarantined, summary.nights_scored, summary.rows_scored) == (2, 8, 320)


def test_the_metrics_are_those_of_the_last_known_outcomes(scored_shop: Site) -> None:
    summary = summarise(scored_shop, SHOP_SCORED)
    scores = scored_shop.tables.read("scores", SHOP_SCORED).to_pandas()
    returns = scored_shop.tables.read("raw/returns", list(scored_shop.tables.published("raw/returns"))).to_pandas()
    latest = returns.sort_values(["score_date", "known_at"]).drop_duplicates("order_id", keep="last")
    joined = scores.merge(latest[["order_id", "is_sent_back"]], on="order_id")
    assert summary.model.rows == summary.baseline.rows == len(joined)
    assert summary.model.roc_auc == pytest.approx(roc_auc_score(joined["is_sent_back"], joined["probability"]))
    assert summary.model.log_loss < summary.baseline.log_loss


def test_nights_that_were_not_scored_are_not_counted(scored_shop: Site) -> None:
    nights = nights_between(SHOP_SCORED[-1], SHOP_LANDED_UNTIL)
    assert (summarise(scored_shop, nights).nights_scored, summarise(scored_shop, nights).rows_scored) == (1, 40)
    assert np.isfinite(summarise(scored_shop, nights).model.log_loss)
