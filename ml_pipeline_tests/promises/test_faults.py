"""A few trials of the faults that no other test tries; ``make faults`` tries all of them, with the full counts."""

import importlib
from pathlib import Path

import pytest

from ml_pipeline.operations.site import Site
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.catalog import HARNESSES
from ml_pipeline_tests.faults.fail_points import STEPS
from ml_pipeline_tests.faults.outcome import Line, Outcome, row, table


@pytest.mark.parametrize("name", ["analysts", "zombies", "fail_points", "sweeping", "guarded_night", "time_zones"])
def test_a_fault_leaves_nothing_wrong(name: str, scored_shop: Site, tmp_path: Path) -> None:
    outcomes = HARNESSES[name](Bench(scored_shop, tmp_path, is_quick=True))
    print("\n".join(row(Line(outcome, 0.0)) for outcome in outcomes))
    assert [words for outcome in outcomes for words in outcome.wrong] == []
    assert all(outcome.trials for outcome in outcomes)


@pytest.mark.parametrize(("module", "name"), STEPS)
def test_each_step_at_which_a_publication_is_killed_is_there(module: str, name: str) -> None:
    """Only a few of them are tried here; one that was renamed would be missed by the full count alone."""
    file, _, owner = module.partition(":")
    found = importlib.import_module(file)
    assert callable(getattr(getattr(found, owner) if owner else found, name))


def test_the_table_counts_and_tells_what_was_wrong() -> None:
    lines = [
        Line(Outcome(17, "second", 3, ()), 1.0),
        Line(Outcome(2, "first", 10, tuple(f"wrong {number}" for number in range(7)), "a detail"), 2.0),
    ]
    shown = table(lines).splitlines()
    assert [line.split()[0] for line in shown if not line.startswith("     ")] == ["no.", "2", "17", "all"][:3]
    assert shown[-1].split() == ["all", "13", "7"]
    assert [line.strip() for line in shown if "!" in line] == [
        *(f"! wrong {number}" for number in range(5)), "! and 2 more",
    ]  # fmt: skip
