"""Assets that land the sources, one for each entry of ``sources.yml``."""

from collections.abc import Mapping
from statistics import median

import dagster as dg

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.defs.freshness import NIGHTLY_FRESHNESS
from ml_pipeline.defs.project import NIGHTS, RETRY, SINGLE_RUN, column_schema, sql_project
from ml_pipeline.defs.reporting import REFUSALS, Report, nights_of, passed, published_facts, refused, report_nights
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.io.table_store import PublishedNight
from ml_pipeline.nights import Night
from ml_pipeline.operations.land import LandingHeldError, land

CONTRACT_KEPT = "contract_kept"
ROWS_ADD_UP = "rows_add_up"
LIKE_THE_NIGHTS_BEFORE = "like_the_nights_before"
_NIGHTS_BEFORE = 28


class LandingConfig(dg.Config):
    """may_restate: let nights that were landed before change. Only if the past itself was delivered wrongly."""

    may_restate: bool = False


def _asset(contract: SourceContract) -> dg.AssetsDefinition:
    key = dg.AssetKey(["raw", contract.name])
    columns = [(column.name, column.type, column.description) for column in contract.columns]

    @dg.asset(
        key=key, partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="ingestion",
        kinds={"deltalake", "pandera"}, owners=[contract.owner], pool="landing", code_version="1",
        description=f"{contract.description} Known {contract.known_when}.",
        freshness_policy=NIGHTLY_FRESHNESS, metadata={"dagster/column_schema": column_schema(columns)},
        check_specs=[
            dg.AssetCheckSpec(CONTRACT_KEPT, asset=key, blocking=True,
                              description="No more rows break the contract than sources.yml allows."),
            dg.AssetCheckSpec(ROWS_ADD_UP, asset=key, blocking=True,
                              description="Rows landed + quarantined + deduplicated = rows read."),
            dg.AssetCheckSpec(LIKE_THE_NIGHTS_BEFORE, asset=key, blocking=True, description=(
                "Volume, scale and missing values of the delivery lie where the nights before it let one expect, or a person "
                "has accepted it; else it is held."
            )),
        ],
    )  # fmt: skip
    def landed(context: dg.AssetExecutionContext, config: LandingConfig, site: SiteResource) -> Report:
        nights = nights_of(context)
        here = site.open(context.log.info)
        try:
            outcome = land(here, contract.name, nights, may_restate=config.may_restate)
        except REFUSALS as error:
            is_held = isinstance(error, LandingHeldError)
            check, failure = refused(LIKE_THE_NIGHTS_BEFORE if is_held else CONTRACT_KEPT, error)
            yield check
            raise failure from error
        published = here.tables.published(f"raw/{contract.name}")
        landed_nights = {night: published[night] for night in nights}
        report_nights(context, outcome.published, {
            night: {"dagster/row_count": entry.rows, **{f"rows_{name}": rows for name, rows in entry.facts.items()}}
            for night, entry in landed_nights.items()
        })  # fmt: skip
        yield passed(CONTRACT_KEPT, nights=len(nights), nights_unchanged=len(outcome.unchanged))
        yield _rows_add_up(landed_nights)
        yield passed(LIKE_THE_NIGHTS_BEFORE, **_volume(published, nights[-1]))
        yield dg.MaterializeResult(metadata=published_facts(outcome.published) if outcome.published else {})

    return landed


def _volume(published: Mapping[Night, PublishedNight], night: Night) -> dict[str, float | str]:
    """Rows of the newest night beside the median of the nights before it."""
    before = [published[each].rows for each in sorted(published) if each < night][-_NIGHTS_BEFORE:]
    told = {"usual_rows": float(median(before))} if before else {}
    return {"night": str(night), "rows": published[night].rows, "nights_before": len(before), **told}


def _rows_add_up(nights: Mapping[Night, PublishedNight]) -> dg.AssetCheckResult:
    """Rows that lie in the table, and rows that were set aside, against the rows that were read."""
    lost = [
        str(night)
        for night, entry in nights.items()
        if entry.rows + entry.facts["quarantined"] + entry.facts["deduplicated"] != entry.facts["read"]
    ]
    totals = {
        name: sum(entry.facts[name] for entry in nights.values()) for name in ("read", "quarantined", "deduplicated")
    }
    rows = sum(entry.rows for entry in nights.values())
    return dg.AssetCheckResult(
        check_name=ROWS_ADD_UP, passed=not lost, metadata={"rows_in_table": rows, **totals, "nights_off": lost}
    )


@dg.definitions
def ingestion() -> dg.Definitions:
    return dg.Definitions(assets=[_asset(contract) for contract in sql_project().sources.values()])
