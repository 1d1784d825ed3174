"""Fits every kind of calibrator and keeps one of them, on walk-forward evidence."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.calibration import UNCALIBRATED, Calibrator, is_rising, log_odds, log_terms
from ml_pipeline.domain.night_error import night_error

Floats = NDArray[np.float64]
Fit = Callable[[Floats, Floats], Calibrator]

_STEPS = 4


def fit_calibrator(scores: Floats, labels: Floats, nights: NDArray[np.datetime64]) -> Calibrator:
    """Walk forward over the block, keep the simplest kind that is no worse than the best, and fit it on all of it.

    The nights are cut into five stretches. Each kind is fitted on the first one to four of them and judged on the next:
    on a moving base rate, a map is worth what it does on later nights. Of the kinds that lie within one standard error
    of the best (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3; here of the nightly
    differences, for rows of a night are not independent) the one with the fewest free numbers is kept. Three weeks are
    few nights: a map that follows them moves the level of later ones at random, and a staircase also ties rows that the
    trees had told apart. Trees that were trained on log loss need no map until the evidence says so: that is ``identity``.

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
    unique, place = np.unique(nights, return_inverse=True)
    if len(unique) < 2:
        raise ValueError(
            f"calibration needs rows of at least two nights, there is {len(unique)}; lengthen calibrate_nights"
        )
    stretches = np.array_split(np.arange(len(unique)), min(_STEPS + 1, len(unique)))
    losses = {kind: _walked_forward(fit, stretches, scores, labels, place) for kind, fit in _FITS.items()}
    means = {kind: float(of_rows.mean()) for kind, of_rows in losses.items()}
    kind, reasons = _simplest(losses, means, nights[place >= stretches[1][0]])
    fitted = _FITS[kind](scores, labels)
    return Calibrator(fitted.kind, fitted.inputs, fitted.outputs, means, reasons)


def fit_kind(kind: str, scores: Floats, labels: Floats) -> Calibrator:
    """Fit one kind on rows of shape (rows,). A flat staircase comes of scores that point the wrong way."""
    return _FITS[kind](scores, labels)


def _walked_forward(
    fit: Fit, stretches: list[NDArray[np.intp]], scores: Floats, labels: Floats, place: NDArray[np.intp]
) -> Floats:
    """Log loss of each row after the first stretch, by a map that was fitted on the stretches before its own."""
    found = np.empty(len(labels))
    for stretch in stretches[1:]:
        is_past, is_next = place < stretch[0], (place >= stretch[0]) & (place <= stretch[-1])
        said = fit(scores[is_past], labels[is_past]).probability(scores[is_next])
        found[is_next] = _row_log_loss(labels[is_next], said)
    return np.asarray(found[place >= stretches[1][0]])


def _simplest(
    losses: Mapping[str, Floats], means: Mapping[str, float], nights: NDArray[np.datetime64]
) -> tuple[str, tuple[str, ...]]:
    best = min(means, key=lambda name: (means[name], name))
    for kind in _FITS:
        worse = means[kind] - means[best]
        error = night_error(losses[kind] - losses[best], nights)
        if worse <= error:
            break
    reasons = [f"{best} has the least log loss on later nights, {means[best]:.5f}"]
    if kind != best:
        reasons.append(f"{kind} is simpler, and worse by {worse:.5f} only, within one standard error of {error:.5f}")
    return kind, tuple(reasons)


def _fit_identity(_scores: Floats, _labels: Floats) -> Calibrator:
    return UNCALIBRATED


def _fit_intercept(scores: Floats, labels: Floats) -> Calibrator:
    """Newton's method on the one free number: the mean probability becomes the observed share."""
    known, share, shift = log_odds(scores), np.clip(labels.mean(), 1e-6, 1 - 1e-6), 0.0
    for _ in range(100):
        said = 1.0 / (1.0 + np.exp(-(known + shift)))
        # Bounded steps: far from the answer the curve is flat, and a full step would fly off.
        step = float(np.clip((said.mean() - share) / max(float((said * (1 - said)).mean()), 1e-9), -1.0, 1.0))
        shift -= step
        if abs(step) < 1e-12:
            break
    return Calibrator("intercept", (float(shift),), (), {})


def _fit_temperature(scores: Floats, labels: Floats) -> Calibrator:
    return _logistic("temperature", [log_odds(scores)], labels, is_shifted=False)


def _fit_sigmoid(scores: Floats, labels: Floats) -> Calibrator:
    return _logistic("sigmoid", [log_odds(scores)], labels, is_shifted=True)


def _fit_beta(scores: Floats, labels: Floats) -> Calibrator:
    """As its authors do it: a weight that comes out negative is held at zero, and the others are fitted anew."""
    terms = log_terms(scores)
    fitted = _weights(list(terms), labels, is_shifted=True)
    if min(fitted[:2]) < 0:
        kept = int(np.argmax(fitted[:2]))
        weight, shift = _weights([terms[kept]], labels, is_shifted=True)
        fitted = (weight, 0.0, shift) if kept == 0 else (0.0, weight, shift)
    return Calibrator("beta", fitted, (), {}) if is_rising("beta", fitted) else _flat(labels)


def _fit_isotonic(scores: Floats, labels: Floats) -> Calibrator:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    return Calibrator("isotonic", tuple(map(float, model.X_thresholds_)), tuple(map(float, model.y_thresholds_)), {})


# From the fewest free numbers to the most: of equals, the first is kept.
_FITS: dict[str, Fit] = {
    "identity": _fit_identity, "intercept": _fit_intercept, "temperature": _fit_temperature, "sigmoid": _fit_sigmoid, "beta": _fit_beta,
    "isotonic": _fit_isotonic,
}  # fmt: skip


def _logistic(kind: str, terms: list[Floats], labels: Floats, *, is_shifted: bool) -> Calibrator:
    inputs = _weights(terms, labels, is_shifted=is_shifted)
    return Calibrator(kind, inputs, (), {}) if is_rising(kind, inputs) else _flat(labels)


def _weights(terms: list[Floats], labels: Floats, *, is_shifted: bool) -> tuple[float, ...]:
    """Weights of ``terms``, and the shift after them; zeros where the labels are all alike and teach nothing."""
    from sklearn.linear_model import LogisticRegression

    if not 0 < labels.sum() < len(labels):
        return (0.0,) * (len(terms) + is_shifted)
    # Practically without penalty: two or three numbers need none on thousands of rows.
    model = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000, fit_intercept=is_shifted)
    fitted = model.fit(np.column_stack(terms), labels)
    shift = (float(fitted.intercept_[0]),) if is_shifted else ()
    return (*map(float, fitted.coef_[0]), *shift)


def _flat(labels: Floats) -> Calibrator:
    """Scores that point the wrong way say nothing: the map is flat at the observed share, and the gate says no."""
    share = float(labels.mean())
    return Calibrator("isotonic", (0.0, 1.0), (share, share), {})


def _row_log_loss(labels: Floats, probabilities: Floats) -> Floats:
    return np.asarray(-(labels * np.log(probabilities) + (1 - labels) * np.log1p(-probabilities)))
