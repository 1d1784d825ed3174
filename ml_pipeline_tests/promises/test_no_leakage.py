"""Nothing that became known after a night's cutoff reaches the night. On the real flights."""

import itertools
import random
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.domain.proxies import telltale_groups
from ml_pipeline.domain.roc import roc_auc
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.gated_runner import GatedRunner
from ml_pipeline.io.sql_template import SqlRefusedError
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import open_test_site

LAST = date(2013, 3, 20)
# From the last to the first, so that one copy of the raw tables loses, or has poisoned, ever more of its nights.
TRIALS = sorted(random.Random(20130101).sample(nights_between(date(2013, 1, 9), date(2013, 3, 18)), 30), reverse=True)
LATER_COLUMNS = (
    "dep_time", "dep_delay", "arr_time", "air_time", "arr_delay", "dep_delay_minutes", "arr_delay_minutes",
    "air_time_minutes", "tailnum",
)  # fmt: skip


def later_files(store: TableStore, night: Night) -> list[Path]:
    return [
        path for path in store.root.glob("raw/*/score_date=*/*.parquet") if path.parent.name > f"score_date={night}"
    ]


def delete_later(store: TableStore, night: Night) -> None:
    """Every landed file of a later night is gone; the log still lists it, so that opening one is an error."""
    for path in later_files(store, night):
        path.unlink()


def poison_later(store: TableStore, night: Night) -> None:
    """Later nights claim other values for the very rows of this night and all before, known since for ever."""
    # What is harmed already stays as it is; only the nights up to the last harm are new.
    mark = store.root / "harmed_from"
    until = mark.read_text() if mark.exists() else "score_date=9999"
    mark.write_text(f"score_date={nights_back(night, -1)}")
    for path in later_files(store, night):
        if path.parent.name >= until:
            continue
        mine = sorted((path.parents[1] / f"score_date={night}").glob("*.parquet"))
        own = pq.read_table(path, partitioning=None)
        rows = pa.concat_tables([own, *(pq.read_table(file, partitioning=None).cast(own.schema) for file in mine)])
        for position, field in enumerate(rows.schema):
            rows = rows.set_column(position, field, poisoned(rows.column(position), field, night))
        pq.write_table(rows, path)


def poisoned(values: pa.ChunkedArray, field: pa.Field, night: Night) -> pa.Array | pa.ChunkedArray:
    if field.name == "known_at":
        return pa.array([datetime(2000, 1, 1, tzinfo=UTC)] * len(values), field.type)
    if pa.types.is_boolean(field.type):
        return pa.array([True] * len(values), field.type)
    if pa.types.is_floating(field.type):
        return pa.array(np.where(np.arange(len(values)) % 2, 9999.0, -9999.0), field.type)
    if pa.types.is_date(field.type):
        return pa.array([night] * len(values), field.type)
    return values  # keys stay, so that the rows meet those of the night


def rebuilt_alone(site: Site, store: TableStore, night: Night) -> str:
    return content_hash(GatedRunner(site.sql, store, site.calendar).build_features(night, night))


@pytest.fixture(scope="module")
def truth(flights_site: Site) -> dict[Night, str]:
    """What each night is while nothing is harmed."""
    return {night: rebuilt_alone(flights_site, flights_site.tables, night) for night in TRIALS}


Rebuild = Callable[[Site, TableStore, Night], str]
Harm = Callable[[TableStore, Night], None]


def violations(site: Site, root: Path, harm: Harm, truth: dict[Night, str], rebuild: Rebuild) -> int:
    """How many nights of ``truth`` are not what they were once every later night is harmed."""
    shutil.copytree(site.data / "raw", root / "raw")
    store, wrong = TableStore(root), 0
    for night, expected in truth.items():
        harm(store, night)
        try:
            wrong += rebuild(site, store, night) != expected
        except (SqlRefusedError, OSError, duckdb.Error):  # a file that is gone was opened: that is the violation
            wrong += 1
    return wrong


class LeakyStore(TableStore):
    """The mutant: hands out the files of the following night as if they belonged to the last one."""

    def files(self, table: str, nights: Sequence[Night] | None = None, **which: Any) -> list[Path]:
        found = super().files(table, nights, **which)
        if not nights or not table.startswith("raw/"):
            return found
        following = super().files(table, nights_between(nights[-1], LAST)[1:2], **which)
        leaked = [self.root / "leak" / table / f"score_date={nights[-1]}" / path.name for path in following]
        for path, copy in zip(following, leaked, strict=True):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        return [*found, *leaked]


def rebuilt_by_the_mutant(site: Site, store: TableStore, night: Night) -> str:
    return rebuilt_alone(site, LeakyStore(store.root), night)


@pytest.mark.parametrize("harm", [delete_later, poison_later])
def test_a_night_is_the_same_whatever_lies_after_it(
    flights_site: Site, truth: dict[Night, str], tmp_path: Path, harm: Harm
) -> None:
    found = violations(flights_site, tmp_path, harm, truth, rebuilt_alone)
    print(f"{harm.__name__}: {len(truth)} / {found}")
    assert found == 0


@pytest.mark.parametrize("harm", [delete_later, poison_later])
def test_the_harness_catches_a_runner_that_sees_one_night_too_far(
    flights_site: Site, tmp_path: Path, harm: Harm
) -> None:
    site = open_test_site(flights_site.sql.folder, tmp_path / "own")
    shutil.copytree(flights_site.data / "raw", site.data / "raw")
    leaky = {night: rebuilt_by_the_mutant(site, site.tables, night) for night in TRIALS[:2]}
    assert violations(site, tmp_path / "harmed", harm, leaky, rebuilt_by_the_mutant) == 2


def test_a_range_shows_no_night_what_a_later_one_knows(
    flights_site: Site, truth: dict[Night, str], tmp_path: Path
) -> None:
    """Built in one range with later nights whose rows are poisoned, a night is what it is alone."""
    shutil.copytree(flights_site.data / "raw", tmp_path / "raw")
    store, wrong = TableStore(tmp_path), 0
    for night in TRIALS[:8]:
        poison_later(store, night)
        together = GatedRunner(flights_site.sql, store, flights_site.calendar).build_features(
            night, nights_between(night, LAST)[2]
        )
        own = together.filter(pc.equal(together["score_date"], pa.scalar(night)))
        wrong += content_hash(own) != truth[night]
    print(f"ranges into poisoned nights: 8 / {wrong}")
    assert wrong == 0


def test_a_night_is_the_same_in_ranges_of_any_length(flights_site: Site, truth: dict[Night, str]) -> None:
    """Ranges of two to nine nights that lie end to end, so that a night stands anywhere in its range."""
    runner, first, wrong, tried = flights_site.runner(), min(truth), 0, 0
    lengths = itertools.cycle([5, 2, 9, 7, 3, 8, 4, 6])
    while first <= max(truth):
        last = min(nights_back(first, 1 - next(lengths)), LAST)
        together = runner.build_features(first, last)
        for night in truth.keys() & set(nights_between(first, last)):
            own = together.filter(pc.equal(together["score_date"], pa.scalar(night)))
            wrong, tried = wrong + (content_hash(own) != truth[night]), tried + 1
        first = nights_back(last, -1)
    print(f"ranges of two to nine nights: {tried} / {wrong}")
    assert tried == len(truth) == 30
    assert wrong == 0


def test_a_tail_number_that_only_a_cancelled_flight_lacks_tells_of_it(flights_site: Site) -> None:
    """The trap of these data: the aircraft that flew, taken for a plan. No area under a curve shows it, its gaps do."""
    key = list(flights_site.project.entity_key)
    nights = nights_between(date(2013, 2, 25), date(2013, 3, 10))
    flights = flights_site.runner().build("spine", nights[0], nights[-1]).select([*key, "score_date"])
    landed = flights_site.tables.read("raw/outcomes", list(flights_site.tables.published("raw/outcomes")))
    own = flights.join(landed.drop_columns(["score_date"]), key, join_type="inner").to_pandas()
    label = (own["is_cancelled"] | own["is_diverted"] | (own["arr_delay_minutes"] >= 15)).to_numpy(dtype=np.float64)
    feature = FeatureContract(name="tailnum", description="The aircraft that flew.", type="category")
    rows = pa.table({"tailnum": pa.array(own["tailnum"], pa.string(), from_pandas=True)})
    found = telltale_groups(rows, label, own["score_date"].to_numpy("datetime64[D]"), [feature])
    by_gaps = roc_auc(label, pc.is_null(rows["tailnum"]).to_numpy().astype(np.float64))
    print(
        f"tail numbers: {[(group.value, group.rows, group.positive_share) for group in found]}, ROC AUC {by_gaps:.3f}"
    )
    assert ("missing", 1.0) in [(group.value, group.positive_share) for group in found]
    assert by_gaps < 0.55


@pytest.fixture
def flights_project(flights_site: Site, tmp_path: Path) -> Path:
    return Path(shutil.copytree(flights_site.sql.folder, tmp_path / "nyc_flights"))


@pytest.mark.parametrize("column", LATER_COLUMNS)
def test_what_is_known_after_the_departure_cannot_be_selected(
    flights_site: Site, flights_project: Path, column: str
) -> None:
    path = flights_project / "features" / "planned_flight.sql"
    text = path.read_text(encoding="utf-8").replace(
        "    spine.flight as flight_number,", f"    spine.flight as flight_number,\n    spine.{column},"
    )
    path.write_text(text, encoding="utf-8")
    line = text.splitlines().index(f"    spine.{column},") + 1
    yml = flights_project / "features" / "features.yml"
    marker = "      - {name: flight_number,"
    assert marker in yml.read_text(encoding="utf-8")
    yml.write_text(
        yml.read_text(encoding="utf-8").replace(
            marker, f"      - {{name: {column}, description: Later.}}\n{marker}", 1
        ),
        encoding="utf-8",
    )
    with pytest.raises(SqlRefusedError, match=rf"features/planned_flight\.sql, line {line}: .*{column}"):
        site = open_test_site(flights_project, flights_project.parent / "data")
        GatedRunner(site.sql, flights_site.tables, site.calendar).build_features(TRIALS[0], TRIALS[0])


def test_the_outcome_of_the_row_itself_is_never_known(flights_site: Site, flights_project: Path) -> None:
    key = ("carrier", "flight", "origin", "scheduled_departure_at")
    on = " and ".join(f"spine.{name} = own.{name}" for name in ("score_date", *key))
    (flights_project / "features" / "own_outcome.sql").write_text(
        f"select spine.score_date, {', '.join(f'spine.{name}' for name in key)}, own.arr_delay_minutes as own_delay, "
        "own.is_cancelled::int as own_cancelled, own.known_at is not null as own_known "
        f"from {{{{ spine() }}}} as spine left join {{{{ source('outcomes', lookback_days=400) }}}} as own on {on}",
        encoding="utf-8",
    )
    with (flights_project / "features" / "features.yml").open("a", encoding="utf-8") as yml:
        columns = "".join(
            f"      - {{name: {name}, description: Own.}}\n" for name in ("own_delay", "own_cancelled", "own_known")
        )
        yml.write(
            f"  - name: own_outcome\n    description: Own.\n    grain: one row per flight of the spine\n    columns:\n{columns}"
        )
    sql = open_test_site(flights_project, flights_project.parent / "data").sql
    rows = GatedRunner(sql, flights_site.tables, flights_site.calendar).build_features(
        date(2013, 2, 1), date(2013, 3, 20)
    )
    seen = sum(rows.num_rows - rows[name].null_count for name in ("own_delay", "own_cancelled"))
    seen += sum(rows["own_known"].to_pylist())
    print(f"own outcomes: {rows.num_rows} / {int(seen)}")
    assert rows.num_rows > 40_000
    assert seen == 0


def test_no_landed_row_was_known_after_the_cutoff_of_its_night(flights_site: Site) -> None:
    trials, wrong = 0, 0
    for source in flights_site.sql.sources:
        published = flights_site.tables.published(f"raw/{source}")
        rows = flights_site.tables.read(f"raw/{source}", list(published), ["score_date", "known_at"]).to_pandas()
        for night, known_at in rows.groupby("score_date")["known_at"]:
            window = flights_site.calendar.known_window(night, night)
            wrong += int((known_at > window.until).sum())
            wrong += int((known_at <= window.after).sum()) if window.after else 0
            trials += len(known_at)
    print(f"landed rows: {trials} / {wrong}")
    assert trials > 100_000
    assert wrong == 0
