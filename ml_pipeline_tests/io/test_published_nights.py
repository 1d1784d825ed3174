from datetime import date

from ml_pipeline.io.published_nights import NightInputs, PublishedNight, stale_nights

FIRST, SECOND, THIRD = date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 3)


def test_inputs_are_named_by_what_a_night_is_made_from_alone() -> None:
    inputs = NightInputs.made_from("sql", {"raw": ["a", "b"], "on": FIRST})
    assert inputs == NightInputs.made_from("sql", {"on": FIRST, "raw": ["a", "b"]})
    assert len(inputs.inputs_hash) == 64 and inputs.facts == {}
    assert len({inputs.inputs_hash, NightInputs.made_from("sql", {"raw": ["b", "a"], "on": FIRST}).inputs_hash}) == 2


def test_nights_are_stale_where_they_are_new_or_made_from_something_else() -> None:
    before = {night: PublishedNight("content", "same", 1, {}) for night in (FIRST, SECOND)}
    inputs = {THIRD: NightInputs("same", {}), SECOND: NightInputs("other", {}), FIRST: NightInputs("same", {"read": 2})}
    assert stale_nights(inputs, before) == [SECOND, THIRD]
