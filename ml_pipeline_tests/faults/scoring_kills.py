"""SIGKILL at random moments of scoring and publishing, an analyst asking all the while; then one more run."""

import random
import shutil
import threading
import time
from pathlib import Path

import duckdb

from ml_pipeline.io.leftovers import leftovers
from ml_pipeline.operations.recover import sweep
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.faults.scorers import NEW, Scorer, hashes

ROWS = 40
_SEED = 7


class Reader(threading.Thread):
    """An analyst who asks again and again; counts what is wrong with the answers."""

    def __init__(self, warehouse: Path) -> None:
        super().__init__()
        self.warehouse, self.stop = warehouse, threading.Event()
        self.queries = self.errors = self.partial = self.doubled = 0

    def run(self) -> None:
        while not self.stop.is_set():
            self.ask()

    def ask(self) -> None:
        sql = "select score_date, count(*), count(distinct order_id) from scores group by all"
        self.queries += 1
        try:
            with duckdb.connect(str(self.warehouse), read_only=True) as connection:
                found = connection.sql(sql).fetchall()
        except duckdb.Error:
            self.errors += 1
            return
        self.doubled += any(rows != keys for _, rows, keys in found)
        # One call is one commit: all of its nights or none.
        self.partial += len(found) not in (len(SHOP_SCORED), len(SHOP_SCORED) + len(NEW)) or any(
            keys != ROWS for _, _, keys in found
        )

    @property
    def wrong(self) -> int:
        return self.errors + self.partial + self.doubled

    @property
    def in_words(self) -> str:
        return f"{self.queries} queries, {self.errors} errors, {self.partial} partial, {self.doubled} doubled"


def kill_scorings(bench: Bench) -> tuple[Outcome, ...]:
    """As many installations as kills, each killed once at a moment that is uniform over the length of a scoring."""
    kills = bench.trials(full=200, quick=8)
    moments, wrong, committed, queries, tries, done = random.Random(_SEED), [], 0, 0, 0, 0
    _undisturbed(bench.copy("first"))  # the server of forks has to import everything
    expected, length = _undisturbed(bench.copy("whole"))
    while done < kills and tries < 10 * kills:
        tries += 1
        site = bench.copy(str(tries))
        reader = Reader(site.data / "warehouse.duckdb")
        was_killed, has_committed, found = _killed(site, reader, moments.uniform(0, length), expected)
        done, committed = done + was_killed, committed + (was_killed and has_committed)
        queries += reader.queries
        wrong += [f"try {tries}: {words}" for words in found]
        bench.tell(done, kills, len(wrong))
        shutil.rmtree(site.data.parent)
    details = (
        f"{committed} of them after the commit; {tries - done} scorers ended before their moment; {queries:,} queries"
    )
    return (Outcome(1, "SIGKILL at random moments of scoring and publishing", done, tuple(wrong), details),)


def _undisturbed(site: Site) -> tuple[list[str], float]:
    scorer, began = Scorer(site), time.monotonic()
    code, told = scorer.end()
    assert (code, len(hashes(site))) == (0, len(NEW)), told
    return hashes(site), time.monotonic() - began


def _killed(site: Site, reader: Reader, moment: float, expected: list[str]) -> tuple[bool, bool, list[str]]:
    """Whether it was killed before its end, whether its nights are there, and what is wrong after one more run."""
    reader.start()
    was_killed = Scorer(site).kill_after(moment)
    there = hashes(site)
    wrong = [f"{len(there)} of {len(NEW)} nights are there"] if len(there) not in (0, len(NEW)) else []
    score(site, NEW)
    sweep(site)
    reader.stop.set()
    reader.join()
    reader.ask()
    left = [
        *leftovers(site.data),
        *(path for table in site.tables.tables() for path in site.tables.uncommitted_files(table)),
    ]
    wrong += ["one more run did not bring it to the end"] if hashes(site) != expected else []
    wrong += [f"the analyst saw {reader.in_words}"] if reader.wrong else []
    wrong += [f"left behind: {path.name}" for path in left]
    return was_killed, bool(there), wrong
