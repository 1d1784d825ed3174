"""Every row of the bad-input corpus through the real landing; and each rule taken away is missed by the corpus."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from ml_pipeline.contracts import rows
from ml_pipeline.contracts.rows import BrokenRule
from ml_pipeline.domain import landing, night_bounds
from ml_pipeline.io import csv_dialect, csv_files, delivery_columns, file_gate, parquet_files
from ml_pipeline.io.connectors import folder
from ml_pipeline.operations import delivered, land
from ml_pipeline_tests.corpus import fuzz as fuzz_module
from ml_pipeline_tests.corpus.catalog import ALL, DELIVERIES, ROWS, attempt, violations
from ml_pipeline_tests.corpus.fuzz import fuzz
from ml_pipeline_tests.corpus.workshop import Bench, Case, build_workshop

_SHOP = Path(__file__).parents[1] / "shop"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    root = tmp_path_factory.mktemp("corpus")
    return Bench(build_workshop(_SHOP, root / "workshop"), root / "cases")


def test_every_row_of_the_corpus_ends_as_specified_and_says_so(bench: Bench) -> None:
    broken = {f"{case.row} {case.name}": found for case in ALL if (found := violations(case, attempt(case, bench)))}
    print(f"bad input: {len(ALL)} trials / {len(broken)} violations")
    assert broken == {}
    assert {case.row for case in ALL} == set(ROWS)


# Rules that stand in a tuple: each is taken out of it.
TUPLES: tuple[tuple[ModuleType, str], ...] = (
    (file_gate, "FILE_RULES"), (file_gate, "HEAD_RULES"), (file_gate, "HASH_RULES"), (parquet_files, "FOOTER_RULES"),
    (parquet_files, "METADATA_RULES"), (csv_dialect, "DIALECT_RULES"), (csv_files, "CELL_RULES"),
    (delivery_columns, "COLUMN_RULES"), (rows, "ROW_RULES"), (night_bounds, "NIGHT_RULES"),
)  # fmt: skip


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _without_rule(name: str) -> Callable[..., tuple[BrokenRule, ...]]:
    found = rows.broken_rules
    return lambda *arguments: tuple(broken for broken in found(*arguments) if not broken.rule.startswith(name))


# Rules that stand alone: each is replaced by one that lets everything pass.
ALONE: tuple[tuple[str, ModuleType, str, Any], ...] = (
    ("_require_settled", file_gate, "_require_settled", _nothing),
    ("_require_listed_files", folder, "_require_listed_files", _nothing),
    ("require_each_once", folder, "require_each_once", _nothing),
    ("require_one_a_night", folder, "require_one_a_night", _nothing),
    ("_require_small_texts", parquet_files, "_require_small_texts", _nothing),
    ("_require_short", csv_files, "_require_short", _nothing),
    ("_require_small", csv_files, "_require_small", _nothing),
    ("_SECOND_60", csv_files, "_SECOND_60", "never"),
    ("_positions_of_copies", landing, "_positions_of_copies", lambda *_: np.array([], dtype=np.int64)),
    ("_positions_of_conflicts", landing, "_positions_of_conflicts", lambda *_: np.array([], dtype=np.int64)),
    ("_composed_keys", landing, "_composed_keys", lambda table, _: table),
    ("_of_own_files", delivered, "_belongs", lambda known_at, _: pc.is_valid(known_at)),
    ("share", land, "_require_acceptable", _nothing),
    *((name, landing, "broken_rules", name) for name in ("finite", "at least", "one of", "matches")),
)  # fmt: skip


def _claim(rule: str) -> list[Case]:
    return [case for case in DELIVERIES if rule in case.decided_by]


def _is_missed(rule: str, bench: Bench) -> bool:
    """Whether a case that rests on ``rule`` ends otherwise now; a crash is one way to end otherwise."""
    bench.data = None
    try:
        for case in _claim(rule):
            try:
                if violations(case, bench.run(case)):
                    return True
            except Exception:  # noqa: BLE001 - whatever comes where a check is gone
                return True
        return False
    finally:
        bench.data = None


def test_no_rule_can_be_taken_away_unseen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    unseen, trials = [], 0
    for module, name in TUPLES:
        rules = getattr(module, name)
        for rule in rules:
            with monkeypatch.context() as patch:
                patch.setattr(module, name, tuple(each for each in rules if each is not rule))
                trials += 1
                unseen += [] if _is_missed(rule.__name__, bench) else [f"{module.__name__}.{rule.__name__}"]
    for rule_name, module, name, instead in ALONE:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, _without_rule(instead) if name == "broken_rules" else instead)
            trials += 1
            unseen += [] if _is_missed(rule_name, bench) else [f"{module.__name__}.{name} ({rule_name})"]
    print(f"checks taken away: {trials} trials / {len(unseen)} violations")
    assert unseen == []


def test_mutated_files_are_refused_or_land_as_they_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tally = fuzz(240, tmp_path / "sound")
    print(f"mutated files: {tally.trials} trials ({tally.landed} landed) / {len(tally.violations)} violations, seed 29")
    assert tally.violations == []
    assert min(tally.refused, tally.landed) > 20
    # The harness itself: without the rule of how a cell is written, 007 lands as 7, and is seen.
    monkeypatch.setattr(csv_files, "CELL_RULES", ())
    monkeypatch.setattr(fuzz_module, "_CELLS", ("007",))
    assert fuzz(90, tmp_path / "careless").violations != []
