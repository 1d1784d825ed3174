"""A use case's SQL, read from its folder: models, their order, and the version of its feature set."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from ml_pipeline.contracts.project import ProjectContract, load_project
from ml_pipeline.contracts.source import SCORE_DATE, SourceContract, load_sources
from ml_pipeline.contracts.sql_models import FeatureContract, ModelContract, load_model_contracts
from ml_pipeline.io.gate import landed_table, landing_table
from ml_pipeline.io.landing_models import LandingModel, compile_landing_model
from ml_pipeline.io.model_test_checks import check_model_tests
from ml_pipeline.io.sql_checks import normalised_sql, refuse_unsafe, refuse_unsafe_together
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of, render, source_relation

MODEL_FOLDERS = ("staging", "daily", "features", "labels")
SPINE = "spine"


@dataclass(frozen=True)
class SqlProject:
    """Models by name with what they read, every one of them parsed and found safe."""

    folder: Path
    project: ProjectContract
    sources: dict[str, SourceContract]
    models: dict[str, SqlModel]
    contracts: dict[str, ModelContract]

    def in_folder(self, folder: str) -> tuple[SqlModel, ...]:
        """Models of one folder, in the order of its YAML."""
        return tuple(self.models[name] for name in self.contracts if self.models[name].folder == folder)

    def needed_for(self, targets: Iterable[str]) -> tuple[SqlModel, ...]:
        """``targets`` and all that they read, each after what it reads itself."""
        graph: dict[str, tuple[str, ...]] = {}
        waiting = list(targets)
        while waiting:
            name = waiting.pop()
            if name not in graph:
                graph[name] = self.models[name].refs
                waiting.extend(graph[name])
        ordered = {name: graph[name] for name in sorted(graph)}
        try:
            return tuple(self.models[name] for name in TopologicalSorter(ordered).static_order())
        except CycleError as error:
            model = self.models[error.args[1][1]]
            raise SqlRefusedError(
                model.path, model.line_of_ref(error.args[1][0]), f"models read each other in a circle: {error.args[1]}",
                "move what they share into a model of its own",
            ) from error  # fmt: skip

    def with_related(self, models: Iterable[SqlModel]) -> tuple[SqlModel, ...]:
        """``models`` and those that their tests relate them to, each after what it reads itself."""
        names = [model.name for model in models]
        return self.needed_for([*names, *(other for name in names for other in self.contracts[name].related_models)])

    def lookbacks(self, models: Iterable[SqlModel]) -> dict[str, int | None]:
        """For each source that ``models`` read, the longest lookback in days (None: a reference, read whole)."""
        longest: dict[str, int | None] = {}
        for model in models:
            for source, days in model.sources:
                known = longest.get(source)
                longest[source] = days if known is None or days is None else max(known, days)
        return dict(sorted(longest.items()))

    def sources_read(self, models: Iterable[SqlModel]) -> list[tuple[str, int | None]]:
        """Every (source, lookback in days or None) that ``models`` read, sorted."""
        return sorted({read for model in models for read in model.sources}, key=str)

    @cached_property
    def landing_models(self) -> dict[str, LandingModel]:
        """The models that are computed per landing, each after the one that it reads."""
        table_of = {
            source_relation(source, days): landed_table(source)
            for model in self.models.values()
            for source, days in model.sources
            if days is not None
        }
        compiled: dict[str, LandingModel] = {}
        for model in self.needed_for(self.models):
            if self.contracts[model.name].computed_per == "landing":
                summed = frozenset(name for name, other in compiled.items() if other.keys is not None)
                compiled[model.name] = compile_landing_model(model, table_of, summed)
                table_of[model.name] = landing_table(model.name)
        return compiled

    def landing_source(self, name: str) -> tuple[str, int]:
        """The source, and the lookback in days, at the bottom of what a model that is computed per landing reads."""
        while not self.models[name].sources:
            name = self.landing_models[name].reads
        ((source, days),) = self.models[name].sources
        if days is None:
            raise AssertionError(f"{name} was compiled although it reads the reference {source}")
        return source, days

    @cached_property
    def feature_models(self) -> tuple[SqlModel, ...]:
        return self.needed_for([SPINE, *(model.name for model in self.in_folder("features"))])

    @cached_property
    def features(self) -> tuple[FeatureContract, ...]:
        """Every feature, in the order of ``features.yml``: the column order of the table and of the model."""
        return tuple(column for model in self.in_folder("features") for column in self.contracts[model.name].columns)

    @cached_property
    def feature_set_version(self) -> str:
        """Hash of everything that can change a feature's value: SQL, contracts, column order; comments cannot."""
        parts = {
            "sql": {model.name: [self.contracts[model.name].computed_per, normalised_sql(model)]
                    for model in self.feature_models},
            "sources": {name: self.sources[name].model_dump(mode="json", include={"key", "columns", "reference"})
                        for name in self.lookbacks(self.feature_models)},
            "features": [feature.model_dump(include={"name", "type", "direction"}) for feature in self.features],
            "entity_key": self.project.entity_key,
            "clock": [self.project.timezone, self.project.cutoff.model_dump(mode="json"), str(self.project.first_night)],
        }  # fmt: skip
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]

    def feature_set_files(self) -> dict[str, bytes]:
        """The files that make the feature set, by path inside the folder: what a model bundle keeps."""
        models = self.with_related(self.feature_models)
        names = {"project.yml", "sources.yml", *(model.path for model in models)}
        names |= {str(path.relative_to(self.folder)) for path in self.folder.glob("*/*.yml")
                  if path.parent.name in ("staging", "daily", "features")}  # fmt: skip
        return {name: (self.folder / name).read_bytes() for name in sorted(names)}


def load_sql_project(folder: Path) -> SqlProject:
    """Read and check every model below ``folder``; the same object while no file of it changes.

    Raises:
        SqlRefusedError: a model is unsafe, undocumented or reads what does not exist; names file and line.
    """
    return _checked(folder, _content_of(folder))


def _content_of(folder: Path) -> str:
    """Hash of every file that a project is read from."""
    paths = [*folder.glob("*.yml"), *(path for name in MODEL_FOLDERS for path in (folder / name).glob("*"))]
    content = hashlib.sha256()
    for path in sorted(path for path in paths if path.suffix in (".yml", ".sql")):
        content.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return content.hexdigest()


# Each step of a run opens the installation anew; parsing and checking a hundred models takes a fifth of a second.
@lru_cache(maxsize=8)
def _checked(folder: Path, _content: str) -> SqlProject:
    sources = load_sources(folder / "sources.yml")
    models = _load_models(folder, sources)
    contracts: dict[str, ModelContract] = {}
    for name in MODEL_FOLDERS:
        described = load_model_contracts(folder / name)
        if twice := sorted(set(contracts) & set(described)):
            raise ValueError(
                f"{folder / name}: models {twice} are described in another folder too; remove one of the entries"
            )
        contracts |= described
    for model in models.values():
        _require_known(model, models, contracts)
        refuse_unsafe(model)
        check_model_tests(model, contracts[model.name], models)
    absent = sorted(set(contracts) - set(models))
    if absent:
        raise FileNotFoundError(
            f"the YAML below {folder.name} describes models {absent}, but there is no such .sql file"
        )
    project = SqlProject(folder, load_project(folder), sources, models, contracts)
    ordered = project.needed_for(models)  # refuses a circle now, not in the first night that is built
    _require_distinct_features(project)
    _require_clocks(project)
    refuse_unsafe_together(ordered, sources=sources, landing=project.landing_models)
    return project


def _load_models(folder: Path, sources: dict[str, SourceContract]) -> dict[str, SqlModel]:
    models: dict[str, SqlModel] = {}
    for path in (path for name in MODEL_FOLDERS for path in sorted((folder / name).glob("*.sql"))):
        model = render(path, folder=folder, sources=sources)
        if model.name in models:
            raise SqlRefusedError(
                model.path, 1, f"two models are called {model.name}, the other is {models[model.name].path}",
                "rename one: a table, its file and its ref() are one word",
            )  # fmt: skip
        models[model.name] = model
    if SPINE not in models:
        raise SqlRefusedError(
            f"staging/{SPINE}.sql",
            1,
            "there is no spine model",
            "write it: one row per entity key and score_date to be scored",
        )
    return models


def _require_distinct_features(project: SqlProject) -> None:
    owners = dict.fromkeys([SCORE_DATE, *project.project.entity_key], "the key of the spine")
    for model in project.in_folder("features"):
        for column in project.contracts[model.name].columns:
            if column.name in owners:
                raise SqlRefusedError(
                    model.path, line_of(model.text, column.name),
                    f"feature {column.name} is declared for {model.name}, but the name is taken by {owners[column.name]}",
                    "rename one: a feature is one column of the feature table",
                )  # fmt: skip
            owners[column.name] = f"model {model.name}"


def _require_clocks(project: SqlProject) -> None:
    """Refuse, now and not in the first night, a model that cannot be computed per landing."""
    for name in project.landing_models:
        model = project.models[name]
        if model.folder not in ("staging", "daily") or name == SPINE:
            raise SqlRefusedError(
                model.path, 1, f"{name} is computed per landing, but {model.folder}/{name} answers for a night",
                "leave computed_per away, or move what is summed into a model in daily/",
            )  # fmt: skip


def _require_known(model: SqlModel, models: dict[str, SqlModel], contracts: dict[str, ModelContract]) -> None:
    unknown = [name for name in model.refs if name not in models]
    if unknown:
        raise SqlRefusedError(
            model.path,
            model.line_of_ref(unknown[0]),
            f"ref('{unknown[0]}') names no model",
            f"models are {sorted(models)}",
        )
    if model.name not in contracts:
        raise SqlRefusedError(
            model.path, 1, f"model {model.name} is not described",
            f"add an entry for it to the .yml file in {model.folder}/",
        )  # fmt: skip
    reads_outcome = [name for name in model.refs if models[name].folder == "labels"]
    if reads_outcome and model.folder != "labels":
        raise SqlRefusedError(
            model.path, model.line_of_ref(reads_outcome[0]),
            f"{model.folder}/ model {model.name} reads label model {reads_outcome[0]}",
            "labels are for training only; aggregate earlier outcomes with source('…', lookback_days=…)",
        )  # fmt: skip
