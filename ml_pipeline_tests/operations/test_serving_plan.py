from datetime import date
from typing import Any

import pytest

from ml_pipeline.contracts.serving import AS_OF_POLICY, ServingPolicy, parse_policy
from ml_pipeline.domain.serving import Wanted
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.promote import NoChampionError
from ml_pipeline.operations.serving_plan import PINS, plan_serving
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.second_model import promoted

NIGHTS = nights_between(date(2024, 5, 5), date(2024, 5, 12))


def wanted(site: Site, policy: ServingPolicy = AS_OF_POLICY, **more: Any) -> dict[Night, str]:
    plan = plan_serving(site, NIGHTS, policy, **more)
    return {night: one.version for one, nights in plan.nights_by_wanted.items() for night in nights}


@pytest.fixture
def site(shop_site: Site) -> Site:
    promoted(shop_site, "a", "2024-05-05")
    promoted(shop_site, "b", "2024-05-10")
    return shop_site


def test_as_of_gives_each_night_the_champion_of_the_night(site: Site) -> None:
    assert plan_serving(site, NIGHTS).nights_by_wanted == {Wanted("a", None): NIGHTS[:5], Wanted("b", "a"): NIGHTS[5:]}


def test_current_and_pinned_give_all_nights_one_version(site: Site) -> None:
    assert set(wanted(site, ServingPolicy("current")).values()) == {"b"}
    assert set(wanted(site, parse_policy("pinned=a")).values()) == {"a"}
    assert plan_serving(site, NIGHTS, ServingPolicy("current")).nights_by_wanted == {Wanted("b", "a"): NIGHTS}


@pytest.mark.parametrize("kind", ["as_of", "current"])
def test_a_promotion_in_the_middle_of_a_backfill_changes_none_of_its_nights(site: Site, kind: Any) -> None:
    """In whichever process, and whatever another backfill or a nightly run is given meanwhile."""
    policy = ServingPolicy(kind)
    before = wanted(site, policy, backfill="abc")
    promoted(site, "c", "2024-05-07")
    assert wanted(site, policy, backfill="abc") == before
    assert wanted(site, policy, backfill="another") == wanted(site, policy) != before
    assert [entry["backfill"] for entry in site.ledger(PINS).entries()] == ["abc", "another"]


def test_without_a_champion_there_is_no_plan(shop_site: Site) -> None:
    with pytest.raises(NoChampionError, match="no model is champion"):
        plan_serving(shop_site, NIGHTS, ServingPolicy("current"))
    promoted(shop_site, "a", "2024-05-06")
    with pytest.raises(NoChampionError, match="no model was champion on night 2024-05-05"):
        plan_serving(shop_site, NIGHTS)
