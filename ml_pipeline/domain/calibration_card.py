"""The parts of a model card that say whether its probabilities mean what they say."""

import math
from collections.abc import Mapping, Sequence

from ml_pipeline.domain.calibration_evidence import Calibration
from ml_pipeline.domain.document import Figure, Paragraph, Section, Table
from ml_pipeline.domain.reliability import ReliabilityPoint, SliceCalibration
from ml_pipeline.domain.svg_charts import Span, intervals_svg, reliability_svg


def calibration_section(
    found: Calibration, baseline: Sequence[ReliabilityPoint], *, calibrator: str,
    log_loss_by_calibrator: Mapping[str, float],
) -> Section:  # fmt: skip
    """Reliability with intervals, its error by binning, and how the map was chosen."""
    return Section("Do the probabilities mean what they say?", (
        Paragraph(_in_words(found)),
        Figure(
            reliability_svg(found.points, baseline, found.probability_bars),
            "Observed share over mean probability in bins of equal mass, with 95 % intervals by drawing whole nights. On the "
            "dashed line a probability means what it says.",
        ),
        _points(found.points),
        Paragraph(
            "Expected calibration error by the way to bin. A model that means exactly what it says would stay below by "
            "chance in 95 of 100 cases if outcomes were independent; those of one night are not, so the true bound lies "
            "higher."
        ),
        _errors(found),
        Paragraph(_how_calibrated(calibrator, log_loss_by_calibrator)),
    ))  # fmt: skip


def slices_section(found: Calibration, *, min_rows: int) -> Section:
    """Calibration in the large of each slice; without a declared slice it says so."""
    if not found.slices:
        return Section("By slice", (Paragraph("The project declares no slices and no groups."),))
    judged = [one for one in found.slices if one.finding != "too few rows"]
    off = [one for one in judged if one.finding != "in line"]
    named = ", ".join(f"{_name(one)} ({one.gap:+.3f})" for one in off)
    found_off = (
        f"In {len(off)} of them the interval leaves zero: {named}."
        if off
        else "In none of them the interval leaves zero."
    )
    text = (
        f"Mean probability less observed share, with 95 % intervals by drawing whole nights. {len(judged)} of "
        f"{len(found.slices)} slices have at least {min_rows} rows. {found_off} One in twenty would by chance alone."
    )
    picture = intervals_svg(
        [_span(one) for one in (found.overall, *judged)], below="says too little", above="says too much",
        label="Mean probability less observed share by slice",
    )  # fmt: skip
    caption = f"Said less happened, in slices of at least {min_rows} rows. Red: the interval leaves zero."
    return Section("By slice", (Paragraph(text), Figure(picture, caption), slices_table(found.slices)))


def slices_table(slices: Sequence[SliceCalibration]) -> Table:
    """One line a slice."""
    rows = [
        (one.feature, one.value, f"{one.rows:,}", f"{one.mean_probability:.4f}", f"{one.observed_share:.4f}",
         _gap(one.gap, one.low, one.high), one.finding)
        for one in slices
    ]  # fmt: skip
    return Table(("feature", "value", "rows", "said", "happened", "gap", "finding"), rows)


def _in_words(found: Calibration) -> str:
    overall = found.overall
    missed = [
        point for point in found.points
        if not math.isnan(point.low) and not point.low <= point.mean_probability <= point.high
    ]  # fmt: skip
    return (
        f"Over all {found.rows:,} rows it says {overall.mean_probability:.3f} where {overall.observed_share:.3f} happened, a "
        f"gap of {_gap(overall.gap, overall.low, overall.high)}. In {len(missed)} of {len(found.points)} bins the interval of "
        "what happened does not hold what was said."
    )


def _points(points: Sequence[ReliabilityPoint]) -> Table:
    rows = [
        (f"{point.mean_probability:.4f}", f"{point.observed_share:.4f}",
         "not known" if math.isnan(point.low) else f"{point.low:.4f} to {point.high:.4f}", f"{point.rows:,}")
        for point in points
    ]  # fmt: skip
    return Table(("said", "happened", "95 %", "rows"), rows)


def _errors(found: Calibration) -> Table:
    rows = [(str(one.bins), one.binning, f"{one.error:.4f}", f"{one.by_chance:.4f}") for one in found.errors]
    return Table(("bins", "binning", "error", "by chance"), rows)


def _how_calibrated(calibrator: str, log_losses: Mapping[str, float]) -> str:
    tried = ", ".join(f"{kind} {loss:.4f}" for kind, loss in sorted(log_losses.items()))
    chosen = f" On nights of that block that each was not fitted on, log loss was {tried}." if tried else ""
    return f"Calibrated by {calibrator} on the calibrate block, of which neither trees nor test saw a row.{chosen}"


def _span(one: SliceCalibration) -> Span:
    is_off = one.finding in ("says too little", "says too much")
    return Span(_name(one), one.gap, one.low, one.high, is_off=is_off)


def _name(one: SliceCalibration) -> str:
    return f"{one.feature} {one.value}" if one.feature else "all rows"


def _gap(value: float, low: float, high: float) -> str:
    ends = "no interval" if math.isnan(low) else f"{low:+.4f} to {high:+.4f}"
    return f"{value:+.4f} ({ends})"
