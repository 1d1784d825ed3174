from pathlib import Path

import pytest

from ml_pipeline.io.bundle_receipts import Receipt, read_receipt, receipt_path, write_receipt

RECEIPT = Receipt("a" * 64, {"lightgbm": "4.7.0"}, 20)


def test_a_receipt_is_read_as_it_was_written_and_lies_outside_of_all_bundles(tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert read_receipt(models, "2024-05-05-aaaa") is None
    write_receipt(models, "2024-05-05-aaaa", RECEIPT)
    assert read_receipt(models, "2024-05-05-aaaa") == RECEIPT
    assert read_receipt(models, "2024-05-05-bbbb") is None
    assert not receipt_path(models, "2024-05-05-aaaa").is_relative_to(models)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"manifest_sha256": "a"}', b"\x80\x04"])
def test_a_receipt_that_is_none_counts_for_nothing(tmp_path: Path, content: bytes) -> None:
    write_receipt(tmp_path / "models", "one", RECEIPT)
    receipt_path(tmp_path / "models", "one").write_bytes(content)
    assert read_receipt(tmp_path / "models", "one") is None
