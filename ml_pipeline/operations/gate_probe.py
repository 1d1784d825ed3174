"""Asks the gate what it shows: how many rows of which landing, with which clocks, to which night."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from ml_pipeline.contracts.source import KNOWN_AT, KNOWN_ON, SCORE_DATE
from ml_pipeline.contracts.sql_models import ModelContract
from ml_pipeline.io.sql_project import SqlProject
from ml_pipeline.io.sql_template import SqlModel, source_relation
from ml_pipeline.nights import Night
from ml_pipeline.operations.site import Site

_PROBE = "rows_shown_by_the_gate"


@dataclass(frozen=True)
class ShownRows:
    """Rows of one relation that ``known_on`` landed and ``night`` sees. Sums of a landing have no clocks of their own.

    Attributes:
        relation: the source, or the model that is computed per landing.
        lookback_days: how far back the relation reaches, None for a reference.
    """

    relation: str
    lookback_days: int | None
    night: Night
    known_on: Night
    rows: int
    first_known_at: datetime | None
    last_known_at: datetime | None


def rows_shown(site: Site, first: Night, last: Night) -> list[ShownRows]:
    """All that the gated relations of the features and of the label show to the nights of one range.

    The question is a model like any other, asked of the ordinary runner: it sees what the features see.
    """
    wanted = [*site.sql.feature_models, *site.sql.needed_for([site.project.label.model])]
    reads = sorted({read for model in wanted for read in model.sources}, key=str)
    sums = sorted({model.name for model in wanted} & set(site.sql.landing_models))
    sql = "\nunion all\n".join([*_questions(reads), *_questions_of_sums(site.sql, sums)])
    probe = SqlModel(_PROBE, "staging", f"staging/{_PROBE}.sql", sql, sql, tuple(reads), tuple(sums))
    contract = ModelContract(
        name=_PROBE, description="Rows that the gate shows.", grain="one row per landing and night"
    )
    asked = replace(
        site.sql,
        models={**site.sql.models, _PROBE: probe},
        contracts={**site.sql.contracts, _PROBE: contract},
    )
    found = site.runner(asked).build(_PROBE, first, last)
    return [ShownRows(**entry) for entry in found.to_pylist()]


def _questions(reads: list[tuple[str, int | None]]) -> Iterator[str]:
    for source, days in reads:
        yield _question(source, days, source_relation(source, days), f"min({KNOWN_AT})", f"max({KNOWN_AT})")


def _questions_of_sums(sql: SqlProject, names: list[str]) -> Iterator[str]:
    for name in names:
        yield _question(name, sql.landing_source(name)[1], name, "null::timestamp", "null::timestamp")


def _question(name: str, days: int | None, relation: str, first_known_at: str, last_known_at: str) -> str:
    return (
        f"select '{name}' as relation, {'null' if days is None else days}::integer as lookback_days, "
        f"{SCORE_DATE} as night, {KNOWN_ON}, count(*) as rows, {first_known_at} as first_known_at, "
        f"{last_known_at} as last_known_at from {relation} group by {SCORE_DATE}, {KNOWN_ON}"
    )
