"""Scores nights: write, audit, publish. One commit for the whole call, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from ml_pipeline.contracts.serving import AS_OF_POLICY, SCORES, Served, ServingPolicy
from ml_pipeline.domain.audit import ScoreAudit
from ml_pipeline.io.table_store import PublishResult
from ml_pipeline.nights import Night
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.publish_scores import publish_scores
from ml_pipeline.operations.score_audit import ScoreAuditError, hold_the_unlike
from ml_pipeline.operations.serve import Answers, Fall, Ladder, alert_of_falls
from ml_pipeline.operations.serving_plan import plan_serving
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.standing_scores import StandingScores

__all__ = ["SCORES", "ScoreAuditError", "ScoredNights", "score"]


@dataclass(frozen=True)
class ScoredNights:
    """What a scoring did.

    Attributes:
        published: nights and rows; nights that needed nothing are its ``unchanged`` ones.
        served_by_night: who answers each night now: rung, version and policy.
        audits: of the nights that were scored.
        falls: rungs that could not answer, with the reason.
        settled: nights left as a person wanted them, with the reason; ``replaces=True`` scores them too.
    """

    published: PublishResult
    served_by_night: Mapping[Night, Served]
    audits: tuple[ScoreAudit, ...]
    falls: tuple[Fall, ...] = ()
    settled: Mapping[Night, str] = field(default_factory=dict)

    @property
    def version_by_night(self) -> dict[Night, str]:
        return {night: served.version for night, served in self.served_by_night.items()}


def score(
    site: Site, nights: Sequence[Night], *, policy: ServingPolicy = AS_OF_POLICY, replaces: bool = False,
    backfill: str | None = None,
) -> ScoredNights:  # fmt: skip
    """Score ``nights``, each with the model that ``policy`` gives it, and publish them in one commit.

    Write, audit, publish: all rows are made and audited in memory first. Nights whose features, model and policy have
    not changed are left alone, and so are nights that a person settled otherwise, unless ``replaces``.

    Args:
        site: the installation.
        nights: in any order.
        policy: which model a night is given; it is resolved once, before the first night.
        replaces: whether nights that stand under another policy, or were restored by hand, are scored all the same.
        backfill: a name under which several calls share one resolution of the policy.

    Raises:
        NoChampionError: a night has no champion. LadderExhaustedError: no rung of the ladder could score a night.
        ScoreAuditError: a night has nothing to score, or (ScoresHeldError) is unlike the nights before it.
        OvertakenError: another run has published a night since. Nothing was published in any of these cases.
    """
    site.calendar.require(nights)
    plan = plan_serving(site, nights, policy, backfill=backfill)
    standing = StandingScores(site, nights)
    ladder, answers = Ladder(site, policy, standing, is_replacing=replaces), Answers()
    for wanted, its_nights in plan.nights_by_wanted.items():
        ladder.answer(wanted, its_nights, answers)
    result = _publish(site, answers, standing, sorted(set(nights)))
    publish_catalog(site)
    alert_of_falls(site, answers)
    return ScoredNights(result, answers.served, tuple(answers.audits), tuple(answers.falls), answers.settled)


def _publish(site: Site, answers: Answers, standing: StandingScores, nights: Sequence[Night]) -> PublishResult:
    current = tuple(night for night in nights if night not in answers.inputs)
    rows = sum(standing.published[night].rows for night in current)
    if not answers.inputs:
        return PublishResult(SCORES, site.tables.version(SCORES), (), current, rows)
    new = pa.concat_tables(answers.parts)
    hold_the_unlike(site, new, answers.served, answers.inputs)
    result = publish_scores(site, new, answers.inputs, standing.published)
    site.progress(f"{SCORES}: {new.num_rows:,} rows of {len(answers.inputs)} nights, {len(result.changed)} changed")
    unchanged = tuple(sorted((*current, *result.unchanged)))
    return PublishResult(SCORES, result.version, result.changed, unchanged, rows + result.rows)
