"""How to read the replay's page: what each number means, what it does not say, and how it was made."""

from collections.abc import Iterator

from ml_pipeline.domain.evaluation import CALIBRATION_BINS
from ml_pipeline.domain.replay_page_axis import LEAST_NIGHTS, ROLLING_NIGHTS
from ml_pipeline.domain.replay_page_words import MISSING, escaped
from ml_pipeline.domain.replay_report import ReplayReport

_SCORES = {
    "Log loss": "Mean of minus the natural logarithm of the probability given to what happened, in nats a row.",
    "Brier score": "Mean squared distance between the probability and what happened (0 or 1).",
    "ROC AUC": "How often a row that happened was given a higher probability than one that did not; 0.5 is chance.",
    "Average precision": "Precision averaged over the steps in recall; chance is the share of rows that happened.",
    "Calibration error": (
        f"Mean distance between the probability said and the share that happened, over {CALIBRATION_BINS} bins of equal "
        "rows; 0 is perfect."
    ),
    "Drifted": "Share of the features whose values had moved away from the reference, as the night itself measured it.",
    "Saving known": "Share of the baseline's cost saved on the matured nights that the night itself knew of.",
    "Expected log loss": "What the probabilities alone lead one to expect, before any outcome is known.",
}
_ACTS = {
    "Training, recalibration": "A training makes a new model; a recalibration keeps its trees and learns a new calibrator.",
    "Promoted, refused": "What the gate said of a new model. Only a promoted one serves.",
    "Alarm": "The policy tells a person instead of acting; a blocking alarm stops it until a person has looked.",
    "Nights to detection": "From the first night of an incident to the night that it was noticed.",
    MISSING: "Not known, not computed, or does not apply: never zero.",
}


def notes(report: ReplayReport) -> str:
    terms = "".join(f"<dt>{escaped(term)}</dt><dd>{escaped(meaning)}</dd>" for term, meaning in _definitions(report))
    unsaid = "".join(f"<li>{escaped(each)}</li>" for each in _not_measured(report))
    made = "".join(f"<li>{escaped(each)}</li>" for each in (*_made(), *report.notes))
    policies = "".join(f"<dt>{escaped(year.title)}</dt><dd>{escaped(year.description)}</dd>" for year in report.clean)
    return (
        f"<h3>The policies</h3><dl>{policies}</dl><h3>The words</h3><dl>{terms}</dl>"
        f'<h3>What was not measured</h3><ul class="plain">{unsaid}</ul>'
        f'<h3>How the numbers were made</h3><ul class="plain">{made}</ul>'
    )


def _definitions(report: ReplayReport) -> Iterator[tuple[str, str]]:
    yield (
        "Cost",
        f"Of the decisions made, by the outcomes: {report.cost_words}. Lower is better. A row is one scored thing.",
    )
    yield "Saved", "Cost under the other policy less cost under this one. Above zero: this one was cheaper."
    yield (
        "Interval",
        (
            "Whole nights are resampled, because the rows of one night share their day. An interval that includes zero means "
            "that these nights do not tell the two apart."
        ),
    )
    yield (
        f"{ROLLING_NIGHTS}-night mean",
        (
            f"Total over rows of a night and the {ROLLING_NIGHTS - 1} before it; from the {LEAST_NIGHTS}th known night on, of "
            "the nights there are. Nights without known outcomes are left out."
        ),
    )
    yield from _SCORES.items()
    yield (
        "False alarm",
        f"An alarm on a night up to {report.clean_months_last} of the year into which nothing was injected.",
    )
    yield from _ACTS.items()


def _not_measured(report: ReplayReport) -> tuple[str, ...]:
    injected = (
        "The incidents were made up and are few: how other faults would be noticed is not known.",
    ) if report.incidents else ()  # fmt: skip
    return (
        (
            "Another year, another place, another project. One year was replayed; intervals say how much its nights differ, "
            "not how much years do."
        ),
        "What training, computing and a person's time cost. Cost is of decisions only.",
        "How the world would have answered: the outcomes are as recorded, whatever was decided.",
        "Chance in training. Each policy was run once; intervals hold its models as they were made.",
        "Intervals of log loss, Brier score, ROC AUC, average precision and calibration error: small differences of these may be chance.",
        "Nights whose outcomes were not known when the replay ended: they have no rows here.",
        *injected,
    )


def _made() -> tuple[str, ...]:
    return (
        "Every policy ran through the same nights in order, each knowing only what was known by that night's cutoff.",
        "Performance is by the outcomes known when the replay ended; what a policy acted on is what it knew that night.",
        "Every line, bar and sentence of this page is drawn from the tables on it; the page loads nothing and sends nothing.",
    )
