"""What the corpus does not reach: what happens to a file between two looks at it, and lists of hashes."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from ml_pipeline.contracts.delivery import LimitsContract
from ml_pipeline.io.connectors.connector import DeliveryError, DeliveryUnsettledError
from ml_pipeline.io.file_gate import open_gated, read_hash_list


def deliver(root: Path, content: bytes = b"a,b\n1,2\n") -> Path:
    path = root / "day.csv"
    path.write_bytes(content)
    return path


def read(path: Path, *, settle_seconds: int = 0) -> bytes:
    with open_gated(path, path.parent, LimitsContract(), settle_seconds=settle_seconds) as file:
        assert file.sha256 == sha256(path.read_bytes()).hexdigest()
        return file.handle.read()


def test_a_sound_file_is_opened_at_its_first_byte(tmp_path: Path) -> None:
    assert read(deliver(tmp_path)) == b"a,b\n1,2\n"


def test_a_file_that_grows_while_it_is_read_is_worth_another_try(tmp_path: Path) -> None:
    path = deliver(tmp_path)
    with pytest.raises(DeliveryUnsettledError, match="changed while it was read"):  # noqa: SIM117
        with open_gated(path, tmp_path, LimitsContract(), settle_seconds=0):
            path.write_bytes(b"a,b\n1,2\n3,4\n")


def test_a_file_that_is_exchanged_for_a_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, secret = deliver(tmp_path), tmp_path.parent / "secret"
    secret.write_text("secret")
    opened = os.open

    def exchange(*arguments: object, **options: object) -> int:
        path.unlink()
        path.symlink_to(secret)
        return opened(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", exchange)
    with pytest.raises(OSError, match="symbolic link"):
        read(path)


@pytest.mark.parametrize(("age", "is_settled"), [(0, False), (59, False), (61, True), (-3600, True)])
def test_a_file_settles_with_age_and_a_clock_ahead_does_not_hold_it_up(
    tmp_path: Path, age: int, is_settled: bool
) -> None:
    path = deliver(tmp_path)
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    if is_settled:
        assert read(path, settle_seconds=60)
    else:
        with pytest.raises(DeliveryUnsettledError, match="may still be growing"):
            read(path, settle_seconds=60)


def test_a_list_as_sha256sum_writes_it_is_read(tmp_path: Path) -> None:
    assert read_hash_list(tmp_path) is None
    path = deliver(tmp_path)
    digest = sha256(path.read_bytes()).hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  ./day.csv\n{'0' * 64} *other.csv\n")
    assert read_hash_list(tmp_path) == {"day.csv": digest, "other.csv": "0" * 64}
    assert read(path, settle_seconds=60)


def test_a_list_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").symlink_to("/etc/passwd")
    with pytest.raises(DeliveryError, match="not a plain file"):
        read_hash_list(tmp_path)
