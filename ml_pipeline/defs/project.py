"""The use case as the code location sees it: read once, when Dagster loads."""

import warnings
from collections.abc import Sequence
from datetime import timedelta
from functools import cache

import dagster as dg

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.sql_project import SqlProject, load_sql_project
from ml_pipeline.settings import Settings

# The lock file pins the version whose beta parameters are used here; at a terminal they are noise.
warnings.filterwarnings("ignore", category=dg.BetaWarning)


@cache
def settings() -> Settings:
    return Settings()


@cache
def sql_project() -> SqlProject:
    """The checked SQL project: a model that is refused keeps the code location from loading, with the reason."""
    return load_sql_project(settings().project)


def _nights() -> dg.DailyPartitionsDefinition:
    project = sql_project().project
    end = project.last_night + timedelta(days=1) if project.last_night else None
    return dg.DailyPartitionsDefinition(
        start_date=str(project.first_night), end_date=str(end) if end else None, timezone=project.timezone
    )


NIGHTS = _nights()

# A range, from the UI or of make run, is one run: one process start, one commit.
SINGLE_RUN = dg.BackfillPolicy.single_run()

RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def same_night(*names: str) -> list[dg.AssetDep]:
    """Dependences on the same night of the assets ``names``.

    Only same-night edges, although most assets read earlier nights too: a Dagster backfill follows partition mappings
    downstream, and a lookback of 28 nights would turn a backfill of three nights into one of thirty. What a night reads
    of earlier nights is the gate's business, and an earlier night that is missing is refused by name.
    """
    return [dg.AssetDep(dg.AssetKey(name.split("/"))) for name in names]


def entity_columns() -> list[tuple[str, str, str]]:
    """(name, type, description) of the entity key, as the sources describe it."""
    described = {column.name: column for source in sql_project().sources.values() for column in source.columns}
    return [(name, described[name].type, described[name].description) for name in sql_project().project.entity_key]


def column_schema(columns: Sequence[tuple[str, str, str]]) -> dg.TableSchema:
    """Dagster's column schema of (name, type, description) rows, ``score_date`` first."""
    first = dg.TableColumn(SCORE_DATE, "date", "The night (partition).")
    return dg.TableSchema([first, *(dg.TableColumn(name, kind, text) for name, kind, text in columns)])
