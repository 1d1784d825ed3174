import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from ml_pipeline.io.model_bundle import (
    MANIFEST,
    BundleError,
    ModelBundle,
    json_bytes,
    parquet_bytes,
    read_bundle,
    write_bundle,
)
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.processes import release, start_python

FILES = {"model.txt": b"tree\nnum_leaves=2\n", "calibrator.json": b"{}", "feature_set/project.yml": b"name: x\n"}
FACTS = {"trained_on": "2024-05-05", "seed": 7}


def write(models: Path, files: dict[str, bytes] = FILES, facts: dict[str, object] = FACTS) -> ModelBundle:
    return write_bundle(models, files, facts, label="2024-05-05")


def test_the_same_content_is_the_same_version_and_is_not_written_again(tmp_path: Path) -> None:
    first = write(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}
    again = write(tmp_path, dict(reversed(FILES.items())), dict(reversed(FACTS.items())))
    assert again == first
    assert {path: path.stat().st_mtime_ns for path in again.folder.rglob("*")} == before
    assert write(tmp_path / "elsewhere").version == first.version


@pytest.mark.parametrize(
    ("files", "facts"),
    [
        (FILES | {"model.txt": b"tree\nnum_leaves=3\n"}, FACTS), (FILES | {"new.json": b"{}"}, FACTS),
        ({"model.txt": FILES["model.txt"]}, FACTS), (FILES, FACTS | {"seed": 8}),
    ],
)  # fmt: skip
def test_other_content_is_another_version(tmp_path: Path, files: dict[str, bytes], facts: dict[str, object]) -> None:
    assert write(tmp_path).version != write(tmp_path, files, facts).version


def test_a_version_names_its_night_and_the_hash_of_its_manifest(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    manifest = (bundle.folder / MANIFEST).read_bytes()
    assert bundle.version == f"2024-05-05-{hashlib.sha256(manifest).hexdigest()[:10]}"
    assert bundle.manifest["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    assert [path.name for path in tmp_path.iterdir()] == [bundle.version]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _link(path: Path) -> None:
    """The very same content, but somebody else's file."""
    outside = path.parents[2] / f"outside_{path.name}"
    shutil.copyfile(path, outside)
    path.unlink()
    path.symlink_to(outside)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "flipped": _flip, "emptied": lambda path: path.write_bytes(b"") and None, "removed": Path.unlink,
    "linked": _link, "grown": lambda path: path.write_bytes(path.read_bytes() + b"\n") and None,
    "added": lambda path: path.with_name("added.py").write_bytes(b"import os") and None,
    "added link": lambda path: os.symlink("/etc/hostname", path.with_name("added")),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_file_of_a_real_bundle_that_is_damaged_is_refused_before_it_is_parsed(
    scored_shop: Site, tmp_path: Path, damage: str
) -> None:
    original = next(path for path in scored_shop.models.iterdir() if not path.name.startswith("."))
    names = [str(path.relative_to(original)) for path in original.rglob("*") if path.is_file()]
    trials = [name for name in names if not (name == MANIFEST and damage == "linked")]
    assert len(trials) > 15
    for number, name in enumerate(trials):
        models = tmp_path / str(number)
        shutil.copytree(original, models / original.name)
        assert read_bundle(models, original.name).version == original.name
        DAMAGES[damage](models / original.name / name)
        # A parser that got hold of the file would raise an error of its own.
        with pytest.raises(BundleError, match=original.name):
            read_bundle(models, original.name)


def test_a_folder_that_was_swapped_for_a_link_is_refused(scored_shop: Site, tmp_path: Path) -> None:
    original = next(path for path in scored_shop.models.iterdir() if not path.name.startswith("."))
    copy = tmp_path / "models" / original.name
    shutil.copytree(original, copy)
    shutil.move(copy / "feature_set", tmp_path / "feature_set")
    (copy / "feature_set").symlink_to(tmp_path / "feature_set")
    with pytest.raises(BundleError, match="missing"):
        read_bundle(tmp_path / "models", original.name)


def test_a_manifest_that_was_changed_together_with_the_file_is_refused(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    (bundle.folder / "model.txt").write_bytes(b"other trees")
    manifest = json.loads((bundle.folder / MANIFEST).read_bytes())
    manifest["files"]["model.txt"] = hashlib.sha256(b"other trees").hexdigest()
    (bundle.folder / MANIFEST).write_bytes(json_bytes(manifest))
    with pytest.raises(BundleError, match=r"manifest\.json was changed"):
        read_bundle(tmp_path, bundle.version)


@pytest.mark.parametrize(
    "version", ["", ".", "..", "../models/{0}", "{0}/feature_set", "/{0}", "2024-05-05-0000000000"]
)
def test_a_version_that_names_no_bundle_or_leaves_the_folder_is_refused(tmp_path: Path, version: str) -> None:
    models = tmp_path / "models"
    name = write(models).version
    with pytest.raises(BundleError, match="there is no model bundle"):
        read_bundle(models, version.format(name))


def test_no_file_of_a_bundle_is_a_pickle_and_loading_it_runs_no_code(scored_shop: Site) -> None:
    bundle = read_bundle(scored_shop.models, next(scored_shop.models.glob("2024*")).name)
    kinds = {path.suffix for path in bundle.folder.rglob("*") if path.is_file()}
    assert kinds == {".txt", ".json", ".parquet", ".md", ".html", ".sql", ".yml"}
    for path in bundle.folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert path.suffix == ".parquet" or content.decode("utf-8") is not None
        assert not content.startswith(b"\x80"), path


def test_parquet_and_json_have_the_same_bytes_each_time() -> None:
    table = pa.table({"a": [1, 2]}).replace_schema_metadata({"written_by": "this machine"})
    assert parquet_bytes(table) == parquet_bytes(pa.table({"a": [1, 2]}))
    assert json_bytes({"b": 1, "a": 2}) == json_bytes({"a": 2, "b": 1})
    with pytest.raises(ValueError):
        json_bytes({"a": float("nan")})


WRITERS = """
import sys
from pathlib import Path
from ml_pipeline.io.model_bundle import write_bundle
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    files = {f"part_{part}": bytes([number]) * 2000 for part in range(4)}
    print(write_bundle(Path(sys.argv[1]), files, {}, label="2024-05-05").version)
"""


def test_two_processes_that_write_the_same_bundle_both_get_it(tmp_path: Path) -> None:
    writers = [start_python(WRITERS, str(tmp_path)) for _ in range(3)]
    release(writers)
    answers = [writer.communicate(timeout=60) for writer in writers]
    assert [error for _, error in answers if "Error" in error] == []
    assert len({out for out, _ in answers}) == 1
    assert len(list(tmp_path.iterdir())) == 60
