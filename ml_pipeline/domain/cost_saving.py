"""What the champion saves of the baseline's cost, on nights whose outcomes are known."""

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass

from ml_pipeline.nights import Night


@dataclass(frozen=True)
class JudgedNight:
    """One scored night, judged alone once its labels had landed; costs are means over its matured ``rows``.

    ``model_version`` is the champion that scored it, None where none did; ``is_fallback`` where a lower rung stood in.
    """

    judged_on: Night
    scored_night: Night
    model_version: str | None
    rows: int
    model_cost: float
    baseline_cost: float
    is_fallback: bool = False


def cost_saving(
    judged: Sequence[JudgedNight], model_version: str, *, without: Container[Night], least_nights: int, least_rows: int
) -> float:
    """Share of the baseline's cost that ``model_version`` saves: a skill score (Murphy, Mon. Wea. Rev. 1988, eq. 4).

    Measured against the baseline on the same rows, a season that is costly for everybody does not count against the model.
    Nights that another model or a lower rung scored, and the nights ``without``, whose data were bad, are left out. NaN with fewer than
    ``least_nights`` or ``least_rows``, or where the baseline costs nothing.
    """
    own = [
        night
        for night in judged
        if night.rows and night.model_version == model_version and night.scored_night not in without
    ]
    if len(own) < least_nights or sum(night.rows for night in own) < least_rows:
        return math.nan
    model = sum(night.rows * night.model_cost for night in own)
    baseline = sum(night.rows * night.baseline_cost for night in own)
    return 1 - model / baseline if baseline else math.nan
