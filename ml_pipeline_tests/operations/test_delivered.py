"""Rows that would otherwise vanish unseen: too late for their night, or known at an instant of no night."""

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_pipeline.io.connectors.connector import DeliveryError
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.land import LandingBlockedError, land
from ml_pipeline.operations.site import Site

NIGHTS = nights_between(date(2024, 2, 15), date(2024, 2, 22))


def deliver_return(site: Site, known_at: pa.Scalar, name: str = "late") -> None:
    folder = site.sql.folder / "deliveries" / "returns"
    row = pq.read_table(folder / "2024-02.parquet").slice(0, 1)
    row = row.set_column(0, "order_id", pa.array(["O900000"])).set_column(5, "known_at", pa.array([known_at]))
    pq.write_table(row, folder / f"{name}.parquet")


def test_a_row_that_came_too_late_for_its_night_is_told_not_lost(shop_site: Site) -> None:
    land(shop_site, "returns", NIGHTS[:5])
    late = shop_site.calendar.cutoff(NIGHTS[3])
    deliver_return(shop_site, pa.scalar(late, pa.timestamp("us", tz="UTC")))
    with pytest.raises(
        LandingBlockedError, match=r"1 rows became known in nights that were landed without them \(2024-02-18: 1\)"
    ):
        land(shop_site, "returns", [NIGHTS[5]])
    deliver_return(shop_site, pa.scalar(shop_site.calendar.cutoff(NIGHTS[5]), pa.timestamp("us", tz="UTC")))
    land(shop_site, "returns", [NIGHTS[5]])
    landed = shop_site.tables.read("raw/returns", [NIGHTS[5]])["order_id"].to_pylist()
    assert "O900000" in landed


def test_files_of_landed_nights_may_be_cleared_away(shop_site: Site) -> None:
    folder = shop_site.sql.folder / "deliveries" / "returns"
    rows = pq.read_table(folder / "2024-02.parquet")
    land(shop_site, "returns", NIGHTS[:5])
    cutoff = shop_site.calendar.cutoff(NIGHTS[4])
    kept = [known_at > cutoff for known_at in rows["known_at"].to_pylist()]
    pq.write_table(rows.filter(pa.array(kept)), folder / "2024-02.parquet")
    assert land(shop_site, "returns", [NIGHTS[5]]).published is not None


@pytest.mark.parametrize("years", [-54, 7000])
def test_a_row_known_at_an_instant_of_no_night_is_refused(shop_site: Site, years: int) -> None:
    far = shop_site.calendar.cutoff(NIGHTS[0]).replace(year=2024 + years)
    deliver_return(shop_site, pa.scalar(far + timedelta(0), pa.timestamp("us", tz="UTC")))
    with pytest.raises(DeliveryError, match="late.parquet: 1 of 1 rows have a known_at that no night can own"):
        land(shop_site, "returns", NIGHTS)
