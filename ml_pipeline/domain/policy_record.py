"""What the ledgers say that the policy must not forget: what was asked for, trained and judged, each on its night."""

from dataclasses import dataclass, replace
from typing import Literal

from ml_pipeline.nights import Night


@dataclass(frozen=True)
class Request:
    """An act that was asked for."""

    night: Night
    act: Literal["recalibrate", "retrain"]
    evidence_id: str


@dataclass(frozen=True)
class GateJudgement:
    """What the gate said of one challenger, or, promoted, that a person put a model or the breaker in order."""

    night: Night
    is_promoted: bool


@dataclass(frozen=True)
class ShadowCase:
    """A refused challenger that the gate will look at again, with what it says in the shadow.

    ``settled_on`` is the night of its last look, or of what overtook it, None if neither was yet; after ``until`` nobody
    waits for it any more.
    """

    refused_on: Night
    until: Night
    settled_on: Night | None = None


@dataclass(frozen=True)
class PolicyRecord:
    """Each in the order of its night.

    Attributes:
        trained: nights as of which models were trained.
        recalibrated: nights as of which models were given a new calibrator.
        requests: verdicts that asked for an act.
        judgements: verdicts of the gate.
        cases: refused challengers and what became of them.
    """

    trained: tuple[Night, ...] = ()
    recalibrated: tuple[Night, ...] = ()
    requests: tuple[Request, ...] = ()
    judgements: tuple[GateJudgement, ...] = ()
    cases: tuple[ShadowCase, ...] = ()

    def before(self, night: Night) -> "PolicyRecord":
        """What was known before ``night`` was decided; the answer to a night's own verdict comes after it."""
        return PolicyRecord(
            tuple(each for each in self.trained if each < night),
            tuple(each for each in self.recalibrated if each < night),
            tuple(each for each in self.requests if each.night < night),
            tuple(each for each in self.judgements if each.night < night),
            tuple(
                each if each.settled_on is None or each.settled_on < night else replace(each, settled_on=None)
                for each in self.cases
                if each.refused_on < night
            ),
        )

    def last_request(self) -> Request | None:
        return max(self.requests, key=lambda request: request.night, default=None)

    def last_trained(self) -> Night | None:
        return max(self.trained, default=None)

    def last_begun(self, act: Literal["recalibrate", "retrain"]) -> Night | None:
        """The last night on which ``act``, or what takes its place, was asked for or made.

        A training brings a calibrator of its own, so it cools a recalibration down too; not the other way round.
        """
        acts = {act, "retrain"}
        made = self.trained if act == "retrain" else (*self.trained, *self.recalibrated)
        return max([*made, *(request.night for request in self.requests if request.act in acts)], default=None)

    def open_request(self) -> Request | None:
        """The last request, if no model was made as of its night or later."""
        asked = self.last_request()
        if asked is None or any(night >= asked.night for night in (*self.trained, *self.recalibrated)):
            return None
        return asked

    def open_case(self, night: Night) -> ShadowCase | None:
        """The challenger that is still to be looked at again as of ``night``."""
        waiting = [each for each in self.cases if each.settled_on is None and night <= each.until]
        return waiting[-1] if waiting else None

    def rejected_in_a_row(self) -> tuple[Night, ...]:
        """Nights of the refusals since the last challenger that was promoted."""
        rejected: list[Night] = []
        for judgement in self.judgements:
            rejected = [] if judgement.is_promoted else [*rejected, judgement.night]
        return tuple(rejected)
