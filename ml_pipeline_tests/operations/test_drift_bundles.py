import shutil

import pytest

from ml_pipeline.operations.drift_bundles import drift_bundles
from ml_pipeline.operations.promote import NoChampionError, current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED, SHOP_TRAINED_ON
from ml_pipeline_tests.second_model import other_golden_rows, promoted, second_version


def test_a_sound_champion_is_measured_against_and_nothing_is_said(scored_shop: Site) -> None:
    found = drift_bundles(scored_shop, SHOP_SCORED)
    assert [(bundle.version, nights) for bundle, nights in found.nights_by_bundle] == [
        (current_champion(scored_shop), SHOP_SCORED)
    ]
    assert (found.missing, found.reasons) == ({}, {})


def test_the_previous_champion_steps_in_where_the_trial_fails_and_shares_its_own_nights(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    second = second_version(site, first, other_golden_rows)
    promoted(site, second, str(SHOP_SCORED[5]))
    found = drift_bundles(site, SHOP_SCORED)
    assert [(bundle.version, nights) for bundle, nights in found.nights_by_bundle] == [(first, SHOP_SCORED)]
    assert set(found.reasons) == set(SHOP_SCORED[5:])
    assert all("golden rows are not reproduced" in told for told in found.reasons.values())


def test_where_no_bundle_is_left_the_nights_are_missing_with_the_reason_of_each_rung(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    second = second_version(site, first)
    promoted(site, second, str(SHOP_SCORED[5]))
    shutil.rmtree(site.models / first)
    shutil.rmtree(site.models / second)
    found = drift_bundles(site, SHOP_SCORED[4:6])
    assert found.nights_by_bundle == ()
    assert found.missing == {SHOP_SCORED[4]: first, SHOP_SCORED[5]: second}
    assert [told.count("champion ") for told in found.reasons.values()] == [1, 2]


def test_a_night_before_the_first_promotion_has_nobody_to_ask(scored_shop: Site) -> None:
    with pytest.raises(NoChampionError):
        drift_bundles(scored_shop, [SHOP_TRAINED_ON.replace(day=4)])
