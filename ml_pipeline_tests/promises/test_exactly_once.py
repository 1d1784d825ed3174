"""A night is published once and whole, however often it is scored and whenever the scoring dies."""

import random
import signal
import subprocess
import threading
import time
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline.io.catalog import View, files_select, write_catalog
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED, copy_of
from ml_pipeline_tests.processes import start_python

NEW = nights_between(date(2024, 5, 13), date(2024, 5, 24))
ROWS = 40
KILLS = 8

SCORER = """
import sys
from datetime import date
from pathlib import Path
import deltalake, lightgbm
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import open_site
site = open_site(project_folder=Path(sys.argv[1]), data=Path(sys.argv[2]), tracking_uri="", threads=2)
print("ready", flush=True)
sys.stdin.readline()
score(site, nights_between(date(2024, 5, 13), date(2024, 5, 24)))
print("done", flush=True)
"""


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


def test_scoring_the_same_nights_again_makes_no_commit(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    score(site, NEW)
    before, files = site.tables.version(SCORES), site.tables.files(SCORES)
    trials = [NEW, NEW[::-1], NEW[:1], (*SHOP_SCORED, *NEW), NEW + NEW]
    wrong = sum(bool(score(site, nights).published.changed) for nights in trials)
    wrong += (site.tables.version(SCORES), site.tables.files(SCORES)) != (before, files)
    print(f"scored again: {len(trials)} / {wrong}")
    assert wrong == 0


def hashes(site: Site) -> list[str]:
    published = site.tables.published(SCORES)
    return [published[night].content_hash for night in NEW if night in published]


def test_a_scoring_that_is_killed_at_any_moment_harms_no_reader_and_is_finished_by_one_more_run(
    scored_shop: Site, shop_project: Path, tmp_path: Path
) -> None:
    whole = copy_of(scored_shop, shop_project, tmp_path / "whole")
    with start_python(SCORER, str(shop_project), str(whole.data)) as scorer:
        assert scorer.stdout is not None
        assert scorer.stdout.readline() == "ready\n"
        began = time.monotonic()
        assert scorer.communicate("go\n", timeout=60)[0] == "done\n"
        length = time.monotonic() - began
    expected = hashes(whole)
    assert len(expected) == len(NEW)
    moments, readers, committed, wrong = random.Random(7), [], 0, 0
    for trial in range(KILLS):
        site = copy_of(scored_shop, shop_project, tmp_path / str(trial))
        reader = Reader(site.data / "warehouse.duckdb")
        with start_python(SCORER, str(shop_project), str(site.data)) as scorer:
            assert scorer.stdout is not None
            assert scorer.stdout.readline() == "ready\n"
            assert scorer.stdin is not None
            reader.start()
            scorer.stdin.write("go\n")
            scorer.stdin.flush()
            try:
                scorer.wait(timeout=moments.uniform(0, length))
            except subprocess.TimeoutExpired:
                scorer.send_signal(signal.SIGKILL)
        committed += len(hashes(site)) == len(NEW)
        wrong += len(hashes(site)) not in (0, len(NEW))
        score(site, NEW)
        reader.stop.set()
        reader.join()
        reader.ask()
        wrong += hashes(site) != expected
        readers.append(reader)
    queries, harm = sum(reader.queries for reader in readers), sum(reader.wrong for reader in readers)
    print(f"kills: {KILLS} / {wrong} ({committed} after the commit); queries: {queries} / {harm}")
    assert (wrong, harm) == (0, 0)
    assert queries > KILLS


def test_the_harness_catches_a_catalog_that_is_partial_doubled_or_broken(scored_shop_copy: Site) -> None:
    root = scored_shop_copy.data
    files = scored_shop_copy.tables.files(SCORES)
    schema = scored_shop_copy.tables.schema(SCORES)
    half = root / "aside" / f"score_date={NEW[0]}" / "half.parquet"
    half.parent.mkdir(parents=True)
    rows: pa.Table = pq.read_table(files[0], partitioning=None)
    pq.write_table(rows.slice(0, 17), half)
    found = []
    for shown in ([*files, files[0]], [*files, half], files[1:], [*files, root / "gone.parquet"]):
        views = [View("scores", files_select(list(shown), schema), "")]
        try:
            write_catalog(root, views)
        except duckdb.Error:
            found.append("broken")
            continue
        reader = Reader(root / "warehouse.duckdb")
        reader.ask()
        found.append("wrong" if reader.wrong else "fine")
    assert found == ["wrong", "wrong", "wrong", "broken"]
