from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from ml_pipeline.contracts.tables import DECISION_SCHEMA
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.defs.sensors import failed_runs, retraining_requests
from ml_pipeline.io.table_store import NightInputs, TableStore
from ml_pipeline.operations.decide import DECISIONS
from ml_pipeline.operations.site import Site


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def resource(shop_site: Site) -> SiteResource:
    return SiteResource(
        project_folder=str(shop_site.sql.folder),
        data=str(shop_site.data),
        tracking_uri=shop_site.tracking_uri,
        threads=1,
    )


def publish(data: str, night: date, verdict: str, evidence: str) -> None:
    row = {"score_date": night, "model_version": "m1", "drifted_share": 0.9, "verdict": verdict, "evidence_id": evidence,
           "reasons": "because"}  # fmt: skip
    rows = pa.Table.from_pylist([row], schema=DECISION_SCHEMA)
    TableStore(Path(data)).publish(DECISIONS, rows, {night: NightInputs("", {})}, key=["model_version"])


def tick(instance: dg.DagsterInstance, resource: SiteResource, cursor: str | None = None) -> object:
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources={"site": resource}) as context:
        return retraining_requests(context)


def test_without_a_decision_nothing_is_requested(instance: dg.DagsterInstance, resource: SiteResource) -> None:
    answer = tick(instance, resource)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "no night has been decided yet"


def test_a_verdict_of_nothing_is_skipped_with_its_reasons(instance: dg.DagsterInstance, resource: SiteResource) -> None:
    publish(resource.data, date(2024, 5, 20), "nothing", "m1_2024-05-18")
    answer = tick(instance, resource)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "night 2024-05-20: because"


def test_a_hundred_ticks_on_the_same_evidence_are_one_run(instance: dg.DagsterInstance, resource: SiteResource) -> None:
    publish(resource.data, date(2024, 5, 20), "retrain", "m1_2024-05-18")
    requests = [tick(instance, resource) for _ in range(50)]
    publish(resource.data, date(2024, 5, 21), "retrain", "m1_2024-05-18")
    requests += [tick(instance, resource) for _ in range(50)]
    keys = [request.run_key for request in requests if isinstance(request, dg.RunRequest)]
    print(f"ticks: {len(keys)} / {len(set(keys)) - 1}")
    assert len(keys) == 100
    assert set(keys) == {"m1_2024-05-18"}
    first, last = requests[0], requests[-1]
    assert isinstance(first, dg.RunRequest)
    assert isinstance(last, dg.RunRequest)
    assert (first.partition_key, last.partition_key) == ("2024-05-20", "2024-05-21")
    assert first.tags["evidence"] == "m1_2024-05-18"


def test_new_evidence_is_a_new_run_and_a_calm_night_ends_the_asking(
    instance: dg.DagsterInstance, resource: SiteResource
) -> None:
    publish(resource.data, date(2024, 5, 20), "retrain", "m1_2024-05-18")
    first = tick(instance, resource)
    publish(resource.data, date(2024, 5, 24), "retrain", "m2_2024-05-22")
    second = tick(instance, resource)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key != second.run_key
    publish(resource.data, date(2024, 5, 25), "nothing", "")
    assert isinstance(tick(instance, resource), dg.SkipReason)


@dg.op
def breaks() -> None:
    raise dg.Failure("the disk is full")


@dg.job
def broken_job() -> None:
    breaks()


@pytest.mark.parametrize(("tags", "alerts"), [({}, 1), ({"dagster/will_retry": "true"}, 0)])
def test_a_failed_run_is_recorded_once_it_will_not_be_tried_again(
    instance: dg.DagsterInstance, shop_site: Site, resource: SiteResource, tags: dict[str, str], alerts: int
) -> None:
    result = broken_job.execute_in_process(
        instance=instance, raise_on_error=False, tags={"dagster/partition": "2024-05-20", **tags}
    )
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_runs", dagster_instance=instance, dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(), resources={"site": resource},
    ).for_run_failure()  # fmt: skip
    failed_runs(context)
    entries = shop_site.ledger("alerts").entries()
    assert len(entries) == alerts
    for entry in entries:
        assert (entry["severity"], entry["night"], entry["title"]) == (
            "blocking",
            "2024-05-20",
            "run of broken_job failed",
        )
