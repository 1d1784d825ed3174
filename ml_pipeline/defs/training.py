"""Assets that tune, make or recalibrate a model as of a night, and let the gate judge it."""

import dagster as dg

from ml_pipeline.defs.audits import TRAINING_AUDITS, check_result, proxy_facts
from ml_pipeline.defs.project import NIGHTS, RETRY, same_night, sql_project
from ml_pipeline.defs.reporting import Report, image, nights_of, run_or_refuse
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.defs.run_tags import BY_HAND, EVIDENCE, MODEL_VERSION, tag_run
from ml_pipeline.defs.training_facts import refit_facts, tuning_facts, verdict_facts
from ml_pipeline.domain.model_review import review_markdown
from ml_pipeline.operations.audit_training import audit_training
from ml_pipeline.operations.promote import champions_of, promote_if_better
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.publish_review import publish_review
from ml_pipeline.operations.recalibrate import recalibrate
from ml_pipeline.operations.refit import refit_if_better
from ml_pipeline.operations.register import plots_folder
from ml_pipeline.operations.train import find_training, train
from ml_pipeline.operations.tune import tune

_OWNER = sql_project().project.owner
TRAINED_MODEL = "trained_model"


@dg.asset(
    deps=same_night("features", "labels"),
    partitions_def=NIGHTS, backfill_policy=dg.BackfillPolicy.multi_run(), retry_policy=RETRY, group_name="training",
    kinds={"lightgbm", "mlflow"}, owners=[_OWNER], pool="training", code_version="1",
    check_specs=[
        dg.AssetCheckSpec(name, asset=TRAINED_MODEL, blocking=True, description=description)
        for name, description in TRAINING_AUDITS.items()
    ],
)  # fmt: skip
def trained_model(context: dg.AssetExecutionContext, site: SiteResource) -> Report:
    """A calibrated LightGBM model as of the night: bundle, MLflow version, model card, evaluation on the test block."""
    (night,) = nights_of(context)
    here = site.open(context.log.info)
    training = run_or_refuse(lambda: train(here, night))
    bundle = training.bundle
    tag_run(context, {MODEL_VERSION: bundle.version, EVIDENCE: BY_HAND})
    test = bundle.json("metrics.json")["test"]
    audits = {"sound_split": training.split_audit} | run_or_refuse(lambda: audit_training(here, training.split, bundle))
    for name, audit in audits.items():
        yield check_result(name, audit, TRAINED_MODEL, **proxy_facts(audit))
    published = run_or_refuse(lambda: publish_review(here, bundle))
    plots = sorted(plots_folder(here, bundle.version).glob("*.png"))
    yield dg.MaterializeResult(metadata={
        "model_version": bundle.version, "is_new": training.is_new, "bundle": str(bundle.folder.relative_to(here.data)),
        **{f"test_{name}": value for name, value in test["model"].items()},
        **{f"baseline_{name}": test["baseline"][name] for name in ("log_loss", "brier", "roc_auc", "average_precision")},
        "behaviour_violations": len(published.review.behaviour.violations),
        "model_card": dg.MetadataValue.md(published.card),
        "model_card_html": dg.MetadataValue.path(str(published.files["model_card.html"])),
        "review": dg.MetadataValue.md(review_markdown(published.review)),
        "evaluation": dg.MetadataValue.md(" ".join(image(path.stem, path.read_bytes()) for path in plots)),
    })  # fmt: skip


@dg.asset(
    deps=same_night("trained_model"), partitions_def=NIGHTS, backfill_policy=dg.BackfillPolicy.multi_run(), retry_policy=RETRY,
    group_name="training", kinds={"mlflow"}, owners=[_OWNER], pool="training", code_version="1",
)  # fmt: skip
def promotion(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The gate's verdict on the night's model against champion and baseline, and whether an accepted one is refit; recorded."""
    (night,) = nights_of(context)
    here = site.open(context.log.info)
    bundle = find_training(here, night)
    if bundle is None:
        raise dg.Failure(
            f"there is no model of night {night} to judge; materialise trained_model first", allow_retries=False
        )
    outcome = run_or_refuse(lambda: promote_if_better(here, bundle.version, night))
    refit = run_or_refuse(lambda: refit_if_better(here, bundle.version, night))
    publish_catalog(here)
    return dg.MaterializeResult(metadata={
        **verdict_facts(outcome), **({} if refit is None else refit_facts(refit)),
    })  # fmt: skip


@dg.asset(
    deps=same_night("features", "labels"), partitions_def=NIGHTS, backfill_policy=dg.BackfillPolicy.multi_run(),
    retry_policy=RETRY, group_name="training", kinds={"lightgbm"}, owners=[_OWNER], pool="training", code_version="1",
)  # fmt: skip
def tuned_parameters(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The parameters that walk-forward folds as of the night chose; trainings of this night and later ones use them."""
    (night,) = nights_of(context)
    here = site.open(context.log.info)
    return dg.MaterializeResult(metadata=tuning_facts(here, run_or_refuse(lambda: tune(here, night))))


@dg.asset(
    deps=same_night("features", "labels"), partitions_def=NIGHTS, backfill_policy=dg.BackfillPolicy.multi_run(),
    retry_policy=RETRY, group_name="training", kinds={"lightgbm", "mlflow"}, owners=[_OWNER], pool="training",
    code_version="1",
)  # fmt: skip
def recalibrated_model(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The champion's trees with a calibrator of the newest matured nights, and what the gate said of it."""
    (night,) = nights_of(context)
    here = site.open(context.log.info)
    (champion,) = run_or_refuse(lambda: champions_of(here, [night]))
    made = run_or_refuse(lambda: recalibrate(here, champion, night))
    tag_run(context, {MODEL_VERSION: made.bundle.version, EVIDENCE: BY_HAND})
    outcome = run_or_refuse(lambda: promote_if_better(here, made.bundle.version, night))
    publish_catalog(here)
    return dg.MaterializeResult(metadata={
        **verdict_facts(outcome), "trees_of": champion, "calibrator": made.bundle.json("calibrator.json")["kind"],
        "bundle": str(made.bundle.folder.relative_to(here.data)),
    })  # fmt: skip
