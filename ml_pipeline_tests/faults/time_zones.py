"""The whole chain, from files to decisions, on machines in other time zones, over nights on which clocks jump."""

import shutil
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ml_pipeline.contracts.serving import SCORES
from ml_pipeline.io.files import sha256_of
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.promote import PROMOTIONS
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL, open_test_site
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.processes import start_python
from ml_pipeline_tests.shop_deliveries import FIRST_NIGHT

ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo", "Australia/Lord_Howe")
# By how much the shop's spring of 2024 is moved: in the autumn of 2018 the clocks of Sao Paulo jumped too, at midnight.
SEASONS = {"spring 2024": timedelta(0), "autumn 2018": date(2018, 8, 25) - FIRST_NIGHT}
# Half an hour, in the other half of the year, a night away from the date of UTC: the farthest of them.
_QUICK = ("Australia/Lord_Howe",)
_NO_CLOCKS = {"number", "recorded_at", "previous", "sha256"}
_CHAIN = """
import sys
from datetime import timedelta
from pathlib import Path
from ml_pipeline_tests.faults.bench import build_shop
build_shop(Path(sys.argv[1]), moved=timedelta(days=int(sys.argv[2])))
"""


def live_elsewhere(bench: Bench) -> tuple[Outcome, ...]:
    """A process for each time zone and season; its tables, bundle and verdicts against those of the first, which is here."""
    zones, seasons = (_QUICK, ["spring 2024"]) if bench.is_quick else (ZONES, list(SEASONS))
    wrong, trials, compared = [], 0, 0
    for season in seasons:
        moved = SEASONS[season]
        built = {"this machine's": bench.shop} if not moved else {}
        built |= _built(bench, season, zones)
        first, *others = [(zone, told(site)) for zone, site in built.items()]
        compared += len(first[1])
        for zone, site in built.items():
            wrong += [f"{season}, {zone}: {what}" for what in lost_or_doubled(site, moved)]
        for zone, found in others:
            wrong += [f"{season}, {zone}: {what} is not as in {first[0]}" for what in different(first[1], found)]
        trials += len(built)
    spans = [SEASONS[season] for season in seasons]
    jumps = sum(len(clock_changes(zone, moved)) for zone in (*ZONES, "Europe/Berlin") for moved in spans)
    details = f"{compared:,} nights of tables, files and verdicts each; {jumps} nights of clock changes in these spans"
    return (Outcome(22, "the whole chain in other time zones of the machine", trials, tuple(wrong), details),)


def _built(bench: Bench, season: str, zones: tuple[str, ...]) -> dict[str, Site]:
    """Two at a time: each takes a core."""
    folders = {zone: bench.folder / season.replace(" ", "_") / zone.replace("/", "_") for zone in zones}
    for start in range(0, len(zones), 2):
        running = []
        for zone in zones[start : start + 2]:
            data = folders[zone] / "data"
            data.mkdir(parents=True)
            if bench.is_quick:  # making MLflow's tables takes as long as the rest
                shutil.copyfile(bench.shop.data / "mlflow.db", data / "mlflow.db")
            arguments = (str(folders[zone]), str(SEASONS[season].days))
            running.append(start_python(_CHAIN, *arguments, environment={"TZ": zone}))
        for process in running:
            _, error = process.communicate(timeout=600)
            if process.returncode:
                raise RuntimeError(error)
    return {zone: open_test_site(folder / "shop_returns", folder / "data") for zone, folder in folders.items()}


def told(site: Site) -> dict[str, str]:
    """Everything that the chain made: content hashes of nights, hashes of files of tables and bundles, verdicts."""
    found = {}
    for table in site.tables.tables():
        found |= {f"{table} {night}": one.content_hash for night, one in site.tables.published(table).items()}
        found[f"the files of {table}"] = " ".join(sorted(sha256_of(path) for path in site.tables.files(table)))
    (bundle,) = (path for path in site.models.iterdir() if not path.name.startswith("."))
    files = (path for path in sorted(bundle.rglob("*")) if path.is_file())
    found |= {f"bundle, {path.relative_to(bundle)}": sha256_of(path) for path in files}
    for entry in site.ledger(PROMOTIONS).entries():
        found["verdict"] = str(sorted((name, value) for name, value in entry.items() if name not in _NO_CLOCKS))
    return found


def different(first: dict[str, str], other: dict[str, str]) -> list[str]:
    """Names of what is not the same; the first may lack what its chain leaves out."""
    return sorted(name for name, value in first.items() if other.get(name) != value)


def lost_or_doubled(site: Site, moved: timedelta) -> list[str]:
    """Delivered rows that are not where they belong once, read from the files without the pipeline."""
    last = SHOP_LANDED_UNTIL + moved
    cutoff = datetime.combine(last - timedelta(days=1), time(20), ZoneInfo("Europe/Berlin")).astimezone(UTC)
    root, wrong = site.sql.folder / "deliveries", []
    for source, read in (("orders", _csv), ("returns", pq.read_table)):
        delivered = pa.concat_tables([read(path) for path in sorted((root / source).iterdir())])
        known_at = delivered["known_at"].cast(pa.timestamp("us", tz="UTC"))
        due = delivered.filter(pc.less_equal(known_at, pa.scalar(cutoff)))
        nights = site.tables.published(f"raw/{source}")
        landed = site.tables.read(f"raw/{source}", sorted(nights), ["order_id"])["order_id"].to_pylist()
        aside = sum(one.facts["quarantined"] + one.facts["deduplicated"] for one in nights.values())
        if len(landed) + aside != due.num_rows:
            wrong.append(f"{source}: {due.num_rows} rows were due, {len(landed)} landed and {aside} were set aside")
        if source == "orders":
            wrong += _misplaced(site, due, set(landed))
    return wrong


def _misplaced(site: Site, due: pa.Table, landed: set[str]) -> list[str]:
    """Orders that are not among the features, and scores, of the day of their dispatch, once."""
    planned = [
        (order, day)
        for order, day in zip(*(due[name].to_pylist() for name in ("order_id", "dispatch_date")), strict=True)
        if order in landed
    ]
    wrong = []
    for table in (features_table(site.sql), SCORES):
        nights = sorted(site.tables.published(table))
        rows = site.tables.read(table, nights, ["order_id"])
        found = sorted(zip(rows["order_id"].to_pylist(), rows["score_date"].to_pylist(), strict=True))
        expected = sorted(pair for pair in planned if pair[1] in set(nights))
        if found != expected:
            wrong.append(
                f"{table}: {len(found)} rows, {len(expected)} were planned, {len(set(found) ^ set(expected))} differ"
            )
    return wrong


def _csv(path: Path) -> pa.Table:
    return pa_csv.read_csv(path, convert_options=pa_csv.ConvertOptions(column_types={"product_code": pa.string()}))


def clock_changes(zone: str, moved: timedelta) -> list[Night]:
    """Days of the shop's nights on which the clocks of ``zone`` jump."""
    days = nights_between(FIRST_NIGHT + moved, SHOP_LANDED_UNTIL + moved)
    offsets = [
        datetime.combine(day, time(), ZoneInfo(zone)).utcoffset() for day in [*days, days[-1] + timedelta(days=1)]
    ]
    return [day for day, one, other in zip(days, offsets, offsets[1:], strict=False) if one != other]
