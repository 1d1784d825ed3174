"""The trial of a bundle: its first load happens in a child process that may crash, and must reproduce its golden rows."""

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from ml_pipeline.io.bundle_receipts import Receipt, read_receipt, write_receipt
from ml_pipeline.io.code_version import package_versions
from ml_pipeline.io.limited_process import limit_this_process, run_module
from ml_pipeline.io.model_bundle import BundleError, ModelBundle, read_bundle
from ml_pipeline.operations.bundle_scorer import require_golden, scorer_of

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
    if known and (known.manifest_sha256, known.packages) == (bundle.manifest_sha256, package_versions()):
        return known
    ending = run_module("ml_pipeline.operations.bundle_trial", [str(models), version], seconds=_SECONDS)
    if ending.code == _REFUSED:
        raise BundleError(_outcome(ending.out)["refused"])
    if ending.code != 0:
        raise bundle.refused(f"the process that loaded it first {ending.in_words}")
    receipt = Receipt(bundle.manifest_sha256, package_versions(), int(_outcome(ending.out)["golden_rows"]))
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


def main(arguments: list[str]) -> int:
    """Hold one trial under limits; prints its outcome as JSON and returns the exit code."""
    limit_this_process(memory_bytes=_MEMORY_BYTES, cpu_seconds=_CPU_SECONDS)
    try:
        outcome: dict[str, object] = {"golden_rows": hold_trial(Path(arguments[0]), arguments[1])}
    except BundleError as error:
        outcome = {"refused": str(error)}
    sys.stdout.write(f"\n{json.dumps(outcome)}\n")
    return _REFUSED if "refused" in outcome else 0


def _outcome(out: str) -> Any:
    """The last line: LightGBM may have said something of its own before."""
    return json.loads(out.strip().splitlines()[-1])


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # Native threads that are still idling when the interpreter ends have brought a good trial down with SIGABRT.
    os._exit(code)
