from pathlib import Path

import numpy as np
import pytest

from ml_pipeline.domain.reliability import ReliabilityPoint
from ml_pipeline.io.plots import draw_evaluation

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def draw(folder: Path, labels: np.ndarray) -> dict[str, Path]:
    generator = np.random.default_rng(0)
    model, baseline = generator.random(len(labels)), generator.random(len(labels))
    points = [ReliabilityPoint(0.2, 0.1, 0.05, 0.2, 10), ReliabilityPoint(0.6, 0.7, float("nan"), float("nan"), 10)]
    return draw_evaluation(
        folder, labels=labels, model=model, baseline=baseline, reliability_model=points, reliability_baseline=points[:1]
    )


def test_the_four_plots_are_small_pictures_named_by_title(tmp_path: Path) -> None:
    paths = draw(tmp_path / "new" / "folder", np.array([0.0, 1.0] * 50))
    assert set(paths) == {"calibration", "roc", "precision_recall", "probability_histogram"}
    for title, path in paths.items():
        content = path.read_bytes()
        assert path.name == f"{title}.png"
        assert content.startswith(SIGNATURE)
        assert 2_000 < len(content) < 60_000, "they are kept in Dagster's event log"


def test_equal_evaluations_are_equal_bytes(tmp_path: Path) -> None:
    labels = np.array([0.0, 1.0, 1.0] * 30)
    first, second = draw(tmp_path / "a", labels), draw(tmp_path / "b", labels)
    assert all(first[title].read_bytes() == second[title].read_bytes() for title in first)


def test_other_evaluations_are_other_pictures(tmp_path: Path) -> None:
    first, second = (
        draw(tmp_path / "a", np.array([0.0, 1.0] * 45)),
        draw(tmp_path / "b", np.array([1.0, 0.0, 1.0] * 30)),
    )
    changed = {title for title in first if first[title].read_bytes() != second[title].read_bytes()}
    assert {"roc", "precision_recall"} <= changed


@pytest.mark.filterwarnings("ignore:No positive")
def test_one_class_alone_can_be_drawn(tmp_path: Path) -> None:
    assert len(draw(tmp_path, np.zeros(20))) == 4
