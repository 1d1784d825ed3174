"""The corpus of bad deliveries, and mutants of good ones."""

import random
import shutil

from ml_pipeline_tests.corpus.catalog import ALL, ROWS, attempt, violations
from ml_pipeline_tests.corpus.fuzz import fuzz
from ml_pipeline_tests.corpus.workshop import Bench as Workbench
from ml_pipeline_tests.corpus.workshop import build_workshop
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.processes import ROOT


def deliver_the_corpus(bench: Bench) -> tuple[Outcome, ...]:
    """Every case; a few at random to be quick."""
    workshop = Workbench(
        build_workshop(ROOT / "ml_pipeline_tests" / "shop", bench.folder / "workshop"), bench.folder / "cases"
    )
    cases = random.Random(28).sample(ALL, 10) if bench.is_quick else ALL
    wrong = [f"{case.row} {case.name}: {told}" for case in cases for told in violations(case, attempt(case, workshop))]
    shutil.rmtree(bench.folder)
    details = f"rows of the corpus that are tried: {len({case.row for case in cases})} of {len(ROWS)}"
    return (
        Outcome(
            28, "bad deliveries: refused, held, set aside or taken as specified", len(cases), tuple(wrong), details
        ),
    )


def deliver_mutants(bench: Bench) -> tuple[Outcome, ...]:
    """Bytes and cells of CSV files, and Parquet files."""
    tally = fuzz(bench.trials(full=2000, quick=60), bench.folder / "mutants")
    details = f"{tally.refused} refused, {tally.landed} landed; seed 29"
    return (
        Outcome(
            29,
            "mutated files: refused, or landed as an independent parser reads them",
            tally.trials,
            tuple(tally.violations),
            details,
        ),
    )
