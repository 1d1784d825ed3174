"""Calibration: from the trees' score to a probability that means what it says."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# A calibrated probability of exactly 0 or 1 claims certainty that no finite block of rows supports.
_LOWEST, _HIGHEST = 0.001, 0.999


@dataclass(frozen=True)
class Calibrator:
    """A monotone map from score to probability, stored as numbers.

    Attributes:
        kind: ``sigmoid`` (Platt 1999, on the log odds of the score) or ``isotonic`` (Zadrozny and Elkan 2002).
        inputs: for sigmoid (slope, intercept); for isotonic the scores of the knots, increasing.
        outputs: for isotonic the probabilities of the knots; empty for sigmoid.
        log_loss_by_kind: what each kind reached on the nights that it was not fitted on.
    """

    kind: str
    inputs: tuple[float, ...]
    outputs: tuple[float, ...]
    log_loss_by_kind: dict[str, float]

    def probability(self, scores: Floats) -> Floats:
        """Calibrated probabilities of ``scores``, both of shape (rows,) and in [0, 1]."""
        if self.kind == "isotonic":
            mapped = np.interp(scores, self.inputs, self.outputs)
        else:
            mapped = 1.0 / (1.0 + np.exp(-(self.inputs[0] * _log_odds(scores) + self.inputs[1])))
        return np.clip(mapped, _LOWEST, _HIGHEST)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "inputs": list(self.inputs), "outputs": list(self.outputs),
            "log_loss_by_kind": self.log_loss_by_kind,
        }  # fmt: skip


def calibrator_from_json(content: dict[str, Any]) -> Calibrator:
    """Rebuild a stored calibrator.

    Raises:
        ValueError: the numbers are not finite, or the map is not monotone and inside [0, 1].
    """
    inputs, outputs = tuple(map(float, content["inputs"])), tuple(map(float, content["outputs"]))
    if not np.all(np.isfinite([*inputs, *outputs])):
        raise ValueError("calibrator.json holds numbers that are not finite")
    if content["kind"] == "isotonic":
        is_map = len(inputs) == len(outputs) > 0 and np.all(np.diff(inputs) > 0) and np.all(np.diff(outputs) >= 0)
        is_valid = is_map and outputs[0] >= 0 and outputs[-1] <= 1
    else:
        is_valid = content["kind"] == "sigmoid" and len(inputs) == 2 and inputs[0] > 0 and not outputs
    if not is_valid:
        raise ValueError("calibrator.json is not a monotone map into [0, 1]")
    return Calibrator(content["kind"], inputs, outputs, dict(content["log_loss_by_kind"]))


def fit_calibrator(scores: Floats, labels: Floats, nights: NDArray[np.datetime64]) -> Calibrator:
    """Fit sigmoid and isotonic maps and keep the one that does better on nights that it has not seen.

    The choice is made by fitting on one half of the nights and judging on the other, both ways round, so that the
    freer isotonic map is not chosen for having memorised the block; the winner is fitted on the whole block.

    Args:
        scores: of the calibration block, shape (rows,), in (0, 1).
        labels: 0 or 1, shape (rows,).
        nights: score dates, shape (rows,).

    Raises:
        ValueError: fewer than two nights, or labels that are all alike.
    """
    if not 0 < labels.sum() < len(labels):
        raise ValueError(
            f"all {len(labels)} labels of the calibrate block are alike; correct the labels, or train later"
        )
    unique = np.unique(nights)
    if len(unique) < 2:
        raise ValueError(
            f"calibration needs rows of at least two nights, there is {len(unique)}; lengthen calibrate_nights"
        )
    is_early = nights < unique[len(unique) // 2]
    losses = {}
    for kind, fit in _FITS.items():
        held_out = [
            (labels[~half], fit(scores[half], labels[half]).probability(scores[~half]))
            for half in (is_early, ~is_early)
        ]
        losses[kind] = float(np.mean(np.concatenate([_row_log_loss(truth, guess) for truth, guess in held_out])))
    kind = min(losses, key=lambda name: (losses[name], name))
    fitted = _FITS[kind](scores, labels)
    return Calibrator(fitted.kind, fitted.inputs, fitted.outputs, losses)


def _fit_sigmoid(scores: Floats, labels: Floats) -> Calibrator:
    from sklearn.linear_model import LogisticRegression

    # Practically without penalty: Platt's two parameters need none on thousands of rows.
    model = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000).fit(_log_odds(scores).reshape(-1, 1), labels)
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        # Scores that point the wrong way say nothing: the map is flat at the observed share, and the gate says no.
        share = float(labels.mean())
        return Calibrator("isotonic", (0.0, 1.0), (share, share), {})
    return Calibrator("sigmoid", (slope, intercept), (), {})


def _fit_isotonic(scores: Floats, labels: Floats) -> Calibrator:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    return Calibrator("isotonic", tuple(map(float, model.X_thresholds_)), tuple(map(float, model.y_thresholds_)), {})


_FITS = {"sigmoid": _fit_sigmoid, "isotonic": _fit_isotonic}


def _log_odds(scores: Floats) -> Floats:
    inside = np.clip(scores, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _row_log_loss(labels: Floats, probabilities: Floats) -> Floats:
    return np.asarray(-(labels * np.log(probabilities) + (1 - labels) * np.log1p(-probabilities)))
