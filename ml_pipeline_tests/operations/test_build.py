import dataclasses
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.sql_template import SqlRefusedError
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.build import build_features, build_labels
from ml_pipeline.operations.land import land
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL, open_test_site

FIRST, LAST = date(2024, 3, 25), date(2024, 4, 4)
NIGHTS = nights_between(FIRST, LAST)


def test_features_are_published_for_each_night_in_one_commit(landed_shop_copy: Site) -> None:
    site, table = landed_shop_copy, features_table(landed_shop_copy.sql)
    result = build_features(site, NIGHTS)
    assert (result.table, result.changed, result.unchanged, result.rows) == (table, NIGHTS, (), 40 * len(NIGHTS))
    assert list(site.tables.published(table)) == list(NIGHTS)
    rows = site.tables.read(table, NIGHTS)
    assert rows.schema.names == ["score_date", "order_id", *(feature.name for feature in site.sql.features)]
    assert content_hash(rows) == content_hash(site.runner().build_features(FIRST, LAST))


def test_building_again_builds_and_commits_nothing(landed_shop_copy: Site) -> None:
    built: list[str] = []
    first = build_features(landed_shop_copy, NIGHTS)
    again = build_features(dataclasses.replace(landed_shop_copy, progress=built.append), NIGHTS)
    assert (again.version, again.changed, again.unchanged, again.rows) == (first.version, (), NIGHTS, first.rows)
    assert built == []


def test_nights_built_one_by_one_equal_a_range_longer_than_a_run(landed_shop: Site, landed_shop_copy: Site) -> None:
    nights = nights_between(date(2024, 3, 1), date(2024, 4, 20))
    table = features_table(landed_shop_copy.sql)
    build_features(landed_shop_copy, nights)
    published = landed_shop_copy.tables.published(table)
    for night in (nights[0], nights[30], nights[31], nights[-1]):
        alone = landed_shop.runner().build_features(night, night)
        assert published[night].content_hash == content_hash(alone)


def test_a_correction_rebuilds_the_nights_that_may_see_it_and_no_other(landed_shop_copy: Site) -> None:
    site, table, arrival = landed_shop_copy, features_table(landed_shop_copy.sql), date(2024, 3, 31)
    build_features(site, NIGHTS)
    before = site.tables.published(table)
    rows = site.tables.read("raw/returns", [arrival])
    position = rows.schema.get_field_index("is_sent_back")
    changed = rows.set_column(position, "is_sent_back", pa.array([True] * rows.num_rows))
    site.tables.publish("raw/returns", changed, {arrival: NightInputs("", {})}, key=["order_id", "known_at"])
    result = build_features(site, NIGHTS)
    assert result.changed == nights_between(arrival, LAST)
    assert result.unchanged == nights_between(FIRST, nights_back(arrival, 1))
    assert all(site.tables.published(table)[night] == before[night] for night in result.unchanged)


def test_a_night_rebuilt_to_the_same_content_is_not_built_again(landed_shop_copy: Site) -> None:
    """A refund is no feature: the landed night differs, the features made from it do not."""
    built: list[str] = []
    site = dataclasses.replace(landed_shop_copy, progress=built.append)
    build_features(site, NIGHTS)
    rows = site.tables.read("raw/returns", [FIRST])
    refunds = pa.array([99.0] * rows.num_rows)
    rows = rows.set_column(rows.schema.get_field_index("refund_eur"), "refund_eur", refunds)
    site.tables.publish("raw/returns", rows, {FIRST: NightInputs("", {})}, key=["order_id", "known_at"])
    assert build_features(site, NIGHTS).changed == ()
    built.clear()
    build_features(site, NIGHTS)
    assert built == []


def test_a_changed_model_is_published_in_a_table_of_its_own(landed_shop_copy: Site) -> None:
    site = landed_shop_copy
    first = build_features(site, NIGHTS[:2])
    path = site.sql.folder / "staging" / "stg_returns.sql"
    path.write_text(path.read_text(encoding="utf-8").replace("score_date - 7", "score_date - 6"), encoding="utf-8")
    changed = open_test_site(site.sql.folder, site.data)
    second = build_features(changed, NIGHTS[:2])
    assert first.table != second.table and second.changed == NIGHTS[:2]
    assert build_features(changed, NIGHTS[:2], sql=site.sql).changed == ()


def test_labels_of_a_night_are_what_became_known_to_it(landed_shop_copy: Site) -> None:
    site = landed_shop_copy
    assert build_labels(site, NIGHTS).changed == NIGHTS
    labels = site.tables.read("labels", NIGHTS)
    landed = site.tables.read("raw/returns", NIGHTS)
    assert labels["label"].to_pylist() == landed["is_sent_back"].to_pylist()
    assert labels["label_known_at"].to_pylist() == landed["known_at"].to_pylist()
    assert build_labels(site, NIGHTS).changed == ()


def test_labels_stay_when_the_features_change(landed_shop_copy: Site) -> None:
    site = landed_shop_copy
    before = build_labels(site, NIGHTS)
    path = site.sql.folder / "features" / "baseline.sql"
    path.write_text(
        path.read_text(encoding="utf-8").replace("exact.rate, shop.rate", "exact.rate, 0.5"), encoding="utf-8"
    )
    assert build_labels(open_test_site(site.sql.folder, site.data), NIGHTS).version == before.version


@pytest.mark.parametrize("build", [build_features, build_labels])
def test_a_gap_in_the_landed_nights_does_not_pass_for_silence(shop_site: Site, build) -> None:  # type: ignore[no-untyped-def]
    for source in shop_site.sql.sources:
        land(shop_site, source, [night for night in nights_between(date(2024, 2, 15), LAST) if night != LAST])
    with pytest.raises(LookupError, match=r"raw/\w+ has not landed 1 of the nights that are needed \(2024-04-04"):
        build(shop_site, NIGHTS)


def test_a_reference_is_needed_on_the_first_night_alone(shop_site: Site) -> None:
    land(shop_site, "products", [date(2024, 2, 15)])
    for source in ("orders", "returns"):
        land(shop_site, source, nights_between(date(2024, 2, 15), FIRST))
    assert build_features(shop_site, [FIRST]).rows == 40


def test_nights_outside_the_project_are_refused(landed_shop: Site) -> None:
    with pytest.raises(ValueError, match="night 2024-06-02 is outside"):
        build_features(landed_shop, [date(2024, 6, 2)])


def test_a_model_that_forgets_the_night_shows_no_future_to_a_range(landed_shop_copy: Site) -> None:
    """Built for one night it is right, built for a range it averages over later nights: a leak into training alone."""
    path = landed_shop_copy.sql.folder / "features" / "category_rates.sql"
    path.write_text(
        """select spine.score_date, spine.order_id, shop.rate as category_return_rate_7d
        from {{ spine() }} as spine
        cross join (select avg(is_sent_back::int) as rate from {{ ref('stg_returns') }}) as shop""",
        encoding="utf-8",
    )
    site = open_test_site(landed_shop_copy.sql.folder, landed_shop_copy.data)
    alone = content_hash(site.runner().build_features(FIRST, FIRST))
    try:
        build_features(site, NIGHTS)
    except SqlRefusedError as refusal:
        assert "category_rates.sql" in str(refusal)
    else:
        assert site.tables.published(features_table(site.sql))[FIRST].content_hash == alone


def test_a_model_that_forgets_the_night_is_refused_before_anything_is_published(landed_shop_copy: Site) -> None:
    path = landed_shop_copy.sql.folder / "labels" / "returned_orders.sql"
    path.write_text(
        path.read_text().replace("is_sent_back as label", "count(*) over () > 40 as label"), encoding="utf-8"
    )
    site = open_test_site(landed_shop_copy.sql.folder, landed_shop_copy.data)
    with pytest.raises(
        SqlRefusedError, match=f"returned_orders.sql.*labels: column label of night {FIRST}.*carry score_date"
    ):
        build_labels(site, NIGHTS)
    assert not site.tables.exists("labels")


def test_what_is_remembered_of_a_rebuilt_night_may_be_lost(landed_shop_copy: Site) -> None:
    test_a_night_rebuilt_to_the_same_content_is_not_built_again(landed_shop_copy)
    built: list[str] = []
    (landed_shop_copy.data / "night_index.sqlite").write_bytes(b"torn " * 1000)
    site = dataclasses.replace(landed_shop_copy, progress=built.append)
    assert build_features(site, NIGHTS).changed == ()
    assert len(built) == 1
    assert build_features(site, NIGHTS).changed == ()
    assert len(built) == 1


def test_published_files_hold_what_the_log_says(landed_shop_copy: Site) -> None:
    build_features(landed_shop_copy, NIGHTS)
    table = features_table(landed_shop_copy.sql)
    files = landed_shop_copy.tables.files(table, [FIRST])
    assert (
        sum(pq.read_metadata(path).num_rows for path in files) == landed_shop_copy.tables.published(table)[FIRST].rows
    )
    assert SHOP_LANDED_UNTIL not in landed_shop_copy.tables.published(table)


def test_a_built_night_records_the_version_of_every_table_that_it_read(landed_shop_copy: Site) -> None:
    site, night = landed_shop_copy, FIRST
    rows = site.tables.read("raw/returns", [night])
    build_features(site, [night])
    site.tables.publish("raw/returns", rows.slice(1), {night: NightInputs("", {})}, key=["order_id", "known_at"])
    build_features(site, [FIRST, nights_back(FIRST, -1)])
    published = site.tables.published(features_table(site.sql))
    versions = {f"raw/{source}": site.tables.version(f"raw/{source}") for source in ("orders", "returns", "products")}
    assert published[night].facts == published[nights_back(night, -1)].facts == versions
    build_labels(site, [LAST])
    assert site.tables.published("labels")[LAST].facts == {"raw/returns": versions["raw/returns"]}
