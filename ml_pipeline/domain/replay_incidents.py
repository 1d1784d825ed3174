"""Whether an injected incident was noticed, when, and as what: by what the pipeline itself published, and by nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ml_pipeline.contracts.replay import IncidentContract
from ml_pipeline.domain.replay_report import Finding, ReplayedIncident
from ml_pipeline.nights import Night, nights_back

Kind = Literal["refused", "held", "bad_data", "late_rows", "missing_labels", "drift"]
# What a finding says of its cause. The first of these that was found names the incident: outcomes that never came explain
# the rows that came late afterwards, and rows that came late explain the night that was held for want of them.
_MEANS: dict[Kind, Finding] = {
    "missing_labels": "missing_labels", "late_rows": "late_data", "refused": "bad_data", "held": "bad_data",
    "bad_data": "bad_data", "drift": "drift",
}  # fmt: skip
# After the last night that lands otherwise, its rows still lie in windows; what is found later is of something else.
_ECHO_NIGHTS = 7


@dataclass(frozen=True)
class Found:
    """Something that the pipeline said of a night by itself; ``source`` is empty if it named none."""

    night: Night
    kind: Kind
    source: str
    words: str


def truth_of(incident: IncidentContract, *, is_label_source: bool) -> Finding:
    """What the incident is."""
    if incident.kind == "late":
        return "missing_labels" if is_label_source else "late_data"
    return "bad_data"


def judge_incident(incident: IncidentContract, found: Sequence[Found], *, is_label_source: bool) -> ReplayedIncident:
    """What came of ``incident``: all that was found on its nights, and shortly after, of its source or of none named."""
    last = nights_back(incident.settled_on, -_ECHO_NIGHTS)
    own = sorted(
        (one for one in found if incident.first <= one.night <= last and one.source in ("", incident.source)),
        key=lambda one: (one.night, list(_MEANS).index(one.kind)),
    )
    named: Finding = "nothing"
    for kind, meaning in _MEANS.items():
        if any(one.kind == kind for one in own):
            named = meaning
            break
    first = own[0] if own else None
    words = "; ".join(dict.fromkeys(f"{one.night}: {one.words}" for one in own[:4]))
    return ReplayedIncident(
        incident.name, incident.title, incident.source, incident.first, incident.last,
        truth_of(incident, is_label_source=is_label_source), named, first.night if first else None,
        (first.night - incident.first).days if first else None, first.kind.replace("_", " ") if first else "nobody", words,
    )  # fmt: skip


def false_alarm_nights(found: Sequence[Found], upto: Night) -> tuple[Night, ...]:
    """The nights up to ``upto`` on which something was found wrong with data that nobody disturbed; drift is no alarm."""
    return tuple(sorted({one.night for one in found if one.kind != "drift" and one.night <= upto}))
