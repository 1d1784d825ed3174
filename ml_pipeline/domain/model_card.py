"""The model card (Mitchell et al., FAT* 2019): what a model is, what it was made from, how good it is, where it ends."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ml_pipeline.contracts.project import ProjectContract
from ml_pipeline.domain.calibration_card import calibration_section, slices_section
from ml_pipeline.domain.calibration_evidence import Calibration
from ml_pipeline.domain.cost_sensitivity import CostSensitivity, sensitivity_content
from ml_pipeline.domain.document import Block, Bullets, Document, Paragraph, Section, Table, Tile, Tiles
from ml_pipeline.domain.evaluation import Metrics
from ml_pipeline.domain.evaluation_intervals import EvaluationIntervals
from ml_pipeline.domain.night_bootstrap import LOWER_IS_BETTER, Interval
from ml_pipeline.domain.reliability import ReliabilityPoint
from ml_pipeline.domain.split_report import SplitReport, split_content
from ml_pipeline.nights import Night

_LEADING = 15
_WORDS = {
    "log_loss": "log loss", "brier": "Brier score", "roc_auc": "ROC AUC", "average_precision": "average precision",
    "calibration_error": "calibration error", "mean_probability": "mean probability", "positive_share": "positive share",
}  # fmt: skip


@dataclass(frozen=True)
class RefitNights:
    """A refit repeats the recipe of bundle ``recipe`` on all matured nights, ``first`` to ``last``."""

    recipe: str
    first: Night
    last: Night


@dataclass(frozen=True)
class CardFacts:
    """What the card says; nothing of it depends on the machine or the time.

    Attributes:
        project: the use case.
        sources: description and time of knowing of each source, by name.
        feature_models: number of features by the feature model that makes them.
        feature_set_version: of these features.
        split: the blocks.
        model, baseline: metrics on the test block.
        intervals: of both, and of the gain.
        calibration: of the model on the test block.
        baseline_points: reliability of the baseline on the same rows.
        calibrator: its kind.
        log_loss_by_calibrator: what each kind reached on calibration nights that it was not fitted on.
        threshold: from which probability a row is acted on, where no capacity decides.
        gain_by_feature: of the trees.
        sensitivity: of the decision.
        refit: where it is a refit, of what and from which nights.
    """

    project: ProjectContract
    sources: Mapping[str, tuple[str, str]]
    feature_models: Mapping[str, int]
    feature_set_version: str
    split: SplitReport
    model: Metrics
    baseline: Metrics
    intervals: EvaluationIntervals
    calibration: Calibration
    baseline_points: Sequence[ReliabilityPoint]
    calibrator: str
    log_loss_by_calibrator: Mapping[str, float]
    threshold: float
    gain_by_feature: Mapping[str, float]
    sensitivity: CostSensitivity
    refit: RefitNights | None = None


def model_card(facts: CardFacts) -> Document:
    """The card of a bundle; the same facts give the same document."""
    return Document(
        f"{facts.project.title}: model of the night {facts.split.trained_on}",
        (Paragraph(facts.project.description), *_refit(facts), _headline(facts)),
        (
            Section("What it is", _identity(facts)),
            Section("Intended use and limits", (Bullets(tuple(_limits(facts))),)),
            Section("Data", _data(facts)),
            Section("Nights", split_content(facts.split)),
            Section("Test block, against the baseline", _metrics(facts)),
            calibration_section(
                facts.calibration, facts.baseline_points, calibrator=facts.calibrator,
                log_loss_by_calibrator=facts.log_loss_by_calibrator,
            ),
            slices_section(facts.calibration, min_rows=facts.project.promotion.min_slice_rows),
            Section("Decision", sensitivity_content(facts.sensitivity)),
            Section("Leading features, by share of total gain", _gains(facts.gain_by_feature)),
        ),
    )  # fmt: skip


def _refit(facts: CardFacts) -> Iterator[Paragraph]:
    if facts.refit is not None:
        yield Paragraph(
            f"A refit: the recipe of `{facts.refit.recipe}`, grown once more on all matured nights, {facts.refit.first} to "
            f"{facts.refit.last}. It has no test block of its own, for it has seen all of them: blocks, metrics and "
            "calibration below are those of the recipe. Its trees, and the shares of gain, are its own; their score is its "
            "probability, because the recipe's calibrator would correct once more what fresher trees have learned."
        )


def _headline(facts: CardFacts) -> Tiles:
    tiles = [
        Tile(_WORDS[name], f"{getattr(facts.model, name):.4f}", f"baseline {getattr(facts.baseline, name):.4f}; gain {_gain(facts, name)}")
        for name in ("log_loss", "roc_auc", "average_precision")
    ]  # fmt: skip
    overall = facts.calibration.overall
    return Tiles((
        *tiles,
        Tile(
            "calibration gap", f"{overall.gap:+.4f}",
            f"said {overall.mean_probability:.3f}, happened {overall.observed_share:.3f}; 95 % "
            f"{_ends(overall.low, overall.high, sign='+')}",
        ),
        Tile("test rows", f"{facts.model.rows:,}", f"of {facts.calibration.nights} nights that it had not seen"),
    ))  # fmt: skip


def _identity(facts: CardFacts) -> tuple[Block, ...]:
    project, decision = facts.project, facts.project.decision
    acts = (
        f"the {decision.capacity_per_night} likeliest rows of a night"
        if decision.capacity_per_night is not None
        else f"rows of a probability of at least {facts.threshold:.4f} (decision threshold {facts.threshold:.4f})"
    )
    return (
        Paragraph(
            f"Owner: {project.owner}. Label: `{project.label.name}`. Features: version `{facts.feature_set_version}`. "
            f"Calibration: {facts.calibrator}."
        ),
        Paragraph(
            f"For each row of a night, named by {_listed(project.entity_key)}, the calibrated probability of "
            f"`{project.label.name}`, said at the night's cutoff ({project.cutoff.time:%H:%M} {project.timezone}, "
            f"{project.cutoff.days_before} day(s) before) from what was known then. All but stragglers of the outcomes are "
            f"known {project.label.horizon_nights} nights later."
        ),
        Paragraph(
            f"It asks for action on {acts}: a miss costs {decision.cost_miss:g}, a false alarm {decision.cost_false_alarm:g}."
        ),
    )


def _limits(facts: CardFacts) -> Iterator[str]:
    train, test = facts.split.blocks[0], facts.split.blocks[-1]
    yield "Use it to rank and price the rows of one night before its cutoff."
    yield "Not for rows that the spine does not hold, nor for decisions about people."
    yield (
        f"It knows {train.nights} nights ({train.first} to {train.last}): another season, or a new kind of night, is answered "
        "by analogy."
    )
    if train.positive_share is not None and test.positive_share is not None:
        yield (
            f"The outcome was seen in {train.positive_share:.1%} of the training rows and in {test.positive_share:.1%} of the "
            "test rows: where the share goes on moving, probabilities are off until the next training."
        )
    yield (
        f"Intervals are drawn from {facts.calibration.nights} test nights. So few of them say little of rare nights, and such "
        "intervals come out somewhat too narrow."
    )
    yield "What it reached since on nights that it scored is in the views `performance` and `calibration`."


def _data(facts: CardFacts) -> tuple[Block, ...]:
    sources = [(name, text, when) for name, (text, when) in facts.sources.items()]
    count = sum(facts.feature_models.values())
    models = ", ".join(f"{name} ({number})" for name, number in facts.feature_models.items())
    return (
        Table(("source", "what it holds", "known when"), sources),
        Paragraph(f"{count} features of these models: {models}. Their SQL and descriptions lie in the bundle's `feature_set`."),
        Paragraph("The hash of all that it was trained from is `inputs_hash` in the bundle's `manifest.json`."),
    )  # fmt: skip


def _metrics(facts: CardFacts) -> tuple[Block, ...]:
    rows = [
        (_WORDS[name], _with_ends(getattr(facts.model, name), facts.intervals.model.get(name)),
         _with_ends(getattr(facts.baseline, name), facts.intervals.baseline.get(name)),
         _gain(facts, name) if name in facts.intervals.gain else "")
        for name in _WORDS
    ]  # fmt: skip
    lower = " and ".join(_WORDS[name] for name in LOWER_IS_BETTER if name in facts.intervals.gain)
    return (
        Paragraph(
            f"The baseline is `{facts.project.baseline.feature}`, the rate that a team would use without a model. 95 % "
            f"intervals by drawing whole nights, {facts.intervals.samples} times, the same for both. Less is better for "
            f"{lower} and calibration error; a gain above 0 is better for all. Calibration error, over 15 bins of equal mass, "
            "has no interval: that of drawn nights always lies higher."
        ),
        Table(("metric", "model", "baseline", "gain"), rows),
    )


def _gains(gain_by_feature: Mapping[str, float]) -> tuple[Block, ...]:
    total = sum(gain_by_feature.values()) or 1.0
    leading = sorted(gain_by_feature.items(), key=lambda item: (-item[1], item[0]))[:_LEADING]
    return (Table(("feature", "share"), [(name, f"{gain / total:.1%}") for name, gain in leading]),)


def _gain(facts: CardFacts, name: str) -> str:
    found = facts.intervals.gain[name]
    return f"{found.value:+.4f} ({_ends(found.low, found.high, sign='+')})"


def _with_ends(value: float, around: Interval | None) -> str:
    if around is None:
        return f"{value:.4f}"
    return f"{value:.4f} ({_ends(around.low, around.high)})"


def _ends(low: float, high: float, sign: str = "") -> str:
    return "no interval" if math.isnan(low) else f"{low:{sign}.4f} to {high:{sign}.4f}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
