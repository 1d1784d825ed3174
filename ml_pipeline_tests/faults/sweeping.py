"""Sweeps and vacuums after made-up crashes, beside a session that keeps yesterday's catalog open and a query that does not end."""

import os
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations.recover import sweep
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.vacuum import vacuum
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.faults.scorers import NEW

_SEED = 16
_ASKED = "select score_date, count(*), count(distinct order_id), sum(probability) from scores group by all order by all"
# Joined with enough rows, the same question takes minutes.
_LONG = "select count(*), min(hash(order_id, number)) > 0 from scores cross join range({rows}) as numbers(number)"


def sweep_beside_readers(bench: Bench) -> tuple[Outcome, ...]:
    """Random rubbish, a sweep, and a look at what is left, again and again; now and then the scores are published anew."""
    sweeps, rows = bench.trials(full=1000, quick=10), bench.trials(full=80_000_000, quick=100_000)
    site, dice = bench.copy("swept"), random.Random(_SEED)
    wrong: list[str] = []
    live = _live(site)
    session = duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True)
    before = session.sql(_ASKED).fetchall()
    ended: list[object] = []
    query = threading.Thread(target=lambda: ended.append(_asked(site, _LONG.format(rows=rows))))
    query.start()
    for number in range(sweeps):
        rubbish = _crash(site, dice)
        if number % 50 == 25:
            _publish_something_else(site, number)
            live |= _live(site)
        # The command takes more away than a start does, but nothing within its retention.
        swept = vacuum(site, reason="tried", now=datetime.now(UTC)) if number % 5 == 4 else sweep(site)
        wrong += [f"sweep {number} removed {path}" for path in live if not path.exists()]
        wrong += [f"sweep {number} left {path.name}" for path in rubbish if path.exists()]
        wrong += [f"sweep {number} was not whole"] if not swept.is_whole else []
        if number % 10 == 0 and session.sql(_ASKED).fetchall() != before:
            wrong.append(f"after sweep {number} yesterday's session has another answer")
    was_asked_all_the_while = query.is_alive()
    query.join()
    session.close()
    wrong += [f"the long query ended with {ended}"] if ended != [(320 * rows, True)] else []
    details = f"seed {_SEED}; the long query ended {'after' if was_asked_all_the_while else 'before'} the last sweep"
    return (Outcome(16, "sweeps beside a long query and a session of yesterday", sweeps, tuple(wrong), details),)


def _live(site: Site) -> set[Path]:
    """Every file of every revision."""
    return {path for table in site.tables.tables() for _, path in site.tables.every_file(table)}


def _asked(site: Site, sql: str) -> object:
    try:
        with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as connection:
            connection.execute("set threads = 1")
            return connection.execute(sql).fetchone()
    except duckdb.Error as error:
        return str(error)


def _publish_something_else(site: Site, number: int) -> None:
    """The scores once more, a little other than before, as of another revision."""
    night = NEW[number % len(NEW)]
    rows = site.tables.read("scores", [min(site.tables.published("scores"))])
    place = rows.schema.get_field_index("score_date")
    moved = rows.set_column(place, rows.schema.field(place), pa.array([night] * rows.num_rows, pa.date32()))
    site.tables.publish("scores", moved.slice(number % 5), {night: NightInputs(str(number), {})}, key=["order_id"])


def _crash(site: Site, dice: random.Random) -> list[Path]:
    """What a writer that died might leave: some of the kinds, each at a random place."""
    dead = 2**22 - dice.randrange(1000)  # above what Linux gives out on this machine
    tables = [table for table in site.tables.tables() if site.tables.files(table)]

    def half_written(_: int) -> Path:
        folder = dice.choice(site.tables.files(dice.choice(tables))).parent
        return folder / f"part-{dice.randrange(10**9)}.parquet"

    def aside(number: int) -> Path:
        place = dice.choice(("", "models", "ledgers/promotions", "reports", "locks"))
        return site.data / place / f".thing{number}.{dead}.aside"

    kinds: tuple[Callable[[int], Path], ...] = (half_written, aside)
    made = [dice.choice(kinds)(number) for number in range(dice.randrange(1, 6))]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(64))
    return made
