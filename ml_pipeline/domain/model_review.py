"""What a person should know of a model before trusting it, as one report."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ml_pipeline.domain.ablation import GroupAblation
from ml_pipeline.domain.behaviour import Behaviour
from ml_pipeline.domain.cost_sensitivity import CostSensitivity, sensitivity_content
from ml_pipeline.domain.document import (
    Block,
    Bullets,
    Document,
    Figure,
    Paragraph,
    Section,
    Table,
    document_markdown,
)
from ml_pipeline.domain.importance import FeatureImportance
from ml_pipeline.domain.svg_charts import Span, intervals_svg
from ml_pipeline.domain.worst_cases import WorstCase
from ml_pipeline.nights import Night

_LEADING = 15


@dataclass(frozen=True)
class ModelReview:
    """A model on its test block, ``rows`` labelled rows of the nights ``first`` to ``last``.

    Attributes:
        version: the bundle.
        importance: every feature, the greatest first.
        groups: the feature models without which most is lost, first.
        worst: misses and false alarms, the most confident first.
        behaviour: directions and invariance, with what did not hold.
        sensitivity: how the decision fares if the costs are other than was said.
    """

    version: str
    first: Night
    last: Night
    rows: int
    importance: tuple[FeatureImportance, ...]
    groups: tuple[GroupAblation, ...]
    worst: tuple[WorstCase, ...]
    behaviour: Behaviour
    sensitivity: CostSensitivity

    def as_json(self) -> dict[str, Any]:
        """Plain JSON: nights as ISO text, None where the rows cannot say."""
        content: dict[str, Any] = _plain(asdict(self))
        return content | {"sensitivity": _plain(self.sensitivity.as_json())}


def review_markdown(review: ModelReview) -> str:
    """The report for people; the same review gives the same text."""
    return document_markdown(review_document(review))


def review_document(review: ModelReview) -> Document:
    """The review alone, as a report of its own."""
    decision = Section("The decision, if the costs are other than was said", sensitivity_content(review.sensitivity))
    return Document(
        f"Review of model {review.version}",
        (Paragraph(
            f"Measured on its test block: {review.rows:,} labelled rows of the nights {review.first} to {review.last}."
        ),),
        (*review_sections(review), decision),
    )  # fmt: skip


def review_sections(review: ModelReview) -> tuple[Section, ...]:
    """Importance, ablation, worst cases, behaviour."""
    return (
        Section("What moves the score", _importance(review)),
        Section("What is lost without a group of features", _ablation(review.groups)),
        Section("The most confident mistakes", _worst(review.worst)),
        Section("How it behaves", (Bullets(tuple(_told(review.behaviour))),)),
    )


def _importance(review: ModelReview) -> tuple[Block, ...]:
    rows = [(one.feature, f"{one.mean_contribution:.4f}", f"{one.share:.1%}") for one in review.importance[:_LEADING]]
    text = (
        f"Mean absolute TreeSHAP contribution, in log odds; the first {len(rows)} of {len(review.importance)} features."
    )
    return (Paragraph(text), Table(("feature", "contribution", "share"), rows))


def _ablation(groups: Sequence[GroupAblation]) -> tuple[Block, ...]:
    text = "All values of a group shuffled among the rows by one order; 95 % intervals by drawing whole nights."
    spans = [
        Span(one.group, one.log_loss_lost.estimate, one.log_loss_lost.low, one.log_loss_lost.high,
             is_quiet=not one.log_loss_lost.low > 0)
        for one in groups if not math.isnan(one.log_loss_lost.estimate)
    ]  # fmt: skip
    picture = intervals_svg(spans, below="better without", above="worse without", label="Log loss lost by group")
    rows = [(one.group, str(len(one.features)), str(one.log_loss_lost), str(one.roc_auc_lost)) for one in groups]
    return (
        Paragraph(text),
        Figure(picture, "Log loss lost without each group; grey where the interval reaches zero."),
        Table(("group", "features", "log loss lost", "ROC AUC lost"), rows),
    )


def _worst(cases: Sequence[WorstCase]) -> tuple[Block, ...]:
    if not cases:
        return (Paragraph("There is no row."),)
    rows = [
        (*case.key.values(), f"{case.probability:.3f}", str(case.label), "; ".join(case.reasons) or "none")
        for case in cases
    ]
    return (Table((*cases[0].key, "probability", "outcome", "reasons"), rows),)


def _told(found: Behaviour) -> Iterator[str]:
    raises = sum(trial.raises for trial in found.directions)
    against = sum(trial.rows_against for trial in found.directions)
    yield (
        f"Direction: {len(found.directions)} features with a declared direction were raised in {raises} trials on "
        f"{found.rows_raised:,} rows; {against:,} scores moved the other way."
    )
    if found.invariance is None:
        yield "Invariance: nothing is declared."
    else:
        trial = found.invariance
        yield (
            f"Invariance: {', '.join(trial.features)} exchanged among rows of a night alike in "
            f"{', '.join(trial.peers) or 'nothing else'}: {trial.rows_exchanged:,} rows got another value, the probability "
            f"changed by {trial.mean_change:.4f} on average ({trial.tolerance:.4f} allowed) and by {trial.largest_change:.4f} "
            "at most."
        )
    yield from (f"**Does not hold**: {violation}" for violation in found.violations)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Night):
        return value.isoformat()
    return None if isinstance(value, float) and math.isnan(value) else value
