from datetime import date
from typing import Any

import pytest

from ml_pipeline.contracts.serving import ServingContract
from ml_pipeline.operations.shadow_lanes import (
    Lane,
    decisions_on,
    earliest_look,
    is_final,
    lanes_on,
    open_lanes,
    stands,
)

SERVING = ServingContract(shadow_nights=5, probation_nights=10)


def night(day: int) -> date:
    return date(2024, 5, day)


def entry(
    challenger: str, day: int, *, is_promoted: bool = True, before: str | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "kind": "verdict", "challenger": challenger, "champion_before": before, "judged_on": str(night(day)),
        "effective_from": str(night(day)), "is_promoted": is_promoted, "reasons": [], "numbers": {}, **more,
    }  # fmt: skip


def by_hand(challenger: str, day: int, *, before: str, until: int = 31) -> dict[str, Any]:
    return entry(challenger, day, before=before, kind="override", judged_on=None, until=str(night(until)))


def look(challenger: str, day: int, number: int, *, is_promoted: bool = False) -> dict[str, Any]:
    return entry(challenger, day, is_promoted=is_promoted, kind="second_look", numbers={"look": number},
                 effective_from=str(night(day + 1)))  # fmt: skip


def kept(champion: str, day: int, verdict: str) -> dict[str, Any]:
    return entry(champion, day, is_promoted=False, kind="probation", verdict=verdict, numbers={"look": 1},
                 effective_from=str(night(day + 1)))  # fmt: skip


def withdrawn(champion: str, *gone: str, day: int, judged_on: str | None = None) -> dict[str, Any]:
    return entry(champion, day, kind="rollback", withdrawn=list(gone), judged_on=judged_on)


A = entry("a", 1)


def shown(entries: list[dict[str, Any]], day: int) -> list[tuple[str, str, str | None]]:
    return [(lane.role, lane.version, lane.champion) for lane in lanes_on(entries, night(day), SERVING)]


def test_a_refused_challenger_shadows_from_the_first_night_that_it_could_have_served() -> None:
    entries = [A, entry("b", 5, is_promoted=False, before="a", effective_from=str(night(7)))]
    assert [shown(entries, day) for day in (4, 5, 6)] == [[], [], []]
    assert shown(entries, 7) == [("challenger", "b", "a")] == shown(entries, 30)
    newer = [*entries, entry("c", 9, is_promoted=False, before="a")]
    assert [shown(newer, day)[0][1] for day in (7, 8, 9, 10)] == ["b", "b", "c", "c"]
    assert shown([*newer, by_hand("c", 12, before="a")], 12) == [("predecessor", "a", "c")]
    assert shown([*newer, withdrawn("a", "c", day=13)], 13) == []


def test_after_a_promotion_the_predecessor_shadows_for_the_nights_of_the_probation() -> None:
    entries = [A, entry("b", 5, before="a")]
    assert [shown(entries, day) for day in (4, 15)] == [[], []]
    assert [shown(entries, day) for day in (5, 14)] == [[("predecessor", "a", "b")]] * 2
    (lane,) = open_lanes(entries, night(25), SERVING)
    assert (lane.since, lane.last, lane.is_by_hand) == (night(5), night(14), False)
    assert shown([A], 1) == []  # nobody served before the first


def test_both_may_shadow_at_once_but_each_version_once() -> None:
    entries = [A, entry("b", 5, before="a"), entry("c", 7, is_promoted=False, before="b")]
    assert shown(entries, 8) == [("predecessor", "a", "b"), ("challenger", "c", "b")]
    again = [*entries, entry("a", 9, is_promoted=False, before="b")]
    assert shown(again, 9) == [("predecessor", "a", "b")]


def test_a_refit_and_its_recipe_are_on_probation_together() -> None:
    refit = entry("r", 5, before="b", kind="refit", refit_of="b", judged_on=None)
    assert shown([A, entry("b", 5, before="a"), refit], 6) == [("predecessor", "a", "r")]


def test_who_was_promoted_by_hand_is_on_probation_too_and_marked() -> None:
    (lane,) = lanes_on([A, by_hand("b", 5, before="a", until=8)], night(6), SERVING)
    assert (lane.version, lane.champion, lane.is_by_hand) == ("a", "b", True)
    assert shown([A, by_hand("b", 5, before="a", until=8)], 9) == []
    old = [A, {name: value for name, value in by_hand("b", 5, before="a").items() if name != "kind"}]
    assert lanes_on(old, night(6), SERVING)[0].is_by_hand


def test_a_rollback_ends_the_probation_and_begins_none() -> None:
    entries = [A, entry("b", 5, before="a"), withdrawn("a", "b", day=9, judged_on=str(night(8)))]
    assert shown(entries, 8) == [("predecessor", "a", "b")]
    assert [shown(entries, day) for day in (9, 12)] == [[], []]
    (lane,) = open_lanes(entries, night(8), SERVING)
    assert list(map(is_final, decisions_on(entries, lane))) == [True]
    # Another one is judged beside who served before it, and not beside the withdrawn.
    assert shown([*entries, entry("c", 11, before="a")], 12) == [("predecessor", "a", "c")]


@pytest.mark.parametrize(("verdict", "after"), [("wait", [("predecessor", "a", "b")]), ("keep", []), ("alarm", [])])
def test_a_probation_ends_with_its_decision_from_the_next_night_on(verdict: str, after: list[Any]) -> None:
    entries = [A, entry("b", 5, before="a"), kept("b", 10, verdict)]
    assert shown(entries, 10) == [("predecessor", "a", "b")]
    assert shown(entries, 11) == after


def test_a_version_that_is_promoted_once_more_is_on_probation_once_more() -> None:
    entries = [
        A,
        entry("b", 5, before="a"),
        kept("b", 10, "keep"),
        entry("c", 12, before="b"),
        by_hand("b", 16, before="c"),
    ]
    assert shown(entries, 11) == []
    assert shown(entries, 17) == [("predecessor", "c", "b")]


def test_a_challenger_leaves_the_shadow_after_its_last_look() -> None:
    entries = [A, entry("b", 5, is_promoted=False, before="a"), look("b", 12, 1)]
    assert shown(entries, 13) == [("challenger", "b", "a")]
    done = [*entries, look("b", 20, 2)]
    assert (shown(done, 20), shown(done, 21)) == ([("challenger", "b", "a")], [])
    promoted = [*entries, look("b", 20, 2, is_promoted=True) | {"champion_before": "a"}]
    assert shown(promoted, 21) == [("predecessor", "a", "b")]
    # Somebody else by hand: it had its chance, and is no challenger again.
    assert ("challenger", "b", "c") not in lanes_shown([*promoted, by_hand("c", 24, before="b")], 24)


def lanes_shown(entries: list[dict[str, Any]], day: int) -> set[tuple[str, str, str | None]]:
    return set(shown(entries, day))


def test_a_night_is_given_the_same_whatever_was_decided_later() -> None:
    entries = [
        A, entry("b", 3, is_promoted=False, before="a"), entry("c", 6, before="a"), entry("d", 8, is_promoted=False, before="c"),
        look("d", 13, 1), kept("c", 14, "wait"), withdrawn("a", "c", day=16, judged_on=str(night(15))),
        look("d", 22, 2, is_promoted=True) | {"champion_before": "a"}, by_hand("b", 25, before="d"),
    ]  # fmt: skip
    for count in range(len(entries)):
        first_affected = min(int(each["effective_from"][-2:]) for each in entries[count:])
        for day in range(1, first_affected):
            assert shown(entries[:count], day) == shown(entries, day), (count, day)


def test_a_lane_stands_as_long_as_champion_and_role_are_the_same() -> None:
    entries = [A, entry("b", 5, is_promoted=False, before="a")]
    (lane,) = open_lanes(entries, night(6), SERVING)
    assert lane == Lane("challenger", "b", "a", night(5), date.max)
    assert stands(entries, lane, night(20), SERVING)
    assert not stands([*entries, entry("c", 9, before="a")], lane, night(20), SERVING)
    assert not stands([*entries, entry("c", 9, is_promoted=False, before="a")], lane, night(20), SERVING)


def test_no_look_can_be_taken_before_the_night_that_is_named() -> None:
    """Five matured nights are asked for; outcomes are known two nights after."""
    refused = [A, entry("b", 5, is_promoted=False, before="a", effective_from=str(night(7)))]
    assert earliest_look([A], night(4), SERVING, horizon_nights=2) == date.max
    # Nights 7 to 11 have matured on the 13th; ten of them on the 18th.
    assert earliest_look(refused, night(6), SERVING, horizon_nights=2) == night(13)
    assert earliest_look(refused, night(15), SERVING, horizon_nights=2) == night(16)
    assert earliest_look([*refused, look("b", 13, 1)], night(13), SERVING, horizon_nights=2) == night(18)
    assert (
        earliest_look([*refused, look("b", 13, 1), look("b", 18, 2)], night(18), SERVING, horizon_nights=2) == date.max
    )
    promoted = [A, entry("b", 7, before="a")]
    assert earliest_look(promoted, night(7), SERVING, horizon_nights=2) == night(13)
    assert earliest_look([*promoted, kept("b", 13, "wait")], night(13), SERVING, horizon_nights=2) == night(18)
