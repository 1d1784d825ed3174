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
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline.io.files import sync_file, sync_folder
from ml_pipeline.io.sql_project import SqlProject, load_sql_project

MANIFEST = "manifest.json"


class BundleError(ValueError):
    """A bundle is missing or is not what its manifest says; nothing of it was used."""


@dataclass(frozen=True)
class ModelBundle:
    """A verified bundle; ``version`` holds the night that it was trained on and a hash of its content."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def version(self) -> str:
        return self.folder.name

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def json(self, name: str) -> Any:
        return json.loads(self.text(name))

    def table(self, name: str) -> pa.Table:
        return pq.read_table(self.folder / name, partitioning=None)

    @cached_property
    def feature_set(self) -> SqlProject:
        """The very SQL that made the features of this model."""
        return load_sql_project(self.folder / "feature_set")


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
    """
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
        BundleError: it is no JSON.
    """
    try:
        return dict(json.loads(path.read_bytes()))
    except ValueError as error:
        raise BundleError(
            f"bundle {path.parent.name}: {MANIFEST} cannot be read ({error}); restore it or retrain"
        ) from error


def read_bundle(models: Path, version: str) -> ModelBundle:
    """Verify and return the bundle ``version``.

    Raises:
        BundleError: it is missing, a file is missing, added or changed, or the manifest is not the one that the
            version names. LightGBM's parser crashes, or silently predicts otherwise, on damaged text: the hashes
            are compared before anything is parsed.
    """
    folder = models / version
    if folder.parent != models or not (folder / MANIFEST).is_file():
        raise BundleError(f"there is no model bundle {version} in {models}")
    content = (folder / MANIFEST).read_bytes()
    if hashlib.sha256(content).hexdigest()[:10] != version.rsplit("-", 1)[-1]:
        raise BundleError(
            f"bundle {version}: {MANIFEST} was changed after the bundle was written; restore it or retrain"
        )
    manifest = read_manifest(folder / MANIFEST)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.is_symlink()}
    expected = {*manifest["files"], MANIFEST}
    if found != expected:
        raise BundleError(
            f"bundle {version}: files missing {sorted(expected - found)}, added {sorted(found - expected)}"
        )
    for name, wanted in manifest["files"].items():
        if (folder / name).is_symlink() or hashlib.sha256((folder / name).read_bytes()).hexdigest() != wanted:
            raise BundleError(
                f"bundle {version}: {name} was changed after the bundle was written; restore it or retrain"
            )
    return ModelBundle(folder, manifest)
