"""Compiled trees for a scorer: made once a bundle and machine, used only where they equal LightGBM bit for bit."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.scoring import Scorer, raw_scores
from ml_pipeline.domain.tree_code import ENTRY, ROWS_A_PASS, TEXT_VERSION, tree_code
from ml_pipeline.io.compiled_trees import (
    CodeForm,
    CodeReceipt,
    CompiledTrees,
    compile_trees,
    load_code,
    read_receipt_of_code,
    write_code,
)
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.operations.bundle_scorer import GOLDEN, golden_scores

TREES = "model.txt"
_REFERENCE = "reference.parquet"
_FORM = CodeForm(ENTRY, ROWS_A_PASS, TEXT_VERSION)
# Compiling takes a second for each 300 kB, and the trial that it is a part of may take sixty.
_MOST_TEXT_BYTES = 6_000_000
_MISSING_SHARE = 0.05


def with_compiled_trees(bundle: ModelBundle, scorer: Scorer) -> Scorer:
    """``scorer`` with the compiled trees of ``bundle``, if there are some and they give its golden scores bit for bit.

    Without them LightGBM predicts the same, thirty times slower. Why there are none is in their receipt; code that is there
    and cannot be used warns.
    """
    receipt = compiled_before(bundle)
    if receipt is None or receipt.code_sha256 is None:
        return scorer
    try:
        compiled = replace(scorer, predictor=load_code(_folder(bundle), _FORM, receipt, len(scorer.encoder.columns)))
    except (OSError, ValueError, RuntimeError) as error:
        warnings.warn(f"bundle {bundle.version}: LightGBM predicts in place of compiled trees: {error}", stacklevel=2)
        return scorer
    stored, found = golden_scores(bundle, compiled)
    if not len(stored) or _differences(stored, found):
        told = f"{_differences(stored, found)} of {len(stored)} golden scores differ"
        warnings.warn(f"bundle {bundle.version}: LightGBM predicts in place of compiled trees: {told}", stacklevel=2)
        return scorer
    return compiled


def compiled_before(bundle: ModelBundle) -> CodeReceipt | None:
    """What came of compiling the trees of ``bundle`` on this kind of machine; None if it was not tried."""
    return read_receipt_of_code(_folder(bundle), _FORM, bundle.manifest["files"][TREES])


def keep_code(bundle: ModelBundle, code: bytes | None, reason: str) -> CodeReceipt:
    """Keep what a trial of ``bundle`` compiled, or why it did not."""
    return write_code(_folder(bundle), _FORM, bundle.manifest["files"][TREES], code, reason)


def proven_code(bundle: ModelBundle, scorer: Scorer) -> tuple[bytes | None, str]:
    """Compile the trees and hold them against LightGBM; the code, or None and the reason.

    Tried on the reference rows, and on the same with every column shuffled for itself, with missing values and with codes
    that no training saw: paths that real rows seldom take.
    """
    if (bundle.folder / TREES).stat().st_size > _MOST_TEXT_BYTES:
        return None, f"{TREES} is larger than {_MOST_TEXT_BYTES:,} bytes"
    if GOLDEN not in bundle.manifest["files"]:
        return None, "the bundle holds no golden rows to prove code by at each load"
    code = compile_trees(tree_code(scorer.trees_text))
    matrix = _trial_rows(scorer.encoder.transform(bundle.table(_REFERENCE)))
    compiled = CompiledTrees(code, _FORM, matrix.shape[1]).predict(matrix, threads=1)
    if differing := _differences(raw_scores(replace(scorer, predictor=None), matrix, threads=1), compiled):
        return None, f"compiled trees differ from LightGBM in {differing} of {len(matrix)} rows"
    return code, f"equal to LightGBM in {len(matrix)} rows"


def _trial_rows(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    generator = np.random.default_rng(0)
    shuffled = generator.permuted(matrix, axis=0)
    shuffled[generator.random(matrix.shape) < _MISSING_SHARE] = np.nan
    beyond = generator.permuted(matrix, axis=0)
    beyond *= generator.choice(np.array([0, 1, 1], dtype=np.float32), matrix.shape)
    beyond += generator.choice(np.array([-1e6, -1, 0, 1e-36, 1, 1e6], dtype=np.float32), matrix.shape)
    return np.concatenate([matrix, shuffled, beyond])


def _differences(one: NDArray[np.float64], other: NDArray[np.float64]) -> int:
    return int((one.view(np.uint64) != other.view(np.uint64)).sum())


def _folder(bundle: ModelBundle) -> Path:
    """Beside the folder of all bundles, as the receipts of trials are: a bundle cannot bring code of its own."""
    return bundle.folder.resolve().parent.with_name("compiled")
