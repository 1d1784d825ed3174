"""A model's trees as machine code, made by LLVM from the text that ``tree_code`` writes.

Machine code does what it likes in the process that loads it. It is made here, from a bundle that stood its trial, and lies
beside the bundles, never in one. It is loaded only if this user or root owns it, nobody else can write it, and its bytes
have the hash that its receipt names for these trees, this processor and these versions. The bytes that were hashed are the
bytes that are loaded.
"""

import ctypes
import hashlib
import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.io.files import write_durably

# Handing a part to a thread costs as much as a hundred rows; a part is a fraction of a second.
_ROWS_A_PART = 16_384
_OTHERS_MAY_WRITE = 0o022


@dataclass(frozen=True)
class CodeForm:
    """How code is called: ``entry(columns, scores, rows)`` writes the scores of up to ``rows_a_pass`` rows.

    ``columns`` are float32 of shape (columns, ``rows_a_pass``). ``text_version`` is of whatever writes the text.
    """

    entry: str
    rows_a_pass: int
    text_version: str


@dataclass(frozen=True)
class CodeReceipt:
    """What came of compiling the trees of one bundle on one kind of machine: the hash of the code, or why there is none."""

    trees_sha256: str
    machine: str
    code_sha256: str | None
    reason: str


class CompiledTrees:
    """Loaded code; predicts rows of ``column_count`` columns."""

    def __init__(self, code: bytes, form: CodeForm, column_count: int) -> None:
        import llvmlite.binding as llvm

        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
        self._entry = kind(self._engine.get_function_address(form.entry))
        self._rows_a_pass, self._column_count = form.rows_a_pass, column_count

    def predict(self, matrix: NDArray[np.float32], *, threads: int) -> NDArray[np.float64]:
        """Scores of shape (rows,).

        Raises:
            ValueError: ``matrix`` has other columns or other numbers. The code would read beyond it, or nonsense.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self._column_count or matrix.dtype != np.float32:
            raise ValueError(
                f"a matrix of shape {matrix.shape} and {matrix.dtype} was given to trees of {self._column_count} columns "
                "of float32"
            )
        step = min(_ROWS_A_PART, max(1, math.ceil(len(matrix) / threads)))
        parts = [matrix[start : start + step] for start in range(0, len(matrix), step)]
        if len(parts) == 1:
            return self._scores(parts[0])
        with ThreadPoolExecutor(threads) as pool:
            return np.concatenate([np.empty(0), *pool.map(self._scores, parts)])

    def _scores(self, part: NDArray[np.float32]) -> NDArray[np.float64]:
        pass_rows = self._rows_a_pass
        found = np.zeros(math.ceil(len(part) / pass_rows) * pass_rows)
        columns = np.zeros((self._column_count, pass_rows), dtype=np.float32)
        for start in range(0, len(part), pass_rows):
            rows = part[start : start + pass_rows]
            columns[:, : len(rows)] = rows.T
            self._entry(columns.ctypes.data, found[start:].ctypes.data, len(rows))
        return found[: len(part)]


def compile_trees(text: str) -> bytes:
    """The object code of LLVM's ``text`` for this machine; takes about two seconds for five thousand leaves."""
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(text)
    module.verify()
    return bytes(_target().emit_object(module))


@cache
def machine(form: CodeForm) -> str:
    """The processor with its features and the versions of what makes and loads code: other code is not for here."""
    import llvmlite.binding as llvm

    features = hashlib.sha256(llvm.get_host_cpu_features().flatten().encode()).hexdigest()[:12]
    packages = " ".join(f"{name}-{version(name)}" for name in ("llvmlite", "lightgbm"))
    return f"{llvm.get_process_triple()} {llvm.get_host_cpu_name()} {features} {packages} {form.text_version}"


def write_code(folder: Path, form: CodeForm, trees_sha256: str, code: bytes | None, reason: str) -> CodeReceipt:
    """Keep what came of compiling; the receipt last, because it is what makes the code count."""
    receipt = CodeReceipt(trees_sha256, machine(form), hashlib.sha256(code).hexdigest() if code else None, reason)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = _path(folder, form, trees_sha256)
    if code:
        write_durably(path.with_suffix(".o"), code, mode=0o400)
    write_durably(path.with_suffix(".json"), json.dumps(asdict(receipt), sort_keys=True).encode(), mode=0o400)
    return receipt


def read_receipt_of_code(folder: Path, form: CodeForm, trees_sha256: str) -> CodeReceipt | None:
    """What came of compiling these trees for this machine; None if nobody tried, or if the receipt is none."""
    try:
        found: dict[str, Any] = json.loads(_path(folder, form, trees_sha256).with_suffix(".json").read_bytes())
        receipt = CodeReceipt(**found)
    except (OSError, ValueError, TypeError):
        return None
    return receipt if (receipt.trees_sha256, receipt.machine) == (trees_sha256, machine(form)) else None


def load_code(folder: Path, form: CodeForm, receipt: CodeReceipt, column_count: int) -> CompiledTrees:
    """The code that ``receipt`` names.

    Raises:
        PermissionError: others could have written it. ValueError: it is other code. OSError: it is not there.
    """
    path = _path(folder, form, receipt.trees_sha256)
    for each in (folder, path.with_suffix(".json"), path.with_suffix(".o")):
        facts = each.lstat()
        if facts.st_uid not in {0, os.geteuid()} or facts.st_mode & _OTHERS_MAY_WRITE:
            raise PermissionError(f"{each} could have been written by others; delete {folder} to have it made again")
    code = path.with_suffix(".o").read_bytes()
    if hashlib.sha256(code).hexdigest() != receipt.code_sha256:
        raise ValueError(
            f"{path.with_suffix('.o')} is not the code that was made; delete {folder} to have it made again"
        )
    return CompiledTrees(code, form, column_count)


def _path(folder: Path, form: CodeForm, trees_sha256: str) -> Path:
    return folder / f"{trees_sha256[:16]}-{hashlib.sha256(machine(form).encode()).hexdigest()[:12]}"


def _target() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), reloc="pic", codemodel="large"
    )
