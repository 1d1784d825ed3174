import random
from pathlib import Path

from ml_pipeline.io.commit_receipts import CommitReceipts
from ml_pipeline.io.delta_log import commit_path
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline.operations.recover import sweep
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.verify import verify

FLIPPED = 150


def flip_a_bit(path: Path, moments: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[moments.randrange(len(content))] ^= 1 << moments.randrange(8)
    path.chmod(0o644)
    path.write_bytes(content)


def published_files(site: Site) -> list[Path]:
    """Every data file, commit and file of a bundle."""
    tables = site.tables.tables()
    files = [path for table in tables for path in site.tables.files(table)]
    commits = [
        commit_path(site.data / table, version) for table in tables for version in range(site.tables.version(table) + 1)
    ]
    return files + commits


def test_one_flipped_bit_in_any_published_file_is_found(scored_shop_copy: Site) -> None:
    site, moments = scored_shop_copy, random.Random(7)
    clean = verify(site)
    assert clean.damages == ()
    assert clean.files >= len(published_files(site))
    assert min(clean.bundles, clean.entries) >= 1
    flipped = set(moments.sample(published_files(site), FLIPPED))
    for path in flipped:
        flip_a_bit(path, moments)
    told = {damage.path for damage in verify(site).damages}
    print(f"flipped bits: {len(flipped)} / {len(flipped - told)} not found, {len(told - flipped)} false")
    assert told == flipped


def test_a_flipped_bit_in_a_bundle_a_receipt_or_a_ledger_is_found(scored_shop_copy: Site) -> None:
    site, moments = scored_shop_copy, random.Random(8)
    (bundle,) = (path for path in site.models.iterdir() if not path.name.startswith("."))
    ledger = Ledger(site.data / "ledgers" / "promotions")
    for number in range(3):
        ledger.append({"note": number})
    receipt, after_it = (CommitReceipts(site.data).path("raw/orders", version) for version in (0, 1))
    for path, shown in (
        (bundle / "model.txt", bundle / "manifest.json"), (ledger.paths()[-2], ledger.paths()[-1]), (receipt, after_it),
    ):  # fmt: skip
        whole = path.read_bytes()
        flip_a_bit(path, moments)
        found = {damage.path for damage in verify(site).damages}
        assert {shown, path} & found, path
        path.write_bytes(whole)
        assert verify(site).damages == ()


def test_a_file_that_is_gone_and_a_commit_without_a_receipt_are_named_and_a_start_writes_receipts(
    scored_shop_copy: Site,
) -> None:
    site = scored_shop_copy
    receipt = CommitReceipts(site.data).path("scores", site.tables.version("scores"))
    receipt.unlink()
    (found,) = verify(site).damages
    assert (found.path, "there is no receipt" in found.problem) == (receipt, True)
    sweep(site)
    assert verify(site).damages == ()
    site.tables.files("scores")[0].unlink()
    (found,) = verify(site).damages
    assert (found.path, found.problem) == (site.tables.files("scores")[0], "it is gone; restore it from a backup")
