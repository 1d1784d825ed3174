"""Which published tables are judged each night, and what always holds of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from ml_pipeline.contracts.source import KNOWN_AT
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.io.sql_project import SqlProject
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site, features_table

_CALENDAR = "calendar"
_SHARES = ("score", "probability", "threshold")


@dataclass(frozen=True)
class DataAsset:
    """A published table as it is judged.

    Attributes:
        name: as people call it: scores, features, or the source of the outcomes.
        columns: those whose numbers are held against the nights before.
        never_missing: those that always have a value.
        ranges: least and most value of a column, whatever came before.
        least_rows: a night has at least so many.
    """

    name: str
    table: str
    columns: tuple[str, ...]
    never_missing: tuple[str, ...]
    ranges: Mapping[str, tuple[float | None, float | None]]
    least_rows: int

    @property
    def measured(self) -> tuple[str, ...]:
        """Every column of which a number is needed."""
        return tuple(dict.fromkeys([*self.columns, *self.never_missing, *self.ranges]))


def data_assets(site: Site, bundle: ModelBundle) -> list[DataAsset]:
    """What is judged on the nights that ``bundle`` is champion of: scores, its features, and the outcomes as they landed."""
    key = site.project.entity_key
    sql = bundle.feature_set
    # A score may be missing, where a baseline served; a probability never is.
    always = (*key, "probability", "threshold", "rank", "decision")
    ranges = dict.fromkeys(_SHARES, (0.0, 1.0)) | {"rank": (1.0, None)}
    # What comes from the calendar alone has a new value each night, and nothing that could break.
    features = tuple(feature.name for feature in sql.features if feature.window != _CALENDAR)
    return [
        DataAsset(SCORES, SCORES, ("score", "probability"), always, ranges, 1),
        DataAsset("features", features_table(sql), features, key, {}, 1),
        *(_outcomes(site, name) for name in outcome_sources(site.sql)),
    ]


def outcome_sources(sql: SqlProject) -> list[str]:
    """The sources that labels are made from, references aside."""
    models = sql.needed_for([sql.project.label.model])
    return [name for name, days in sql.lookbacks(models).items() if days is not None]


def _outcomes(site: Site, name: str) -> DataAsset:
    contract = site.sql.sources[name]
    schema = contract.arrow_schema()
    # A key, a day and an instant have no distribution; a number that only names something has none either.
    judged = [
        field.name for field in schema
        if field.name not in contract.key
        and (pa.types.is_floating(field.type) or pa.types.is_boolean(field.type) or pa.types.is_string(field.type))
    ]  # fmt: skip
    return DataAsset(name, f"raw/{name}", tuple(judged), (*contract.key, KNOWN_AT), {}, 0)
