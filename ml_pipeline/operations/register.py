"""Records a training in MLflow, with its plots."""

from pathlib import Path

from ml_pipeline.domain.evaluation import reliability
from ml_pipeline.io.mlflow_served import served_model
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.io.plots import draw_evaluation
from ml_pipeline.operations.bundle_contents import Contest
from ml_pipeline.operations.bundle_scorer import scorer_of
from ml_pipeline.operations.site import Site

_SERVED_BY = "operations/served_model.py"
# What that script imports, and nothing of the pipeline besides.
_SERVED_WITH = (
    "__init__.py", "nights.py", "contracts/*.py", "domain/*.py", "io/__init__.py", "io/bundle_folder.py",
    "io/bundle_receipts.py", "io/files.py", "io/model_bundle.py", "operations/__init__.py",
    "operations/bundle_scorer.py",
)  # fmt: skip
_EXAMPLE_ROWS = 5


def plots_folder(site: Site, version: str) -> Path:
    return site.reports / "training" / version


def draw_plots(site: Site, bundle: ModelBundle, contest: Contest) -> None:
    """Draw the evaluation on the test block next to the other reports."""
    draw_evaluation(
        plots_folder(site, bundle.version), labels=contest.labels, model=contest.model, baseline=contest.baseline,
        reliability_model=reliability(contest.labels, contest.model),
        reliability_baseline=reliability(contest.labels, contest.baseline),
    )  # fmt: skip


def register(site: Site, bundle: ModelBundle) -> int:
    """Log the bundle as a run and a model version, once; returns MLflow's version number."""
    site.registry.prepare(site.lock_file("mlflow"))
    number = site.registry.version_of(bundle.version)
    if number is not None:
        return number
    test = bundle.json("metrics.json")["test"]
    metrics = {
        f"test_{who}_{name}": value for who in ("model", "baseline") for name, value in sorted(test[who].items())
    }
    facts = bundle.manifest
    parameters = {
        **{f"lightgbm_{name}": value for name, value in sorted(site.project.training.lightgbm.items())},
        **{f"{purpose}_nights": " to ".join(ends) for purpose, ends in facts["blocks"].items()},
        "tree_count": facts["tree_count"], "calibrator": bundle.json("calibrator.json")["kind"], "seed": facts["seed"],
    }  # fmt: skip
    tags = {name: str(facts[name]) for name in ("trained_on", "feature_set_version", "code_version", "inputs_hash")}
    plots = {path.stem: path for path in sorted(plots_folder(site, bundle.version).glob("*.png"))}
    types = {
        column.name: "string" if column.contract.type == "category" else "double"
        for column in scorer_of(bundle).encoder.columns
    }
    example = bundle.table("reference.parquet").slice(0, _EXAMPLE_ROWS)
    with served_model(
        bundle.folder, script=_SERVED_BY, code=_SERVED_WITH, types=types, example=example
    ) as model:  # fmt: skip
        return site.registry.log_version(
            bundle.folder, model=model, parameters=parameters, metrics=metrics, tags=tags, plots=plots
        )
