"""With a real instance: a schedule that is on, a freshness that Dagster's daemon would have noted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData

from ml_pipeline.defs.overdue import overdue_scores
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.operations.site import Site


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def turn_on(instance: dg.DagsterInstance, since: datetime) -> None:
    origin = RemoteInstigatorOrigin(
        RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("ml_pipeline"), "__repository__"), "nightly"
    )
    data = ScheduleInstigatorData("5 20 * * *", since.timestamp())
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, data))


def note(instance: dg.DagsterInstance, state: FreshnessState) -> None:
    instance._report_runless_asset_event(FreshnessStateChange(
        key=dg.AssetKey("scores"), new_state=state, previous_state=FreshnessState.UNKNOWN,
        state_change_timestamp=datetime.now(UTC).timestamp(),
    ))  # fmt: skip


def looked(instance: dg.DagsterInstance, site: Site) -> str:
    resource = SiteResource(
        project_folder=str(site.sql.folder), data=str(site.data), tracking_uri=site.tracking_uri, threads=1
    )
    with dg.build_sensor_context(instance=instance, resources={"site": resource}) as context:
        answer = overdue_scores(context)
    assert isinstance(answer, dg.SkipReason)
    return str(answer.skip_message)


def test_scores_that_are_missing_are_told_once_an_evening(instance: dg.DagsterInstance, shop_site: Site) -> None:
    turn_on(instance, datetime.now(UTC) - timedelta(days=3))
    assert looked(instance, shop_site) == "scores: not judged yet"
    note(instance, FreshnessState.PASS)
    assert looked(instance, shop_site) == "scores: PASS"
    assert shop_site.ledger("alerts").entries() == []
    note(instance, FreshnessState.FAIL)
    assert [looked(instance, shop_site).endswith("are overdue") for _ in range(3)] == [True] * 3
    (alert,) = shop_site.ledger("alerts").entries()
    assert (alert["title"], alert["severity"]) == ("scores are overdue", "blocking")
    assert alert["runbook"].endswith("#scores-are-overdue")
    assert alert["night"].startswith("2013-")


def test_nobody_is_called_for_what_nobody_had_promised(instance: dg.DagsterInstance, shop_site: Site) -> None:
    note(instance, FreshnessState.FAIL)
    assert "was off at the tick" in looked(instance, shop_site)
    turn_on(instance, datetime.now(UTC))
    assert "was off at the tick" in looked(instance, shop_site)
    assert shop_site.ledger("alerts").entries() == []
