"""What the test block says of a model: metrics with intervals, and its calibration as a whole and by slice."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.project import ProjectContract, PromotionContract
from ml_pipeline.domain.calibration_evidence import Calibration, calibration_from_json, measure_calibration
from ml_pipeline.domain.evaluation import Metrics, evaluate
from ml_pipeline.domain.evaluation_intervals import EvaluationIntervals, evaluation_intervals, intervals_from_json
from ml_pipeline.domain.night_bootstrap import draw_nights
from ml_pipeline.domain.reliability import ReliabilityPoint, SliceColumn, slice_column
from ml_pipeline.io.model_bundle import ModelBundle

CALIBRATION_FILE = "calibration.json"
SAMPLES = 500


class TestedRows(Protocol):
    """Rows with labels and the probabilities of model and baseline; everything is of shape (rows,)."""

    @property
    def labels(self) -> NDArray[np.float64]: ...
    @property
    def model(self) -> NDArray[np.float64]: ...
    @property
    def baseline(self) -> NDArray[np.float64]: ...
    @property
    def nights(self) -> NDArray[np.datetime64]: ...
    @property
    def slices(self) -> tuple[SliceColumn, ...]: ...


@dataclass(frozen=True)
class Evidence:
    """Of model and baseline on the same rows."""

    model: Metrics
    baseline: Metrics
    intervals: EvaluationIntervals
    calibration: Calibration
    baseline_calibration: Calibration

    def metrics_json(self) -> dict[str, Any]:
        return {
            "test": {"model": self.model.as_dict(), "baseline": self.baseline.as_dict()},
            "intervals": self.intervals.as_json(),
        }

    def calibration_json(self) -> dict[str, Any]:
        return {"model": self.calibration.as_json(), "baseline": self.baseline_calibration.as_json()}

    @property
    def baseline_points(self) -> tuple[ReliabilityPoint, ...]:
        return self.baseline_calibration.points


def gather_evidence(project: ProjectContract, judged: TestedRows) -> Evidence:
    """Measure; seeded by the project, so the same rows give the same numbers."""
    seed, min_rows = project.training.seed, project.promotion.min_slice_rows
    draws = draw_nights(judged.nights, samples=SAMPLES, seed=seed)
    calibration, beside = (
        measure_calibration(judged.labels, said, draws, slices=judged.slices, min_rows=min_rows, seed=seed)
        for said in (judged.model, judged.baseline)
    )
    return Evidence(
        evaluate(judged.labels, judged.model), evaluate(judged.labels, judged.baseline),
        evaluation_intervals(judged.labels, judged.model, judged.baseline, draws), calibration, beside,
    )  # fmt: skip


def read_evidence(bundle: ModelBundle) -> Evidence:
    """What the training of ``bundle`` found.

    Raises:
        LookupError: the bundle was written before bundles held it.
    """
    metrics = bundle.json("metrics.json")
    if "intervals" not in metrics or CALIBRATION_FILE not in bundle.manifest["files"]:
        raise LookupError(
            f"bundle {bundle.version} was trained before intervals and calibration were kept; its model_card.md says what "
            "was known then. Train as of its night again for the whole card"
        )
    calibration: Mapping[str, Any] = bundle.json(CALIBRATION_FILE)
    return Evidence(
        Metrics(**metrics["test"]["model"]), Metrics(**metrics["test"]["baseline"]),
        intervals_from_json(metrics["intervals"]), calibration_from_json(calibration["model"]),
        calibration_from_json(calibration["baseline"]),
    )  # fmt: skip


def slice_columns(terms: PromotionContract, rows: pa.Table) -> tuple[SliceColumn, ...]:
    """The declared slices, then the groups that are not among them.

    Raises:
        ValueError: one is no column of ``rows``.
    """
    names = tuple(dict.fromkeys((*terms.slices, *terms.groups)))
    if unknown := sorted(set(names) - set(rows.column_names)):
        raise ValueError(
            f"project.yml: promotion names {unknown}, which are no features; correct promotion.slices and promotion.groups"
        )
    return tuple(slice_column(name, rows.column(name).to_pylist()) for name in names)
