"""What a person should know of a model before trusting it, as one report."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ml_pipeline.domain.ablation import GroupAblation
from ml_pipeline.domain.behaviour import Behaviour
from ml_pipeline.domain.cost_sensitivity import CostSensitivity, sensitivity_markdown
from ml_pipeline.domain.importance import FeatureImportance
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
    return f"""# Review of model {review.version}

Measured on its test block: {review.rows:,} labelled rows of the nights {review.first} to {review.last}.

## What moves the score

Mean absolute TreeSHAP contribution, in log odds.

{_table(("feature", "contribution", "share"), [
        (one.feature, f"{one.mean_contribution:.4f}", f"{one.share:.1%}") for one in review.importance[:_LEADING]])}

## What is lost without a group of features

All values of a group shuffled among the rows by one order; 95 % intervals by drawing whole nights.

{_table(("group", "features", "log loss lost", "ROC AUC lost"), [
        (one.group, str(len(one.features)), str(one.log_loss_lost), str(one.roc_auc_lost)) for one in review.groups])}

## The most confident mistakes

{_worst(review.worst)}

## How it behaves

{_behaviour(review.behaviour)}

## The decision, if the costs are other than was said

{sensitivity_markdown(review.sensitivity)}
"""  # fmt: skip


def _worst(cases: Sequence[WorstCase]) -> str:
    if not cases:
        return "There is no row."
    names = tuple(cases[0].key)
    return _table(
        (*names, "probability", "outcome", "reasons"),
        [
            (*case.key.values(), f"{case.probability:.3f}", str(case.label), "; ".join(case.reasons) or "none")
            for case in cases
        ],
    )


def _behaviour(found: Behaviour) -> str:
    return "\n".join(_told(found))


def _told(found: Behaviour) -> Iterator[str]:
    raises = sum(trial.raises for trial in found.directions)
    against = sum(trial.rows_against for trial in found.directions)
    yield (
        f"- Direction: {len(found.directions)} features with a declared direction were raised in {raises} trials; {against:,} "
        "scores moved the other way."
    )
    if found.invariance is None:
        yield "- Invariance: nothing is declared."
    else:
        trial = found.invariance
        yield (
            f"- Invariance: {', '.join(trial.features)} exchanged among rows of a night alike in "
            f"{', '.join(trial.peers) or 'nothing else'}: {trial.rows_exchanged:,} rows got another value, the probability "
            f"changed by {trial.mean_change:.4f} on average ({trial.tolerance:.4f} allowed) and by {trial.largest_change:.4f} "
            "at most."
        )
    yield from (f"- **Does not hold**: {violation}" for violation in found.violations)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Night):
        return value.isoformat()
    return None if isinstance(value, float) and math.isnan(value) else value
