import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_pipeline.io.compiled_trees import (
    CodeReceipt,
    CompiledTrees,
    compile_trees,
    load_code,
    machine,
    read_receipt_of_code,
    write_code,
)
from ml_pipeline_tests.domain.test_trees import awkward_rows, awkward_trees, hostile_rows

SHA = "a" * 64


def compiled(folder: Path, **parameters: Any) -> bytes:
    path = folder / "model.txt"
    awkward_trees(**parameters).save_model(path)
    return compile_trees(path)


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return compiled(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize(
    "parameters", [{}, {"zero_as_missing": True}, {"use_missing": False}, {"monotone_constraints": [1, 0, 0, 0, -1]}], ids=str
)  # fmt: skip
def test_every_score_is_that_of_lightgbm_bit_for_bit(tmp_path: Path, parameters: dict[str, Any]) -> None:
    booster, trees = awkward_trees(**parameters), CompiledTrees(compiled(tmp_path, **parameters), 5)
    rows = np.concatenate([awkward_rows(60_000, 3), *(hostile_rows(seed) for seed in range(20))])
    found = {threads: trees.predict(rows, threads=threads) for threads in (1, 2, 3)}
    assert all(np.array_equal(scores.view(np.uint64), found[1].view(np.uint64)) for scores in found.values())
    assert np.array_equal(found[1].view(np.uint64), booster.predict(rows, num_threads=1).view(np.uint64))
    assert len(np.unique(found[1])) > 1000


def test_more_trees_than_lleaves_puts_in_a_block_are_added_in_lightgbms_order(tmp_path: Path) -> None:
    booster = awkward_trees(70)
    booster.save_model(tmp_path / "many.txt")
    rows = awkward_rows(20_000, 9)
    found = CompiledTrees(compile_trees(tmp_path / "many.txt"), 5).predict(rows, threads=1)
    assert booster.num_trees() > 34
    assert np.array_equal(found, booster.predict(rows))


def test_rows_of_other_columns_are_refused(code: bytes) -> None:
    with pytest.raises(ValueError, match="trees of 5 columns"):
        CompiledTrees(code, 5).predict(np.zeros((2, 4), dtype=np.float32), threads=1)


def test_code_is_kept_for_its_user_alone_and_found_again(tmp_path: Path, code: bytes) -> None:
    folder = tmp_path / "compiled"
    receipt = write_code(folder, SHA, code, "equal")
    assert read_receipt_of_code(folder, SHA) == receipt
    assert receipt == CodeReceipt(SHA, machine(), hashlib.sha256(code).hexdigest(), "equal")
    assert {path.suffix: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {".o": 0o400, ".json": 0o400}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert load_code(folder, receipt, 5).predict(awkward_rows(3, 1), threads=1).shape == (3,)


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
    receipt = write_code(tmp_path / "compiled", SHA, code, "equal")
    (path,) = (tmp_path / "compiled").glob("*.o")
    harm(path)
    with pytest.raises(error, match=reason):
        load_code(tmp_path / "compiled", receipt, 5)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"code_sha256": 1}', b"[1]"])
def test_a_receipt_that_is_none_counts_for_nothing(tmp_path: Path, content: bytes) -> None:
    write_code(tmp_path, SHA, None, "not tried")
    (path,) = tmp_path.glob("*.json")
    path.chmod(0o600)
    path.write_bytes(content)
    assert read_receipt_of_code(tmp_path, SHA) is None
    assert read_receipt_of_code(tmp_path, "b" * 64) is None
