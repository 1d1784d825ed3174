"""Calibration: from the trees' score to a probability that means what it says."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# A calibrated probability of exactly 0 or 1 claims certainty that no finite block of rows supports.
_LOWEST, _HIGHEST = 0.001, 0.999
_NUMBERS = {"identity": 0, "intercept": 1, "temperature": 1, "sigmoid": 2, "beta": 3}


@dataclass(frozen=True)
class Calibrator:
    """A monotone map from score to probability, stored as numbers.

    Attributes:
        kind: with ``s`` the score, ``identity`` leaves it as it is, ``intercept`` moves its log odds (calibration in the large), ``temperature`` stretches
            them (Guo et al., ICML 2017), ``sigmoid`` does both (Platt 1999), ``beta`` weighs ``ln s`` and ``-ln(1 - s)``
            apart (Kull, Silva Filho, Flach, AISTATS 2017), ``isotonic`` is a staircase (Zadrozny and Elkan 2002).
        inputs: identity none; intercept (shift,); temperature (slope,); sigmoid (slope, shift); beta (weight of ln s, weight of
            -ln(1 - s), shift); isotonic the scores of the knots, increasing.
        outputs: for isotonic the probabilities of the knots; empty for the others.
        log_loss_by_kind: what each kind reached on the nights that it was not fitted on.
        reasons: why this kind, in words; none in bundles from before they were recorded.
    """

    kind: str
    inputs: tuple[float, ...]
    outputs: tuple[float, ...]
    log_loss_by_kind: dict[str, float]
    reasons: tuple[str, ...] = ()

    def probability(self, scores: Floats) -> Floats:
        """Calibrated probabilities of ``scores``, both of shape (rows,) and in [0, 1]."""
        if self.kind == "isotonic":
            mapped = np.interp(scores, self.inputs, self.outputs)
        elif self.kind == "identity":
            mapped = scores
        else:
            mapped = 1.0 / (1.0 + np.exp(-self._log_odds(scores)))
        return np.clip(mapped, _LOWEST, _HIGHEST)

    def _log_odds(self, scores: Floats) -> Floats:
        first, *others = self.inputs
        if self.kind == "beta":
            of_event, of_none = log_terms(scores)
            return np.asarray(first * of_event + others[0] * of_none + others[1])
        slope, shift = {"intercept": (1.0, first), "temperature": (first, 0.0)}.get(self.kind, self.inputs[:2])
        return slope * log_odds(scores) + shift

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "inputs": list(self.inputs), "outputs": list(self.outputs),
            "log_loss_by_kind": self.log_loss_by_kind, "reasons": list(self.reasons),
        }  # fmt: skip


UNCALIBRATED = Calibrator("identity", (), (), {})


def calibrator_from_json(content: dict[str, Any]) -> Calibrator:
    """Rebuild a stored calibrator.

    Raises:
        ValueError: the numbers are not finite, or the map is not monotone and inside [0, 1].
    """
    inputs, outputs = tuple(map(float, content["inputs"])), tuple(map(float, content["outputs"]))
    kind = content["kind"]
    if not np.all(np.isfinite([*inputs, *outputs])):
        raise ValueError("calibrator.json holds numbers that are not finite")
    if kind == "isotonic":
        is_map = len(inputs) == len(outputs) > 0 and np.all(np.diff(inputs) > 0) and np.all(np.diff(outputs) >= 0)
        is_valid = is_map and outputs[0] >= 0 and outputs[-1] <= 1
    else:
        is_valid = _NUMBERS.get(kind) == len(inputs) and not outputs and is_rising(kind, inputs)
    if not is_valid:
        raise ValueError("calibrator.json is not a monotone map into [0, 1]")
    reasons = content.get("reasons", [])
    if not isinstance(reasons, list) or not all(isinstance(reason, str) for reason in reasons):
        raise ValueError("calibrator.json gives reasons that are no texts")
    return Calibrator(kind, inputs, outputs, dict(content["log_loss_by_kind"]), tuple(reasons))


def is_rising(kind: str, inputs: tuple[float, ...]) -> bool:
    """Whether the map of a kind that is no staircase rises with the score; ``inputs`` as in Calibrator."""
    if kind == "beta":
        return min(inputs[:2]) >= 0 < max(inputs[:2])
    return kind in ("identity", "intercept") or inputs[0] > 0


def log_terms(scores: Floats) -> tuple[Floats, Floats]:
    """``ln s`` and ``-ln(1 - s)`` of scores, each of shape (rows,), finite also where a score is 0 or 1."""
    inside = np.clip(scores, 1e-9, 1 - 1e-9)
    return np.log(inside), -np.log1p(-inside)


def log_odds(scores: Floats) -> Floats:
    """Their sum."""
    of_event, of_none = log_terms(scores)
    return of_event + of_none
