"""The model card (Mitchell et al., FAT* 2019): what a model is, what it was made from, how good it is."""

from ml_pipeline.contracts.project import ProjectContract
from ml_pipeline.domain.cost_sensitivity import CostSensitivity, sensitivity_markdown
from ml_pipeline.domain.evaluation import Metrics
from ml_pipeline.domain.split_report import SplitReport, split_markdown

_SHOWN = (
    "log_loss",
    "brier",
    "roc_auc",
    "average_precision",
    "calibration_error",
    "mean_probability",
    "positive_share",
)


def model_card(
    project: ProjectContract, *, feature_set_version: str, split: SplitReport, model: Metrics, baseline: Metrics,
    calibrator: str, threshold: float, gain_by_feature: dict[str, float], sensitivity: CostSensitivity,
) -> str:  # fmt: skip
    """Markdown of the card."""
    metrics = "\n".join(f"| {name} | {getattr(model, name):.4f} | {getattr(baseline, name):.4f} |" for name in _SHOWN)
    total = sum(gain_by_feature.values()) or 1.0
    leading = sorted(gain_by_feature.items(), key=lambda item: (-item[1], item[0]))[:15]
    gains = "\n".join(f"| {name} | {gain / total:.1%} |" for name, gain in leading)
    return f"""# {project.title}: model of the night {split.trained_on}

{project.description}

Owner: {project.owner}. Label: `{project.label.name}`. Features: version `{feature_set_version}`. Calibration: {calibrator}.
Decision threshold {threshold:.4f} (a miss costs {project.decision.cost_miss:g}, a false alarm
{project.decision.cost_false_alarm:g}).

## Nights

{split_markdown(split)}

## Test block, against the baseline ({project.baseline.feature})

| metric | model | baseline |
| --- | --- | --- |
{metrics}

## Decision

{sensitivity_markdown(sensitivity)}

## Leading features, by share of total gain

| feature | share |
| --- | --- |
{gains}

## Intended use and limits

To rank and price the rows of one night before its cutoff. Not for rows that the spine does not hold, nor for decisions
about people. The model knows what its training nights knew: a new kind of night is answered by analogy.
"""
