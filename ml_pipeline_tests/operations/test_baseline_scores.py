from ml_pipeline.operations.baseline_scores import baseline_scores
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED

NIGHTS = (SHOP_SCORED[0], SHOP_SCORED[3])


def test_the_rates_answer_every_row_of_the_spine_as_a_model_would_and_say_that_they_did(scored_shop: Site) -> None:
    """From the ledger's champion where the wanted bundle is not there."""
    site, champion = scored_shop, str(current_champion(scored_shop))
    said = baseline_scores(site, NIGHTS, "2024-05-05-0000000000", "current")
    served = site.tables.read(SCORES, NIGHTS)
    assert said.version == champion
    assert said.rows.schema == served.schema
    assert said.rows.select(["score_date", "order_id", "cutoff_at"]).equals(
        served.select(["score_date", "order_id", "cutoff_at"])
    )
    frame = said.rows.to_pandas()
    constant = ["served_by", "model_version", "backfill_policy", "feature_set_version"]
    assert frame[constant].drop_duplicates().to_numpy().tolist() == [
        ["baseline", champion, "current", site.sql.feature_set_version]
    ]
    for _, night in frame.groupby("score_date"):
        assert sorted(night["rank"]) == list(range(1, 41))
        assert night.sort_values("rank")["probability"].is_monotonic_decreasing
    assert frame["probability"].between(0.01, 0.99).all() and frame["probability"].nunique() > 5
    assert (frame["decision"] == (frame["probability"] >= frame["threshold"])).all()
