import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from ml_pipeline.domain.tree_code import tree_code
from ml_pipeline.io.compiled_trees import (
    CodeReceipt,
    CompiledTrees,
    compile_trees,
    load_code,
    machine,
    read_receipt_of_code,
    write_code,
)
from ml_pipeline_tests.domain.test_tree_code import FORM
from ml_pipeline_tests.domain.test_trees import awkward_rows, awkward_trees, hostile_rows

SHA = "a" * 64


@pytest.fixture(scope="module")
def code() -> bytes:
    return compile_trees(tree_code(awkward_trees().model_to_string()))


@pytest.mark.parametrize("order", ["C", "F"])
def test_scores_do_not_depend_on_threads_or_on_how_the_numbers_lie(code: bytes, order: Literal["C", "F"]) -> None:
    rows = np.concatenate([awkward_rows(40_000, 3), *(hostile_rows(seed) for seed in range(5))])
    expected = awkward_trees().predict(rows, num_threads=1)
    trees = CompiledTrees(code, FORM, 5)
    for threads in (1, 2, 3):
        found = trees.predict(np.asarray(rows, order=order), threads=threads)
        assert np.array_equal(found.view(np.uint64), expected.view(np.uint64))
    assert trees.predict(rows[:0], threads=2).shape == (0,)


@pytest.mark.parametrize(
    "rows", [np.zeros((2, 4), np.float32), np.zeros((2, 5)), np.zeros(5, np.float32)], ids=["columns", "type", "shape"]
)
def test_rows_of_other_columns_or_numbers_are_refused(code: bytes, rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="trees of 5 columns of float32"):
        CompiledTrees(code, FORM, 5).predict(rows, threads=1)


def test_a_text_that_llvm_does_not_read_is_no_code() -> None:
    with pytest.raises(RuntimeError, match="LLVM"):
        compile_trees("define void @broken(")


def test_code_of_another_text_is_not_found(tmp_path: Path, code: bytes) -> None:
    write_code(tmp_path, replace(FORM, text_version="an older one"), SHA, code, "equal")
    assert read_receipt_of_code(tmp_path, FORM, SHA) is None


def test_code_is_kept_for_its_user_alone_and_found_again(tmp_path: Path, code: bytes) -> None:
    folder = tmp_path / "compiled"
    receipt = write_code(folder, FORM, SHA, code, "equal")
    assert read_receipt_of_code(folder, FORM, SHA) == receipt
    assert receipt == CodeReceipt(SHA, machine(FORM), hashlib.sha256(code).hexdigest(), "equal")
    assert {path.suffix: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {".o": 0o400, ".json": 0o400}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert load_code(folder, FORM, receipt, 5).predict(awkward_rows(3, 1), threads=1).shape == (3,)


def other_code(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"!")


@pytest.mark.parametrize(
    ("harm", "error", "reason"),
    [
        (other_code, ValueError, "is not the code that was made"),
        (lambda path: path.chmod(0o666), PermissionError, "could have been written by others"),
        (lambda path: path.with_suffix(".json").chmod(0o620), PermissionError, "could have been written by others"),
        (lambda path: path.parent.chmod(0o777), PermissionError, "could have been written by others"),
        (Path.unlink, FileNotFoundError, "No such file"),
    ],
)
def test_code_that_may_not_be_ours_is_not_loaded(
    tmp_path: Path, code: bytes, harm: Callable[[Path], None], error: type[Exception], reason: str
) -> None:
    receipt = write_code(tmp_path / "compiled", FORM, SHA, code, "equal")
    (path,) = (tmp_path / "compiled").glob("*.o")
    harm(path)
    with pytest.raises(error, match=reason):
        load_code(tmp_path / "compiled", FORM, receipt, 5)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"code_sha256": 1}', b"[1]"])
def test_a_receipt_that_is_none_counts_for_nothing(tmp_path: Path, content: bytes) -> None:
    write_code(tmp_path, FORM, SHA, None, "not tried")
    (path,) = tmp_path.glob("*.json")
    path.chmod(0o600)
    path.write_bytes(content)
    assert read_receipt_of_code(tmp_path, FORM, SHA) is None
    assert read_receipt_of_code(tmp_path, FORM, "b" * 64) is None
