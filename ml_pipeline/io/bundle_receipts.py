"""Which bundles have stood their trial on this data root: one small file a bundle, outside of the bundle's folder.

A bundle cannot vouch for itself, so the receipt lies beside the folder of all bundles. It names the whole hash of the
manifest, of which a version's name holds ten digits.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ml_pipeline.io.files import write_durably


@dataclass(frozen=True)
class Receipt:
    """What was tried.

    Attributes:
        manifest_sha256: of the bundle's manifest, and so of every file in it.
        packages: installed version by package name at the trial; others may predict otherwise.
        golden_rows: how many rows the bundle reproduced; 0 for a bundle that holds none.
    """

    manifest_sha256: str
    packages: dict[str, str]
    golden_rows: int


def receipt_path(models: Path, version: str) -> Path:
    """Where the receipt of a bundle lies: never below ``models``."""
    return models.with_name("verified") / f"{version}.json"


def read_receipt(models: Path, version: str) -> Receipt | None:
    """The receipt of a bundle; None if it was never tried, or if the receipt is no receipt: then it is tried again."""
    try:
        return Receipt(**json.loads(receipt_path(models, version).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def write_receipt(models: Path, version: str, receipt: Receipt) -> None:
    """Remember a trial that was stood."""
    write_durably(receipt_path(models, version), json.dumps(asdict(receipt), sort_keys=True).encode())
