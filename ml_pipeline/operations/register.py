"""Records a training in MLflow: metrics with intervals, the data that it read, its card and its plots."""

import hashlib
from pathlib import Path

from ml_pipeline.io.mlflow_registry import LoggedDataset
from ml_pipeline.io.mlflow_served import served_model
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.io.plots import draw_evaluation
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.bundle_contents import Contest
from ml_pipeline.operations.bundle_scorer import scorer_of
from ml_pipeline.operations.evidence import CALIBRATION_FILE, read_evidence
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.trainings import RecordedTraining, recorded_training

_SERVED_BY = "operations/served_model.py"
# What that script imports, and nothing of the pipeline besides.
_SERVED_WITH = (
    "__init__.py", "nights.py", "contracts/*.py", "domain/*.py", "io/__init__.py", "io/bundle_folder.py",
    "io/bundle_receipts.py", "io/files.py", "io/model_bundle.py", "operations/__init__.py",
    "operations/bundle_scorer.py",
)  # fmt: skip
_EXAMPLE_ROWS = 5
_EVIDENCE_FILES = ("model_card.html", "model_card.md", CALIBRATION_FILE, "metrics.json")


def plots_folder(site: Site, version: str) -> Path:
    return site.reports / "training" / version


def draw_plots(site: Site, bundle: ModelBundle, contest: Contest) -> None:
    """Draw the evaluation on the test block next to the other reports."""
    evidence = read_evidence(bundle)
    draw_evaluation(
        plots_folder(site, bundle.version), labels=contest.labels, model=contest.model, baseline=contest.baseline,
        reliability_model=evidence.calibration.points, reliability_baseline=evidence.baseline_points,
    )  # fmt: skip


def register(site: Site, bundle: ModelBundle) -> int:
    """Log the bundle as a run and a model version, once; returns MLflow's version number."""
    site.registry.prepare(site.lock_file("mlflow"))
    number = site.registry.version_of(bundle.version)
    if number is not None:
        return number
    facts = bundle.manifest
    parameters = {
        **{f"lightgbm_{name}": value for name, value in sorted(site.project.training.lightgbm.items())},
        **{f"{purpose}_nights": " to ".join(ends) for purpose, ends in facts["blocks"].items()},
        "tree_count": facts["tree_count"], "calibrator": bundle.json("calibrator.json")["kind"], "seed": facts["seed"],
    }  # fmt: skip
    recorded = recorded_training(site, bundle.version)
    plots = {path.stem: path for path in sorted(plots_folder(site, bundle.version).glob("*.png"))}
    types = {
        column.name: "string" if column.contract.type == "category" else "double"
        for column in scorer_of(bundle).encoder.columns
    }
    example = bundle.table("reference.parquet").slice(0, _EXAMPLE_ROWS)
    with served_model(bundle.folder, script=_SERVED_BY, code=_SERVED_WITH, types=types, example=example) as model:
        return site.registry.log_version(
            bundle.folder, model=model, parameters=parameters, metrics=_metrics(bundle), tags=_tags(site, bundle, recorded),
            plots=plots, datasets=_datasets(site, bundle, recorded), description=_description(bundle),
            files=[bundle.folder / name for name in _EVIDENCE_FILES],
        )  # fmt: skip


def _metrics(bundle: ModelBundle) -> dict[str, float]:
    """Every metric of model and baseline on the test block, the ends of their intervals, and the gain between them."""
    content = bundle.json("metrics.json")
    found = {
        f"test_{who}_{name}": value
        for who in ("model", "baseline") for name, value in sorted(content["test"][who].items())
    }  # fmt: skip
    for who in ("model", "baseline", "gain"):
        for name, ends in sorted(content["intervals"][who].items()):
            found |= {
                f"test_{who}_{name}" if end == "value" else f"test_{who}_{name}_{end}": value
                for end, value in ends.items() if value is not None
            }  # fmt: skip
    return found


def _tags(site: Site, bundle: ModelBundle, recorded: RecordedTraining | None) -> dict[str, str]:
    named = ("trained_on", "feature_set_version", "code_version", "inputs_hash")
    tags = {name: str(bundle.manifest[name]) for name in named}
    tags |= {"project": site.project.name, "owner": site.project.owner, "manifest_sha256": bundle.manifest_sha256}
    if bundle.refit_of is not None:
        # Its metrics are those of the recipe: it has no test block of its own.
        tags["refit_of"] = bundle.refit_of
    if recorded is not None and recorded.git_commit is not None:
        # MLflow's own name for it, which its pages show as the source of the run.
        tags |= {"mlflow.source.git.commit": recorded.git_commit, "git_is_dirty": str(recorded.is_dirty)}
    return tags


def _datasets(site: Site, bundle: ModelBundle, recorded: RecordedTraining | None) -> list[LoggedDataset]:
    """The rows of each block, as Delta tables and versions; the digest is of content, so it is the same everywhere."""
    if recorded is None:
        return []
    table = features_table(bundle.feature_set)
    version = recorded.table_versions[table]
    found = []
    for purpose, (first, last) in bundle.manifest["blocks"].items():
        nights = nights_between(Night.fromisoformat(first), Night.fromisoformat(last))
        published = site.tables.published(table, nights, version=version)
        digest = hashlib.sha256("".join(published[night].content_hash for night in nights).encode()).hexdigest()
        rows = sum(published[night].rows for night in nights)
        found.append(LoggedDataset(
            f"{table} version {version}", digest[:32], site.tables.path(table), version, purpose,
            {"num_rows": rows, "first_night": first, "last_night": last,
             "labels": f"{LABELS} version {recorded.table_versions[LABELS]}"},
        ))  # fmt: skip
    return found


def _description(bundle: ModelBundle) -> str:
    """The head of the model card, which is what fits there; the card itself lies with the artifacts."""
    card = bundle.text("model_card.md")
    return card.split("\n## ", maxsplit=1)[0]
