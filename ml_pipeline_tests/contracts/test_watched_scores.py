import pyarrow as pa
import pytest

from ml_pipeline.contracts.column_descriptions import described
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import PERFORMANCE_SCHEMA, SLICE_PERFORMANCE_SCHEMA
from ml_pipeline.contracts.watched_scores import ESTIMATES_SCHEMA, PREDICTION_DRIFT_SCHEMA

SCHEMAS = [ESTIMATES_SCHEMA, PREDICTION_DRIFT_SCHEMA, PERFORMANCE_SCHEMA, SLICE_PERFORMANCE_SCHEMA]


@pytest.mark.parametrize("schema", SCHEMAS, ids=["estimates", "prediction_drift", "performance", "slice_performance"])
def test_the_night_is_first_types_can_be_shown_and_every_column_has_words(schema: pa.Schema) -> None:
    assert (schema.names[0], schema.types[0]) == (SCORE_DATE, pa.date32())
    assert set(schema.types) <= {pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.date32()}
    assert set(described(schema.names)) | {"value"} >= set(schema.names)
