from datetime import date

import numpy as np

from ml_pipeline.domain.backtest_entries import Predictions, entries, pooled
from ml_pipeline.domain.backtest_table import backtest_markdown, metric_by_span, span_of


def rows() -> list[dict[str, object]]:
    generator = np.random.default_rng(4)
    months = []
    for first in ("2024-04-01", "2024-05-01"):
        dates = np.repeat(np.datetime64(first) + np.arange(8), 30)
        told = generator.uniform(0.1, 0.9, len(dates))
        labels = (generator.random(len(dates)) < told).astype(float)
        months.append(Predictions(1240, dates, labels, {"constant": np.full(len(dates), 0.5), "model": told}))
    found = [
        row
        for month, one in zip((date(2024, 4, 1), date(2024, 5, 1)), months, strict=True)
        for row in entries(month, one, is_pooled=False, samples=20, seed=1)
    ]
    return found + entries(date(2024, 5, 1), pooled(months), is_pooled=True, samples=20, seed=1)


def test_a_line_a_month_and_one_for_all_with_the_model_first() -> None:
    made = rows()
    lines = backtest_markdown(made).splitlines()
    start = lines.index("## log loss")
    values = metric_by_span(made, "log_loss")
    assert lines[start + 2] == "| month | model | constant |"
    assert lines[start + 4 : start + 7] == [
        f"| {span} | {values[span]['model']:.4f} | {values[span]['constant']:.4f} |"
        for span in ("2024-04", "2024-05", "pooled")
    ]
    assert "| pooled | 2,480 | 480 |" in "\n".join(lines)


def test_gains_are_shown_with_their_sign_and_interval() -> None:
    text = backtest_markdown(rows())
    part = text[text.index("## Gain of the model over constant") :]
    (line,) = [line for line in part.splitlines() if line.startswith("| pooled")]
    assert line.count(" to ") == 4
    assert "| +0." in line


def test_spans_are_the_month_or_pooled() -> None:
    assert {span_of(row) for row in rows()} == {"2024-04", "2024-05", "pooled"}
