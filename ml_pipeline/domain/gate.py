"""The gate: whether a challenger becomes champion. No comparison, no promotion."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.project import PromotionContract
from ml_pipeline.domain.contamination import find_contamination
from ml_pipeline.domain.evaluation import Metrics, evaluate
from ml_pipeline.domain.gate_findings import (
    Contestant,
    Finding,
    beats_on_every_metric,
    beats_simple_models,
    gains_enough,
    holds_on_slices,
    serves_groups,
)

Traits = Mapping[str, NDArray[np.object_]]


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and why; a "no" has reasons too. ``numbers`` are plain values, None for what is not known."""

    is_promoted: bool
    reasons: tuple[str, ...]
    numbers: Mapping[str, Any] = field(default_factory=dict)


def judge(
    challenger: Contestant, baseline: Contestant, champion: Contestant | None, *, simple: Mapping[str, Contestant],
    terms: PromotionContract, traits: Traits | None = None, seed: int = 0,
) -> Verdict:  # fmt: skip
    """Compare on identical rows that no contestant was made from; anything else is refused with its reasons.

    The challenger must beat the baseline in log loss, Brier score, ROC AUC and average precision, and the other simple
    models in log loss; one that brings no simple models is not promoted. If there is a champion,
    its gain in log loss over it must reach the margin with the declared confidence, and on every declared slice with
    enough rows it must be, as surely, not worse by the slice margin. For no declared group may its calibration gap grow
    beyond the limit, over that of the champion or, without one, of the baseline.

    Args:
        challenger: who wants to serve.
        baseline: what would serve without any model.
        champion: who serves now.
        simple: by name the simple models that came with the challenger, fitted on its train block.
        terms: what the project declares.
        traits: for each declared slice and group feature the value of each row, of shape (rows,).
        seed: of the bootstrap.

    Raises:
        ValueError: a probability is not a number in [0, 1].
        KeyError: ``traits`` lacks a declared feature.
    """
    roles = {"challenger": challenger, "baseline": baseline} | ({"champion": champion} if champion else {})
    everybody = {**roles, **simple}
    contaminated = find_contamination(
        {each.name: each.rows for each in everybody.values()},
        {each.name: each.used for each in everybody.values() if each.used is not None},
    )
    if not contaminated.is_clean:
        return Verdict(False, contaminated.reasons)
    metrics = {role: evaluate(each.rows.labels, each.probabilities) for role, each in everybody.items()}
    findings = [
        *beats_on_every_metric(metrics["challenger"], metrics["baseline"]),
        *beats_simple_models(challenger, simple, terms, seed=seed),
        *_asked_of_rows(roles, terms, traits or {}, seed),
    ]
    reasons = [each.reason for each in findings] + ([] if champion else ["there is no champion to beat"])
    return Verdict(
        all(each.has_held for each in findings), tuple(reasons), _plain(_numbers(roles, metrics, findings, terms))
    )


def _asked_of_rows(
    roles: Mapping[str, Contestant], terms: PromotionContract, traits: Traits, seed: int
) -> Iterator[Finding]:
    challenger, champion = roles["challenger"], roles.get("champion")
    incumbent = champion or roles["baseline"]
    yield gains_enough(challenger, roles["baseline"], terms, seed=seed, is_champion=False)
    if champion is not None:
        yield gains_enough(challenger, champion, terms, seed=seed, is_champion=True)
    for feature in terms.slices:
        yield holds_on_slices(
            challenger, incumbent, traits[feature], terms, feature=feature, seed=seed, is_champion=champion is not None
        )
    for feature in terms.groups:
        yield serves_groups(roles, feature, traits[feature], terms)


def _numbers(
    roles: Mapping[str, Contestant], metrics: Mapping[str, Metrics], findings: Iterable[Finding], terms: PromotionContract
) -> dict[str, Any]:  # fmt: skip
    nights = roles["challenger"].rows.nights
    numbers: dict[str, Any] = {
        "first_night": str(nights.min()), "last_night": str(nights.max()), "terms": terms.model_dump(mode="json"),
        "names": {role: each.name for role, each in roles.items()},
        "metrics": {role: each.as_dict() for role, each in metrics.items()},
    }  # fmt: skip
    for finding in findings:
        for place, values in finding.numbers.items():
            numbers.setdefault(place, {}).update(values)
    return numbers


def _plain(numbers: Any) -> Any:
    """``numbers`` with None for what is not finite: JSON knows neither NaN nor infinity."""
    if isinstance(numbers, Mapping):
        return {name: _plain(value) for name, value in numbers.items()}
    if isinstance(numbers, float):
        return round(numbers, 8) if math.isfinite(numbers) else None
    return numbers
