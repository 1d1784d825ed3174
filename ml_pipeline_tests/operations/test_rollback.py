import shutil
from datetime import date

import pytest

from ml_pipeline.io.model_bundle import BundleError, read_bundle
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.promote import (
    PROMOTIONS,
    champion_on,
    champions_of,
    current_champion,
    promote_by_hand,
    promote_if_better,
)
from ml_pipeline.operations.register import register
from ml_pipeline.operations.rollback import nights_scored_by, roll_back
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.stale_scores import stale_scores
from ml_pipeline_tests.conftest import SHOP_SCORED, SHOP_TRAINED_ON
from ml_pipeline_tests.operations.test_promote import LATER, entry
from ml_pipeline_tests.remade_bundles import remade

NEXT = date(2024, 5, 13)


@pytest.fixture
def three(scored_shop_copy: Site) -> tuple[Site, str, str, str]:
    """The scored shop, whose champion was followed by two others: the first scored SHOP_SCORED, the others nothing."""
    site = scored_shop_copy
    first = read_bundle(site.models, str(current_champion(site)))
    second, third = (remade(first, seed=number).version for number in (2, 3))
    site.ledger(PROMOTIONS).append(entry(second, "2024-05-13"))
    site.ledger(PROMOTIONS).append(entry(third, "2024-05-20"))
    return site, first.version, second, third


def champions(site: Site) -> list[str | None]:
    return [
        champion_on(site.ledger(PROMOTIONS).entries(), night) for night in (SHOP_SCORED[-1], NEXT, date(2024, 5, 20))
    ]


def test_the_version_that_served_before_serves_again_and_each_rollback_goes_further_back(
    three: tuple[Site, str, str, str],
) -> None:
    site, first, second, third = three
    assert champions(site) == [first, second, third]
    done = roll_back(site, reason=" misses storms ")
    assert (done.champion, done.withdrawn, done.effective_from) == (second, (third,), NEXT)
    assert champions(site) == [first, second, second]
    assert roll_back(site, reason="so does this one").withdrawn == (second,)
    assert champions(site) == [first, first, first]
    with pytest.raises(ValueError, match=f"there is no champion before {first} to go back to"):
        roll_back(site, reason="and this one")
    assert champions(site) == [first, first, first]
    recorded = site.ledger(PROMOTIONS).entries()[3]
    assert (recorded["kind"], recorded["challenger"], recorded["champion_before"]) == ("rollback", second, third)
    assert (recorded["withdrawn"], recorded["reasons"]) == ([third], ["rollback: misses storms"])
    assert recorded["numbers"] == {"nights_scored": {third: []}}
    assert site.ledger(PROMOTIONS).verify() == ()


def test_a_rollback_to_a_version_withdraws_all_that_came_after_it(three: tuple[Site, str, str, str]) -> None:
    site, first, second, third = three
    assert roll_back(site, reason="both are wrong", to=first).withdrawn == (third, second)
    assert champions(site) == [first, first, first]


def test_a_recipe_is_not_withdrawn_without_its_refit(three: tuple[Site, str, str, str]) -> None:
    """The third is the second's refit; then the second was promoted once more, so that it is withdrawn first."""
    site, first, second, third = three
    site.ledger(PROMOTIONS).append(entry(third, "2024-05-20") | {"kind": "refit", "refit_of": second})
    site.ledger(PROMOTIONS).append(entry(second, "2024-05-20"))
    done = roll_back(site, reason="the recipe is wrong")
    assert (done.champion, done.withdrawn) == (first, (second, third))
    assert champions(site) == [first, first, first]


def test_published_nights_keep_their_champion_and_who_scored_them_is_listed(three: tuple[Site, str, str, str]) -> None:
    site, first, second, third = three
    assert nights_scored_by(site, first) == tuple(SHOP_SCORED)
    assert nights_scored_by(site, second) == ()
    site.ledger(PROMOTIONS).append(entry(first, "2024-05-13"))
    done = roll_back(site, reason="it is wrong", to=second)
    assert dict(done.scored) == {first: tuple(SHOP_SCORED), third: ()}
    assert champions_of(site, SHOP_SCORED) == {first: list(SHOP_SCORED)}
    assert stale_scores(site, SHOP_SCORED) == []


def test_nights_scored_by_anybody_before_anything_was_scored(shop_site: Site) -> None:
    assert nights_scored_by(shop_site, "2024-05-05-none") == ()


def test_an_override_below_the_withdrawn_version_still_ends_on_its_night(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    hand, later = (remade(read_bundle(site.models, first), seed=number).version for number in (2, 3))
    site.ledger(PROMOTIONS).append(entry(hand, "2024-05-13", until="2024-05-15"))
    site.ledger(PROMOTIONS).append(entry(later, "2024-05-13"))
    assert roll_back(site, reason="it is wrong").champion in {first, hand}
    nights = nights_between(NEXT, date(2024, 5, 17))
    assert champions_of(site, nights) == {hand: list(nights[:3]), first: list(nights[3:])}


@pytest.mark.parametrize(
    ("reason", "to", "words"),
    [
        ("", None, "a rollback needs a reason"), (" ", None, "a rollback needs a reason"),
        ("why not", "2024-05-05-none", "there is no 2024-05-05-none before"), ("why not", "third", "is the champion already"),
    ],
)  # fmt: skip
def test_a_rollback_that_says_nothing_or_leads_nowhere_is_refused(
    three: tuple[Site, str, str, str], reason: str, to: str | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        roll_back(three[0], reason=reason, to=three[3] if to == "third" else to)
    assert len(three[0].ledger(PROMOTIONS).entries()) == 3


def test_without_a_champion_there_is_nothing_to_withdraw(shop_site: Site) -> None:
    with pytest.raises(ValueError, match="there is no champion to withdraw"):
        roll_back(shop_site, reason="why not")


def test_nobody_goes_back_to_a_damaged_version_but_past_it(three: tuple[Site, str, str, str]) -> None:
    site, first, second, third = three
    (site.models / second / "model.txt").write_text("tree\nforged")
    with pytest.raises(BundleError, match=r"model\.txt was changed"):
        roll_back(site, reason="it is wrong")
    assert champions(site) == [first, second, third]
    shutil.rmtree(site.models / third)
    assert roll_back(site, reason="it is wrong", to=first).champion == first


def test_a_withdrawn_version_is_not_promoted_again_but_by_a_person(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    (verdict,) = site.ledger(PROMOTIONS).entries()
    version = str(verdict["challenger"])
    older = remade(read_bundle(site.models, version), seed=2)
    register(site, older)
    shutil.rmtree(site.ledger(PROMOTIONS).folder)
    for each in (entry(older.version, "2024-05-04"), verdict):
        site.ledger(PROMOTIONS).append(each)
    roll_back(site, reason="it is wrong")
    again = promote_if_better(site, version, SHOP_TRAINED_ON)
    assert (again.is_new, again.verdict.is_promoted) == (False, False)
    assert again.verdict.reasons[-1] == "withdrawn since, by entry 3: rollback: it is wrong"
    other_night = promote_if_better(site, version, LATER)
    assert (other_night.is_new, other_night.verdict.is_promoted) == (True, False)
    assert "only a person can promote it again" in other_night.verdict.reasons[0]
    assert current_champion(site) == older.version
    promote_by_hand(site, version, reason="it was right", until=date(2024, 5, 25))
    assert current_champion(site) == version
    assert promote_if_better(site, version, SHOP_TRAINED_ON).verdict.is_promoted
