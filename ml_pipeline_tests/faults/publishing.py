"""Writers against writers, and readers against a writer that never stops: nothing lost, nothing mixed, nothing wrong.

Real processes, a real table and the analysts' catalog. A mutant replaces files under their own names, which most people
call atomic: the same reader has to find it wrong, else its silence about the pipeline would prove nothing.
"""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline.contracts.serving import SCORES
from ml_pipeline.io.catalog import View, files_select, write_catalog
from ml_pipeline.io.table_store import NightInputs, TableStore
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.publish_scores import OvertakenError, publish_scores
from ml_pipeline.operations.site import open_site
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.processes import release, start_python

ROWS = 300
FIRST = date(2020, 1, 1)
READ_NIGHTS = nights_between(FIRST, date(2020, 1, 7))
_SHOP = Path(__file__).parents[1] / "shop"

PUBLISHER = """
import sys
from ml_pipeline_tests.faults.publishing import publish_some
publish_some(*sys.argv[1:])
"""
WRITER = """
import sys
from ml_pipeline_tests.faults.publishing import write_for_ever
write_for_ever(*sys.argv[1:])
"""


def rows_of(nights: tuple[Night, ...], generation: int) -> pa.Table:
    """The same rows of the same size each time, all of them saying which ``generation`` they are."""
    count = ROWS * len(nights)
    return pa.table({
        "score_date": pa.array([night for night in nights for _ in range(ROWS)], pa.date32()),
        "order_id": pa.array([f"O{number % ROWS:06d}" for number in range(count)]),
        "generation": pa.array([generation] * count, pa.int64()),
    })  # fmt: skip


def many_writers(folder: Path, *, processes: int, nights: int) -> Outcome:
    """Each process publishes nights of its own, one commit each: every night must be there, whole, once."""
    outs = _published_by(folder, [str(nights * number) for number in range(processes)], nights)
    store = TableStore(folder)
    wanted = [Night.fromordinal(FIRST.toordinal() + number) for number in range(processes * nights)]
    published = store.published(SCORES)
    lost = [night for night in wanted if night not in published]
    rows = (
        store.read(SCORES, wanted)
        .group_by(["score_date"])
        .aggregate([([], "count_all"), ("order_id", "count_distinct")])
    )
    whole = {
        row["score_date"]
        for row in rows.to_pylist()
        if (row["count_all"], row["order_id_count_distinct"]) == (ROWS, ROWS)
    }
    wrong = [f"{night} was lost" for night in lost]
    wrong += [f"{night} is not whole" for night in wanted if night in published and night not in whole]
    wrong += [f"a publisher said {out!r}" for out in outs if out != f"{nights} published, 0 overtaken"]
    return Outcome(6, f"nights that {processes} processes publish at once", len(wanted), tuple(wrong))


def same_nights(folder: Path, *, nights: int) -> Outcome:
    """Two processes publish the same nights from other inputs: one answer each, whole, and the other process is told."""
    outs = _published_by(folder, ["0", "0"], nights)
    store = TableStore(folder)
    wanted = [Night.fromordinal(FIRST.toordinal() + number) for number in range(nights)]
    found = (
        store.read(SCORES, wanted)
        .group_by(["score_date"])
        .aggregate([([], "count_all"), ("generation", "count_distinct")])
    )
    wrong = [
        f"{row['score_date']}: {row['count_all']} rows of {row['generation_count_distinct']} answers"
        for row in found.to_pylist() if (row["count_all"], row["generation_count_distinct"]) != (ROWS, 1)
    ]  # fmt: skip
    told = [[int(word) for word in out.split() if word.isdigit()] for out in outs]
    commits = sum(published for published, _ in told)
    revisions = {version for version, _ in store.every_file(SCORES)}
    if found.num_rows != nights or sum(map(sum, told)) != 2 * nights or commits != len(revisions):
        wrong.append(f"{found.num_rows} nights, {commits} commits, the processes said {outs}")
    return Outcome(6, "answers to the same nights by two processes at once", 2 * nights, tuple(wrong))


def _published_by(folder: Path, starts: list[str], nights: int) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    publishers = [
        start_python(PUBLISHER, str(folder), start, str(nights), str(number)) for number, start in enumerate(starts)
    ]
    release(publishers)
    outs = []
    for publisher in publishers:
        out, error = publisher.communicate(timeout=1800)
        outs.append(out.strip() if publisher.returncode == 0 else f"died: {error[-500:]}")
    return outs


def publish_some(folder: str, start: str, nights: str, generation: str) -> None:
    """One publisher process: nights one by one, each with the fence that it saw before it began."""
    site = open_site(project_folder=_SHOP, data=Path(folder), tracking_uri="", threads=1)
    published = overtaken = 0
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for number in range(int(start), int(start) + int(nights)):
        night = Night.fromordinal(FIRST.toordinal() + number)
        before = site.tables.published(SCORES, [night])
        try:
            publish_scores(site, rows_of((night,), int(generation)), {night: NightInputs(generation, {})}, before)
        except OvertakenError:
            overtaken += 1
        else:
            published += 1
    sys.stdout.write(f"{published} published, {overtaken} overtaken\n")


def reading(folder: Path, *, queries: int, is_mutant: bool, until_wrong: bool = False) -> Outcome:
    """Ask the catalog ``queries`` times while one writer publishes all nights anew without a pause."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = start_python(WRITER, str(folder), "mutant" if is_mutant else "sound")
    wrong: list[str] = []
    asked = 0
    try:
        _require_right_at_rest(writer, folder)
        while asked < queries and not (until_wrong and wrong):
            asked += 1
            wrong.extend(_ask(folder / "warehouse.duckdb", asked))
            if writer.poll() is not None:
                raise RuntimeError(f"the writer died: {writer.stderr.read()[-1000:] if writer.stderr else ''}")
    finally:
        writer.kill()
        writer.wait()
    return Outcome(2, "queries of an analyst beside a writer that never stops", asked, tuple(wrong))


def _require_right_at_rest(writer: subprocess.Popen[str], folder: Path) -> None:
    """What the writer has written before it goes on must be right to every query: else they would prove nothing."""
    assert writer.stdout is not None and writer.stdin is not None
    if writer.stdout.readline() != "ready\n":
        raise RuntimeError("the writer did not begin")
    if wrong := [words for number in range(5) for words in _ask(folder / "warehouse.duckdb", number)]:
        raise RuntimeError(f"the reader is wrong about a table that nobody writes: {wrong}")
    writer.stdin.write("go\n")
    writer.stdin.flush()


def write_for_ever(folder: str, kind: str) -> None:
    """The writer process: generation after generation until it is killed, the catalog after each."""
    store = TableStore(Path(folder))
    _publish(store, 0, is_mutant=kind == "mutant")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    generation = 0
    while True:
        generation += 1
        _publish(store, generation, is_mutant=kind == "mutant")


def publish_generation(folder: Path, generation: int) -> None:
    """All nights anew in one commit, and the catalog."""
    _publish(TableStore(folder), generation, is_mutant=False)


def _publish(store: TableStore, generation: int, *, is_mutant: bool) -> None:
    if is_mutant:
        files = [_replace(store.root, night, generation) for night in READ_NIGHTS]
        schema = rows_of((), 0).schema
    else:
        inputs = {night: NightInputs(str(generation), {}) for night in READ_NIGHTS}
        store.publish(SCORES, rows_of(READ_NIGHTS, generation), inputs, key=["order_id"])
        files, schema = store.files(SCORES), store.schema(SCORES)
    write_catalog(store.root, [View("scores", files_select(files, schema), "")])


def _replace(root: Path, night: Night, generation: int) -> Path:
    """Written aside, fsynced and renamed over the file of the same name."""
    path = root / "same_names" / f"score_date={night}" / "part.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = root / "aside.parquet"
    pq.write_table(rows_of((night,), generation).drop_columns(["score_date"]), aside)
    with aside.open("rb") as handle:
        os.fsync(handle.fileno())
    aside.replace(path)
    return path


_ALL = ROWS * len(READ_NIGHTS)
_COUNT = "select count(*), count(distinct (score_date, order_id)), count(distinct generation) from scores"
_GROUPED = "select count(*), min(rows), max(rows), count(distinct said) from (select score_date, count(*) as rows, max(generation) as said from scores group by score_date)"
_JOINED = "select count(*), count(*) filter (where one.generation <> other.generation) from scores as one inner join scores as other using (score_date, order_id)"
_WINDOW = "select count(*), max(newest - generation) from (select generation, max(generation) over (partition by order_id) as newest from scores)"
_FILTER = "select count(*), min(generation), max(generation) from scores where generation = (select max(generation) from scores)"
_EXPECTED = {
    _COUNT: (_ALL, _ALL, 1), _GROUPED: (len(READ_NIGHTS), ROWS, ROWS, 1), _JOINED: (_ALL, 0), _WINDOW: (_ALL, 0),
}  # fmt: skip


def _ask(warehouse: Path, number: int) -> list[str]:
    """One query of an analyst who opens the catalog, by turns of five kinds; what is wrong with the answer."""
    sql = [_COUNT, _GROUPED, _JOINED, _WINDOW, _FILTER][number % 5]
    try:
        with duckdb.connect(str(warehouse), read_only=True) as analyst:
            (answer,) = analyst.sql(sql).fetchall()
    except duckdb.Error as error:
        return [f"query {number}: {str(error).splitlines()[0]}"]
    is_right = answer == _EXPECTED[sql] if sql in _EXPECTED else answer[0] == _ALL and answer[1] == answer[2]
    return [] if is_right else [f"query {number}: {sql.split(' from ')[0]} is {answer}"]


def publish_at_once(bench: Bench) -> tuple[Outcome, ...]:
    """Writers with nights of their own, and writers with the same nights."""
    processes, nights = bench.trials(full=4, quick=2), bench.trials(full=200, quick=6)
    many = many_writers(bench.folder / "many", processes=processes, nights=nights)
    return (many, same_nights(bench.folder / "same", nights=nights))


def ask_beside_a_writer(bench: Bench) -> tuple[Outcome, ...]:
    """The reader, and whether it finds the mutant out."""
    sound = reading(bench.folder / "sound", queries=bench.trials(full=10_000, quick=150), is_mutant=False)
    mutant = reading(bench.folder / "mutant", queries=10_000, is_mutant=True, until_wrong=True)
    wrong = () if mutant.wrong else (f"{mutant.trials} queries did not find the mutant",)
    title = "writers that replace files by name, to be found out by the same queries"
    return (sound, Outcome(2, title, 1, wrong, f"found by query {mutant.trials}"))
