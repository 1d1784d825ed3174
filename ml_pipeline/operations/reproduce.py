"""Makes a recorded bundle, or a scored night, again from the recorded versions of its tables, and compares the hashes.

Nothing of the installation is written: a bundle is made in a temporary data root, a night stays in memory.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ml_pipeline.contracts.serving import AS_OF_POLICY, SCORES, Served
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.code_version import code_version, package_versions
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.files import sha256_of
from ml_pipeline.io.model_bundle import MANIFEST, BundleError, read_bundle, read_manifest
from ml_pipeline.io.sql_project import SqlProject, load_sql_project
from ml_pipeline.io.sql_template import SqlRefusedError
from ml_pipeline.io.table_store import PublishedNight
from ml_pipeline.nights import Night
from ml_pipeline.operations.baseline_scores import baseline_scores_again
from ml_pipeline.operations.promote import champions_of
from ml_pipeline.operations.remake import make_again
from ml_pipeline.operations.score_rows import score_rows
from ml_pipeline.operations.serve import labelled
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.standing_scores import StandingScores
from ml_pipeline.operations.trainings import RecordedTraining, recorded_training

_FEATURE_SET = "feature_set"
_LABELS_FOLDER = "labels"


@dataclass(frozen=True)
class Comparison:
    """One file of a bundle, or one table of a night. Hashes are None where there is no such file.

    Attributes:
        name: path inside the bundle, or name of the table.
        recorded: the hash in the manifest (the manifest's own is named by the version), or in the table's log.
        found: the hash of what lies there now.
        rebuilt: the hash of what was made again.
    """

    name: str
    recorded: str | None
    found: str | None
    rebuilt: str | None

    @property
    def is_equal(self) -> bool:
        return self.recorded is not None and self.recorded == self.found == self.rebuilt


@dataclass(frozen=True)
class Reproduction:
    """What came of making ``subject`` (the version of a bundle, or a night) again.

    Attributes:
        subject: what was made again.
        comparisons: one for each file or table.
        reasons: why it could not be made again; nothing was rebuilt then.
    """

    subject: str
    comparisons: tuple[Comparison, ...]
    reasons: tuple[str, ...] = ()

    @property
    def differing(self) -> tuple[Comparison, ...]:
        return tuple(comparison for comparison in self.comparisons if not comparison.is_equal)

    @property
    def is_reproduced(self) -> bool:
        """Whether everything was made again and is equal: what could not be tried is not reproduced."""
        return bool(self.comparisons) and not self.reasons and not self.differing


def reproduce_bundle(site: Site, version: str) -> Reproduction:
    """Train bundle ``version`` again, from features and labels as of the recorded versions, and compare every file.

    The project is that in the bundle, with the label model of the present one: a bundle holds none, and of the label
    model only the sources that it reads matter here.

    Raises:
        BundleError: there is no such bundle, or its manifest is not the one that the version names.
        LookupError, FileNotFoundError: rows of the recorded versions are gone.
    """
    folder = site.models / version
    manifest = _manifest(site, version)
    training = recorded_training(site, version)
    reasons = tuple(_obstacles(folder, manifest, training))
    if training is None or reasons:
        return Reproduction(version, _comparisons(folder, manifest, {}), reasons)
    with tempfile.TemporaryDirectory(prefix="ml_pipeline_reproduce_") as aside:
        sql = _recorded_project(site, folder / _FEATURE_SET, Path(aside) / "project")
        elsewhere = replace(site, data=Path(aside) / "data", sql=sql, tracking_uri="")
        rebuilt = make_again(site, elsewhere, folder, manifest, training.table_versions)
        return Reproduction(version, _comparisons(folder, manifest, _hashes(rebuilt.folder)))


def _manifest(site: Site, version: str) -> dict[str, Any]:
    """The manifest, verified; other files may be damaged, they are compared one by one."""
    try:
        return read_bundle(site.models, version).manifest
    except BundleError:
        path = site.models / version / MANIFEST
        is_there = path.parent.parent == site.models and path.is_file() and not path.is_symlink()
        if not is_there or not _is_named(sha256_of(path), version):
            raise
        return read_manifest(path)


def _is_named(digest: str, version: str) -> bool:
    return digest[:10] == version.rsplit("-", 1)[-1]


def _obstacles(folder: Path, manifest: Mapping[str, Any], training: RecordedTraining | None) -> Iterator[str]:
    if training is None:
        yield (
            "the ledger of trainings does not know it, so the versions of its tables are unknown; it was trained before "
            f"they were recorded: materialise trained_model for {manifest['trained_on']} again"
        )
    if manifest["code_version"] != code_version():
        yield (
            f"it was made by code {manifest['code_version']}, this is {code_version()}; {_checkout(training)}"
        )  # fmt: skip
    installed = package_versions()
    recorded = manifest["packages"]
    for name in sorted({*recorded, *installed}):
        if recorded.get(name) != installed.get(name):
            yield f"it was made with {name} {recorded.get(name)}, {installed.get(name)} is installed; install the former"
    own = {name: digest for name, digest in manifest["files"].items() if name.startswith(f"{_FEATURE_SET}/")}
    found = {name: digest for name, digest in _hashes(folder).items() if name.startswith(f"{_FEATURE_SET}/")}
    if own != found:
        yield "its feature set was changed after the bundle was written, so it is not run; restore the bundle"


def _checkout(training: RecordedTraining | None) -> str:
    if training is None or training.git_commit is None:
        return "reproduce it with the code that made it"
    if training.is_dirty:
        return f"its checkout of commit {training.git_commit} was dirty: that commit alone may not be the code that made it"
    return f"check out commit {training.git_commit}"


def _recorded_project(site: Site, feature_set: Path, folder: Path) -> SqlProject:
    shutil.copytree(feature_set, folder)
    shutil.copytree(site.sql.folder / _LABELS_FOLDER, folder / _LABELS_FOLDER)
    return load_sql_project(folder)


def _hashes(folder: Path) -> dict[str, str]:
    """Of every file by its path; a link is none, because what it leads to may change."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(folder)): sha256_of(path) for path in paths}


def _comparisons(
    folder: Path, manifest: Mapping[str, Any], rebuilt: Mapping[str, str]
) -> tuple[Comparison, ...]:  # fmt: skip
    found = _hashes(folder)
    # The version names the first digits of the manifest's hash, which was held against them.
    recorded = {**manifest["files"], MANIFEST: found[MANIFEST]}
    names = sorted({*recorded, *found, *rebuilt})
    return tuple(Comparison(name, recorded.get(name), found.get(name), rebuilt.get(name)) for name in names)


def reproduce_night(site: Site, night: Night) -> Reproduction:
    """Score ``night`` again, from the landed rows as of the versions that its features were built from.

    The SQL and the model are those of the bundle that scored it; a night that the bundled baseline rates answered is made
    again from these, with the SQL of the project. A night that was scored before versions were recorded
    starts from the newest versions: equal hashes prove as much there, differing ones may come of later landings.

    Raises:
        LookupError: it was never scored, or its features are gone. BundleError: its bundle is damaged.
        FileNotFoundError: files of the recorded versions are gone. SqlRefusedError, ModelTestError: the SQL fails.
    """
    published = site.tables.published(SCORES, [night]).get(night)
    if published is None:
        raise LookupError(f"night {night} was never scored; materialise scores for it first")
    served = StandingScores(site, [night]).served.get(night) or _champion(site, night)
    if served.rung == "baseline":
        return _reproduce_baseline(site, night, published)
    bundle = read_bundle(site.models, served.version)
    sql = bundle.feature_set
    table = features_table(sql)
    built = _built(site, table, night, published)
    features = site.runner(sql, built.facts).build_features(night, night)
    key, found = sql.project.entity_key, site.tables.read(table, [night], version=published.facts.get(table))
    again = labelled(score_rows(site, bundle, features), served)
    return Reproduction(str(night), (
        _compared(table, built, key, found, features),
        _compared(SCORES, published, key, site.tables.read(SCORES, [night]), again),
    ))  # fmt: skip


def _reproduce_baseline(site: Site, night: Night, published: PublishedNight) -> Reproduction:
    """By the rung that served it: no features were read, so there is one table to compare."""
    try:
        again = baseline_scores_again(site, night, published)
    except (BundleError, SqlRefusedError) as error:
        return Reproduction(str(night), (), (f"no model scored it, the bundled baseline rates stood in: {error}",))
    found = site.tables.read(SCORES, [night])
    return Reproduction(str(night), (_compared(SCORES, published, site.project.entity_key, found, again),))


def _compared(
    name: str, recorded: PublishedNight, key: Sequence[str], found: pa.Table, again: pa.Table
) -> Comparison:  # fmt: skip
    order = [(column, "ascending") for column in (SCORE_DATE, *key)]
    return Comparison(name, recorded.content_hash, *(content_hash(rows.sort_by(order)) for rows in (found, again)))


def _champion(site: Site, night: Night) -> Served:
    """Of a night that was published without a row."""
    return Served("champion", next(iter(champions_of(site, [night]))), str(AS_OF_POLICY))


def _built(site: Site, table: str, night: Night, scored: PublishedNight) -> PublishedNight:
    built = site.tables.published(table, [night], version=scored.facts.get(table)).get(night)
    if built is None:
        raise LookupError(f"table {table} does not hold night {night}; materialise features for it first")
    return built
