import dataclasses
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.duckdb_connections import lock_down, utc_connection
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL, open_test_site

# The clocks of Berlin change in the night of 31 March.
FIRST, NIGHT, LAST = date(2024, 3, 25), date(2024, 4, 2), date(2024, 4, 9)
LATER = nights_between(nights_back(NIGHT, -1), SHOP_LANDED_UNTIL)


def features_hash(site: Site, night: Night = NIGHT) -> str:
    return content_hash(site.runner().build_features(night, night))


def of_night(rows: pa.Table, night: Night) -> pa.Table:
    return rows.filter(pc.equal(rows["score_date"], pa.scalar(night, pa.date32())))


def append_returns(site: Site, night: Night, rows: pa.Table) -> None:
    """Publish ``night`` of raw/returns with ``rows`` added."""
    old = site.tables.read("raw/returns", [night])
    rows = rows.set_column(0, "score_date", pa.array([night] * rows.num_rows, pa.date32()))
    site.tables.publish(
        "raw/returns", pa.concat_tables([old, rows]), {night: NightInputs("", {})}, key=["order_id", "known_at"]
    )


def flipped(rows: pa.Table) -> pa.Table:
    position = rows.schema.get_field_index("is_sent_back")
    return rows.set_column(position, "is_sent_back", pc.invert(rows["is_sent_back"]))


def rewrite(site: Site, path: str, text: str) -> Site:
    (site.sql.folder / path).write_text(text, encoding="utf-8")
    return open_test_site(site.sql.folder, site.data)


def refusal(site: Site) -> str:
    with pytest.raises(SqlRefusedError) as caught:
        site.runner().build_features(NIGHT, NIGHT)
    return str(caught.value)


def test_a_night_alone_is_that_night_out_of_a_range(landed_shop: Site) -> None:
    together = landed_shop.runner().build_features(FIRST, LAST)
    for night in nights_between(FIRST, LAST):
        assert features_hash(landed_shop, night) == content_hash(of_night(together, night))


def test_labels_of_a_night_alone_are_those_out_of_a_range(landed_shop: Site) -> None:
    order = [("score_date", "ascending"), ("order_id", "ascending"), ("label_known_at", "ascending")]
    together = landed_shop.runner().build("returned_orders", FIRST, LAST).sort_by(order)
    for night in nights_between(FIRST, LAST):
        alone = landed_shop.runner().build("returned_orders", night, night).sort_by(order)
        assert alone.num_rows > 0 and content_hash(alone) == content_hash(of_night(together, night))


def test_the_flights_of_a_night_alone_are_those_out_of_a_range(flights_site: Site) -> None:
    together = flights_site.runner().build_features(date(2013, 3, 9), date(2013, 3, 12))
    alone = flights_site.runner().build_features(date(2013, 3, 11), date(2013, 3, 11))
    assert content_hash(alone) == content_hash(of_night(together, date(2013, 3, 11)))


@pytest.mark.parametrize("threads", [1, 4])
def test_the_number_of_threads_changes_nothing(landed_shop: Site, threads: int) -> None:
    assert features_hash(dataclasses.replace(landed_shop, threads=threads)) == features_hash(landed_shop)


def test_the_files_of_later_nights_are_not_even_opened(landed_shop_copy: Site) -> None:
    before = features_hash(landed_shop_copy)
    for night in LATER:
        for folder in landed_shop_copy.data.glob(f"raw/*/score_date={night}"):
            shutil.rmtree(folder)
    assert features_hash(landed_shop_copy) == before


def test_poison_in_later_nights_changes_nothing(landed_shop_copy: Site) -> None:
    before = features_hash(landed_shop_copy)
    known = landed_shop_copy.tables.read("raw/returns", nights_between(date(2024, 2, 15), NIGHT))
    append_returns(landed_shop_copy, LATER[0], flipped(known))
    assert features_hash(landed_shop_copy) == before
    assert features_hash(landed_shop_copy, LATER[0]) != before


def test_a_correction_changes_the_nights_from_its_arrival_on_and_none_before(landed_shop_copy: Site) -> None:
    nights = nights_between(FIRST, LAST)
    before = {night: features_hash(landed_shop_copy, night) for night in nights}
    corrected = landed_shop_copy.tables.read("raw/returns", [FIRST]).slice(0, 8)
    append_returns(landed_shop_copy, NIGHT, flipped(corrected))
    after = landed_shop_copy.runner().build_features(FIRST, LAST)
    changed = [night for night in nights if content_hash(of_night(after, night)) != before[night]]
    assert changed == list(nights_between(NIGHT, LAST))


def test_of_two_versions_the_one_known_last_wins_also_within_a_night(landed_shop_copy: Site) -> None:
    row = landed_shop_copy.tables.read("raw/returns", [NIGHT]).slice(0, 1)
    later = pc.add(row["known_at"], pa.scalar(1, pa.duration("us")))
    second = flipped(row).set_column(row.schema.get_field_index("known_at"), "known_at", later)
    append_returns(landed_shop_copy, NIGHT, second)
    labels = landed_shop_copy.runner().build("returned_orders", NIGHT, NIGHT).to_pylist()
    found = [label["label"] for label in labels if label["order_id"] == row["order_id"][0].as_py()]
    assert found == second["is_sent_back"].to_pylist()


def expected_rates(landed: pd.DataFrame, night: Night, days: int) -> pd.Series:
    """What the gate must let through, in pandas: known in the lookback, latest version of each order."""
    score_date = pd.to_datetime(landed["score_date"]).dt.date
    known = landed[(score_date <= night) & (score_date > nights_back(night, 28))]
    latest = known.sort_values(["score_date", "known_at"]).groupby("order_id").tail(1)
    in_window = latest[pd.to_datetime(latest["score_date"]).dt.date > nights_back(night, days)]
    return in_window.groupby("product_code")["is_sent_back"].mean()


@pytest.mark.parametrize("night", [date(2024, 2, 20), date(2024, 3, 13), date(2024, 3, 14), NIGHT, date(2024, 5, 2)])
@pytest.mark.parametrize("days", [7, 28])
def test_lookbacks_have_the_edges_that_pandas_gives_them(landed_shop: Site, night: Night, days: int) -> None:
    landed = landed_shop.tables.read("raw/returns", nights_between(date(2024, 2, 15), SHOP_LANDED_UNTIL)).to_pandas()
    built = landed_shop.runner().build_features(night, night).to_pandas()
    found = built.groupby("product_code")[f"product_return_rate_{days}d"].first()
    expected = expected_rates(landed, night, days).reindex(found.index)
    pd.testing.assert_series_equal(found, expected, check_names=False, check_dtype=False, rtol=1e-12)


def test_every_order_of_the_night_has_one_row_and_instants_are_utc(landed_shop: Site) -> None:
    rows = landed_shop.runner().build_features(NIGHT, NIGHT)
    assert rows.num_rows == 40 and len(set(rows["order_id"].to_pylist())) == 40
    assert rows.schema.names[:2] == ["score_date", "order_id"]
    labels = landed_shop.runner().build("returned_orders", NIGHT, NIGHT)
    assert labels.schema.names == ["score_date", "order_id", "labelled_date", "label_known_at", "label"]
    assert labels.schema.field("label_known_at").type == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize(
    "statement",
    ["select * from read_text('{file}')", "select * from '{file}'", "select * from glob('*')", "copy (select 1) to '{file}.out'",
     "attach '{file}.db'", "load httpfs", "set enable_external_access = true", "set lock_configuration = false",
     "select * from rows_in_python"],
)  # fmt: skip
def test_a_locked_connection_reaches_no_file_and_cannot_be_unlocked(tmp_path: Path, statement: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    rows_in_python = pa.table({"a": [1]})
    with utc_connection() as connection:
        lock_down(connection)
        with pytest.raises(Exception, match=r"disabled|does not exist|Cannot change|locked"):
            connection.execute(statement.format(file=file)).fetchall()
    assert rows_in_python.num_rows == 1 and sorted(path.name for path in tmp_path.iterdir()) == ["secret.csv"]


def test_a_model_that_got_past_the_parser_still_reads_no_file(landed_shop: Site, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    sql = f"select * from read_csv('{file}')"
    model = SqlModel("spine", "staging", "staging/spine.sql", sql, sql, (), ())
    project = dataclasses.replace(landed_shop.sql, models=landed_shop.sql.models | {"spine": model})
    with pytest.raises(SqlRefusedError, match="staging/spine.sql, line 1: cannot run: Permission Error"):
        landed_shop.runner(project).build("spine", NIGHT, NIGHT)


def test_a_join_that_fans_out_is_refused(landed_shop_copy: Site) -> None:
    text = """select spine.score_date, spine.order_id, 1.0 as category_return_rate_7d
    from {{ spine() }} as spine inner join {{ ref('stg_returns') }} as known using (score_date, product_code)"""
    message = refusal(rewrite(landed_shop_copy, "features/category_rates.sql", text))
    assert "features/category_rates.sql, line 1: more than one row per score_date, order_id, for example" in message
    assert "A join fans out; make its right side unique" in message


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("1 as category_return_rate_7d, 2 as extra", "missing [], not declared ['extra']"),
        ("1 as other", "missing ['category_return_rate_7d'], not declared ['other']"),
        ("1 as category_return_rate_7d, 2 as category_return_rate_7d", "category_rates.sql"),
    ],
)
def test_columns_other_than_declared_are_refused(landed_shop_copy: Site, columns: str, words: str) -> None:
    text = f"select score_date, order_id, {columns} from {{{{ spine() }}}}"
    message = refusal(rewrite(landed_shop_copy, "features/category_rates.sql", text))
    assert words in message and "features/category_rates.sql" in message


@pytest.mark.parametrize("column", ["is_sent_back", "refund_eur"])
def test_a_column_of_an_outcome_is_refused_with_the_moment_at_which_it_is_known(
    landed_shop_copy: Site, column: str
) -> None:
    text = f"select\n    score_date, order_id,\n    {column} as category_return_rate_7d\nfrom {{{{ spine() }}}}"
    message = refusal(rewrite(landed_shop_copy, "features/category_rates.sql", text))
    assert message.startswith("features/category_rates.sql, line 3: ")
    assert "It belongs to source('returns'), known one to three days after the dispatch" in message
    assert "source('returns', lookback_days=n)" in message


def test_a_column_that_nobody_has_is_refused_with_its_line(landed_shop_copy: Site) -> None:
    text = "select score_date, order_id,\n    weather as category_return_rate_7d\nfrom {{ spine() }}"
    message = refusal(rewrite(landed_shop_copy, "features/category_rates.sql", text))
    assert "features/category_rates.sql, line 2: " in message and "weather" in message


def test_a_model_that_fails_on_its_rows_is_refused_by_its_name(landed_shop_copy: Site) -> None:
    text = "select score_date, order_id, cast(order_id as int) as category_return_rate_7d from {{ spine() }}"
    assert "features/category_rates.sql, line 1: cannot run: Conversion Error" in refusal(
        rewrite(landed_shop_copy, "features/category_rates.sql", text)
    )


def test_a_feature_that_is_no_number_is_refused_by_its_name(landed_shop_copy: Site) -> None:
    text = "select score_date, order_id, 'high' as category_return_rate_7d from {{ spine() }}"
    assert "category_return_rate_7d" in refusal(rewrite(landed_shop_copy, "features/category_rates.sql", text))


def test_a_runner_of_earlier_versions_reads_what_they_held(landed_shop_copy: Site) -> None:
    before, version = features_hash(landed_shop_copy), landed_shop_copy.tables.version("raw/returns")
    append_returns(landed_shop_copy, NIGHT, flipped(landed_shop_copy.tables.read("raw/returns", [FIRST])))
    assert features_hash(landed_shop_copy) != before
    pinned = landed_shop_copy.runner(versions={"raw/returns": version})
    assert content_hash(pinned.build_features(NIGHT, NIGHT)) == before
