from datetime import date

import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.delivery import BoundsContract, LimitsContract

SUNDAY, MONDAY = date(2024, 3, 31), date(2024, 4, 1)


@pytest.mark.parametrize(
    ("bounds", "night", "may_be_empty"),
    [
        ({}, SUNDAY, False),
        ({"closed_weekdays": [6]}, SUNDAY, True), ({"closed_weekdays": [6]}, MONDAY, False),
        ({"closed_nights": [SUNDAY]}, SUNDAY, True), ({"closed_nights": [SUNDAY]}, MONDAY, False),
        ({"ends_on": SUNDAY}, SUNDAY, False), ({"ends_on": SUNDAY}, MONDAY, True),
    ],
)  # fmt: skip
def test_a_night_may_be_empty_where_the_calendar_of_the_source_says_so(bounds: dict[str, object], night: date, may_be_empty: bool) -> None:  # fmt: skip
    assert BoundsContract.model_validate(bounds).may_be_empty(night) is may_be_empty


@pytest.mark.parametrize(
    ("contract", "content"),
    [(BoundsContract, {"volume_ratio": 1}), (BoundsContract, {"history": 3}), (LimitsContract, {"max_rows": 0})],
)
def test_bounds_that_bound_nothing_are_refused(contract: type[BoundsContract], content: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        contract.model_validate(content)
