"""What each judged night cost beside the baseline, and whether it is evidence on the night's champion."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ml_pipeline.domain.cost_saving import JudgedNight
from ml_pipeline.nights import Night

# None in rows that were written before they said who answered.
CHAMPIONS_OWN = ("champion", None)


def judged_costs(
    performance: Mapping[Night, Sequence[Mapping[str, Any]]], champions: Mapping[Night, str]
) -> list[JudgedNight]:
    """The nights that were judged alone, in order of the judging night.

    Args:
        performance: rows of the table ``performance`` by the night that judged.
        champions: the version of the champion by scored night.
    """
    found = []
    for night in sorted(performance):
        alone = {row["subject"]: row for row in performance[night] if row["window_nights"] == 1}
        if set(alone) >= {"model", "baseline"}:
            model, scored = alone["model"], alone["model"]["last_scored_night"]
            found.append(JudgedNight(
                night, scored, _scored_by(model, champions.get(scored)), model["rows"], _cost(model),
                _cost(alone["baseline"]), is_fallback=model.get("served_by") not in CHAMPIONS_OWN,
            ))  # fmt: skip
    return found


def _scored_by(judged: Mapping[str, Any], champion: str | None) -> str | None:
    """The night's ``champion``, if the judged row says that it scored the night as such, or was written before rows said it."""
    if judged.get("served_by") is None:
        return champion
    return champion if (judged["served_by"], judged["model_version"]) == ("champion", champion) else None


def _cost(judged: Mapping[str, Any]) -> float:
    return math.nan if judged["mean_cost"] is None else float(judged["mean_cost"])
