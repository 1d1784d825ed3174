import shutil
from dataclasses import replace
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.domain.drift import count_rows, reference_bins, stability_index
from ml_pipeline.domain.drift_effect import window_effect
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import lookback_nights, nights_between
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.decide import DECISIONS, decide_retraining
from ml_pipeline.operations.drift_reports import report_path
from ml_pipeline.operations.promote import NoChampionError, current_champion
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.watch import DRIFT, measure_drift, report_drift, stale_drift
from ml_pipeline_tests.conftest import SHOP_SCORED
from ml_pipeline_tests.second_model import promoted, second_version

SUNDAYS = [date(2024, 5, 5), date(2024, 5, 12)]


def test_drift_compares_the_last_nights_with_the_champions_training_rows(scored_shop: Site) -> None:
    night = date(2024, 5, 9)
    bundle = read_bundle(scored_shop.models, str(current_champion(scored_shop)))
    encoder = load_scorer(bundle).encoder
    window = lookback_nights(night, 7, first_night=scored_shop.project.first_night)
    rows = scored_shop.tables.read(features_table(scored_shop.sql), window)
    bins = reference_bins(encoder, encoder.transform(bundle.table("reference.parquet")))
    expected = dict(zip(bins.names, stability_index(bins, count_rows(bins, encoder.transform(rows))), strict=True))
    found = scored_shop.tables.read(DRIFT, [night]).to_pylist()
    assert {row["feature"]: row["psi"] for row in found} == pytest.approx(expected, abs=1e-12)
    assert all(row["rows"] == rows.num_rows and row["window_nights"] == 7 for row in found)
    assert all(row["is_drifted"] == (row["finding"] == "drift") for row in found)
    before = lookback_nights(night, 35, first_night=scored_shop.project.first_night)[:-7]
    counts = [
        np.array(
            [
                count_rows(bins, encoder.transform(table.read(features_table(scored_shop.sql), [each])))
                for each in nights
            ]
        )
        for table, nights in ((scored_shop.tables, window), (scored_shop.tables, before))
    ]
    effect = window_effect(scored_shop.project.drift, *counts, bins.counts)
    for name, expected_effects in (("effect_training", effect.training), ("effect_trailing", effect.trailing)):
        assert [row[name] for row in found] == pytest.approx(
            [expected_effects[bins.names.index(row["feature"])] for row in found], abs=1e-12
        )
    assert all(row["model_version"] == bundle.version for row in found)


def test_evidently_reports_on_its_weekday_while_the_verdict_stays(scored_shop: Site) -> None:
    drift = scored_shop.tables.read(DRIFT, SHOP_SCORED).to_pandas()
    with_report = drift[drift["evidently_psi"].notna()]
    assert sorted(set(with_report["score_date"])) == SUNDAYS
    assert set(with_report.groupby("score_date").size()) == {8}
    agrees = with_report["agrees_with_evidently"]
    ours, theirs = with_report["psi"] > 0.25, with_report["evidently_psi"] > 0.25
    assert list(agrees) == list(ours == theirs)
    assert drift[drift["evidently_psi"].isna()]["agrees_with_evidently"].isna().all()
    assert [night for night in SHOP_SCORED if report_path(scored_shop, night).exists()] == SUNDAYS


def test_measuring_again_commits_nothing(scored_shop_copy: Site) -> None:
    again = measure_drift(scored_shop_copy, SHOP_SCORED)
    assert (again.published.changed, again.published.unchanged) == ((), SHOP_SCORED)
    assert again.report == report_path(scored_shop_copy, SUNDAYS[1])
    assert stale_drift(scored_shop_copy, SHOP_SCORED) == []


def test_nights_alone_give_what_the_range_gave(scored_shop: Site, scored_shop_copy: Site) -> None:
    site, nights = scored_shop_copy, SHOP_SCORED[1:5]
    shutil.rmtree(site.tables.path(DRIFT))
    for night in reversed(nights):
        measure_drift(site, [night])
    ours, theirs = site.tables.published(DRIFT), scored_shop.tables.published(DRIFT)
    assert [ours[night].content_hash for night in nights] == [theirs[night].content_hash for night in nights]


def test_a_delivery_that_changes_its_face_is_seen(scored_shop_copy: Site) -> None:
    site, nights = scored_shop_copy, nights_between(date(2024, 5, 6), date(2024, 5, 11))
    rows = site.tables.read("raw/orders", nights)
    changed = rows.set_column(rows.schema.get_field_index("channel"), "channel", pa.array(["phone"] * rows.num_rows))
    site.tables.publish(
        "raw/orders", changed, {night: NightInputs("", {}) for night in nights}, key=["order_id", "known_at"]
    )
    assert stale_drift(site, SHOP_SCORED) == list(nights_between(nights[0], SHOP_SCORED[-1]))
    measure_drift(site, nights)
    found = {row["feature"]: row for row in site.tables.read(DRIFT, nights[-1:]).to_pylist()}
    assert (found["channel"]["finding"], found["channel"]["is_drifted"]) == ("drift", True)
    assert not found["quantity"]["is_drifted"]
    assert np.isfinite([row["psi"] for row in found.values()]).all()
    # The first such night is a fault, told from drift; after it, it is how things are.
    faults = {
        row["score_date"]: row["fault"]
        for row in site.tables.read(DRIFT, nights).to_pylist()
        if row["feature"] == "channel"
    }
    assert faults == {nights[0]: "one and the same value in every row, never so before", **dict.fromkeys(nights[1:])}


def test_evidently_reports_too_when_the_verdict_turns_whichever_nights_run_together(scored_shop_copy: Site) -> None:
    terms = scored_shop_copy.project.monitoring.model_copy(update={"drifted_share_limit": 0.05})
    project = scored_shop_copy.project.model_copy(update={"monitoring": terms})
    site = replace(scored_shop_copy, sql=replace(scored_shop_copy.sql, project=project))
    nights = nights_between(date(2024, 5, 6), date(2024, 5, 11))
    rows = site.tables.read("raw/orders", nights)
    changed = rows.set_column(rows.schema.get_field_index("channel"), "channel", pa.array(["phone"] * rows.num_rows))
    site.tables.publish(
        "raw/orders", changed, {night: NightInputs("", {}) for night in nights}, key=["order_id", "known_at"]
    )
    shutil.rmtree(site.tables.path(DRIFT))
    shutil.rmtree(site.reports / "drift")
    measure_drift(site, nights)
    found = site.tables.read(DRIFT, nights).to_pandas()
    is_drifted = found.groupby("score_date")["is_drifted"].mean() > 0.05
    (turned,) = [
        night for night, before in zip(nights[1:], nights, strict=False) if is_drifted[night] != is_drifted[before]
    ]
    reported = found[found["evidently_psi"].notna()]
    assert set(reported["score_date"]) == {turned}
    assert [night for night in nights if report_path(site, night).exists()] == [turned]
    assert not reported["agrees_with_evidently"].isna().any()
    before = site.tables.published(DRIFT)[turned].content_hash
    shutil.rmtree(site.tables.path(DRIFT))
    measure_drift(site, [turned])
    assert site.tables.published(DRIFT)[turned].content_hash == before


def test_a_report_that_is_asked_for_is_written_and_leaves_the_table_alone(scored_shop_copy: Site) -> None:
    site, wednesday = scored_shop_copy, date(2024, 5, 8)
    before = site.tables.published(DRIFT)
    found = report_drift(site, wednesday)
    assert found is not None and found.path == report_path(site, wednesday) and found.path.exists()
    assert len(found.compared) == 8 and set(found.disagreeing) <= set(found.compared)
    assert site.tables.published(DRIFT) == before


def test_the_two_verdicts_stand_side_by_side_for_analysts(scored_shop: Site) -> None:
    drift = scored_shop.tables.read(DRIFT, SHOP_SCORED).to_pandas().query("evidently_psi == evidently_psi")
    with duckdb.connect(str(scored_shop.data / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.sql("from drift_agreement").df().set_index("score_date")
        silent = "select column_name from duckdb_columns() where table_name = 'drift_agreement' and comment is null"
        assert connection.sql(silent).fetchall() == []
    assert [night.date() for night in rows.index] == SUNDAYS
    share = drift.assign(agrees=(drift["psi"] > 0.25) == (drift["evidently_psi"] > 0.25)).groupby("score_date")[
        "agrees"
    ]
    assert list(rows["agreement_share"]) == pytest.approx(list(share.mean()))
    assert list(rows["features_compared"]) == [8, 8]


def test_a_night_without_a_champion_cannot_be_watched(scored_shop: Site) -> None:
    for watch in (
        lambda: measure_drift(scored_shop, [date(2024, 5, 4)]),
        lambda: report_drift(scored_shop, date(2024, 5, 4)),
    ):
        with pytest.raises(NoChampionError):
            watch()


def test_with_a_damaged_champion_drift_is_measured_against_the_model_before_it(scored_shop_copy: Site) -> None:
    site, first, night = scored_shop_copy, str(current_champion(scored_shop_copy)), date(2024, 5, 13)
    second = second_version(site, first)
    promoted(site, second, str(night))
    kept = site.data.with_name("kept")
    shutil.move(site.models / second, kept)
    score(site, [night])
    outcome = measure_drift(site, [night])
    assert {row["model_version"] for row in site.tables.read(DRIFT, [night]).to_pylist()} == {first}
    assert f"champion {second}" in outcome.reasons[night]
    assert titles(site) == [f"champion {second} could not score", "drift is not measured against the champion"]
    assert (stale_drift(site, [night]), measure_drift(site, [night]).published.changed) == ([], ())
    assert len(titles(site)) == 2
    shutil.move(kept, site.models / second)
    assert stale_drift(site, [night]) == [night]
    assert measure_drift(site, [night]).reasons == {}
    assert {row["model_version"] for row in site.tables.read(DRIFT, [night]).to_pylist()} == {second}


def test_without_any_whole_bundle_drift_is_missing_evidence_and_the_night_is_decided(scored_shop_copy: Site) -> None:
    site, champion, night = scored_shop_copy, str(current_champion(scored_shop_copy)), date(2024, 5, 13)
    content = bytearray((site.models / champion / "model.txt").read_bytes())
    content[len(content) // 2] ^= 1
    (site.models / champion / "model.txt").write_bytes(content)
    score(site, [night])
    outcome = measure_drift(site, [night])
    rows = site.tables.read(DRIFT, [night]).to_pylist()
    assert [row["feature"] for row in rows] == sorted(feature.name for feature in site.sql.features)
    assert {(row["model_version"], row["finding"], row["is_drifted"]) for row in rows} == {(champion, "missing", False)}
    assert all(row["psi"] is None and row["rows"] is None for row in rows)
    assert "model.txt was changed" in outcome.reasons[night]
    assert "drift is not measured against the champion" in titles(site)
    assert (stale_drift(site, [night]), measure_drift(site, [night]).published.changed) == ([], ())
    decide_retraining(site, [night])
    (decision,) = site.tables.read(DECISIONS, [night]).to_pylist()
    assert decision["drifted_share"] is None
    assert "drift is missing" in decision["reasons"]


def titles(site: Site) -> list[str]:
    return [entry["title"] for entry in site.ledger("alerts").entries()]
