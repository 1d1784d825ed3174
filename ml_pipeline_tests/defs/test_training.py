import json

from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.refit_evidence import REFITS
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON
from ml_pipeline_tests.processes import run_python

RUNS = """
import json, sys
import dagster as dg
from ml_pipeline.definitions import definitions

def run(job, asset, night):
    result = definitions().resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=night, raise_on_error=False, asset_selection=[dg.AssetKey(asset)],
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}})
    found = [event.step_materialization_data.materialization.metadata for event in result.get_asset_materialization_events()]
    return [result.success, {name: str(value.value) for one in found for name, value in one.items()}]

with dg.DagsterInstance.ephemeral() as instance:
    print(json.dumps([run(*one) for one in json.loads(sys.argv[1])]))
"""
TUNING = """
tuning:
  trials: 2
  budget_seconds: 300
  folds: 2
  validate_nights: 5
  space: {num_leaves: {low: 2, high: 7, is_whole: true}}
"""
REFIT = "training:\n  refit: if_fresher_is_better\n  refit_folds: 2\n  refit_validate_nights: 7\n"


def test_a_person_tunes_recalibrates_and_refits_from_the_ui(scored_shop_copy: Site) -> None:
    """One process for the three runs: what each page shows is what the ledgers and bundles hold."""
    site, champion = scored_shop_copy, str(current_champion(scored_shop_copy))
    path = site.sql.folder / "project.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("training:\n", REFIT) + TUNING, encoding="utf-8")
    asked = [
        ("retraining", "promotion", str(SHOP_TRAINED_ON)), ("recalibration", "recalibrated_model", "2024-05-24"),
        ("tuning", "tuned_parameters", "2024-05-22"),
    ]  # fmt: skip
    environment = {"ML_PIPELINE_PROJECT": str(site.sql.folder), "ML_PIPELINE_DATA": str(site.data)}
    promotion, recalibrated, tuned = json.loads(
        run_python(RUNS, json.dumps(asked), environment=environment).splitlines()[-1]
    )

    assert (promotion[0], promotion[1]["model_version"], promotion[1]["is_new"]) == (True, champion, "False")
    (decided,) = site.ledger(REFITS).entries()
    assert promotion[1]["is_refit"] == str(decided["is_refit"])
    assert all(f"- {reason}" in promotion[1]["refit_reasons"] for reason in decided["reasons"])

    judged = site.ledger("promotions").entries()[-1]
    assert (recalibrated[0], recalibrated[1]["trees_of"]) == (True, judged["champion_before"])
    assert (recalibrated[1]["model_version"], judged["judged_on"]) == (judged["challenger"], "2024-05-24")
    assert all(f"- {reason}" in recalibrated[1]["reasons"] for reason in judged["reasons"])

    (record,) = site.ledger("tunings").entries()
    assert (tuned[0], tuned[1]["chosen_trial"], tuned[1]["budget_seconds"]) == (True, str(record["chosen"]), "300.0")
    assert all(f"| {trial['trial']} | {trial['log_loss']:.5f} |" in tuned[1]["trials"] for trial in record["trials"])
    assert "the project's own" in tuned[1]["trials"]
    assert (tuned[1]["is_ended_early"], tuned[1]["content_hash"]) == ("False", record["content_hash"])
