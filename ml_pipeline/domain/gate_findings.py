"""What the gate looks at, one finding each: the metrics, the gain and how sure it is, the slices, the groups."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.project import PromotionContract
from ml_pipeline.domain.contamination import ComparedRows, UsedNights
from ml_pipeline.domain.evaluation import Metrics, row_log_loss
from ml_pipeline.domain.group_fairness import GroupNumbers, numbers_by_group, spreads
from ml_pipeline.domain.paired_bootstrap import LEAST_NIGHTS, Gain, paired_gain
from ml_pipeline.domain.simple_models import CONSTANT, LOGISTIC

# The third simple model, the last-known rate, is the baseline, which must be beaten on every metric.
COMPETITORS = (CONSTANT, LOGISTIC)
_LOWER_IS_BETTER = ("log_loss", "brier")
_HIGHER_IS_BETTER = ("roc_auc", "average_precision")


@dataclass(frozen=True)
class Contestant:
    """A model, or the baseline, with what it said of the rows compared.

    Attributes:
        name: the version, or "baseline", or that of a simple model.
        rows: the rows that it was measured on.
        probabilities: of shape (rows,).
        acts: bool, of shape (rows,): the rows that it would have acted on.
        used: the nights that it was made from; None for the baseline, which reads only what was known at each night's
            own cutoff.
    """

    name: str
    rows: ComparedRows
    probabilities: NDArray[np.float64]
    acts: NDArray[np.bool_]
    used: UsedNights | None

    @property
    def losses(self) -> NDArray[np.float64]:
        return row_log_loss(self.rows.labels, self.probabilities)


@dataclass(frozen=True)
class Finding:
    """One thing that was asked: whether the challenger held, in words, and the numbers by their place in the record."""

    has_held: bool
    reason: str
    numbers: Mapping[str, Any]


def beats_on_every_metric(mine: Metrics, baseline: Metrics) -> Iterator[Finding]:
    """One finding for each of log loss, Brier score, ROC AUC and average precision."""
    for name in (*_LOWER_IS_BETTER, *_HIGHER_IS_BETTER):
        one, other = getattr(mine, name), getattr(baseline, name)
        # A comparison with NaN is False both ways: what cannot be measured is not better.
        wins = one < other if name in _LOWER_IS_BETTER else one > other
        words = "beats" if wins else "does not beat"
        yield Finding(wins, f"{name} {one:.4f} {words} the baseline's {other:.4f}", {})


def gains_enough(
    challenger: Contestant, other: Contestant, terms: PromotionContract, *, seed: int, is_champion: bool
) -> Finding:
    """Whether the gain in log loss over a champion surely reaches the margin; that over the baseline is recorded only.

    Model and baseline differ so much from night to night that a test block of two weeks cannot be sure of a gain that a
    year shows plainly (0.017 a row, 0.034 either way): the first model would never be promoted.
    """
    gain = _gain(challenger, other, np.ones(len(challenger.probabilities), dtype=bool), terms, seed)
    mine, theirs = float(challenger.losses.mean()), float(other.losses.mean())
    has_held = not is_champion or gain.low >= terms.min_log_loss_gain
    words = "at least" if has_held else "not surely"
    reason = (
        f"log loss {mine:.4f} against {theirs:.4f} of {'champion ' if is_champion else 'the '}{other.name}: "
        f"gain {_in_words(gain)}{f', {words} the margin {terms.min_log_loss_gain:.4f}' if is_champion else ''}"
    )
    return Finding(has_held, reason, {"gain_over": {"champion" if is_champion else "baseline": gain.as_dict()}})


def beats_simple_models(
    challenger: Contestant, simple: Mapping[str, Contestant], terms: PromotionContract, *, seed: int
) -> Iterator[Finding]:
    """One finding for each simple model that anyone could have: the challenger's mean log loss must be lower.

    The mean decides and the interval is recorded, as against the baseline: two weeks of nights cannot be sure of a gain of
    0.01 a row, and a champion is guarded by a margin that must be sure. Log loss alone: what is published is a
    probability, and a regression may order rows as well as trees while its probabilities are worse.
    """
    for name in COMPETITORS:
        if name not in simple:
            reason = (
                f"the bundle holds no {name} model to compete with; train it again: simple models come with a training"
            )
            yield Finding(False, reason, {})
            continue
        other = simple[name]
        gain = _gain(challenger, other, np.ones(len(challenger.probabilities), dtype=bool), terms, seed)
        has_held = gain.mean > 0
        reason = (
            f"log loss {challenger.losses.mean():.4f} {'beats' if has_held else 'does not beat'} {other.losses.mean():.4f} of "
            f"the {name} model: gain {_in_words(gain)}"
        )
        yield Finding(has_held, reason, {"gain_over": {name: gain.as_dict()}})


def holds_on_slices(
    challenger: Contestant, incumbent: Contestant, values: NDArray[np.object_], terms: PromotionContract, *,
    feature: str, seed: int, is_champion: bool,
) -> Finding:  # fmt: skip
    """Whether the challenger is surely not worse than a champion by the margin on any of ``values`` (shape (rows,)) with
    enough rows; against the baseline it is recorded only, for the reason above.

    Each slice is asked at the full confidence, without a correction for their number: all of them must hold, so more
    slices make a wrong promotion rarer and a right one harder (Berger, Technometrics 1982, intersection-union test).
    """
    gains = {
        str(value): _gain(challenger, incumbent, values == value, terms, seed) for value in sorted(set(values.tolist()))
    }
    judged = {value: gain for value, gain in gains.items() if gain.rows >= terms.min_slice_rows}
    unsure = [f"{value} {_in_words(gain)}" for value, gain in judged.items() if not gain.low > -terms.slice_margin]
    reason = (
        f"on {len(judged)} slices of {feature} with at least {terms.min_slice_rows} rows, {len(judged) - len(unsure)} are "
        f"surely not worse than {incumbent.name} by {terms.slice_margin:.4f}"
    )
    recorded = {feature: {value: gain.as_dict() for value, gain in gains.items()}}
    return Finding(not is_champion or not unsure, "; but gain on ".join([reason, *unsure]), {"slices": recorded})


def serves_groups(
    roles: Mapping[str, Contestant], feature: str, values: NDArray[np.object_], terms: PromotionContract
) -> Finding:
    """Whether no group's calibration gap grows beyond the limit; error rates are recorded, for people to judge.

    Args:
        roles: challenger, baseline, and champion if there is one: the gap grows over that of the last of the two.
        feature: the name of the groups.
        values: the group of each row, shape (rows,).
        terms: limit, and how many rows a group must have to be judged.
    """
    incumbent = "champion" if "champion" in roles else "baseline"
    numbers = {
        role: numbers_by_group(values, each.rows.labels, each.probabilities, each.acts) for role, each in roles.items()
    }
    mine, theirs = numbers["challenger"], numbers[incumbent]
    judged = [group for group, each in mine.items() if each.rows >= terms.min_slice_rows]
    growth = {group: mine[group].calibration_gap - theirs[group].calibration_gap for group in judged}
    grown = [f"{group} {by:+.4f}" for group, by in growth.items() if not by <= terms.max_calibration_gap_growth]
    reason = (
        f"in {len(judged) - len(grown)} of {len(judged)} groups of {feature} with at least {terms.min_slice_rows} rows, the "
        f"calibration gap grows by at most {terms.max_calibration_gap_growth:.4f} over that of {roles[incumbent].name}"
    )
    recorded = {role: _recorded(each, judged) for role, each in numbers.items()}
    return Finding(not grown, "; but in ".join([reason, *grown]), {"groups": {feature: recorded}})


def _recorded(numbers: Mapping[str, GroupNumbers], judged: list[str]) -> dict[str, Any]:
    by_group = {group: each.as_dict() for group, each in numbers.items()}
    return {"by_group": by_group, "spreads": spreads(numbers[group] for group in judged).as_dict()}


def _gain(mine: Contestant, other: Contestant, chosen: NDArray[np.bool_], terms: PromotionContract, seed: int) -> Gain:
    difference = (other.losses - mine.losses)[chosen]
    return paired_gain(mine.rows.nights[chosen], difference, confidence=terms.confidence, seed=seed)


def _in_words(gain: Gain) -> str:
    if math.isnan(gain.low):
        return f"{gain.mean:+.4f} on {gain.nights} nights, fewer than the {LEAST_NIGHTS} that an interval needs"
    return f"{gain.mean:+.4f} (above {gain.low:+.4f} with confidence {gain.confidence:.2f}, {gain.nights} nights)"
