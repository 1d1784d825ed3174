"""How a number that is missing is written: in memory NaN, in tables and JSON null."""

import math
from collections.abc import Mapping


def null_if_nan(value: float) -> float | None:
    """``value``, None if it is NaN: whoever sorts, counts or compares would take that for a number."""
    return None if math.isnan(value) else value


def nulls_for_nan(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """The same of each of ``numbers``, by name."""
    return {name: null_if_nan(value) for name, value in numbers.items()}
