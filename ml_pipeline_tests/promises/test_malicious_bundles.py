"""A bundle that was made to do harm, with all its hashes right, is refused and runs no code."""

import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from ml_pipeline.io.model_bundle import MANIFEST, BundleError, ModelBundle, json_bytes, read_bundle, write_bundle
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.bundle_scorer import GOLDEN
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.promises.test_bundles import Files, files_of, refusal, rewritten


@pytest.fixture
def sound(scored_shop: Site) -> ModelBundle:
    return read_bundle(scored_shop.models, str(current_champion(scored_shop)))


class Opener:
    """Runs a command in whoever unpickles it."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.canary}",)


def pickled(canary: Path) -> bytes:
    import pickle

    return pickle.dumps(Opener(canary))


def tagged_yaml(canary: Path) -> bytes:
    return f'name: !!python/object/apply:os.system ["touch {canary}"]\n'.encode()


def jinja(canary: Path) -> bytes:
    return f"select {{{{ cycler.__init__.__globals__.os.popen('touch {canary}').read() }}}} as score_date".encode()


def writing_sql(canary: Path) -> bytes:
    return f"copy (select 1) to '{canary}'".encode()


def absurd_trees(files: Files) -> bytes:
    text = files["model.txt"].decode()
    return text.replace("num_leaves=", "num_leaves=2000000", 1).replace("num_cat=0", "num_cat=2000000000", 1).encode()


def malicious(files: Files, canary: Path) -> dict[str, Files]:
    """What each artefact puts in the place of files, by what it tries."""
    spine, project = "feature_set/staging/spine.sql", "feature_set/project.yml"
    return {
        "a pickle as calibrator": {"calibrator.json": pickled(canary)},
        "a pickle as trees": {"model.txt": pickled(canary)},
        "a pickle as golden rows": {GOLDEN: pickled(canary)},
        "YAML that calls a function": {project: tagged_yaml(canary)},
        "Jinja that opens a shell": {spine: jinja(canary)},
        "SQL that writes a file": {spine: writing_sql(canary)},
        "SQL that reads a file": {spine: b"select * from read_text('/etc/hostname')"},
        "a connector of its own": {project: files[project].replace(b"kind: folder", b"kind: os.system")},
        "JSON that nests without end": {"calibrator.json": b"[" * 300_000},
        "a number without end": {"threshold.json": b'{"threshold": ' + b"9" * 300_000 + b"}"},
        "a threshold that is NaN": {"threshold.json": b'{"threshold": NaN}'},
        "a threshold that overflows": {"threshold.json": b'{"threshold": 1e999}'},
        "a calibrator that says two things": {
            "calibrator.json": files["calibrator.json"].replace(b"{", b'{"kind": "sigmoid",', 1)
        },
        "trees of absurd size": {"model.txt": absurd_trees(files)},
        "trees that break off": {"model.txt": files["model.txt"][:700]},
    }


def test_malicious_bundles_whose_hashes_are_right_run_no_code(sound: ModelBundle, tmp_path: Path) -> None:
    canary, files = tmp_path / "executed", files_of(sound)
    artefacts = malicious(files, canary)
    told: dict[str, str | None] = {}
    for name, changed in artefacts.items():
        assert all(files[path] != content for path, content in changed.items())
        bundle = rewritten(sound, tmp_path / "data" / "models", files | changed)
        told[name] = refusal(lambda bundle=bundle: (bundle.feature_set, load_scorer(bundle)))  # type: ignore[misc]
        assert not canary.exists(), name
    print(f"malicious artefacts that ran code: 0 of {len(artefacts)}")
    assert [name for name, reason in told.items() if not (reason or "").startswith("bundle 2024-05-05-")] == []
    assert len(artefacts) >= 12


def test_the_harness_sees_code_that_is_run(tmp_path: Path) -> None:
    import pickle

    pickle.loads(pickled(tmp_path / "executed"))
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "name", ["../../outside.json", "/etc/hostname", "a/../../b", "a\\b", "..", "a//b", "\x00", MANIFEST]
)
def test_a_manifest_that_names_a_file_elsewhere_is_refused(sound: ModelBundle, tmp_path: Path, name: str) -> None:
    manifest = json_bytes(sound.manifest | {"files": {name: "0" * 64}})
    folder = tmp_path / "models" / f"2024-05-05-{sha256(manifest).hexdigest()[:10]}"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_bytes(manifest)
    with pytest.raises(BundleError, match="no plain path inside of a bundle"):
        read_bundle(folder.parent, folder.name)
    with pytest.raises(BundleError, match="no plain path inside of a bundle"):
        write_bundle(tmp_path, {name: b""}, {}, label="2024-05-05")


@pytest.mark.parametrize("kind", ["pipe", "huge file", "folder"])
def test_what_cannot_be_read_is_not_read(sound: ModelBundle, tmp_path: Path, kind: str) -> None:
    """Reading a pipe waits for ever, reading a huge file takes all memory."""
    models = tmp_path / "models"
    path = Path(shutil.copytree(sound.folder, models / sound.version)) / "metrics.json"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 2**40)
    with pytest.raises(BundleError, match=r"metrics\.json (is a link|has 1,099,511,627,776 bytes)"):
        read_bundle(models, sound.version)
