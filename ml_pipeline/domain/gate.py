"""The gate: whether a challenger becomes champion. No comparison, no promotion."""

import math
from dataclasses import dataclass

from ml_pipeline.domain.evaluation import Metrics
from ml_pipeline.nights import Night

_LOWER_IS_BETTER = ("log_loss", "brier")
_HIGHER_IS_BETTER = ("roc_auc", "average_precision")


@dataclass(frozen=True)
class Contestant:
    """A model, or the baseline, with its metrics on the contest rows.

    ``seen_until`` is the last night whose labels it was made from in any way; None for the baseline, which reads
    only what was known at each night's own cutoff.
    """

    name: str
    metrics: Metrics
    seen_until: Night | None


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and why; a "no" has reasons too."""

    is_promoted: bool
    reasons: tuple[str, ...]


def judge(
    challenger: Contestant,
    baseline: Contestant,
    champion: Contestant | None,
    *,
    contest_first: Night,
    min_log_loss_gain: float,
) -> Verdict:
    """Compare on identical rows that begin at night ``contest_first``.

    The challenger must beat the baseline in log loss, Brier score, ROC AUC and average precision, and the champion,
    if there is one, by ``min_log_loss_gain`` in log loss. Rows that a contestant was made from make it void.
    """
    refusals = [
        f"{one.name} was made from nights up to {one.seen_until}, but the contest begins on {contest_first}: not a fair test"
        for one in (challenger, champion)
        if one is not None and one.seen_until is not None and one.seen_until >= contest_first
    ]
    if len({one.metrics.rows for one in (challenger, baseline, champion) if one is not None}) != 1:
        refusals.append("the contestants were not measured on the same rows")
    if refusals:
        return Verdict(False, tuple(refusals))
    reasons, is_better = _against_baseline(challenger, baseline)
    if champion is not None:
        gain = champion.metrics.log_loss - challenger.metrics.log_loss
        is_enough = math.isfinite(gain) and gain >= min_log_loss_gain
        is_better = is_better and is_enough
        reasons.append(
            f"log loss {challenger.metrics.log_loss:.4f} against {champion.metrics.log_loss:.4f} of champion {champion.name}: "
            f"gain {gain:+.4f}, {'at least' if is_enough else 'less than'} the margin {min_log_loss_gain:.4f}"
        )
    else:
        reasons.append("there is no champion to beat")
    return Verdict(is_better, tuple(reasons))


def _against_baseline(challenger: Contestant, baseline: Contestant) -> tuple[list[str], bool]:
    reasons, is_better = [], True
    for name in (*_LOWER_IS_BETTER, *_HIGHER_IS_BETTER):
        mine, theirs = getattr(challenger.metrics, name), getattr(baseline.metrics, name)
        # A comparison with NaN is False both ways: what cannot be measured is not better.
        wins = mine < theirs if name in _LOWER_IS_BETTER else mine > theirs
        is_better = is_better and wins
        reasons.append(f"{name} {mine:.4f} {'beats' if wins else 'does not beat'} the baseline's {theirs:.4f}")
    return reasons, is_better
