from collections.abc import Iterator

import duckdb
import pytest

from ml_pipeline.contracts.sql_models import FeatureContract, ModelContract
from ml_pipeline.io.duckdb_connections import lock_down, utc_connection
from ml_pipeline.io.feature_shape import require_columns, require_grain
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError

KEY = ("score_date", "order_id")


def model(name: str) -> SqlModel:
    text = "select score_date, order_id,\n    rate\nfrom x"
    return SqlModel(name, "features", f"features/{name}.sql", text, text, (), ())


MODELS = (model("good"), model("rates"))
CONTRACTS = {
    name: ModelContract(
        name=name, description=name, grain="one row per order", columns=(FeatureContract(name="rate", description="Rate."),)
    )
    for name in ("good", "rates")
}  # fmt: skip


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with utc_connection() as opened:
        opened.execute("create table good as select date '2024-01-01' as score_date, 'a' as order_id, 0.5 as rate")
        yield opened


def refusal(connection: duckdb.DuckDBPyConnection, rates: str) -> str:
    connection.execute(f"create table rates as {rates}")
    lock_down(connection)
    with pytest.raises(SqlRefusedError) as caught:
        require_columns(connection, MODELS, CONTRACTS, KEY)
        require_grain(connection, MODELS, KEY)
    return str(caught.value)


ROW = "select date '2024-01-01' as score_date, 'a' as order_id"


def test_what_is_as_declared_passes(connection: duckdb.DuckDBPyConnection) -> None:
    other = ROW.replace("'a'", "'b'")
    connection.execute(f"create table rates as {ROW}, 1 as rate union all {other}, null")
    lock_down(connection)
    require_columns(connection, MODELS, CONTRACTS, KEY)
    require_grain(connection, MODELS, KEY)


def test_missing_and_undeclared_columns_are_named(connection: duckdb.DuckDBPyConnection) -> None:
    assert refusal(connection, f"{ROW}, 1 as price") == (
        "features/rates.sql, line 1: columns differ from features.yml: missing ['rate'], not declared ['price']. "
        "Declare each feature once, and select the entity key, score_date and the features, nothing else."
    )


def test_a_number_must_be_one(connection: duckdb.DuckDBPyConnection) -> None:
    assert refusal(connection, f"{ROW}, 'high' as rate") == (
        "features/rates.sql, line 2: feature rate is VARCHAR, not a number. "
        "Cast it, or declare it with type: category in features.yml."
    )


def test_a_row_that_comes_twice_is_shown(connection: duckdb.DuckDBPyConnection) -> None:
    assert refusal(connection, f"{ROW}, 1 as rate union all {ROW}, 2") == (
        "features/rates.sql, line 1: more than one row per score_date, order_id, for example "
        "(datetime.date(2024, 1, 1), 'a', 2). A join fans out; make its right side unique."
    )
