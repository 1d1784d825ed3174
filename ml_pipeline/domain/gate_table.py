"""The numbers of a verdict as a table for people."""

from collections.abc import Iterator, Mapping
from typing import Any

_METRICS = ("log_loss", "brier", "roc_auc", "average_precision", "calibration_error")
_GAIN_HEAD = "| log loss gained over | mean | low | high | confidence | rows | nights |\n| --- | --- | --- | --- | --- | --- | --- |"
_GROUP_HEAD = (
    "| group | rows | calibration gap | selection rate | true positive rate | false positive rate |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def comparison_table(numbers: Mapping[str, Any]) -> str:
    """Metrics of everybody, gains with their intervals, slices and groups of ``Verdict.numbers`` as Markdown tables."""
    if not numbers:
        return "Nothing was compared."
    return "\n\n".join(_tables(numbers))


def _tables(numbers: Mapping[str, Any]) -> Iterator[str]:
    yield f"Nights {numbers['first_night']} to {numbers['last_night']}."
    yield "\n".join([
        f"| | {' | '.join(name.replace('_', ' ') for name in _METRICS)} |", f"| --- |{' --- |' * len(_METRICS)}",
        *(_row(role, *(each[name] for name in _METRICS)) for role, each in numbers["metrics"].items()),
    ])  # fmt: skip
    yield "\n".join([_GAIN_HEAD, *(_gain_row(other, gain) for other, gain in numbers.get("gain_over", {}).items())])
    for feature, gains in numbers.get("slices", {}).items():
        head = _GAIN_HEAD.replace("gained over", f"gained where {feature} is")
        yield "\n".join([head, *(_gain_row(value, gain) for value, gain in gains.items())])
    for feature, roles in numbers.get("groups", {}).items():
        for role, found in roles.items():
            head = _GROUP_HEAD.replace("| group", f"| {feature}, {role}", 1)
            yield "\n".join([head, *(_group_row(group, each) for group, each in found["by_group"].items())])


def _gain_row(name: str, gain: Mapping[str, Any]) -> str:
    return _row(name, gain["mean"], gain["low"], gain["high"], gain["confidence"], gain["rows"], gain["nights"])


def _group_row(name: str, each: Mapping[str, Any]) -> str:
    rates = ("calibration_gap", "selection_rate", "true_positive_rate", "false_positive_rate")
    return _row(name, each["rows"], *(each[rate] for rate in rates))


def _row(name: str, *values: float | None) -> str:
    # A value of the data may hold what ends a cell, or a line.
    told = " ".join(name.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return f"| {told} | {' | '.join(map(_told, values))} |"


def _told(value: float | None) -> str:
    if value is None:
        return "not known"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
