"""Assets that land the sources, one for each entry of ``sources.yml``."""

import dagster as dg

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.defs.project import NIGHTS, RETRY, SINGLE_RUN, column_schema, sql_project
from ml_pipeline.defs.reporting import REFUSALS, Report, nights_of, passed, published_facts, refused, report_nights
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.operations.land import land

CONTRACT_KEPT = "contract_kept"
ROWS_ADD_UP = "rows_add_up"


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
        metadata={"dagster/column_schema": column_schema(columns)},
        check_specs=[
            dg.AssetCheckSpec(CONTRACT_KEPT, asset=key, blocking=True,
                              description="No more rows break the contract than sources.yml allows."),
            dg.AssetCheckSpec(ROWS_ADD_UP, asset=key, blocking=True,
                              description="Rows landed + quarantined + deduplicated = rows read."),
        ],
    )  # fmt: skip
    def landed(context: dg.AssetExecutionContext, config: LandingConfig, site: SiteResource) -> Report:
        nights = nights_of(context)
        try:
            outcome = land(site.open(context.log.info), contract.name, nights, may_restate=config.may_restate)
        except REFUSALS as error:
            check, failure = refused(CONTRACT_KEPT, error)
            yield check
            raise failure from error
        report_nights(context, outcome.published, {
            night: {"dagster/row_count": account.landed, "rows_read": account.read,
                    "rows_quarantined": account.quarantined, "rows_deduplicated": account.deduplicated}
            for night, account in outcome.accounts.items()
        })  # fmt: skip
        accounts = outcome.accounts.values()
        read, kept = sum(account.read for account in accounts), sum(account.landed for account in accounts)
        out = {"quarantined": sum(account.quarantined for account in accounts),
               "deduplicated": sum(account.deduplicated for account in accounts)}  # fmt: skip
        yield passed(CONTRACT_KEPT, nights=len(nights), **out)
        yield dg.AssetCheckResult(
            check_name=ROWS_ADD_UP,
            passed=kept + sum(out.values()) == read,
            metadata={"read": read, "landed": kept, **out},
        )
        yield dg.MaterializeResult(metadata=published_facts(outcome.published) if outcome.published else {})

    return landed


@dg.definitions
def ingestion() -> dg.Definitions:
    return dg.Definitions(assets=[_asset(contract) for contract in sql_project().sources.values()])
