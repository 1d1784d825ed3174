"""Whether a fresh champion stays: on its first matured nights, against what its predecessor said of them in the shadow."""

from dataclasses import dataclass
from typing import Literal

from ml_pipeline.domain.paired_bootstrap import Gain


@dataclass(frozen=True)
class ProbationVerdict:
    """What to do with a fresh champion, and why."""

    verdict: Literal["wait", "keep", "roll_back"]
    reasons: tuple[str, ...]


def judge_probation(
    gain: Gain | None, *, nights: int, asked_nights: int, min_gain: float = 0.0, is_last: bool = True
) -> ProbationVerdict:  # fmt: skip
    """Judge a fresh champion after ``nights`` matured nights that both it and its predecessor scored as of the night.

    It is rolled back if the predecessor is surely better: by the lower end of the interval that a promotion must clear too,
    so that going back asks for as much evidence as going forward. Without a comparison it stays, and waits.

    Args:
        gain: log loss per row of the champion less that of its predecessor, with its interval; None without such rows.
        nights: matured nights in ``gain``.
        asked_nights: nights that must have matured before anything is said.
        min_gain: by how much the predecessor must be better, per row.
        is_last: whether this is the last look; before it, who is not surely worse waits.
    """
    if gain is None or nights < asked_nights:
        return ProbationVerdict(
            "wait", (f"{nights} matured nights beside the predecessor, {asked_nights} are asked for",)
        )
    told = (
        f"the predecessor's log loss is lower by {gain.mean:.4f} a row ({gain.low:.4f} to {gain.high:.4f}) over "
        f"{nights} nights and {gain.rows:,} rows"
    )
    if gain.mean >= min_gain and gain.low > 0:
        return ProbationVerdict("roll_back", (told, "that is surely worse than who served before"))
    return ProbationVerdict(
        "keep" if is_last else "wait", (told, "that is not surely worse than who served before")
    )  # fmt: skip
