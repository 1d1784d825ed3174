"""The asset that judges what was published of a night, by what the nights before let one expect."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from ml_pipeline.defs.project import NIGHTS, RETRY, SINGLE_RUN, same_night, sql_project
from ml_pipeline.defs.reporting import Report, nights_of, published_facts, report_nights, run_or_refuse
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.nights import Night
from ml_pipeline.operations.data_assets import outcome_sources
from ml_pipeline.operations.data_docs import DataDocs, write_due_docs
from ml_pipeline.operations.expect import EXPECTATIONS, Judged, judge_expectations

_DATA_ASSETS = ("scores", "features", *outcome_sources(sql_project()))
_AGREES = "great_expectations_agrees"
_KEY = dg.AssetKey(EXPECTATIONS.split("/"))
_SHOWN = 20


def _as_expected(data_asset: str) -> str:
    return f"{data_asset}_as_expected"


@dg.asset(
    key=_KEY, deps=same_night("scores", "features", *(f"raw/{name}" for name in outcome_sources(sql_project()))),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="monitoring",
    kinds={"greatexpectations", "deltalake"}, owners=[sql_project().project.owner], pool="publishing", code_version="1",
    check_specs=[
        *(
            # Not blocking: that the data are bad is what the policy must hear of. Its own check then fails the run.
            dg.AssetCheckSpec(_as_expected(name), asset=_KEY, description=(
                f"Volume, ranges, missing values and distributions of {name} lie where the 28 nights before let one expect."
            ))
            for name in _DATA_ASSETS
        ),
        dg.AssetCheckSpec(_AGREES, asset=_KEY, blocking=True, description=(
            "Great Expectations, run on the rows themselves on the nights that have Data Docs, comes to the same verdicts."
        )),
    ],
)  # fmt: skip
def expectations(context: dg.AssetExecutionContext, site: SiteResource) -> Report:
    """Whether scores, features and outcomes of the night look as they should; Great Expectations on one night a week."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    outcome = run_or_refuse(lambda: judge_expectations(here, nights))
    docs = run_or_refuse(lambda: write_due_docs(here, outcome))
    report_nights(context, outcome.published, {
        night: {"not_met": sum(len(each.unmet) for each in judged)} for night, judged in outcome.by_night.items()
    })  # fmt: skip
    yield from _checks(outcome.by_night)
    yield _agreement(docs)
    shown = {"data_docs": dg.MetadataValue.path(str(docs[-1].index))} if docs else {}
    yield dg.MaterializeResult(
        metadata={**published_facts(outcome.published), **shown, "not_met": _table(outcome.by_night)}
    )


def _checks(by_night: Mapping[Night, Sequence[Judged]]) -> Iterator[dg.AssetCheckResult]:
    """A warning that is not met is shown; a blocking bound that is not met is an error, and fails the run where it is decided on."""
    for name in _DATA_ASSETS:
        mine = {night: each for night, judged in by_night.items() for each in judged if each.asset.name == name}
        unmet = [f"night {night}: {one.in_words}" for night, each in mine.items() for one in each.unmet]
        is_blocked = any(each.is_blocked for each in mine.values())
        yield dg.AssetCheckResult(
            check_name=_as_expected(name), asset_key=_KEY, passed=not unmet,
            severity=dg.AssetCheckSeverity.ERROR if is_blocked else dg.AssetCheckSeverity.WARN,
            metadata={"judged": sum(len(each.judgements) for each in mine.values()), "not_met": len(unmet),
                      "first_not_met": unmet[:_SHOWN]},
        )  # fmt: skip


def _agreement(docs: Sequence[DataDocs]) -> dg.AssetCheckResult:
    disagreements = [text for each in docs for text in each.disagreements]
    return dg.AssetCheckResult(
        check_name=_AGREES, asset_key=_KEY, passed=not disagreements,
        metadata={"nights": [str(each.night) for each in docs], "disagreements": disagreements[:_SHOWN]},
    )  # fmt: skip


def _table(by_night: Mapping[Night, Sequence[Judged]]) -> Any:
    rows = [
        f"| {night} | {each.asset.name} | {one.in_words} |"
        for night, judged in by_night.items() for each in judged for one in each.unmet
    ]  # fmt: skip
    head = ["| night | data asset | not met |", "| --- | --- | --- |"]
    return dg.MetadataValue.md("\n".join([*head, *rows[:_SHOWN]]) if rows else "Everything is as expected.")
