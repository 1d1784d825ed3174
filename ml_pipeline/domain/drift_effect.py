"""How far a window lies from its references, as an effect size: neither many rows nor few nights make it larger.

The plug-in divergence of two samples is never zero: its expectation falls with the sample. Rows of one night are alike
(one storm, one price list), so what counts is nights, and textbook corrections by rows would call every week a drift. The
jackknife over nights (Quenouille 1956; Efron, The Jackknife, the Bootstrap and Other Resampling Plans, 1982, ch. 2) takes
away the expectation that nights as they are would show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.drift import DriftContract

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Finding = Literal["missing", "stable", "season", "drift"]


def divergence(first: Counts, second: Counts) -> Floats:
    """Jensen-Shannon divergence in bits (Lin, IEEE Trans. Inf. Theory 1991) of each column, from 0 to 1; shape (columns,).

    Both of shape (columns, bins). NaN where one side has no rows.
    """
    sums = [counts.sum(axis=1, keepdims=True).astype(np.float64) for counts in (first, second)]
    with np.errstate(invalid="ignore", divide="ignore"):
        one, two = first / sums[0], second / sums[1]
        return np.maximum(_entropy((one + two) / 2) - (_entropy(one) + _entropy(two)) / 2, 0.0)


def _entropy(shares: Floats) -> Floats:
    """In bits, of each row; a share of zero adds nothing, a NaN stays one."""
    terms = np.where(shares == 0, 0.0, shares * np.log2(np.where(shares == 0, 1.0, shares)))
    return np.asarray(-terms.sum(axis=1))


def effect_size(nights: Counts, reference: Counts) -> Floats:
    """Divergence of the rows of ``nights`` from ``reference`` less what chance would show; shape (columns,).

    Args:
        nights: rows a bin of each night of the window, shape (nights, columns, bins).
        reference: the same of nights to compare with, shape (nights, columns, bins); of one that is not known by night,
            shape (1, columns, bins), which is taken as free of chance.

    Returns:
        Zero and above; NaN with fewer than two nights in the window, or where a side has no rows.
    """
    now, before = nights.sum(axis=0), reference.sum(axis=0)
    found = divergence(now, before)
    corrected = found + _bias_removed(found, [divergence(now - night, before) for night in nights])
    if len(reference) > 1:
        corrected += _bias_removed(found, [divergence(now, before - night) for night in reference])
    return np.maximum(corrected, 0.0)


def _bias_removed(found: Floats, without: Sequence[Floats]) -> Floats:
    """Quenouille's correction: (n - 1) times the distance of the whole from the mean without one night."""
    count = len(without)
    if count < 2:
        return np.full(len(found), np.nan)
    return np.asarray((count - 1) * (found - np.mean(without, axis=0)))


@dataclass(frozen=True)
class WindowEffect:
    """One window's effects, both of shape (columns,); NaN is missing evidence."""

    training: Floats
    trailing: Floats


def window_effect(rules: DriftContract, window: Counts, trailing: Counts, training: Counts) -> WindowEffect:
    """Effects of ``window`` against the training rows and against the nights before it.

    Args:
        rules: with too few nights or rows on a side, its effects are missing.
        window: shape (nights, columns, bins); nights without rows may stand in it.
        trailing: the nights before it, likewise.
        training: shape (columns, bins).
    """
    window, trailing = _with_rows(window), _with_rows(trailing)
    nothing = np.full(len(training), np.nan)
    if not _is_enough(rules, window):
        return WindowEffect(nothing, nothing)
    recent = effect_size(window, trailing) if _is_enough(rules, trailing) else nothing
    return WindowEffect(effect_size(window, training[np.newaxis]), recent)


def _with_rows(nights: Counts) -> Counts:
    return nights[nights.sum(axis=(1, 2)) > 0] if len(nights) else nights


def _is_enough(rules: DriftContract, nights: Counts) -> bool:
    return len(nights) >= rules.min_nights and int(nights[:, 0].sum()) >= rules.min_rows


def find_drift(rules: DriftContract, windows: Sequence[WindowEffect]) -> tuple[Finding, ...]:
    """What the last windows say of each column, the newest last.

    ``drift``: it lies apart from the training rows and from the nights before. ``season``: from the training rows alone, so
    it is as it was lately. ``stable``: neither. Each must hold in ``least_windows`` of the last ``of_windows``; where that
    many could not be measured the evidence is ``missing``, and says neither yes nor no.
    """
    newest = windows[-rules.of_windows :]
    training = np.array([window.training for window in newest])
    trailing = np.array([window.trailing for window in newest])
    # Both effects of one and the same window: apart from the one on Monday and the other on Friday is not apart from both.
    measured = ~np.isnan(training) & ~np.isnan(trailing)
    moved = (measured & (training > rules.max_effect)).sum(axis=0) >= rules.least_windows
    apart = (measured & (training > rules.max_effect) & (trailing > rules.max_effect)).sum(
        axis=0
    ) >= rules.least_windows
    known = measured.sum(axis=0) >= rules.least_windows
    return tuple(
        "missing" if not is_known else "drift" if is_apart else "season" if has_moved else "stable"
        for is_known, is_apart, has_moved in zip(known, apart, moved, strict=True)
    )


def drifted_share(findings: Sequence[str]) -> float:
    """Share of the measured features that have drifted; NaN if none could be measured."""
    measured = [finding for finding in findings if finding != "missing"]
    return sum(finding == "drift" for finding in measured) / len(measured) if measured else float("nan")
