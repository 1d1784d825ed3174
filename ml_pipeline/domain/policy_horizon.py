"""How long nothing can happen: the nights that may be run together, because no verdict of theirs could ask for an act."""

from collections.abc import Sequence

from ml_pipeline.contracts.policy import PolicyContract
from ml_pipeline.contracts.project import MonitoringContract
from ml_pipeline.domain.policy import Act, Case, Tick
from ml_pipeline.domain.policy_record import PolicyRecord
from ml_pipeline.nights import Night, nights_back


def earliest_act(
    policy: PolicyContract, monitoring: MonitoringContract, history: Sequence[Tick], record: PolicyRecord
) -> Night:
    """The first night after the last of ``history`` on which ``decide`` could ask for an act, whatever is measured until then.

    ``record`` holds all that was asked, made and judged up to and including that last night; it is right as long as nothing
    is made or judged after it. Cool-down, open requests, a challenger in the shadow,
    persistence and the least number of newly matured nights each give a night before which no act is asked for; the bound
    is their latest, for whichever act comes first. After too many refusals it is never: only a person changes that.
    """
    tonight = history[-1].night
    if len(record.rejected_in_a_row()) >= policy.max_rejected:
        return Night.max
    case = Case(policy, monitoring, history, record)
    acts: tuple[Act, ...] = ("retrain", "recalibrate")
    return min(_earliest(case, act, tonight) for act in acts)


def _earliest(case: Case, act: Act, tonight: Night) -> Night:
    policy, monitoring, record = case.policy, case.monitoring, case.record
    bounds = [nights_back(tonight, -1), _persistent_from(case, act, tonight)]
    begun, asked, waiting = record.last_begun(act), record.open_request(), record.open_case(nights_back(tonight, -1))
    if begun is not None:
        bounds.append(nights_back(begun, -monitoring.cool_down_nights))
    if asked is not None:
        bounds.append(nights_back(asked.night, -policy.open_nights))
    if waiting is not None:
        bounds.append(nights_back(waiting.until, -1))
    # Each coming night can bring at most one night of labels.
    missing = policy.min_matured_nights - len(case.matured_since_training())
    bounds.append(nights_back(tonight, -max(missing, 1)))
    return max(bounds)


def _persistent_from(case: Case, act: Act, tonight: Night) -> Night:
    """The first night on which enough nights could speak, if every one from now on does."""
    asked = case.record.last_request()
    spoke = {
        tick.night for tick in case.history
        if (asked is None or tick.night > asked.night) and case.speaks(act, tick)
    }  # fmt: skip
    for ahead in range(1, case.monitoring.persistence_nights + 1):
        night = nights_back(tonight, -ahead)
        first = nights_back(night, case.of_nights - 1)
        if ahead + sum(one >= first for one in spoke) >= case.monitoring.persistence_nights:
            return night
    return nights_back(tonight, -case.monitoring.persistence_nights)
