"""Records a training in MLflow, with its plots."""

from pathlib import Path

from ml_pipeline.domain.evaluation import reliability
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.io.plots import draw_evaluation
from ml_pipeline.operations.bundle_contents import Contest
from ml_pipeline.operations.site import Site


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
    return site.registry.log_version(bundle.folder, parameters=parameters, metrics=metrics, tags=tags, plots=plots)
