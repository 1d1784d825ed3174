"""Great Expectations as a second judge: the same bounds as suites, run on the rows themselves.

Everything is in memory: a context of files is not safe for two processes at once and rewrites its own ids with every run.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ml_pipeline.contracts.expectations import Bound

if TYPE_CHECKING:
    import pandas as pd

_SEVERITIES = {"blocking": "critical", "warning": "warning"}


@dataclass(frozen=True)
class SuiteVerdict:
    """What Great Expectations says of one bound.

    Attributes:
        error: what went wrong while it was judged, None if it was judged; the library itself calls that a failure.
    """

    bound: Bound
    is_met: bool
    observed: float | None
    error: str | None


def validate(name: str, rows: pa.Table, bounds: Sequence[Bound]) -> list[SuiteVerdict]:
    """Judge ``rows``, the data asset ``name`` of one night, by a suite made of ``bounds``; the answer is in their order.

    A column that ``rows`` lack is an error in its verdicts.
    """
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("published").add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("night").get_batch({"dataframe": _frame(rows)})
    expectations = [_expectation(gx.expectations, bound, place) for place, bound in enumerate(bounds)]
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
    results = batch.validate(suite).results
    # A suite keeps no order of its own.
    by_place = {result.expectation_config.meta["place"]: result for result in results}
    return [_verdict(bound, by_place.get(place)) for place, bound in enumerate(bounds)]


def _expectation(kinds: Any, bound: Bound, place: int) -> Any:
    common = {"severity": _SEVERITIES[bound.severity], "meta": {"place": place}}
    if bound.expectation == "row_count":
        least = None if bound.lower is None else math.ceil(bound.lower)
        most = None if bound.upper is None else math.floor(bound.upper)
        return kinds.ExpectTableRowCountToBeBetween(min_value=least, max_value=most, **common)
    if bound.expectation == "missing_share":
        least_known = None if bound.upper is None else 1 - bound.upper
        most_known = None if bound.lower is None else 1 - bound.lower
        return kinds.ExpectColumnProportionOfNonNullValuesToBeBetween(
            column=bound.column, min_value=least_known, max_value=most_known, **common
        )
    kind = {
        "mean": kinds.ExpectColumnMeanToBeBetween,
        "least": kinds.ExpectColumnMinToBeBetween,
        "most": kinds.ExpectColumnMaxToBeBetween,
        "distinct": kinds.ExpectColumnUniqueValueCountToBeBetween,
    }[bound.expectation]
    if bound.expectation == "distinct":
        least = None if bound.lower is None else math.ceil(bound.lower)
        most = None if bound.upper is None else math.floor(bound.upper)
        return kind(column=bound.column, min_value=least, max_value=most, **common)
    return kind(column=bound.column, min_value=bound.lower, max_value=bound.upper, **common)


def _verdict(bound: Bound, result: Any) -> SuiteVerdict:
    if result is None:
        return SuiteVerdict(bound, False, None, "it was not judged")
    observed = result.result.get("observed_value")
    found = None if observed is None else float(observed)
    return SuiteVerdict(bound, bool(result.success), found, _error(result.exception_info))


def _error(told: dict[str, Any]) -> str | None:
    """The shape differs by kind of expectation: one entry, or one for each metric."""
    entries = [told, *(entry for entry in told.values() if isinstance(entry, dict))]
    raised = [entry for entry in entries if entry.get("raised_exception") is True]
    return str(raised[0].get("exception_message")) if raised else None


def _frame(rows: pa.Table) -> "pd.DataFrame":
    """Flags as numbers, so that they have a mean also where some are missing."""
    frame: pd.DataFrame = rows.to_pandas()
    flags = [field.name for field in rows.schema if pa.types.is_boolean(field.type)]
    return frame.astype(dict.fromkeys(flags, "float64"))
