import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.matured_calibration import CALIBRATION, measure_matured_calibration, stale_calibration
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_SCORED, copy_of
from ml_pipeline_tests.operations.test_mature import truth

JUDGED = nights_between(SHOP_SCORED[0], date(2024, 5, 16))


def with_groups(site: Site) -> Site:
    terms = site.project.promotion.model_copy(update={"groups": ("channel",), "min_slice_rows": 40})
    return replace(site, sql=replace(site.sql, project=site.project.model_copy(update={"promotion": terms})))


@pytest.fixture(scope="module")
def measured(scored_shop: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = with_groups(copy_of(scored_shop, scored_shop.sql.folder, tmp_path_factory.mktemp("calibration") / "data"))
    measure_matured_calibration(site, JUDGED)
    return site


def rows_of(site: Site, night: date, subject: str = "model") -> pd.DataFrame:
    rows = site.tables.read(CALIBRATION, [night]).to_pandas()
    return rows[rows["subject"] == subject]


@pytest.mark.parametrize("night", [date(2024, 5, 9), date(2024, 5, 16)])
def test_what_was_said_and_what_happened_are_what_plain_pandas_finds(measured: Site, night: date) -> None:
    frame = truth(measured, night, 28)
    known = frame[frame["is_sent_back"].notna()]
    features = measured.tables.read(features_table(measured.sql), SHOP_SCORED, ["order_id", "channel"]).to_pandas()
    known = known.merge(features[["order_id", "channel"]], on="order_id", how="left")
    rows = rows_of(measured, night)
    whole = rows[rows["part"] == "all"].iloc[0]
    assert whole["rows"] == len(known)
    assert whole["mean_probability"] == pytest.approx(known["probability"].mean())
    assert whole["observed_share"] == pytest.approx(known["is_sent_back"].astype(float).mean())
    assert whole["gap"] == pytest.approx(whole["mean_probability"] - whole["observed_share"])
    by_channel = known.groupby("channel")
    slices = rows[rows["part"] == "slice"].set_index("value")
    assert slices["rows"].to_dict() == by_channel.size().to_dict()
    assert slices["mean_probability"].to_dict() == pytest.approx(by_channel["probability"].mean().to_dict())
    bins = rows[rows["part"] == "bin"].sort_values("value")
    assert bins["rows"].sum() == len(known)
    assert bins["mean_probability"].is_monotonic_increasing


def test_the_baseline_stands_on_the_same_rows(measured: Site) -> None:
    mine, theirs = (rows_of(measured, JUDGED[-1], subject) for subject in ("model", "baseline"))
    shares = [
        frame[frame["part"] == "slice"].set_index("value")["observed_share"].to_dict() for frame in (mine, theirs)
    ]
    assert shares[0] == shares[1]
    assert set(mine["nights_scored"]) == {len(SHOP_SCORED)}


def test_nights_with_nothing_to_judge_are_empty_and_one_night_has_no_interval(measured: Site) -> None:
    published = measured.tables.published(CALIBRATION)
    assert [published[night].rows > 0 for night in JUDGED] == [False] * 4 + [True] * 8
    first = rows_of(measured, JUDGED[4])
    assert first["gap_low"].isna().all()
    assert set(first["finding"]) == {"too few rows"}
    assert rows_of(measured, JUDGED[-1]).query("part == 'all'")["gap_low"].notna().all()


def test_measuring_again_commits_nothing_and_nights_alone_give_what_the_range_gave(
    measured: Site, tmp_path: Path
) -> None:
    assert measure_matured_calibration(measured, JUDGED).changed == ()
    site = with_groups(copy_of(measured, measured.sql.folder, tmp_path / "data"))
    shutil.rmtree(site.tables.path(CALIBRATION))
    for night in reversed(JUDGED):
        measure_matured_calibration(site, [night])
    hashes = [
        {night: facts.content_hash for night, facts in one.tables.published(CALIBRATION).items()}
        for one in (site, measured)
    ]
    assert hashes[0] == hashes[1]


def test_a_changed_label_measures_its_nights_anew(measured: Site, tmp_path: Path) -> None:
    site, arrival = with_groups(copy_of(measured, measured.sql.folder, tmp_path / "data")), date(2024, 5, 14)
    rows = site.tables.read("labels", [arrival])
    flipped = rows.set_column(rows.schema.get_field_index("label"), "label", [[True] * rows.num_rows])
    site.tables.publish("labels", flipped, {arrival: NightInputs("", {})}, key=["order_id", "label_known_at"])
    assert stale_calibration(site, JUDGED) == [night for night in JUDGED if night >= arrival]


def test_analysts_find_it_in_the_catalog(measured: Site) -> None:
    with duckdb.connect(str(measured.data / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "select part, count(*) from calibration where score_date = ? and subject = 'model' group by part order by part",
            [JUDGED[-1]],
        ).fetchall()
    assert [part for part, _ in found] == ["all", "bin", "slice"]
    assert found[1][1] == 15


def test_labels_that_were_never_built_are_asked_for(measured: Site) -> None:
    with pytest.raises(LookupError, match="labels has not been built"):
        measure_matured_calibration(measured, [date(2024, 5, 30)])
