"""What comes late changes no earlier night, and what it would have changed in time is listed night by night."""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.io.connectors.connector import Connector
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.gated_runner import GatedRunner
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import KnownWindow, Night, nights_back, nights_between
from ml_pipeline.operations.build import build_features, stale_features
from ml_pipeline.operations.land import land
from ml_pipeline.operations.late_arrivals import LATE_ARRIVALS, RESTATEMENTS, measure_late_arrivals
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import open_test_site
from ml_pipeline_tests.shop_deliveries import deliver_later

NIGHT = date(2013, 3, 21)
ARRIVAL = datetime(2013, 3, 20, 18, tzinfo=UTC)
NIGHTS = nights_between(date(2013, 2, 28), nights_back(NIGHT, 1))
# The nights that landed what is corrected, and the night by which the late outcome was expected.
DELAYS_ON, AIR_TIME_ON, WEATHER_ON, EXPECTED_ON = (
    date(2013, 3, 14),
    date(2013, 3, 2),
    date(2013, 3, 8),
    date(2013, 3, 18),
)
EXPECTED_CUTOFF = datetime(2013, 3, 18, 0, tzinfo=UTC)  # 20:00 of 17 March, summer time


@dataclass(frozen=True)
class LaterToo:
    """A connector that delivers further rows beside its own."""

    inner: Connector
    later: Mapping[str, pa.Table]

    def fingerprint(self, source: SourceContract) -> str:
        rows = self.later.get(source.name)
        own = self.inner.fingerprint(source)
        return own if rows is None else hashlib.sha256(f"{own}{content_hash(rows)}".encode()).hexdigest()

    def read(self, source: SourceContract, window: KnownWindow) -> pa.Table:
        rows = self.inner.read(source, window)
        has_begun = window.after is None or window.after < ARRIVAL
        if source.name not in self.later or not has_begun or window.until < ARRIVAL:
            return rows
        return pa.concat_tables([rows, self.later[source.name].select(rows.schema.names).cast(rows.schema)])


def changed(rows: pa.Table, **values: object) -> pa.Table:
    for name, value in values.items():
        field = rows.schema.field(name)
        rows = rows.set_column(rows.schema.get_field_index(name), field, pa.array([value] * rows.num_rows, field.type))
    return rows


@dataclass(frozen=True)
class LateData:
    """Corrections by (source, night of the wrong version), and one outcome that came late, all landed by NIGHT."""

    corrections: dict[tuple[str, Night], pa.Table]
    late: pa.Table

    def delivered(self) -> dict[str, pa.Table]:
        outcomes = [rows for (source, _), rows in self.corrections.items() if source == "outcomes"]
        weather = [rows for (source, _), rows in self.corrections.items() if source != "outcomes"]
        return {
            "outcomes": changed(pa.concat_tables([*outcomes, self.late]), known_at=ARRIVAL),
            "weather_observations": changed(pa.concat_tables(weather), known_at=ARRIVAL),
        }


def late_data(site: Site) -> LateData:
    def landed(source: str, night: Night) -> pa.Table:
        return site.tables.read(f"raw/{source}", [night]).drop(["score_date"])

    arrived = landed("outcomes", DELAYS_ON)
    arrived = arrived.filter(pc.is_valid(arrived["arr_delay_minutes"])).slice(100, 5)
    weather = landed("weather_observations", WEATHER_ON).sort_by("observed_at")
    return LateData(
        {
            ("outcomes", DELAYS_ON): changed(arrived, arr_delay_minutes=200.0, dep_delay_minutes=190.0),
            ("outcomes", AIR_TIME_ON): changed(landed("outcomes", AIR_TIME_ON).slice(0, 3), air_time_minutes=77.0),
            ("weather_observations", WEATHER_ON): changed(weather.slice(weather.num_rows - 3), wind_speed_mph=60.0),
        },
        changed(
            landed("outcomes", DELAYS_ON).slice(0, 1), flight=9999, departure_date=nights_back(EXPECTED_ON, 2),
            scheduled_departure_at=datetime(2013, 3, 16, 20, tzinfo=UTC),
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Story:
    """An installation in which NIGHT landed late data; what its nights were before, and what was said about it."""

    site: Site
    late: LateData
    before: dict[Night, str]
    restatements: list[dict[str, object]]


def published(site: Site) -> dict[Night, str]:
    return {night: found.content_hash for night, found in site.tables.published(features_table(site.sql)).items()}


@pytest.fixture(scope="module")
def story(flights_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Story:
    data = tmp_path_factory.mktemp("late_flights")
    shutil.copytree(flights_site.data / "raw", data / "raw")
    site = open_test_site(flights_site.sql.folder, data)
    build_features(site, NIGHTS)
    before, late = published(site), late_data(site)
    site = replace(site, connector=LaterToo(flights_site.connector, late.delivered()))
    for source in site.sql.sources:
        land(site, source, [NIGHT])
    build_features(site, [*NIGHTS, NIGHT])
    measure_late_arrivals(site, [NIGHT])
    return Story(site, late, before, site.tables.read(RESTATEMENTS, [NIGHT]).to_pylist())


def without(old: pa.Table, rows: pa.Table, key: tuple[str, ...]) -> pa.Table:
    kept = old.join(rows.select(list(key)), list(key), join_type="left anti").select(old.schema.names)
    assert kept.num_rows == old.num_rows - rows.num_rows
    return kept


def overwritten(old: pa.Table, rows: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """``old`` with ``rows`` over the rows of the same key, each with the clock of the row that it covers."""
    clocks = old.select([*key, "known_at"])
    covered = rows.drop(["known_at"]).join(clocks, list(key), join_type="inner").select(old.schema.names)
    assert covered.num_rows == rows.num_rows
    return pa.concat_tables([without(old, rows, key), covered.cast(old.schema)])


def edit(root: Path, source: str, night: Night, change: Callable[[pa.Table], pa.Table]) -> None:
    (path,) = root.glob(f"raw/{source}/score_date={night}/*.parquet")
    pq.write_table(change(pq.read_table(path, partitioning=None)), path)


def in_place(story: Story, root: Path) -> TableStore:
    """The landed files, edited by hand: each correction over the version that it corrects, the late row where it belongs."""
    shutil.copytree(story.site.data / "raw", root / "raw")
    for (source, night), rows in story.late.corrections.items():
        edit(root, source, night, partial(overwritten, rows=rows, key=story.site.sql.sources[source].key))
    due = changed(story.late.late, known_at=EXPECTED_CUTOFF)
    edit(root, "outcomes", EXPECTED_ON, lambda old: pa.concat_tables([old, due.cast(old.schema)]))
    for source, late in story.late.delivered().items():
        edit(root, source, NIGHT, partial(without, rows=late, key=story.site.sql.sources[source].key))
    return TableStore(root)


def differing(story: Story, store: TableStore, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that are not what they were before the late data landed, each built alone from ``store``."""
    runner = GatedRunner(story.site.sql, store, story.site.calendar)
    return [night for night in nights if content_hash(runner.build_features(night, night)) != story.before[night]]


def test_late_data_changes_no_earlier_night(story: Story) -> None:
    assert stale_features(story.site, NIGHTS) == []
    after = published(story.site)
    assert {night: after[night] for night in NIGHTS} == story.before
    found = differing(story, story.site.tables, NIGHTS[::3])
    print(f"late data, earlier nights: {len(NIGHTS[::3])} / {len(found)}")
    assert found == []


def test_the_harness_catches_a_late_correction_that_is_applied_backwards(story: Story, tmp_path: Path) -> None:
    """The mutant: a store in which a correction replaces the version that it corrects, in the night that landed it."""
    listed = {row["affected_night"] for row in story.restatements}
    caught = differing(story, in_place(story, tmp_path), NIGHTS[::3])
    assert set(caught) == listed & set(NIGHTS[::3]) and len(caught) >= 3


def test_the_nights_listed_are_those_that_would_have_been_other(story: Story, tmp_path: Path) -> None:
    store = in_place(story, tmp_path)
    runner = GatedRunner(story.site.sql, store, story.site.calendar)
    hindsight = {night: content_hash(runner.build_features(night, night)) for night in NIGHTS}
    expected = {night: found for night, found in hindsight.items() if found != story.before[night]}
    listed = {row["affected_night"]: row["content_hash_in_hindsight"] for row in story.restatements}
    print(f"restated nights: {len(NIGHTS)} / {len(set(expected.items()) ^ set(listed.items()))}")
    assert listed == expected
    # The weather is forgotten after two nights; the delays are not; that a flight was long in the air is read by nobody.
    assert list(expected) == [WEATHER_ON, nights_back(WEATHER_ON, -1), *nights_between(DELAYS_ON, NIGHTS[-1])]
    assert {row["affected_night"]: row["content_hash"] for row in story.restatements} == {
        night: story.before[night] for night in expected
    }


def test_what_came_late_is_counted_by_source_kind_and_nights(story: Story) -> None:
    rows = story.site.tables.read(LATE_ARRIVALS, [NIGHT]).to_pylist()
    found = {(row["source"], row["kind"], row["nights_late"]): row for row in rows}
    expected = {
        ("outcomes", "correction", (NIGHT - AIR_TIME_ON).days): (3, 19, 9),
        ("outcomes", "correction", (NIGHT - DELAYS_ON).days): (5, 7, 7),
        ("outcomes", "late", (NIGHT - EXPECTED_ON).days): (1, 3, 3),
        ("weather_observations", "correction", (NIGHT - WEATHER_ON).days): (3, 13, 9),
    }
    assert {key: (row["rows"], row["nights_checked"], row["nights_changed"]) for key, row in found.items()} == expected


def test_the_real_flights_come_in_time(story: Story) -> None:
    """What is usual is not late: the report of an ordinary night is empty."""
    nights = nights_between(date(2013, 1, 1), nights_back(NIGHT, 1))
    assert measure_late_arrivals(story.site, nights).rows == 0
    assert all(found.rows == 0 for found in (story.site.tables.published(LATE_ARRIVALS)[night] for night in nights))


def test_a_late_correction_makes_exactly_the_nights_stale_that_may_see_it(
    built_shop: Site, shop_project: Path, tmp_path: Path
) -> None:
    """Landed among nights that were built before it, a correction is built into the 28 nights of the lookback."""
    data = Path(shutil.copytree(built_shop.data, tmp_path / "data"))
    site, arrival, wrong_on = open_test_site(shop_project, data), date(2024, 4, 10), date(2024, 4, 8)
    before, nights = published(site), list(published(site))
    seen = nights_between(arrival, nights_back(arrival, -27))
    deliver_later(
        shop_project,
        "returns",
        [correction_seen_on(site, wrong_on, seen) | {"known_at": datetime(2024, 4, 9, 9, tzinfo=UTC)}],
    )
    land(site, "returns", [arrival], may_restate=True)
    assert tuple(stale_features(site, nights)) == seen
    result = build_features(site, nights)
    assert result.changed == seen
    assert set(result.unchanged) == set(nights) - set(seen)
    assert {night for night, found in published(site).items() if found != before[night]} == set(seen)


def correction_seen_on(site: Site, landed_on: Night, nights: Sequence[Night]) -> dict[str, object]:
    """The opposite of a return that landed on ``landed_on``, of a product that is ordered on each of ``nights``."""
    orders = site.tables.read("raw/orders", list(site.tables.published("raw/orders"))).to_pylist()
    ordered = {(row["product_code"], row["dispatch_date"]) for row in orders}
    row = next(
        row for row in site.tables.read("raw/returns", [landed_on]).drop(["score_date"]).to_pylist()
        if all((row["product_code"], night) in ordered for night in nights)
    )  # fmt: skip
    return row | {"is_sent_back": not row["is_sent_back"], "refund_eur": None}
