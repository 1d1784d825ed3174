from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from ml_pipeline.contracts.sql_models import ModelContract
from ml_pipeline.io.duckdb_connections import lock_down, utc_connection
from ml_pipeline.io.model_tests import ModelTested, ModelTestError, run_model_tests
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL

TEXT = """-- One row per order.
select
    score_date,
    order_id,
    share,
    channel
from {{ spine() }}
"""
MODEL = SqlModel("rates", "features", "features/rates.sql", TEXT, TEXT, (), ("spine",))
REMEDY = ". Correct the model, or its tests in the .yml file of features/ if these rows are right."
ROWS = """create table rates as select * from (values
    (date '2024-04-01', 'O1', 0.5, 'web'), (date '2024-04-01', 'O2', null, 'app'),
    (date '2024-04-02', 'O1', 0.9, 'web'), (date '2024-04-02', 'O3', 0.0, 'phone')
) as rows_ (score_date, order_id, share, channel)"""


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with utc_connection() as opened:
        opened.execute(ROWS)
        opened.execute("create view spine as select score_date, order_id from rates")
        opened.execute("create table channels as select unnest(['web', 'app']) as channel")
        lock_down(opened)
        yield opened


def contract(*tests: dict[str, Any], **columns: list[Any]) -> ModelContract:
    declared = [{"name": name, "description": name, "tests": of} for name, of in columns.items()]
    return ModelContract.model_validate(
        {"name": "rates", "description": "Rates.", "grain": "order", "tests": tests, "columns": declared}
    )


def refusal(connection: duckdb.DuckDBPyConnection, tested: ModelContract) -> str:
    with pytest.raises(ModelTestError) as caught:
        run_model_tests(connection, MODEL, tested, key=["order_id"])
    assert isinstance(caught.value, SqlRefusedError), "what catches refused models catches this"
    return str(caught.value)


def test_what_holds_is_told_in_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    tested = contract(
        {"unique": ["order_id"]},
        {"expression": "share < 1 or channel = 'web'"},
        order_id=["unique", "not_null", {"relationships": {"to": "spine", "column": "order_id"}}],
        share=[{"accepted_range": {"minimum": 0, "maximum": 1}}],
        channel=[{"accepted_values": ["web", "app", "phone"]}],
    )
    assert run_model_tests(connection, MODEL, tested) == ModelTested("rates", tests=7, rows=4)


def test_a_model_without_tests_is_not_even_looked_at(connection: duckdb.DuckDBPyConnection) -> None:
    gone = SqlModel("gone", "features", "features/gone.sql", TEXT, TEXT, (), ())
    assert run_model_tests(connection, gone, contract()) == ModelTested("gone", tests=0, rows=0)


def test_a_model_without_rows_breaks_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("delete from rates")
    tested = contract({"unique": ["order_id"]}, {"expression": "share < 0"}, order_id=["not_null", "unique"])
    assert run_model_tests(connection, MODEL, tested) == ModelTested("rates", tests=4, rows=0)


@pytest.mark.parametrize(
    ("tested", "message"),
    [
        (contract(share=["not_null"]),
         ("features/rates.sql, line 5: test not_null of share fails for 1 of 4 rows, for example score_date 2024-04-01, "
         "order_id O2, share null")),
        (contract(channel=["unique"]),
         ("features/rates.sql, line 6: test unique of channel fails for 2 of 4 rows, for example score_date 2024-04-03, "
         "channel web, rows 2")),
        (contract(share=[{"accepted_range": {"minimum": 0.5}}]),
         ("features/rates.sql, line 5: test accepted_range of share (at least 0.5) fails for 1 of 4 rows, for example "
         "score_date 2024-04-02, order_id O3, share 0.0")),
        (contract(share=[{"accepted_range": {"maximum": 0.4}}]),
         ("features/rates.sql, line 5: test accepted_range of share (at most 0.4) fails for 2 of 4 rows, for example "
         "score_date 2024-04-01, order_id O1, share 0.5; score_date 2024-04-02, order_id O1, share 0.9")),
        (contract(channel=[{"accepted_values": ["app"]}]),
         ("features/rates.sql, line 6: test accepted_values of channel ('app') fails for 3 of 4 rows, for example "
         "score_date 2024-04-01, order_id O1, channel web; score_date 2024-04-02, order_id O1, channel web; "
         "score_date 2024-04-02, order_id O3, channel phone")),
        (contract(channel=[{"relationships": {"to": "channels", "column": "channel"}}]),
         ("features/rates.sql, line 6: test relationships of channel (to channels.channel) fails for 1 of 4 rows, for example "
         "score_date 2024-04-02, order_id O3, channel phone")),
        (contract({"unique": ["channel"], "name": "one_order_per_channel"}),
         ("features/rates.sql, line 1: test one_order_per_channel (unique [channel]) fails for 2 of 4 rows, for example "
         "score_date 2024-04-03, channel web, rows 2")),
        (contract({"expression": "share > 0"}),
         ("features/rates.sql, line 1: test expression share > 0 fails for 1 of 4 rows, for example score_date 2024-04-02, "
         "order_id O3, share 0.0")),
    ],
)  # fmt: skip
def test_a_test_that_fails_tells_file_line_rows_examples_and_remedy(
    connection: duckdb.DuckDBPyConnection, tested: ModelContract, message: str
) -> None:
    if "unique" in message:
        connection.execute("update rates set score_date = '2024-04-03' where channel = 'web'")
    assert refusal(connection, tested) == message + REMEDY


def test_no_more_than_three_examples_are_shown(connection: duckdb.DuckDBPyConnection) -> None:
    message = refusal(connection, contract({"expression": "order_id = ''"}))
    assert "fails for 4 of 4 rows" in message and message.count("score_date 2024") == 3


def test_all_that_fails_is_told_at_once(connection: duckdb.DuckDBPyConnection) -> None:
    tested = contract(
        {"expression": "share > 0"}, share=["not_null"], channel=[{"accepted_values": ["app"]}, "not_null"]
    )
    message = refusal(connection, tested)
    assert message.startswith("features/rates.sql, line 5: test not_null of share fails for 1 of 4 rows, for example ")
    assert message.endswith(
        ". So does accepted_values of channel ('app') (3 rows). So does expression share > 0 (1 rows)" + REMEDY
    )


def test_a_related_value_must_occur_in_the_same_night(connection: duckdb.DuckDBPyConnection) -> None:
    """Two nights know different rows: a value that only the other night has is missing in this one."""
    connection.execute("create table seen as select score_date, order_id from rates where order_id != 'O3'")
    connection.execute("insert into seen values ('2024-04-01', 'O3')")
    message = refusal(connection, contract(order_id=[{"relationships": {"to": "seen", "column": "order_id"}}]))
    assert "fails for 1 of 4 rows, for example score_date 2024-04-02, order_id O3" in message


def test_missing_values_are_no_values_of_a_column_but_alike_in_a_grain(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("update rates set share = null, score_date = '2024-04-01'")
    tests = [
        "unique",
        {"accepted_values": [1]},
        {"accepted_range": {"minimum": 1}},
        {"relationships": {"to": "rates", "column": "share"}},
    ]
    tested = contract({"expression": "share > 1"}, share=tests)
    assert run_model_tests(connection, MODEL, tested) == ModelTested("rates", tests=5, rows=4)
    message = refusal(connection, contract({"unique": ["share"]}))
    assert "unique [share] fails for 4 of 4 rows, for example score_date 2024-04-01, share null, rows 4" in message


def test_rows_of_different_nights_may_be_alike(connection: duckdb.DuckDBPyConnection) -> None:
    assert run_model_tests(connection, MODEL, contract(order_id=["unique"])).tests == 1


def test_a_model_without_nights_is_unique_as_a_whole(connection: duckdb.DuckDBPyConnection) -> None:
    model = SqlModel("channels", "staging", "staging/channels.sql", "select channel", "", (), ())
    tested = contract(channel=["unique"]).model_copy(update={"name": "channels"})
    assert run_model_tests(connection, model, tested) == ModelTested("channels", tests=1, rows=2)
    connection.execute("insert into channels values ('web')")
    with pytest.raises(ModelTestError) as caught:
        run_model_tests(connection, model, tested)
    assert str(caught.value) == (
        "staging/channels.sql, line 1: test unique of channel fails for 2 of 3 rows, for example channel web, rows 2. "
        "Correct the model, or its tests in the .yml file of staging/ if these rows are right."
    )


def test_values_that_tell_of_a_person_are_not_shown(connection: duckdb.DuckDBPyConnection) -> None:
    tested = contract(order_id=[], channel=[{"accepted_values": ["web", "app"]}])
    hidden = tuple(column.model_copy(update={"pii": True}) for column in tested.columns)
    message = refusal(connection, tested.model_copy(update={"columns": hidden}))
    assert "for example score_date 2024-04-02, order_id hidden, channel hidden. Correct" in message
    assert "phone" not in message and "O3" not in message


@pytest.mark.parametrize(
    ("tested", "words"),
    [
        (contract(share=["not_null"], colour=["not_null"]),
         'features/rates.sql, line 1: test not_null of colour cannot run: Binder Error: Referenced column "colour" not found'),
        (contract(channel=[{"accepted_range": {"minimum": 0}}]),
         "features/rates.sql, line 6: test accepted_range of channel (at least 0) cannot run: Binder Error"),
        (contract(channel=[{"accepted_values": [1, 2]}]),
         "features/rates.sql, line 6: test accepted_values of channel (1, 2) cannot run: Conversion Error"),
        (contract({"expression": "share + 1"}),
         "features/rates.sql, line 1: test expression share + 1 cannot run: Binder Error: No function matches"),
        (contract(order_id=[{"relationships": {"to": "stock", "column": "id"}}]),
         ("features/rates.sql, line 1: its tests relate it to stock, which is not built with it. "
         "Read stock in a model that is built together with rates, or leave the test away.")),
    ],
)  # fmt: skip
def test_a_test_that_cannot_run_is_named(
    connection: duckdb.DuckDBPyConnection, tested: ModelContract, words: str
) -> None:
    message = refusal(connection, tested)
    assert message.startswith(words)
    remedy = "Correct it in the .yml file of features/, or cast the column in the model."
    assert message.endswith(remedy) or "stock" in message


def test_a_test_leaves_the_connection_free(connection: duckdb.DuckDBPyConnection) -> None:
    """DuckDB refuses further work while a result is not fetched to its end."""
    with pytest.raises(ModelTestError):
        run_model_tests(connection, MODEL, contract(share=["not_null"]))
    run_model_tests(connection, MODEL, contract(channel=["not_null"]))
    assert connection.table("rates").to_arrow_table().num_rows == 4


def test_the_tests_of_the_shop_hold_on_all_of_its_nights(built_shop: Site) -> None:
    sql, nights = built_shop.sql, nights_between(built_shop.calendar.first_night, SHOP_LANDED_UNTIL)
    features = built_shop.tables.read(f"features/{sql.feature_set_version}", nights)
    with utc_connection() as connection:
        for name in ("spine", *(model.name for model in sql.in_folder("features"))):
            connection.from_arrow(features).create(name)
        tested = [
            run_model_tests(connection, model, sql.contracts[model.name], key=sql.project.entity_key)
            for model in sql.in_folder("features")
        ]
    assert {found.rows for found in tested} == {features.num_rows}
    assert sum(found.tests for found in tested) == 15
