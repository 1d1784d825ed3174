"""The trial of a bundle: its first load happens in a child process that may crash, and must reproduce its golden rows."""

import base64
import json
import os
import secrets
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_pipeline.io.bundle_receipts import Receipt, read_receipt, write_receipt
from ml_pipeline.io.code_version import package_versions
from ml_pipeline.io.limited_process import limit_this_process, run_module
from ml_pipeline.io.model_bundle import BundleError, ModelBundle, read_bundle
from ml_pipeline.operations.bundle_scorer import require_golden, scorer_of
from ml_pipeline.operations.compiled_scorer import compiled_before, keep_code, proven_code

_REFUSED = 3
_SECONDS = 120
_MEMORY_BYTES = 4 * 2**30
_CPU_SECONDS = 60


def require_tried(bundle: ModelBundle) -> Receipt:
    """Make sure that ``bundle`` has stood its trial on this data root, with these packages; hold it if it has not.

    LightGBM's native parser can crash, or take all memory, on a text that was made for it. The child pays for that.
    What was tried once is remembered by the hash of its manifest, so that a night does not pay again.

    Raises:
        BundleError: the child was refused, crashed or took too much; the bundle is not used.
    """
    models, version = bundle.folder.resolve().parent, bundle.version
    known = read_receipt(models, version)
    is_known = known and (known.manifest_sha256, known.packages) == (bundle.manifest_sha256, package_versions())
    if known and is_known and compiled_before(bundle):
        return known
    # What LightGBM quotes from a hostile text must not pass for an outcome, least of all for code.
    mark = secrets.token_hex(16)
    ending = run_module("ml_pipeline.operations.bundle_trial", [str(models), version, mark], seconds=_SECONDS)
    outcome = _outcome(ending.out, mark)
    if ending.code == _REFUSED:
        raise BundleError(outcome["refused"])
    if "golden_rows" not in outcome:
        raise bundle.refused(f"the process that loaded it first {ending.in_words}")
    code = base64.b64decode(outcome["code"]) if outcome.get("code") else None
    keep_code(bundle, code, outcome.get("compiling", f"the process that compiled the trees {ending.in_words}"))
    receipt = Receipt(bundle.manifest_sha256, package_versions(), int(outcome["golden_rows"]))
    if not receipt.golden_rows:
        warnings.warn(
            f"bundle {version} holds no golden rows: it was written before there were any. Its trees were parsed, but "
            "nothing says that they still predict what they did; a bundle of a new training has golden rows",
            stacklevel=2,
        )
    write_receipt(models, version, receipt)
    return receipt


def hold_trial(models: Path, version: str) -> int:
    """Load bundle ``version`` and reproduce its golden rows, in this process; returns how many rows there are.

    Raises:
        BundleError: it is damaged, cannot be parsed, or is another model than it says.
    """
    import lightgbm

    bundle = read_bundle(models, version)
    scorer = scorer_of(bundle)
    try:
        trees = lightgbm.Booster(model_str=scorer.trees_text)
    except lightgbm.basic.LightGBMError as error:
        raise bundle.refused(f"LightGBM cannot read model.txt ({error})") from error
    if trees.num_feature() != len(scorer.encoder.names):
        raise bundle.refused(f"model.txt has {trees.num_feature()} features, not {len(scorer.encoder.names)}")
    for name in bundle.manifest["files"]:
        if name.endswith(".parquet"):
            bundle.table(name)
    return require_golden(bundle, scorer)


def compile_in_trial(models: Path, version: str) -> dict[str, str]:
    """The compiled trees of a bundle that stood its trial, or why there are none: without them it scores all the same."""
    try:
        bundle = read_bundle(models, version)
        code, told = proven_code(bundle, scorer_of(bundle))
    except Exception as error:  # noqa: BLE001 - whatever LLVM cannot do must not stop a bundle that LightGBM can load
        code, told = None, f"LLVM could not compile the trees ({type(error).__name__}: {error})"
    return {"compiling": told} | ({"code": base64.b64encode(code).decode()} if code else {})


def main(arguments: list[str]) -> int:
    """Hold one trial under limits; prints its outcome as lines of JSON and returns the exit code.

    The outcome of the trial is out before anything is compiled: should that crash, the trial has been stood.
    """
    limit_this_process(memory_bytes=_MEMORY_BYTES, cpu_seconds=_CPU_SECONDS)
    models, version, mark = Path(arguments[0]), arguments[1], arguments[2]
    try:
        _say(mark, {"golden_rows": hold_trial(models, version)})
    except BundleError as error:
        _say(mark, {"refused": str(error)})
        return _REFUSED
    _say(mark, compile_in_trial(models, version))
    return 0


def _say(mark: str, outcome: Mapping[str, object]) -> None:
    sys.stdout.write(f"\n{mark} {json.dumps(outcome)}\n")
    sys.stdout.flush()


def _outcome(out: str, mark: str) -> dict[str, Any]:
    """What the marked lines say together; LightGBM may have said something of its own between them."""
    told = [json.loads(line.removeprefix(mark)) for line in out.splitlines() if line.startswith(mark)]
    return {name: value for each in told for name, value in each.items()}


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # Native threads that are still idling when the interpreter ends have brought a good trial down with SIGABRT.
    os._exit(code)
