"""The fallback ladder: who scores a night when its champion cannot. A night is never empty and never silently wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.serving import AS_OF_POLICY, SCORES, Rung, Served, ServingPolicy
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.audit import ScoreAudit
from ml_pipeline.domain.serving import Wanted, rungs
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.model_bundle import BundleError, ModelBundle, read_bundle
from ml_pipeline.io.sql_template import SqlRefusedError
from ml_pipeline.io.table_store import NightInputs, stale_nights
from ml_pipeline.nights import Night
from ml_pipeline.operations.baseline_scores import baseline_scores
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.score_audit import audited, in_words
from ml_pipeline.operations.score_rows import score_nights
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.standing_scores import StandingScores
from ml_pipeline.operations.unseen_categories import category_columns, with_unseen_counts


class LadderExhaustedError(BundleError):
    """No rung could score a night; nothing was published."""


@dataclass(frozen=True)
class Fall:
    """A rung that could not answer ``nights``, and why."""

    rung: Rung
    version: str
    nights: tuple[Night, ...]
    reason: str


@dataclass
class Answers:
    """What a call has to publish, and who answers each night, also those that need nothing.

    Attributes:
        served: who answers each night that was asked for.
        inputs: of the nights that are new.
        parts: their rows.
        audits: their audits.
        falls: rungs that could not answer.
        settled: nights that are left as a person wanted them, with the reason.
    """

    served: dict[Night, Served] = field(default_factory=dict)
    inputs: dict[Night, NightInputs] = field(default_factory=dict)
    parts: list[pa.Table] = field(default_factory=list)
    audits: list[ScoreAudit] = field(default_factory=list)
    falls: list[Fall] = field(default_factory=list)
    settled: dict[Night, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ladder:
    """Serves the nights of one wanted model under one policy.

    What a night was made from (its inputs hash) names the model, the content of its features and the policy; below the
    champion also the rung and the model that was wanted. So a fallback night is stale as soon as its champion can score
    again, and a later healthy run replaces it; while the champion stays damaged, scoring again changes nothing.

    Attributes:
        standing: what is published; a rung never replaces an answer that a better one gave for the same wish.
        is_replacing: whether nights that are settled otherwise are replaced.
    """

    site: Site
    policy: ServingPolicy
    standing: StandingScores
    is_replacing: bool = False

    def answer(self, wanted: Wanted, nights: Sequence[Night], answers: Answers) -> None:
        """Add to ``answers`` what ``nights`` need, by the first rung that can give it.

        A rung falls where its bundle is missing, damaged or fails its trial, where its features cannot be built, and, for
        single nights, where its scores fail the audit. Rows that have not landed are no fault of a model: that is refused.

        Raises:
            LadderExhaustedError: no rung could. ScoreAuditError: a night has nothing to score, so no rung can.
            LookupError: rows that the features need have not landed.
        """
        left = list(nights)
        for rung, version in rungs(wanted, self.policy):
            served = Served(rung, version, str(self.policy))
            try:
                if rung == "baseline":
                    self._by_baseline(wanted, left, answers)
                    return
                failed = self._by_bundle(served, wanted, left, answers)
            except (BundleError, SqlRefusedError) as error:
                failed, reason = left, str(error)
            else:
                reason = in_words([audit for audit in answers.audits if audit.night in failed])
            answers.audits = [audit for audit in answers.audits if audit.night not in failed]
            if failed:
                answers.falls.append(Fall(rung, version, tuple(failed), reason))
            left = self._without_standing(served, failed, answers)
            if not left:
                return
        self._exhausted(left, answers)

    def _by_bundle(self, served: Served, wanted: Wanted, nights: Sequence[Night], answers: Answers) -> list[Night]:
        """Score by a bundle; returns the nights whose scores fail the audit."""
        site, bundle = self.site, read_bundle(self.site.models, served.version)
        built = build_features(site, nights, sql=bundle.feature_set)
        fresh = bundle_inputs(site, bundle, nights, served, wanted, version=built.version)
        stale = self._unsettled(stale_nights(fresh, self.standing.published), answers)
        failed: list[Night] = []
        if stale:
            rows = labelled(score_nights(site, bundle, stale, version=built.version), served)
            key = bundle.feature_set.project.entity_key
            columns = list(dict.fromkeys([*key, *category_columns(bundle)]))
            spine = site.tables.read(built.table, stale, columns, version=built.version)
            fresh = with_unseen_counts(bundle, spine, fresh)
            audits = audited(rows, spine, stale, key, version=bundle.version)
            answers.audits.extend(audits)
            failed = [audit.night for audit in audits if audit.broken]
            self._take(rows, {night: fresh[night] for night in stale if night not in failed}, answers)
        answers.served |= {night: served for night in nights if night not in failed and night not in answers.settled}
        return failed

    def _by_baseline(self, wanted: Wanted, nights: Sequence[Night], answers: Answers) -> None:
        site, key = self.site, self.site.project.entity_key
        nights = self._unsettled(nights, answers)
        if not nights:
            return
        said = baseline_scores(site, nights, wanted.version, str(self.policy))
        audits = audited(said.rows, said.spine, nights, key, version=said.version, may_be_alike=True)
        answers.audits.extend(audits)
        if failed := [audit for audit in audits if audit.broken]:
            raise BundleError(f"the baseline of bundle {said.version} fails the audit ({in_words(failed)})")
        served = Served("baseline", said.version, str(self.policy))
        made_from = {
            night: NightInputs.made_from(
                "baseline", said.version, content_hash(_of(said.spine, [night])), served.policy, wanted.version
            )
            for night in nights
        }
        fresh = {night: NightInputs(inputs.inputs_hash, dict(said.read)) for night, inputs in made_from.items()}
        stale = stale_nights(fresh, self.standing.published)
        self._take(said.rows, {night: fresh[night] for night in stale}, answers)
        answers.served |= dict.fromkeys(nights, served)

    def _take(self, rows: pa.Table, inputs: dict[Night, NightInputs], answers: Answers) -> None:
        if inputs:
            answers.parts.append(_of(rows, sorted(inputs)))
            answers.inputs |= inputs

    def _unsettled(self, nights: Sequence[Night], answers: Answers) -> list[Night]:
        if self.is_replacing:
            return list(nights)
        told = {night: self.standing.settled(night, self.policy) for night in nights}
        answers.settled |= {night: reason for night, reason in told.items() if reason is not None}
        answers.served |= {
            night: self.standing.served[night]
            for night, reason in told.items()
            if reason and night in self.standing.served
        }
        return [night for night, reason in told.items() if reason is None]

    def _without_standing(self, served: Served, nights: Sequence[Night], answers: Answers) -> list[Night]:
        """The nights that need another rung: what the fallen one said of a night before it fell stays published."""
        standing = {night: self.standing.served.get(night) for night in nights}
        if served.rung == "baseline":  # whose rates they were does not matter
            kept = {
                night: one
                for night, one in standing.items()
                if one and (one.rung, one.policy) == (served.rung, served.policy)
            }
        else:
            kept = {night: one for night, one in standing.items() if one == served}
        answers.served |= kept
        return [night for night in nights if night not in kept]

    def _exhausted(self, nights: Sequence[Night], answers: Answers) -> None:
        reasons = "; ".join(f"{fall.rung} {fall.version}: {fall.reason}" for fall in answers.falls)
        raise_alert(
            self.site.ledger("alerts"), severity="blocking", title="a night could not be scored", night=str(nights[0]),
            detail=reasons,
        )  # fmt: skip
        raise LadderExhaustedError(
            f"table {SCORES}: nobody could score night {nights[0]} under policy {self.policy} ({reasons}). Nothing was "
            "published; the nights keep what they had. Restore the bundle or promote another version"
        )


def bundle_inputs(
    site: Site, bundle: ModelBundle, nights: Sequence[Night], served: Served, wanted: Wanted, *, version: int
) -> dict[Night, NightInputs]:
    """What each night is made from; the version of its features is a fact beside it: reproducing starts there."""
    table = features_table(bundle.feature_set)
    features = site.tables.published(table, nights, version=version)
    instead = () if served.rung == "champion" else (served.rung, wanted.version)
    made_from = {
        night: NightInputs.made_from(served.version, features[night].content_hash, served.policy, *instead)
        for night in nights
    }
    return {night: NightInputs(inputs.inputs_hash, {table: version}) for night, inputs in made_from.items()}


def alert_of_falls(site: Site, answers: Answers) -> None:
    """One alert for each rung that fell and left new nights to a lower one."""
    for fall in answers.falls:
        lower = sorted(night for night in fall.nights if night in answers.inputs)
        if lower:
            by = ", ".join(sorted({f"{answers.served[night].rung} {answers.served[night].version}" for night in lower}))
            span = str(lower[0]) if len(lower) == 1 else f"{lower[0]} to {lower[-1]}"
            raise_alert(
                site.ledger("alerts"), severity="blocking", title=f"{fall.rung} {fall.version} could not score",
                night=span, detail=f"scored by {by} instead: {fall.reason}",
            )  # fmt: skip


def labelled(rows: pa.Table, served: Served) -> pa.Table:
    """``rows`` of a model, which say that the champion of the night made them, saying who did and under which policy."""
    if (served.rung, served.policy) == ("champion", str(AS_OF_POLICY)):
        return rows
    for name, value in (("served_by", served.rung), ("backfill_policy", served.policy)):
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), pa.repeat(pa.scalar(value), rows.num_rows))
    return rows


def _of(rows: pa.Table, nights: Sequence[Night]) -> pa.Table:
    return rows.filter(pc.is_in(rows.column(SCORE_DATE), pa.array(nights, pa.date32())))
