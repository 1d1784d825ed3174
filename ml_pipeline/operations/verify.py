"""Compares everything that was published with the hash that it was published under."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ml_pipeline.io.commit_receipts import CommitReceipts, Damage
from ml_pipeline.io.delta_log import newest_commit
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline.io.model_bundle import MANIFEST, BundleError, read_bundle
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.vacuum import vacuumed_files


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
    receipts, vacuumed = CommitReceipts(site.data), vacuumed_files(site)
    for table in site.tables.tables():
        # Not asked of the store: it reads commits, and one of them may be what is damaged.
        for found in receipts.damages(table, newest_commit(site.data / table)):
            # What a vacuum recorded and removed is no damage; were it back, it would be compared like any other.
            if isinstance(found, Path) or found.path.exists() or found.path not in vacuumed:
                yield found


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
    problems = {finding.number: finding.problem for finding in ledger.verify()}
    there = {int(path.stem): path for path in ledger.paths()}
    for number in sorted(there.keys() | problems.keys()):
        path = there.get(number, ledger.folder / f"{number:06d}.json")
        problem = problems.get(number)
        yield path if problem is None else Damage(path, f"{problem}; restore it from a backup")
