"""Where mutants are made: copies of the scored shop in which one thing is wrong."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import find_training
from ml_pipeline.operations.training_rows import Split, open_split
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON, open_test_site


@dataclass(frozen=True)
class Workshop:
    """The sound shop, scored, to be read only; an empty MLflow store; and a folder for the copies."""

    sound: Site
    mlflow: Path
    folder: Path

    @cached_property
    def split(self) -> Split:
        """What the shop's model was trained on."""
        return open_split(self.sound, SHOP_TRAINED_ON)

    @property
    def bundle(self) -> ModelBundle:
        bundle = find_training(self.sound, SHOP_TRAINED_ON)
        assert bundle is not None
        return bundle

    def copy(self, name: str, *, tables: Sequence[str] = ("raw", "labels")) -> Site:
        """The shop with a project of its own, which may be changed and opened anew, and with ``tables`` alone."""
        project, data = self.folder / name / self.sound.sql.folder.name, self.folder / name / "data"
        shutil.copytree(self.sound.sql.folder, project)
        for table in tables:
            shutil.copytree(self.sound.data / table, data / table)
        return open_test_site(project, data)

    def with_feature(self, name: str, sql: str) -> Site:
        """The shop with one more model of features."""
        site = self.copy(name)
        add_feature(site.sql.folder, name, sql)
        return open_test_site(site.sql.folder, site.data)


@dataclass(frozen=True)
class Mutant:
    """One wrong thing: ``audit`` makes it and holds it against the audit that must see it, which must name ``word``."""

    name: str
    word: str
    audit: Callable[[Workshop], Audit]


def add_feature(project: Path, name: str, sql: str) -> None:
    """Add a model of features with one column, all of the same name, to a project."""
    (project / "features" / f"{name}.sql").write_text(sql, encoding="utf-8")
    with (project / "features" / "features.yml").open("a", encoding="utf-8") as yml:
        yml.write(
            f"  - name: {name}\n    description: A mutant.\n    grain: one row per order of the spine\n"
            f"    columns:\n      - {{name: {name}, description: A mutant.}}\n"
        )


def built_night_by_night(site: Site, nights: Sequence[object]) -> Site:
    """``site`` with its features built as a nightly job builds them: each night alone."""
    for night in nights:
        build_features(site, [night])
    return site


def rewritten(module: ModuleType, old: str, new: str) -> ModuleType:
    """A copy of ``module`` whose text has ``new`` in the one place of ``old``."""
    assert module.__file__ is not None
    text = Path(module.__file__).read_text(encoding="utf-8")
    assert text.count(old) == 1, (
        f"{module.__name__} holds {old!r} {text.count(old)} times: the mutant must be written anew"
    )
    copy = ModuleType(module.__name__)
    copy.__file__ = module.__file__
    exec(compile(text.replace(old, new), module.__file__, "exec"), copy.__dict__)
    return copy
