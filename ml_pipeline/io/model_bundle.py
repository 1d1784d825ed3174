"""The model bundle: a folder of text and Parquet, written once, hashed, checked before anything in it is parsed.

There is no pickle in it, and loading it runs no code from it.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline.io.bundle_folder import (
    MANIFEST,
    BundleError,
    hashes_in,
    parse_json,
    read_manifest_bytes,
    require_exactly,
    require_inside,
)
from ml_pipeline.io.bundle_receipts import read_receipt
from ml_pipeline.io.files import sync_file, sync_folder

if TYPE_CHECKING:
    from ml_pipeline.io.sql_project import SqlProject

__all__ = [
    "MANIFEST", "REFIT_OF", "BundleError", "ModelBundle", "json_bytes", "open_damaged_bundle", "parquet_bytes", "read_bundle",
    "read_manifest", "write_bundle",
]  # fmt: skip

REFIT_OF = "refit_of"
_MOST_CELLS = 100_000_000


@dataclass(frozen=True)
class ModelBundle:
    """A verified bundle; ``version`` holds the night that it was trained on and a hash of its content."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def version(self) -> str:
        return self.folder.name

    @property
    def refit_of(self) -> str | None:
        """The accepted bundle whose recipe was repeated on all matured rows to make this one; None for any other."""
        return self.manifest.get(REFIT_OF)

    @property
    def manifest_sha256(self) -> str:
        return hashlib.sha256((self.folder / MANIFEST).read_bytes()).hexdigest()

    def content(self, name: str) -> bytes:
        """The bytes of a file, hashed once more: they may have changed since the bundle was opened."""
        content = (self.folder / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != self.manifest["files"][name]:
            raise self.refused(f"{name} was changed after the bundle was written")
        return content

    def text(self, name: str) -> str:
        try:
            return self.content(name).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.refused(f"{name} is no text ({error})") from error

    def json(self, name: str) -> Any:
        return parse_json(self.content(name), f"bundle {self.version}: {name}")

    def table(self, name: str) -> pa.Table:
        """A Parquet file, whole; refused if it says that it holds more cells than any bundle needs."""
        try:
            file = pq.ParquetFile(pa.BufferReader(self.content(name)))
            if file.metadata.num_rows * file.metadata.num_columns > _MOST_CELLS:
                raise self.refused(f"{name} holds more than {_MOST_CELLS:,} cells")
            return file.read()
        except (pa.ArrowException, OSError) as error:
            raise self.refused(f"{name} is no Parquet file ({error})") from error

    @cached_property
    def feature_set(self) -> "SqlProject":
        """The very SQL that made the features of this model.

        Raises:
            BundleError: its SQL or YAML is not what the pipeline runs.
        """
        from ml_pipeline.io.sql_project import load_sql_project

        try:
            return load_sql_project(self.folder / "feature_set")
        except (ValueError, OSError, RecursionError) as error:
            raise self.refused(f"feature_set cannot be used ({error})") from error

    def refused(self, reason: str) -> BundleError:
        """The error that refuses this bundle for ``reason``."""
        return BundleError(f"bundle {self.version}: {reason}; restore it or retrain")


def parquet_bytes(table: pa.Table) -> bytes:
    """``table`` as Parquet, without anything that differs from run to run."""
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(None), buffer, compression="zstd")
    return buffer.getvalue()


def json_bytes(content: Any) -> bytes:
    """``content`` as JSON with sorted keys; NaN is refused, because JSON has none."""
    return (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def write_bundle(models: Path, files: Mapping[str, bytes], facts: Mapping[str, Any], *, label: str) -> ModelBundle:
    """Write a bundle below ``models`` as ``<label>-<hash>``; the same content again is the same folder, untouched.

    Args:
        models: the folder of all bundles.
        files: content by path inside the bundle.
        facts: what the manifest says besides the hashes; must not hold clock readings or names of this machine.
        label: the night that the model was trained on.

    Raises:
        BundleError: a file's name is no plain path inside of the bundle.
    """
    for name in files:
        require_inside(name, f"a bundle of {label}")
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    manifest = json_bytes({"files": hashes, **facts})
    version = f"{label}-{hashlib.sha256(manifest).hexdigest()[:10]}"
    folder = models / version
    if folder.exists():
        return read_bundle(models, version)
    aside = models / f".{version}.{os.getpid()}.aside"
    shutil.rmtree(aside, ignore_errors=True)
    for name, content in {**files, MANIFEST: manifest}.items():
        path = aside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sync_file(path)
    sync_folder(aside)
    try:
        aside.rename(folder)
    except OSError:
        # Another process wrote the same bundle first: equal content, so its folder is ours; anything else is raised.
        if not folder.exists():
            raise
        shutil.rmtree(aside)
    sync_folder(models)
    return read_bundle(models, version)


def read_manifest(path: Path) -> dict[str, Any]:
    """Parse a manifest without verifying the bundle.

    Raises:
        BundleError: it is no manifest.
    """
    told = f"bundle {path.parent.name}: {MANIFEST}"
    return _parsed(read_manifest_bytes(path, told), told)


def read_bundle(models: Path, version: str) -> ModelBundle:
    """Verify and return the bundle ``version``.

    Raises:
        BundleError: it is missing, a file is missing, added, changed, linked or too large, or the manifest is not the
            one that the version names. LightGBM's parser crashes, or silently predicts otherwise, on damaged text: the
            hashes are compared before anything is parsed.
    """
    folder = models / version
    if folder.parent != models or folder.is_symlink() or not (folder / MANIFEST).is_file():
        raise BundleError(f"there is no model bundle {version} in {models}")
    told = f"bundle {version}"
    content = read_manifest_bytes(folder / MANIFEST, f"{told}: {MANIFEST}")
    _require_named(models, version, hashlib.sha256(content).hexdigest())
    manifest = _parsed(content, f"{told}: {MANIFEST}")
    require_exactly(folder, manifest["files"], told)
    for name, wanted in manifest["files"].items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != wanted:
            raise BundleError(f"{told}: {name} was changed after the bundle was written; restore it or retrain")
    return ModelBundle(folder, manifest)


def open_damaged_bundle(models: Path, version: str) -> ModelBundle:
    """A bundle of which only the manifest is verified: each file is hashed when it is read, others may be damaged or gone.

    Raises:
        BundleError: the manifest is missing, or is not the one that the version names.
    """
    folder = models / version
    if folder.parent != models or folder.is_symlink() or not (folder / MANIFEST).is_file():
        raise BundleError(f"there is no model bundle {version} in {models}")
    told = f"bundle {version}: {MANIFEST}"
    content = read_manifest_bytes(folder / MANIFEST, told)
    _require_named(models, version, hashlib.sha256(content).hexdigest())
    return ModelBundle(folder, _parsed(content, told))


def _require_named(models: Path, version: str, manifest_sha256: str) -> None:
    """The version's name holds the first digits of the hash; whoever loaded the bundle before remembers all of them."""
    receipt = read_receipt(models, version)
    is_other = receipt is not None and receipt.manifest_sha256 != manifest_sha256
    if manifest_sha256[:10] != version.rsplit("-", 1)[-1] or is_other:
        raise BundleError(
            f"bundle {version}: {MANIFEST} was changed after the bundle was written; restore it or retrain"
        )


def _parsed(content: bytes, told: str) -> dict[str, Any]:
    manifest = parse_json(content, told)
    return {**manifest, "files": hashes_in(manifest, told)}
