from pathlib import Path

import pytest

from ml_pipeline.io.bundle_folder import (
    MOST_FILES,
    BundleError,
    hashes_in,
    parse_json,
    read_manifest_bytes,
    require_exactly,
    require_inside,
)

SHA = "0" * 64


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"{", b"[" * 200_000, b"NaN", b'{"a": Infinity}', b'{"a": 1, "a": 2}', b"9" * 5000]
)
def test_json_that_the_pipeline_does_not_write_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"this file cannot be read \("):
        parse_json(content, "this file")


def test_json_that_the_pipeline_writes_is_read() -> None:
    assert parse_json(b'{"a": [1, 2.5, null]}', "this file") == {"a": [1, 2.5, None]}


@pytest.mark.parametrize(
    "manifest",
    [[], {}, {"files": {}}, {"files": ["a"]}, {"files": {"a.txt": "0"}}, {"files": {"a.txt": 0}}, {"files": {"../a": SHA}},
     {"files": {f"{number}.txt": SHA for number in range(MOST_FILES + 1)}}],
)  # fmt: skip
def test_a_manifest_without_names_and_hashes_is_refused(manifest: object) -> None:
    with pytest.raises(BundleError, match="this manifest"):
        hashes_in(manifest, "this manifest")


def test_names_and_hashes_of_a_manifest() -> None:
    files = {"feature_set/staging/stg_a.sql": SHA, "model.txt": SHA}
    assert hashes_in({"files": files, "seed": 1}, "this manifest") == files


@pytest.mark.parametrize(
    "name", ["", ".", "/a", "a/", "a/../b", ".hidden", "a b", "a\n", "ä", "x" * 201, "manifest.json"]
)
def test_a_name_that_is_no_plain_path_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match="no plain path"):
        require_inside(name, "this manifest")


def test_a_folder_holds_what_is_listed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("manifest.json", "a/b.txt"):
        (tmp_path / name).write_text("x")
    require_exactly(tmp_path, {"a/b.txt": SHA}, "this bundle")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"this bundle: files missing \[\], added \['empty'\]"):
        require_exactly(tmp_path, {"a/b.txt": SHA}, "this bundle")


def test_a_manifest_that_is_a_link_or_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").symlink_to("/etc/hostname")
    with (tmp_path / "large").open("wb") as handle:
        handle.truncate(2**40)
    for name in ("manifest.json", "large"):
        with pytest.raises(BundleError, match="no regular file of at most"):
            read_manifest_bytes(tmp_path / name, "this manifest")
