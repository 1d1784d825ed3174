"""The policy: what a night's evidence is worth doing. A pure function of what the tables and ledgers said before the night.

Quality comes first: a broken feed moves every feature, and a model trained on it is worse than none (Breck et al., "Data
Validation for Machine Learning", MLSys 2019). Drift alone retrains nothing, nor does an estimate before labels: what
counts is the effect on cost.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ml_pipeline.contracts.policy import PolicyContract
from ml_pipeline.contracts.project import MonitoringContract
from ml_pipeline.domain.policy_record import PolicyRecord
from ml_pipeline.nights import Night, nights_back

Act = Literal["recalibrate", "retrain"]
_NOUNS = {"recalibrate": "recalibration", "retrain": "retraining"}


@dataclass(frozen=True)
class Tick:
    """What is known on one night of the model that scored it. NaN is missing evidence, which speaks for nothing.

    Attributes:
        bad_data: what is wrong with the night's data, in words; empty if nothing is.
        drifted_share: share of the features that have drifted.
        matured_rows: rows whose labels this night was the first to judge.
        cost_saving: share of the baseline's cost that the model saves on its own matured nights.
        gap_low: lower end of the interval of the calibration gap, said less happened, on its own matured nights.
        gap_high: upper end.
        is_estimate_trusted: whether what is expected of the nights that wait for labels may be decided by.
        estimate_reasons: why, in words; empty if nothing was estimated.
        estimated_log_loss: expected log loss of these nights, of the model's own.
        promised_log_loss: the model's log loss on the test block of its training.
        estimated_saving: share of the baseline's cost that the model is expected to save on them.
        fallback_nights: judged nights that a lower rung answered; they are in none of these numbers.
    """

    night: Night
    model_version: str
    bad_data: tuple[str, ...] = ()
    drifted_share: float = math.nan
    matured_rows: int = 0
    cost_saving: float = math.nan
    gap_low: float = math.nan
    gap_high: float = math.nan
    is_estimate_trusted: bool = False
    estimate_reasons: tuple[str, ...] = ()
    estimated_log_loss: float = math.nan
    promised_log_loss: float = math.nan
    estimated_saving: float = math.nan
    fallback_nights: int = 0


@dataclass(frozen=True)
class PolicyVerdict:
    """What to do, and why. ``evidence_id`` names the nights that speak for it, which speak once; empty for nothing."""

    verdict: Literal["nothing", "recalibrate", "retrain", "alarm"]
    severity: Literal["none", "advisory", "blocking"]
    evidence_id: str
    reasons: tuple[str, ...]
    evidence_nights: tuple[Night, ...] = ()


def decide(
    policy: PolicyContract, monitoring: MonitoringContract, history: Sequence[Tick], record: PolicyRecord
) -> PolicyVerdict:  # fmt: skip
    """Decide for the last night of ``history`` (one tick a night, in order, at least one).

    Nothing of ``record`` that lies on that night or later is looked at, so the same tick gives the same verdict however
    often, and however late, it is evaluated. An act is asked for once: from the next night on its request is open.
    """
    tonight = history[-1]
    known = record.before(tonight.night)
    if tonight.bad_data:
        first = _first_of_stretch(history)
        reasons = ("bad data is not drift: nothing is learned from it", *tonight.bad_data)
        return PolicyVerdict("alarm", "advisory", f"bad_data_{first}", reasons, (tonight.night,))
    rejected = known.rejected_in_a_row()
    if len(rejected) >= policy.max_rejected:
        told = (
            f"{len(rejected)} challengers in a row were refused, the last on {rejected[-1]}; {policy.max_rejected} are the "
            "limit. A person must look before another is trained"
        )
        return PolicyVerdict("alarm", "blocking", f"breaker_{rejected[-1]}", (told,), tuple(rejected))
    case = Case(policy, monitoring, history, known)
    reasons = case.told()
    acts: tuple[Act, ...] = ("retrain", "recalibrate")
    for act in acts:
        nights = case.speaking(act)
        if not nights:
            continue
        hindrances = tuple(case.hindrances(act, nights))
        if not hindrances:
            evidence_id = f"{act}_{tonight.model_version}_{nights[0]}_{nights[-1]}"
            spoken = f"{len(nights)} of the last {case.of_nights} nights speak for a {_NOUNS[act]}"
            return PolicyVerdict(act, "advisory", evidence_id, (*reasons, spoken), nights)
        reasons = (*reasons, *(f"no {_NOUNS[act]}: {hindrance}" for hindrance in hindrances))
    return PolicyVerdict("nothing", "none", "", reasons)


def _first_of_stretch(history: Sequence[Tick]) -> Night:
    """The first of the bad nights that end tonight: one stretch is one alarm."""
    first = history[-1].night
    for tick in reversed(history[:-1]):
        if not tick.bad_data or tick.night != nights_back(first, 1):
            break
        first = tick.night
    return first


@dataclass(frozen=True)
class Case:
    """What one night's verdict is made from, and how much of it speaks for an act or hinders one."""

    policy: PolicyContract
    monitoring: MonitoringContract
    history: Sequence[Tick]
    record: PolicyRecord

    @property
    def tonight(self) -> Tick:
        return self.history[-1]

    @property
    def of_nights(self) -> int:
        return max(self.policy.of_nights, self.monitoring.persistence_nights)

    def is_drifted(self, tick: Tick) -> bool:
        return tick.drifted_share > self.monitoring.drifted_share_limit

    def is_forewarned(self, tick: Tick) -> bool:
        """Whether the nights without labels are expected to be worse than promised; an estimate that was wrong says nothing."""
        return tick.is_estimate_trusted and (
            tick.estimated_log_loss > tick.promised_log_loss + self.policy.max_estimated_loss
            or tick.estimated_saving < self.policy.least_cost_saving_drifted
        )

    def least_saving(self, tick: Tick) -> float:
        floor = self.policy.least_cost_saving
        is_due = self.is_drifted(tick) or self.is_forewarned(tick)
        return max(floor, self.policy.least_cost_saving_drifted) if is_due else floor

    def speaks(self, act: Act, tick: Tick) -> bool:
        # A comparison with NaN is False: what was not measured speaks for nothing.
        if act == "retrain":
            return tick.cost_saving < self.least_saving(tick)
        limit = self.policy.max_calibration_gap
        return tick.gap_low > limit or tick.gap_high < -limit

    def speaking(self, act: Act) -> tuple[Night, ...]:
        """The nights of the window that speak for ``act``, none unless tonight does. Nights that spoke before are used."""
        asked = self.record.last_request()
        first = nights_back(self.tonight.night, self.of_nights - 1)
        nights = tuple(
            tick.night
            for tick in self.history
            if tick.night >= first
            and tick.model_version == self.tonight.model_version
            and (asked is None or tick.night > asked.night)
            and not self.bad_nights_around(tick)
            and self.speaks(act, tick)
        )
        return nights if nights and nights[-1] == self.tonight.night else ()

    def bad_nights_around(self, tick: Tick) -> tuple[Night, ...]:
        """The nights of bad data in the window that the drift of ``tick`` was measured on."""
        first = nights_back(tick.night, self.monitoring.window_nights - 1)
        return tuple(each.night for each in self.history if first <= each.night <= tick.night and each.bad_data)

    def hindrances(self, act: Act, nights: Sequence[Night]) -> Iterator[str]:
        if len(nights) < self.monitoring.persistence_nights:
            yield (
                f"not persistent, {len(nights)} of the last {self.of_nights} nights speak for it, "
                f"{self.monitoring.persistence_nights} are asked for"
            )
        tonight = self.tonight.night
        begun = self.record.last_begun(act)
        if begun is not None and (tonight - begun).days < self.monitoring.cool_down_nights:
            yield f"cooling down, {(tonight - begun).days} of {self.monitoring.cool_down_nights} nights since {begun}"
        asked = self.record.open_request()
        if asked is not None and (tonight - asked.night).days < self.policy.open_nights:
            yield f"{asked.evidence_id} was asked for on {asked.night} and is open"
        case = self.record.open_case(tonight)
        if case is not None:
            # Another challenger would take its place in the shadow before the evidence on it is in.
            yield f"the challenger refused on {case.refused_on} will be looked at again, by {case.until} at the latest"
        matured = self.matured_since_training()
        rows = sum(tick.matured_rows for tick in matured)
        if len(matured) < self.policy.min_matured_nights or rows < self.policy.min_matured_rows:
            yield (
                f"too few new labels, {len(matured)} nights and {rows} rows since the last training, "
                f"{self.policy.min_matured_nights} and {self.policy.min_matured_rows} are asked for"
            )

    def matured_since_training(self) -> list[Tick]:
        trained = self.record.last_trained()
        return [tick for tick in self.history if tick.matured_rows and (trained is None or tick.night > trained)]

    def told(self) -> tuple[str, ...]:
        """What was measured tonight, in words; missing evidence is called missing."""
        tick = self.tonight
        share = (
            "drift is missing"
            if math.isnan(tick.drifted_share)
            else f"{tick.drifted_share:.0%} of the features drifted"
        )
        saving, gap = "saving is missing", "calibration is missing"
        if not math.isnan(tick.cost_saving):
            saving = f"saves {tick.cost_saving:.1%} of the baseline's cost, {self.least_saving(tick):.1%} is asked for"
        if not math.isnan(tick.gap_low):
            limit = self.policy.max_calibration_gap
            gap = f"calibration gap {tick.gap_low:+.3f} to {tick.gap_high:+.3f}, {limit:.3f} is the limit"
        told = (f"{share}, {self.monitoring.drifted_share_limit:.0%} is the limit", saving, gap, *self.estimated())
        if tick.fallback_nights:
            told = (
                *told,
                f"{tick.fallback_nights} judged nights are left out: a lower rung than the champion answered them",
            )
        bad = self.bad_nights_around(tick)
        return told if not bad else (*told, f"bad data on {', '.join(map(str, bad))} still lies in the window")

    def estimated(self) -> Iterator[str]:
        """What is expected of the nights that wait for labels, and whether that counts, in words."""
        tick = self.tonight
        if not tick.is_estimate_trusted:
            yield "; ".join(tick.estimate_reasons) or "estimates are missing"
            return
        if math.isnan(tick.estimated_log_loss):
            yield "estimates are missing: no night of the model waits for labels"
            return
        yield (
            f"log loss {tick.estimated_log_loss:.4f} is expected before labels, {tick.promised_log_loss:.4f} was promised, "
            f"{self.policy.max_estimated_loss:.4f} above it is the limit; {tick.estimated_saving:.1%} of the baseline's cost "
            f"is expected to be saved, {self.policy.least_cost_saving_drifted:.1%} is the least"
        )
        if self.is_forewarned(tick):
            yield "worse than promised is expected: proof is asked for earlier"
