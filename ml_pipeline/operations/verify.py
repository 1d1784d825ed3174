"""Compares everything that was published with the hash that it was published under."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ml_pipeline.io.commit_receipts import CommitReceipts, Damage
from ml_pipeline.io.delta_log import newest_commit
from ml_pipeline.io.files import sha256_of
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline.io.model_bundle import MANIFEST, BundleError, read_bundle
from ml_pipeline.operations.site import Site


@dataclass(frozen=True)
class Verification:
    """What was compared, by kind, and what is not as it was published."""

    files: int
    bundles: int
    entries: int
    damages: tuple[Damage, ...]


def verify(site: Site) -> Verification:
    """Hash every file of every table, every bundle and every entry of a ledger. Changes nothing."""
    files, bundles, entries = list(_tables(site)), list(_bundles(site)), list(_ledgers(site))
    damages = [found for found in (*files, *bundles, *entries) if isinstance(found, Damage)]
    return Verification(len(files), len(bundles), len(entries), tuple(damages))


def _tables(site: Site) -> Iterator[Damage | Path]:
    receipts = CommitReceipts(site.data)
    for table in site.tables.tables():
        # Not asked of the store: it reads commits, and one of them may be what is damaged.
        yield from receipts.damages(table, newest_commit(site.data / table))


def _bundles(site: Site) -> Iterator[Damage | Path]:
    for folder in sorted(path for path in site.models.glob("[!.]*") if path.is_dir()):
        try:
            yield read_bundle(site.models, folder.name).folder
        except BundleError as error:
            yield Damage(folder / MANIFEST, str(error))


def _ledgers(site: Site) -> Iterator[Damage | Path]:
    for folder in sorted(path for path in (site.data / "ledgers").glob("*") if path.is_dir()):
        yield from _entries(Ledger(folder))


def _entries(ledger: Ledger) -> Iterator[Damage | Path]:
    """Each entry names the hash of the one before, so a change shows in the next; the newest has only its own number."""
    previous = ""
    for number, path in enumerate(ledger.paths(), start=1):
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            is_sound = entry["number"] == number and path.stem == f"{number:06d}" and entry["previous"] == previous
        except (ValueError, KeyError, TypeError) as error:
            yield Damage(path, f"the entry cannot be read ({error}); restore it from a backup")
        else:
            told = "its number, or the entry before it, was changed after it was written; restore them from a backup"
            yield path if is_sound else Damage(path, told)
        previous = sha256_of(path)
