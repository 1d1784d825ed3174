"""A backtest in words: one Markdown table per question, for people."""

from collections.abc import Iterable, Mapping, Sequence

from ml_pipeline.contracts.source import SCORE_DATE

POOLED = "pooled"
_SHOWN = ("log_loss", "brier", "roc_auc", "average_precision", "calibration_error")
_GAINS = ("log_loss", "brier", "roc_auc", "average_precision")

Row = Mapping[str, object]
Cells = Mapping[tuple[str, str, str], Row]


def span_of(row: Row) -> str:
    """Name of the span of a row of the backtest table: its month, or ``pooled``."""
    return POOLED if row["is_pooled"] else str(row[SCORE_DATE])[:7]


def backtest_markdown(rows: Sequence[Row]) -> str:
    """How each subject did by month and pooled, and the model's gain over the others with 95 % intervals.

    Args:
        rows: of the backtest table, all months of one backtest; subjects are shown in the order in which they come.
    """
    cells = {(span_of(row), str(row["subject"]), str(row["metric"])): row for row in rows}
    spans = _in_order(span for span, _, _ in cells)
    subjects = sorted({subject for _, subject, _ in cells}, key=lambda name: (name != "model", name))
    parts = ["# Backtest: a model as of the first night of each month", "", _counts(cells, spans, subjects[0])]
    for metric in _SHOWN:
        parts += ["", f"## {_words(metric)}", "", _values(cells, spans, subjects, metric)]
    for other in subjects[1:]:
        parts += [
            "",
            f"## Gain of the model over {other}: more is better, 95 % by nights",
            "",
            _gains(cells, spans, other),
        ]
    return "\n".join([*parts, ""])


def metric_by_span(rows: Iterable[Row], metric: str) -> dict[str, dict[str, object]]:
    """Value of ``metric`` by span and subject."""
    found: dict[str, dict[str, object]] = {}
    for row in rows:
        if row["metric"] == metric:
            found.setdefault(span_of(row), {})[str(row["subject"])] = row["value"]
    return found


def _in_order(spans: Iterable[str]) -> list[str]:
    return sorted(set(spans), key=lambda name: (name == POOLED, name))


def _counts(cells: Cells, spans: Sequence[str], subject: str) -> str:
    first = [cells[span, subject, "positive_share"] for span in spans]
    lines = [
        [span, f"{row['rows_scored']:,}", f"{row['rows']:,}", f"{row['value']:.3f}"]
        for span, row in zip(spans, first, strict=True)
    ]
    return _table(["month", "rows", "with known label", "positive share"], lines)


def _values(cells: Cells, spans: Sequence[str], subjects: Sequence[str], metric: str) -> str:
    lines = [[span, *(f"{cells[span, subject, metric]['value']:.4f}" for subject in subjects)] for span in spans]
    return _table(["month", *subjects], lines)


def _gains(cells: Cells, spans: Sequence[str], other: str) -> str:
    lines = []
    for span in spans:
        found = [cells[span, other, metric] for metric in _GAINS]
        lines.append([span, *(
            f"{row['model_gain']:+.4f} ({row['model_gain_low']:+.4f} to {row['model_gain_high']:+.4f})" for row in found
        )])  # fmt: skip
    return _table(["month", *map(_words, _GAINS)], lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *lines])


def _words(metric: str) -> str:
    return {"roc_auc": "ROC AUC", "brier": "Brier score"}.get(metric, metric.replace("_", " "))
