from datetime import date

from ml_pipeline.contracts.serving import AS_OF_POLICY, ServingPolicy, parse_policy
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.stale_scores import StaleNight, explain_stale, policies_of, stale_scores
from ml_pipeline_tests.conftest import SHOP_SCORED

UNSCORED = date(2024, 5, 13)


def test_a_night_is_stale_for_a_reason_and_left_alone_for_another(scored_shop: Site) -> None:
    site, night, champion = scored_shop, SHOP_SCORED[0], current_champion(scored_shop)
    assert explain_stale(site, SHOP_SCORED) == []
    assert explain_stale(site, [night, UNSCORED]) == [StaleNight(UNSCORED, ("never scored",))]
    assert explain_stale(site, [night], ServingPolicy("current")) == [
        StaleNight(night, ("policy: as_of, not current",), "published under policy as_of, this run has current")
    ]
    assert stale_scores(site, [night, UNSCORED]) == [UNSCORED]
    gone = "2024-05-05-0000000000"
    (stale, never) = explain_stale(site, [night, UNSCORED], parse_policy(f"pinned={gone}"))
    assert stale.reasons[0].startswith(f"model: {champion} scored it, {gone} should; there is no model bundle {gone}")
    assert never.reasons[0].startswith("never scored; there is no model bundle")


def test_nights_keep_the_policy_that_they_have(scored_shop: Site) -> None:
    assert policies_of(scored_shop, [*SHOP_SCORED, UNSCORED]) == {AS_OF_POLICY: [*SHOP_SCORED, UNSCORED]}
