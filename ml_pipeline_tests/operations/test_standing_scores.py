from datetime import date

from ml_pipeline.contracts.serving import AS_OF_POLICY, Served, ServingPolicy
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.standing_scores import RESTORATIONS, StandingScores
from ml_pipeline_tests.conftest import SHOP_SCORED

UNSCORED = date(2024, 5, 20)


def test_each_published_night_says_who_answered_it(scored_shop: Site) -> None:
    standing = StandingScores(scored_shop, [*SHOP_SCORED, UNSCORED])
    champion = Served("champion", str(current_champion(scored_shop)), "as_of")
    assert standing.served == dict.fromkeys(SHOP_SCORED, champion)
    assert standing.settled(UNSCORED, ServingPolicy("current")) is None
    assert standing.settled(SHOP_SCORED[0], AS_OF_POLICY) is None
    assert (
        standing.settled(SHOP_SCORED[0], ServingPolicy("current"))
        == "published under policy as_of, this run has current"
    )


def test_where_nothing_was_scored_nothing_stands(shop_site: Site) -> None:
    standing = StandingScores(shop_site, SHOP_SCORED)
    assert (standing.served, standing.restored, standing.published) == ({}, {}, {})


def test_a_restoration_holds_only_while_its_content_stands_and_the_newest_counts(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, SHOP_SCORED[0]
    stands = site.tables.published(SCORES, [night])[night].content_hash
    ledger = site.ledger(RESTORATIONS)
    for revision, content in ((1, stands), (2, "overwritten since")):
        ledger.append({"revision": revision, "reason": "a test", "content": {str(night): content}})
        expected = {1: "restored to revision 1: a test", 2: None}[revision]
        assert StandingScores(site, SHOP_SCORED).settled(night, AS_OF_POLICY) == expected
