from datetime import date

import pytest

from ml_pipeline.contracts.serving import ServingContract
from ml_pipeline.domain.look_schedule import Look
from ml_pipeline.domain.paired_bootstrap import Gain
from ml_pipeline.operations.probation import asked_nights, judge_champion, probation_look
from ml_pipeline.operations.promote import PROMOTIONS, current_champion
from ml_pipeline.operations.shadow_evidence import ShadowEvidence
from ml_pipeline.operations.shadow_lanes import Lane, open_lanes
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.second_model import promoted, second_version

LANE = Lane("predecessor", "a", "b", date(2024, 5, 1), date(2024, 5, 28))
SERVING = ServingContract()
NIGHT = date(2024, 5, 20)


@pytest.mark.parametrize(
    ("day", "taken", "nights", "expected"),
    [(18, 0, 13, None), (18, 0, 14, Look(1, 14)), (19, 1, 15, None), (31, 1, 27, None), (32, 1, 28, Look(2, 0)),
     (32, 0, 3, Look(2, 0))],
)  # fmt: skip
def test_it_is_looked_at_after_two_weeks_and_when_its_nights_have_matured(
    day: int, taken: int, nights: int, expected: Look | None
) -> None:
    night = date.fromordinal(date(2024, 4, 30).toordinal() + day)
    assert probation_look(LANE, night, SERVING, taken=taken, nights=nights, horizon_nights=4) == expected


def test_a_short_probation_asks_for_no_more_nights_than_it_has() -> None:
    assert asked_nights(ServingContract(shadow_nights=14, probation_nights=7)) == 7


def evidence(lane: Lane, gain: Gain | None) -> ShadowEvidence:
    nights = (NIGHT,) * (gain.nights if gain else 0)
    return ShadowEvidence(lane.version, lane.champion, nights, gain, True, ())


def on_probation(site: Site) -> Lane:
    first = str(current_champion(site))
    promoted(site, second_version(site, first), "2024-05-13", champion_before=first)
    (lane,) = open_lanes(site.ledger(PROMOTIONS).entries(), NIGHT, site.project.serving)
    return lane


def test_without_any_comparison_it_is_kept_and_that_is_recorded_once(scored_shop_copy: Site) -> None:
    site, lane = scored_shop_copy, on_probation(scored_shop_copy)
    for _ in range(2):
        judge_champion(site, lane, Look(2, 0), NIGHT, evidence(lane, None))
    (entry,) = site.ledger(PROMOTIONS).entries()[2:]
    assert (entry["kind"], entry["verdict"], entry["is_promoted"]) == ("probation", "keep", False)
    assert entry["reasons"][-1] == "its nights are over, and it stays without a comparison"
    assert entry["numbers"] == {"look": 2, "shadow": {"nights": 0}}


def test_who_was_overtaken_is_not_rolled_back_nor_who_overtook_it(scored_shop_copy: Site) -> None:
    site, lane = scored_shop_copy, on_probation(scored_shop_copy)
    other = second_version(site, lane.version, lambda files: files | {"note.txt": b"another"})
    promoted(site, other, "2024-05-14", champion_before=lane.champion)
    worse = Gain(0.1, 0.05, 0.15, 560, 14, 0.975)
    assert judge_champion(site, lane, Look(1, 14), NIGHT, evidence(lane, worse)) is None
    assert judge_champion(site, lane, Look(2, 0), NIGHT, evidence(lane, None)) is None
    assert current_champion(site) == other
    assert len(site.ledger(PROMOTIONS).entries()) == 3
