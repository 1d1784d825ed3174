"""Whether the labels of a scored night have landed: what may be measured on it, and what must be measured again."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.project import LabelContract
from ml_pipeline.nights import Night

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NightMaturity:
    """What is known of one scored night on a later one.

    Attributes:
        scored_night: the night that was scored.
        state: ``pending``: no label is known. ``matured``: the label horizon is over and all but the stragglers that the
            project allows are known; its rows may be measured. ``partly_matured``: anything between.
        rows: rows scored.
        known_rows: those whose label is known.
        reopened_rows: rows whose label was corrected or came in since the night was measured: it must be measured again.
        reasons: in words.
    """

    scored_night: Night
    state: Literal["pending", "partly_matured", "matured"]
    rows: int
    known_rows: int
    reopened_rows: int
    reasons: tuple[str, ...]

    @property
    def coverage(self) -> float:
        """Share of the scored rows whose label is known; NaN without rows."""
        return self.known_rows / self.rows if self.rows else float("nan")


def judge_maturity(
    label: LabelContract, scored_night: Night, labels: Floats, *, tonight: Night, measured: Floats | None = None
) -> NightMaturity:  # fmt: skip
    """Judge ``scored_night`` by the ``labels`` known to ``tonight``, 0, 1 or NaN, of shape (rows,).

    ``measured`` holds the labels of the same rows when the night was measured last, None if it never was.

    Raises:
        ValueError: ``measured`` is of other rows.
    """
    if measured is not None and measured.shape != labels.shape:
        raise ValueError(
            f"night {scored_night} has {len(labels)} rows and was measured on {len(measured)}; score it anew"
        )
    known = int(np.sum(~np.isnan(labels)))
    age = (tonight - scored_night).days
    allowed = label.max_untimely_share * len(labels)
    reasons = [f"{known} of {len(labels)} labels are known, {age} nights after; the horizon is {label.horizon_nights}"]
    is_whole = age >= label.horizon_nights and len(labels) - known <= allowed
    reopened = 0
    if measured is not None:
        reopened = int(np.sum(~((labels == measured) | (np.isnan(labels) & np.isnan(measured)))))
    if reopened:
        reasons.append(f"{reopened} labels are other than when it was measured: it must be measured again")
    state: Literal["pending", "partly_matured", "matured"] = "partly_matured"
    if not known:
        state = "pending"
    elif is_whole:
        state = "matured"
    return NightMaturity(scored_night, state, len(labels), known, reopened, tuple(reasons))
