"""The corpus tries every bound; here: one night at a time is judged as a range is, and the file of a yes is read."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.holds import hold_ledger
from ml_pipeline.operations.land import LandingHeldError, land
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.corpus.catalog import DELIVERIES
from ml_pipeline_tests.corpus.workshop import TONIGHT, Drop, build_workshop, copy_of_workshop, land_and_judge

_SHOP = Path(__file__).parents[1] / "shop"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return build_workshop(_SHOP, tmp_path_factory.mktemp("holds"))


@pytest.mark.parametrize("name", ["one column more", "ten times the rows", "EUR to cents", "no rows"])
def test_what_a_person_accepts_lands_whole_and_what_was_more_is_left_out(
    workshop: Site, tmp_path: Path, name: str
) -> None:
    (case,) = (case for case in DELIVERIES if case.name == name)
    site = copy_of_workshop(workshop, tmp_path)
    drop = Drop(tmp_path / "deliveries", site)
    case.spoil(drop)
    held = land_and_judge(site, case.source, drop)
    assert held.outcome == "HOLD"
    (hold_id,) = hold_ledger(site).holds()
    assert f'ml-pipeline hold accept {hold_id} --reason "..."' in held.message
    hold_ledger(site).accept(hold_id, "the supplier says so")
    landed = land_and_judge(site, case.source, drop)
    assert (landed.outcome, landed.account, landed.faults) == ("ACCEPT", (drop.delivered, 0, 0), ())
    expected = [*site.sql.sources[case.source].column_names, "score_date"]
    assert sorted(site.tables.schema(f"raw/{case.source}").names) == sorted(expected)


def test_a_night_is_held_in_a_range_as_it_is_alone(shop_site: Site) -> None:
    night = date(2024, 3, 20)
    path = shop_site.sql.folder / "deliveries" / "orders" / "2024-03.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for number, line in enumerate(lines) if f",{night}," not in line or number % 10 == 0]
    path.write_text("".join(kept), encoding="utf-8")
    told = []
    for nights in (nights_between(shop_site.calendar.first_night, night + timedelta(days=3)), [night]):
        with pytest.raises(LandingHeldError, match=f"{night}.*volume: 4 rows, 0.1 times the usual 40") as held:
            land(shop_site, "orders", nights)
        told.append(re.findall(r"\[([0-9a-f]{12})\]", str(held.value)))
        land(shop_site, "orders", nights_between(shop_site.calendar.first_night, night - timedelta(days=1)))
    assert told[0] == told[1] == list(hold_ledger(shop_site).holds())


def test_a_landed_night_is_not_judged_again(workshop: Site, tmp_path: Path) -> None:
    site = copy_of_workshop(workshop, tmp_path)
    land(site, "orders", [TONIGHT])
    Drop(tmp_path / "deliveries", site).orders.with_name("2024-04-01.csv").write_bytes(b"")
    with pytest.raises(Exception, match="no bytes"):
        land(site, "orders", [TONIGHT])
    assert hold_ledger(site).holds() == {}
