import json

import pytest

from ml_pipeline.contracts.serving import AS_OF_POLICY
from ml_pipeline.defs.scoring import Policy, ScoringConfig
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.serving_plan import PINS
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.operations.test_unseen_categories import COUNT, NEW, landed_with
from ml_pipeline_tests.operations.test_unseen_categories import NIGHT as UNSEEN_NIGHT
from ml_pipeline_tests.processes import run_python
from ml_pipeline_tests.second_model import promoted, second_version

RUNS = """
import json, sys
import dagster as dg
from ml_pipeline.definitions import definitions

def run(job, assets, night, policy, tags):
    config = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if policy:
        config["ops"] = {"scores": {"config": policy}}
    result = definitions().resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=night, tags=tags, run_config=config, raise_on_error=False,
        asset_selection=[dg.AssetKey(name) for name in assets])
    found = [event.step_materialization_data.materialization.metadata for event in result.get_asset_materialization_events()]
    facts = ("served_by", "model_version", "backfill_policy", "is_changed", "left_alone", "dagster/row_count",
             "challenger", "predecessor", "rows_of_unseen_categories")
    return [result.success, {name: one[name].value for one in found for name in facts if name in one}]

with dg.DagsterInstance.ephemeral() as instance:
    print(json.dumps([run(*one) for one in json.loads(sys.argv[1])]))
"""
NIGHT = "2024-05-13"


def test_the_launchpad_asks_for_a_policy_and_each_night_says_what_it_was_given(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    promoted(site, second_version(site, first), "2024-05-13", champion_before=first)
    landed_with(site, [NEW] * COUNT + ["NA"] * 37)
    asked = [
        ("scoring", ["scores"], NIGHT, {"policy": "pinned", "version": first}, {"dagster/backfill": "abc"}),
        ("scoring", ["scores"], NIGHT, None, {}),
        ("nightly_scoring", ["shadow_scores"], NIGHT, None, {}),
        ("scoring", ["scores"], str(UNSEEN_NIGHT), None, {}),
    ]
    environment = {"ML_PIPELINE_PROJECT": str(site.sql.folder), "ML_PIPELINE_DATA": str(site.data)}
    pinned, as_of, shadow, unseen = json.loads(
        run_python(RUNS, json.dumps(asked), environment=environment).splitlines()[-1]
    )
    one = {"served_by": "champion", "dagster/row_count": 40, "rows_of_unseen_categories": {}}
    assert pinned == [True, one | {"model_version": first, "backfill_policy": f"pinned={first}", "is_changed": True}]
    assert as_of == [True, one | {
        "model_version": first, "backfill_policy": f"pinned={first}", "is_changed": False,
        "left_alone": f"published under policy pinned={first}, this run has as_of",
    }]  # fmt: skip
    assert shadow == [True, {"dagster/row_count": 40, "challenger": "none", "predecessor": first, "is_changed": True}]
    assert (unseen[0], unseen[1]["rows_of_unseen_categories"]) == (True, {"product_code": COUNT})
    assert [entry["backfill"] for entry in site.ledger(PINS).entries()] == ["abc"]


def test_a_pinned_run_without_a_version_is_refused() -> None:
    assert ScoringConfig().serving_policy == AS_OF_POLICY
    assert str(ScoringConfig(policy=Policy.pinned, version="v").serving_policy) == "pinned=v"
    with pytest.raises(ValueError, match="policy pinned needs the version"):
        _ = ScoringConfig(policy=Policy.pinned).serving_policy
