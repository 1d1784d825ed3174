"""A model's trees as machine code, made by lleaves (https://github.com/siboehm/lleaves) from LightGBM's text.

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

_ENTRY = "forest_root"
# lleaves adds the trees of a block, then the blocks. In one block they are added one by one, as LightGBM adds them.
_ONE_BLOCK = 2**31
# A megabyte of a hundred columns: it stays near the processor while it is converted and walked.
_ROWS_AT_ONCE = 1024
_ZERO = 1e-35
_OTHERS_MAY_WRITE = 0o022


@dataclass(frozen=True)
class CodeReceipt:
    """What came of compiling the trees of one bundle on one kind of machine: the hash of the code, or why there is none."""

    trees_sha256: str
    machine: str
    code_sha256: str | None
    reason: str


class CompiledTrees:
    """Loaded code; predicts rows of ``column_count`` columns."""

    def __init__(self, code: bytes, column_count: int) -> None:
        import llvmlite.binding as llvm

        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        numbers = ctypes.POINTER(ctypes.c_double)
        kind = ctypes.CFUNCTYPE(None, numbers, numbers, ctypes.c_int32, ctypes.c_int32)
        self._entry = kind(self._engine.get_function_address(_ENTRY))
        self._column_count = column_count

    def predict(self, matrix: NDArray[np.float32], *, threads: int) -> NDArray[np.float64]:
        """Scores of shape (rows,).

        Raises:
            ValueError: ``matrix`` has other columns. The code would read beyond it.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self._column_count:
            raise ValueError(f"a matrix of shape {matrix.shape} was given to trees of {self._column_count} columns")
        found = np.zeros(len(matrix))
        starts = range(0, len(matrix), min(_ROWS_AT_ONCE, max(1, math.ceil(len(matrix) / threads))))

        def run(start: int) -> None:
            part = np.array(matrix[start : start + starts.step], dtype=np.float64, order="C")
            # LightGBM takes these for zeros before any tree sees them.
            part[np.abs(part) <= _ZERO] = 0.0
            scores = found[start : start + starts.step]
            self._entry(_numbers_at(part), _numbers_at(scores), 0, len(part))

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, starts))
        return found


def compile_trees(model_file: Path) -> bytes:
    """The object code of LightGBM's text in ``model_file``, for this machine; takes about a second for fifty trees."""
    from lleaves.compiler import compile_to_module

    # Inlining every tree takes four times as long to compile and predicts no faster.
    module = compile_to_module(model_file, fblocksize=_ONE_BLOCK, finline=False, froot_func_name=_ENTRY)
    return bytes(_target().emit_object(module))


@cache
def machine() -> str:
    """The processor with its features and the versions of what makes and loads code: other code is not for here."""
    import llvmlite.binding as llvm

    features = hashlib.sha256(llvm.get_host_cpu_features().flatten().encode()).hexdigest()[:12]
    packages = " ".join(f"{name}-{version(name)}" for name in ("lleaves", "llvmlite", "lightgbm"))
    return f"{llvm.get_process_triple()} {llvm.get_host_cpu_name()} {features} {packages}"


def write_code(folder: Path, trees_sha256: str, code: bytes | None, reason: str) -> CodeReceipt:
    """Keep what came of compiling; the receipt last, because it is what makes the code count."""
    receipt = CodeReceipt(trees_sha256, machine(), hashlib.sha256(code).hexdigest() if code else None, reason)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = _path(folder, trees_sha256)
    if code:
        write_durably(path.with_suffix(".o"), code, mode=0o400)
    write_durably(path.with_suffix(".json"), json.dumps(asdict(receipt), sort_keys=True).encode(), mode=0o400)
    return receipt


def read_receipt_of_code(folder: Path, trees_sha256: str) -> CodeReceipt | None:
    """What came of compiling these trees for this machine; None if nobody tried, or if the receipt is none."""
    try:
        found: dict[str, Any] = json.loads(_path(folder, trees_sha256).with_suffix(".json").read_bytes())
        receipt = CodeReceipt(**found)
    except (OSError, ValueError, TypeError):
        return None
    return receipt if (receipt.trees_sha256, receipt.machine) == (trees_sha256, machine()) else None


def load_code(folder: Path, receipt: CodeReceipt, column_count: int) -> CompiledTrees:
    """The code that ``receipt`` names.

    Raises:
        PermissionError: others could have written it. ValueError: it is other code. OSError: it is not there.
    """
    path = _path(folder, receipt.trees_sha256)
    for each in (folder, path.with_suffix(".json"), path.with_suffix(".o")):
        facts = each.lstat()
        if facts.st_uid not in {0, os.geteuid()} or facts.st_mode & _OTHERS_MAY_WRITE:
            raise PermissionError(f"{each} could have been written by others; delete {folder} to have it made again")
    code = path.with_suffix(".o").read_bytes()
    if hashlib.sha256(code).hexdigest() != receipt.code_sha256:
        raise ValueError(
            f"{path.with_suffix('.o')} is not the code that was made; delete {folder} to have it made again"
        )
    return CompiledTrees(code, column_count)


def _path(folder: Path, trees_sha256: str) -> Path:
    return folder / f"{trees_sha256[:16]}-{hashlib.sha256(machine().encode()).hexdigest()[:12]}"


def _numbers_at(values: NDArray[np.float64]) -> Any:
    return values.ctypes.data_as(ctypes.POINTER(ctypes.c_double))


def _target() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), reloc="pic", codemodel="large"
    )
