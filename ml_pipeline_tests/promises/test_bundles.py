"""A bundle that anybody has touched is refused before it is parsed, or by its golden rows."""

import json
import os
import random
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
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
from ml_pipeline.operations.bundle_scorer import GOLDEN, require_golden, scorer_of
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site

Files = dict[str, bytes]


def forge(folder: Path, changed: str | None = None) -> None:
    """Write the manifest anew for what lies in ``folder``, or for the file ``changed`` alone."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    names = manifest["files"] if changed is None else [changed]
    manifest["files"] |= {name: sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / MANIFEST).write_bytes(json_bytes(manifest))


def flip(folder: Path, name: str, dice: random.Random) -> None:
    content = bytearray((folder / name).read_bytes())
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    (folder / name).write_bytes(content)


def truncate(folder: Path, name: str, dice: random.Random) -> None:
    os.truncate(folder / name, dice.randrange((folder / name).stat().st_size))


def grow(folder: Path, name: str, dice: random.Random) -> None:
    (folder / name).write_bytes((folder / name).read_bytes() + dice.randbytes(dice.randint(1, 9)))


def remove(folder: Path, name: str, dice: random.Random) -> None:
    (folder / name).unlink()


def add(folder: Path, name: str, dice: random.Random) -> None:
    (folder / name).with_name(f"added_{dice.randrange(9)}.py").write_bytes(b"import os\n")


def rename(folder: Path, name: str, dice: random.Random) -> None:
    (folder / name).rename((folder / name).with_name(f"renamed_{dice.randrange(9)}.json"))


def swap(folder: Path, name: str, dice: random.Random) -> None:
    mine = (folder / name).read_bytes()
    others = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.read_bytes() != mine]
    other = dice.choice(others)
    (folder / name).write_bytes(other.read_bytes())
    other.write_bytes(mine)


def link(folder: Path, name: str, dice: random.Random) -> None:
    """The very same bytes, but somebody else's file."""
    outside = folder.parents[1] / f"outside_{dice.randrange(10**9)}"
    shutil.move(folder / name, outside)
    (folder / name).symlink_to(outside)


def edit_manifest(folder: Path, name: str, dice: random.Random) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes()) | {"seed": dice.randrange(10**6)}
    (folder / MANIFEST).write_bytes(json_bytes(manifest))


def edit_with_its_hash(folder: Path, name: str, dice: random.Random) -> None:
    """The version's name, which is what the ledger keeps, still holds the old hash."""
    target = name if name != MANIFEST else "model.txt"
    grow(folder, target, dice)
    forge(folder, target)


BY_HASH = (flip, truncate, grow, remove, add, rename, swap, link, edit_manifest, edit_with_its_hash)


def refusal(load: Callable[[], object]) -> str | None:
    """What a BundleError says, None if nothing was refused; any other error fails the test."""
    try:
        load()
    except BundleError as error:
        return str(error)
    return None


@pytest.fixture
def sound(scored_shop: Site) -> ModelBundle:
    return read_bundle(scored_shop.models, str(current_champion(scored_shop)))


def files_of(bundle: ModelBundle) -> Files:
    return {name: bundle.content(name) for name in bundle.manifest["files"]}


def rewritten(bundle: ModelBundle, models: Path, files: Files) -> ModelBundle:
    """A bundle whose hashes are all right: name, manifest and files agree."""
    facts = {name: fact for name, fact in bundle.manifest.items() if name != "files"}
    return write_bundle(models, files, facts, label="2024-05-05")


def other_leaves(files: Files, number: int) -> Files:
    """The same length, so that LightGBM reads it without complaint: one tree gives its leaves the wrong way round."""
    lines = files["model.txt"].decode().split("\n")
    places = [place for place, line in enumerate(lines) if line.startswith("leaf_value=")]
    place = places[number % len(places)]
    lines[place] = "leaf_value=" + " ".join(reversed(lines[place].removeprefix("leaf_value=").split(" ")))
    return files | {"model.txt": "\n".join(lines).encode()}


def other_calibrator(files: Files, number: int) -> Files:
    calibrator = json.loads(files["calibrator.json"])
    other = calibrator | {"kind": "sigmoid", "inputs": [1 + 0.001 * (number + 1), 0.001], "outputs": []}
    return files | {"calibrator.json": json_bytes(other)}


def other_golden(files: Files, number: int) -> Files:
    rows = pq.read_table(pa.BufferReader(files[GOLDEN]))
    place = rows.schema.get_field_index("golden_score")
    changed = pc.add(rows.column(place), 10.0 ** -(number % 5 + 5))
    return files | {GOLDEN: parquet_bytes(rows.set_column(place, "golden_score", changed))}


BY_GOLDEN_ROWS = (other_leaves, other_leaves, other_calibrator, other_golden)


def test_500_of_500_mutated_bundles_are_refused(sound: ModelBundle, tmp_path: Path) -> None:
    dice = random.Random(20240505)
    models = tmp_path / "data" / "models"
    folder = models / sound.version
    names = [*sound.manifest["files"], MANIFEST]
    survivors, mutants = [], 0
    for mutate in BY_HASH:
        for number in range(48):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(sound.folder, folder)
            name = names[dice.randrange(len(names))]
            mutate(folder, name, dice)
            mutants += 1
            if refusal(lambda: read_bundle(models, sound.version)) is None:
                survivors.append(f"{mutate.__name__} {number} {name}")
    files = files_of(sound)
    for kind, mutate_files in enumerate(BY_GOLDEN_ROWS):
        for number in range(5):
            other = rewritten(sound, tmp_path / "rewritten" / "models", mutate_files(files, 5 * kind + number))
            mutants += 1
            told = refusal(lambda bundle=other: require_golden(bundle, scorer_of(bundle)))  # type: ignore[misc]
            if told is None or "golden rows are not reproduced" not in told:
                survivors.append(f"{mutate_files.__name__} {number}")
    print(f"mutated bundles refused: {mutants - len(survivors)} of {mutants}")
    assert survivors == []
    assert mutants == 500


def test_the_harness_sees_a_bundle_that_is_not_refused(sound: ModelBundle, tmp_path: Path) -> None:
    models = tmp_path / "data" / "models"
    shutil.copytree(sound.folder, models / sound.version)
    assert refusal(lambda: read_bundle(models, sound.version)) is None
    same = rewritten(sound, models, files_of(sound))
    assert same.version.rsplit("-", 1)[-1] == sound.version.rsplit("-", 1)[-1]
    assert refusal(lambda: require_golden(same, scorer_of(same))) is None
