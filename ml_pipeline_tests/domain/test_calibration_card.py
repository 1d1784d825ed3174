from dataclasses import replace

import pytest

from ml_pipeline.domain.calibration_card import calibration_section, slices_section
from ml_pipeline.domain.document import Document, Section, document_markdown
from ml_pipeline.domain.reliability import ReliabilityPoint, SliceCalibration
from ml_pipeline_tests.domain.test_calibration_evidence import measured

NAN = float("nan")
OFF = SliceCalibration("shelf", "toys", 900, 0.5, 0.3, 0.2, 0.1, 0.3, "says too much")
FEW = SliceCalibration("shelf", "rare", 3, 0.5, 0.3, 0.2, NAN, NAN, "too few rows")
FINE = SliceCalibration("shelf", "books", 900, 0.5, 0.49, 0.01, -0.1, 0.1, "in line")


def text(section: Section) -> str:
    return document_markdown(Document("x", (), (section,)))


def test_bins_whose_interval_does_not_hold_what_was_said_are_counted() -> None:
    points = (
        ReliabilityPoint(0.2, 0.1, 0.05, 0.15, 10), ReliabilityPoint(0.4, 0.4, 0.3, 0.5, 10), ReliabilityPoint(0.6, 0.0, NAN, NAN, 10),
    )  # fmt: skip
    found = text(
        calibration_section(replace(measured(), points=points), (), calibrator="isotonic", log_loss_by_calibrator={})
    )
    assert "In 1 of 3 bins the interval of what happened does not hold what was said." in found
    assert "| 0.6000 | 0.0000 | not known | 10 |" in found
    assert "Calibrated by isotonic" in found


def test_every_way_to_bin_is_shown_beside_its_chance() -> None:
    found = measured()
    shown = text(
        calibration_section(found, (), calibrator="sigmoid", log_loss_by_calibrator={"sigmoid": 0.5, "isotonic": 0.6})
    )
    for one in found.errors:
        assert f"| {one.bins} | {one.binning} | {one.error:.4f} | {one.by_chance:.4f} |" in shown
    assert "isotonic 0.6000, sigmoid 0.5000" in shown


def test_slices_that_are_off_are_named_and_few_rows_judge_nothing() -> None:
    found = text(slices_section(replace(measured(), slices=(OFF, FEW, FINE)), min_rows=500))
    assert "2 of 3 slices have at least 500 rows. In 1 of them the interval leaves zero: shelf toys (+0.200)." in found
    assert "| shelf | rare | 3 | 0.5000 | 0.3000 | +0.2000 (no interval) | too few rows |" in found


@pytest.mark.parametrize(("slices", "words"), [((), "declares no slices"), ((FINE,), "In none of them")])
def test_nothing_declared_and_nothing_found_are_said(slices: tuple[SliceCalibration, ...], words: str) -> None:
    assert words in text(slices_section(replace(measured(), slices=slices), min_rows=500))
