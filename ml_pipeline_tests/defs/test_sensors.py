from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from ml_pipeline.contracts.tables import DECISION_SCHEMA
from ml_pipeline.defs.project import settings
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.defs.sensors import alert_delivery, failed_runs, retraining_requests
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.io.table_store import NightInputs, TableStore
from ml_pipeline.operations.decide import DECISIONS
from ml_pipeline.operations.deliver_alerts import DELIVERIES
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.trainings import TRAININGS
from ml_pipeline_tests.receivers import Posts, http_receiver


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


def asked(instance: dg.DagsterInstance, resource: SiteResource) -> dg.RunRequest:
    request = tick(instance, resource)
    assert isinstance(request, dg.RunRequest), request
    return request


def skipped(instance: dg.DagsterInstance, resource: SiteResource) -> str:
    answer = tick(instance, resource)
    assert isinstance(answer, dg.SkipReason), answer
    return str(answer.skip_message)


def run_of(instance: dg.DagsterInstance, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
    instance.create_run_for_job(
        broken_job, tags={**request.tags, "dagster/sensor_name": "retraining_requests"}, status=status
    )


def test_without_a_decision_nothing_is_requested(instance: dg.DagsterInstance, resource: SiteResource) -> None:
    assert skipped(instance, resource) == "no night has been decided yet"


def test_a_verdict_of_nothing_is_skipped_with_its_reasons(instance: dg.DagsterInstance, resource: SiteResource) -> None:
    publish(resource.data, date(2024, 5, 20), "nothing", "")
    assert skipped(instance, resource) == "night 2024-05-20: because"


def test_a_hundred_ticks_on_the_same_evidence_are_one_run(instance: dg.DagsterInstance, resource: SiteResource) -> None:
    """Also when later nights ask for nothing, because the request is open."""
    publish(resource.data, date(2024, 5, 20), "retrain", "e1")
    requests = [asked(instance, resource) for _ in range(50)]
    publish(resource.data, date(2024, 5, 21), "nothing", "")
    requests += [asked(instance, resource) for _ in range(50)]
    keys = {request.run_key for request in requests}
    print(f"ticks: {len(requests)} / {len(keys) - 1}")
    assert keys == {"e1"}
    assert {(one.partition_key, one.job_name, one.tags["evidence"]) for one in requests} == {
        ("2024-05-20", "retraining", "e1")
    }
    run_of(instance, requests[0], dg.DagsterRunStatus.STARTED)
    assert "e1 is answered by run" in skipped(instance, resource)


def test_a_retraining_that_failed_is_tried_again_for_the_same_evidence_three_times_in_all(
    instance: dg.DagsterInstance, resource: SiteResource
) -> None:
    publish(resource.data, date(2024, 5, 20), "retrain", "e1")
    keys = []
    for status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE):
        request = asked(instance, resource)
        keys.append(request.run_key)
        run_of(instance, request, status)
    assert keys == ["e1", "e1_2", "e1_3"]
    assert "e1 was tried 3 times and failed" in skipped(instance, resource)


def test_a_recalibration_is_a_run_of_its_own_job(instance: dg.DagsterInstance, resource: SiteResource) -> None:
    publish(resource.data, date(2024, 5, 20), "recalibrate", "e1")
    assert asked(instance, resource).job_name == "recalibration"


def test_new_evidence_is_a_new_run_and_a_model_of_its_night_answers_it(
    instance: dg.DagsterInstance, shop_site: Site, resource: SiteResource
) -> None:
    publish(resource.data, date(2024, 5, 10), "retrain", "e1")
    first = asked(instance, resource)
    publish(resource.data, date(2024, 5, 22), "retrain", "e2")
    assert (first.run_key, asked(instance, resource).run_key) == ("e1", "e2")
    shop_site.ledger(TRAININGS).append({"version": "new", "trained_on": "2024-05-22"})
    assert skipped(instance, resource) == "night 2024-05-22: because"


def test_a_request_that_was_never_answered_grows_too_old(instance: dg.DagsterInstance, resource: SiteResource) -> None:
    publish(resource.data, date(2024, 5, 1), "retrain", "e1")
    publish(resource.data, date(2024, 5, 14), "nothing", "")
    assert asked(instance, resource).run_key == "e1"
    publish(resource.data, date(2024, 5, 15), "nothing", "")
    assert skipped(instance, resource) == "night 2024-05-15: because"


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
    of_status = dg.build_run_status_sensor_context(
        sensor_name="failed_runs", dagster_instance=instance, dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(), resources={"site": resource},
    )  # fmt: skip
    with of_status.for_run_failure() as context:
        failed_runs(context)
    entries = shop_site.ledger("alerts").entries()
    assert len(entries) == alerts
    for entry in entries:
        assert (entry["severity"], entry["night"], entry["title"]) == (
            "blocking",
            "2024-05-20",
            "run of broken_job failed",
        )


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Posts]:
    """A receiver that the settings name."""
    with http_receiver() as posts:
        monkeypatch.setenv("ML_PIPELINE_ALERT_CHANNELS", f"webhook+http://127.0.0.1:{posts.port}/token")
        settings.cache_clear()
        yield posts
    settings.cache_clear()


def test_a_run_sends_at_its_end_what_was_raised_and_a_dead_channel_does_not_fail_it(
    instance: dg.DagsterInstance, shop_site: Site, resource: SiteResource, webhook: Posts
) -> None:
    @dg.op
    def raises(site: SiteResource) -> None:
        raise_alert(site.open(str).ledger("alerts"), severity="blocking", title="t", night="2024-05-20", detail="d")

    @dg.job(resource_defs={"site": resource})
    def raising_job() -> None:
        raises()

    webhook.status = 500
    assert raising_job.execute_in_process(instance=instance).success
    assert len(webhook.given) == 1
    (entry,) = shop_site.ledger(DELIVERIES).entries()
    assert (entry["is_delivered"], entry["problem"]) == (False, "webhook at 127.0.0.1 answered 500")
    with dg.build_sensor_context(instance=instance, resources={"site": resource}) as context:
        answer = alert_delivery(context)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "0 alerts sent, 1 channels failed"
    assert "token" not in str(instance.all_logs(next(iter(instance.get_runs())).run_id))
