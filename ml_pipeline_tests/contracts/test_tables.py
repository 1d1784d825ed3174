import pyarrow as pa
import pytest

from ml_pipeline.contracts import tables
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import scores_schema

KEY = [pa.field("order_id", pa.string()), pa.field("shop", pa.string())]
SCHEMAS = {name: value for name, value in vars(tables).items() if isinstance(value, pa.Schema)}


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_table_has_the_night_first_and_types_that_the_catalog_can_show(name: str) -> None:
    schema = SCHEMAS[name]
    assert (schema.names[0], schema.types[0]) == (SCORE_DATE, pa.date32())
    assert len(set(schema.names)) == len(schema.names)
    shown = {pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us", tz="UTC")}
    assert set(schema.types) <= shown


def test_scores_keep_the_key_between_the_night_and_the_answer() -> None:
    """Analysts and tools rely on these names and on their order."""
    assert scores_schema(KEY).names == [
        "score_date", "order_id", "shop", "cutoff_at", "score", "probability", "rank", "decision", "threshold",
        "reason_1", "reason_2", "reason_3", "served_by", "model_name", "model_version", "feature_set_version",
        "backfill_policy",
    ]  # fmt: skip
