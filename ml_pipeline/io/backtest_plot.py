"""The picture of a backtest: one panel a metric, one line a subject, one point a month."""

from collections.abc import Mapping, Sequence
from io import BytesIO

_COLOURS = {"model": "#1f5fa8", "baseline": "#c8552b", "logistic": "#4d8f4d", "constant": "#9a9a9a"}

Lines = Mapping[str, Sequence[float]]


def backtest_png(months: Sequence[str], panels: Mapping[str, Lines]) -> bytes:
    """PNG of ``panels``: for each title the values by subject, one a month. Equal numbers give equal bytes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(panels), 3.2), dpi=80, layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for subject, values in lines.items():
            axes.plot(months, values, "o-", markersize=3, color=_COLOURS.get(subject), label=subject)
        axes.set_title(title)
        axes.tick_params(axis="x", rotation=60)
    axes.legend(frameon=False)
    content = BytesIO()
    # No software version in the file, so that equal plots are equal bytes.
    figure.savefig(content, metadata={"Software": None})
    return content.getvalue()
