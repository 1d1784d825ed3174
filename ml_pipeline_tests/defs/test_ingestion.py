"""What a landing shows of itself in the UI: its checks."""

from datetime import date, timedelta

import dagster as dg
import pytest

from ml_pipeline.defs import ingestion
from ml_pipeline.defs.ingestion import CONTRACT_KEPT, LIKE_THE_NIGHTS_BEFORE, ROWS_ADD_UP
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.land import land
from ml_pipeline.operations.site import Site

NIGHT = date(2024, 3, 20)


def checks(site: Site, night: Night, monkeypatch: pytest.MonkeyPatch) -> dict[str, dg.AssetCheckEvaluation]:
    """Of the shop's orders, landed by the asset for ``night``."""
    monkeypatch.setattr(ingestion, "NIGHTS", dg.DailyPartitionsDefinition(start_date=str(site.calendar.first_night)))
    resource = SiteResource(
        project_folder=str(site.sql.folder), data=str(site.data), tracking_uri=site.tracking_uri, threads=1
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [ingestion._asset(site.sql.sources["orders"])], partition_key=str(night), instance=instance,
            resources={"site": resource}, raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )  # fmt: skip
        return {each.check_name: each for each in result.get_asset_check_evaluations()}


def test_a_delivery_unlike_those_before_is_held_under_the_check_that_says_so(
    shop_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop_site.sql.folder / "deliveries" / "orders" / "2024-03.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for number, line in enumerate(lines) if f",{NIGHT}," not in line or number % 10 == 0]
    path.write_text("".join(kept), encoding="utf-8")
    land(shop_site, "orders", nights_between(shop_site.calendar.first_night, NIGHT - timedelta(days=2)))

    usual = checks(shop_site, NIGHT - timedelta(days=1), monkeypatch)
    assert {name: each.passed for name, each in usual.items()} == {
        CONTRACT_KEPT: True, ROWS_ADD_UP: True, LIKE_THE_NIGHTS_BEFORE: True,
    }  # fmt: skip
    told = {name: value.value for name, value in usual[LIKE_THE_NIGHTS_BEFORE].metadata.items()}
    assert told == {"night": "2024-03-19", "rows": 40, "nights_before": 28, "usual_rows": 40.0}

    held = checks(shop_site, NIGHT, monkeypatch)
    assert {name: each.passed for name, each in held.items()} == {LIKE_THE_NIGHTS_BEFORE: False}
    assert "volume: 4 rows, 0.1 times the usual 40" in str(held[LIKE_THE_NIGHTS_BEFORE].metadata["reason"].value)
    assert NIGHT not in shop_site.tables.published("raw/orders")


def test_a_delivery_that_breaks_the_contract_is_refused_under_another(
    shop_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop_site.sql.folder / "deliveries" / "orders" / "2024-02.csv"
    path.write_text(path.read_text(encoding="utf-8").replace('"web"', '"fax"'), encoding="utf-8")
    refused = checks(shop_site, shop_site.calendar.first_night, monkeypatch)
    assert {name: each.passed for name, each in refused.items()} == {CONTRACT_KEPT: False}
