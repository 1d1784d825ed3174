from datetime import date

import duckdb
import numpy as np
import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.promote import NoChampionError, current_champion
from ml_pipeline.operations.score import SCORES, ScoreAuditError, score
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.stale_scores import stale_scores
from ml_pipeline_tests.conftest import SHOP_SCORED, open_test_site

NEXT = nights_between(date(2024, 5, 13), date(2024, 5, 15))


def test_every_row_of_the_spine_has_a_score_that_explains_itself(scored_shop: Site) -> None:
    rows = scored_shop.tables.read(SCORES, SHOP_SCORED)
    spine = scored_shop.runner().build("spine", SHOP_SCORED[0], SHOP_SCORED[-1])
    key = ["score_date", "order_id"]
    assert rows.select(key).to_pylist() == spine.select(key).sort_by([(name, "ascending") for name in key]).to_pylist()
    assert rows.schema.names == [
        "score_date", "order_id", "cutoff_at", "score", "probability", "rank", "decision", "threshold", "reason_1",
        "reason_2", "reason_3", "served_by", "model_name", "model_version", "feature_set_version", "backfill_policy",
    ]  # fmt: skip
    frame = rows.to_pandas()
    assert frame.notna().all().all()
    assert frame["probability"].between(0.001, 0.999).all()
    assert (frame["decision"] == (frame["probability"] >= frame["threshold"])).all()
    cutoffs = {night: scored_shop.calendar.cutoff(night) for night in SHOP_SCORED}
    assert all(row.cutoff_at == cutoffs[row.score_date] for row in frame.itertuples())
    for _, night in frame.groupby("score_date"):
        assert sorted(night["rank"]) == list(range(1, len(night) + 1))
        assert np.all(np.diff(night.sort_values("rank")["probability"]) <= 0)
        assert night["probability"].nunique() > 10


def test_scoring_again_scores_and_commits_nothing(scored_shop_copy: Site) -> None:
    before = scored_shop_copy.tables.version(SCORES)
    again = score(scored_shop_copy, SHOP_SCORED)
    assert (again.published.changed, again.published.version, again.audits) == ((), before, ())
    assert again.published.unchanged == SHOP_SCORED
    assert again.published.rows == 320
    assert stale_scores(scored_shop_copy, SHOP_SCORED) == []


def test_a_range_is_one_commit_and_reaches_the_analysts(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    before = site.tables.version(SCORES)
    result = score(site, NEXT)
    assert (result.published.version, result.published.changed) == (before + 1, NEXT)
    assert [(audit.rows, audit.broken) for audit in result.audits] == [(40, ())] * 3
    assert set(result.version_by_night.values()) == {current_champion(site)}
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as analyst:
        assert analyst.sql("select count(*), count(distinct score_date) from scores").fetchall() == [(440, 11)]


def test_a_night_without_a_champion_stops_the_call_and_nothing_is_published(scored_shop_copy: Site) -> None:
    before = scored_shop_copy.tables.version(SCORES)
    with pytest.raises(NoChampionError, match="2024-05-04"):
        score(scored_shop_copy, [nights_back(SHOP_SCORED[0], 1), *NEXT])
    assert scored_shop_copy.tables.version(SCORES) == before


def test_scores_that_fail_their_audit_are_not_published(scored_shop_copy: Site) -> None:
    """An order plan that is empty: nothing is dispatched on 2024-05-28 + 1, the last landed night has no successor."""
    site = scored_shop_copy
    night = date(2024, 5, 20)
    orders = nights_between(nights_back(night, 2), night)
    empty = site.tables.read("raw/orders", []).slice(0, 0)
    site.tables.publish("raw/orders", empty, {one: NightInputs("", {}) for one in orders}, key=["order_id"])
    before = site.tables.version(SCORES)
    with pytest.raises(ScoreAuditError, match="night 2024-05-20: the spine is empty") as refusal:
        score(site, [*NEXT, night])
    assert "Nothing was published" in str(refusal.value)
    assert site.tables.version(SCORES) == before
    assert NEXT[0] not in site.tables.published(SCORES)


def test_a_champion_from_before_a_feature_change_still_scores_by_its_own_sql(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    expected = score(site, NEXT[:1])
    path = site.sql.folder / "staging" / "stg_returns.sql"
    path.write_text(path.read_text(encoding="utf-8").replace("score_date - 7", "score_date - 5"), encoding="utf-8")
    changed = open_test_site(site.sql.folder, site.data)
    assert changed.sql.feature_set_version != site.sql.feature_set_version
    result = score(changed, NEXT)
    assert result.published.changed == NEXT[1:]
    assert result.published.unchanged == NEXT[:1]
    rows = changed.tables.read(SCORES, NEXT, ["feature_set_version"])
    assert set(rows["feature_set_version"].to_pylist()) == {site.sql.feature_set_version}
    assert expected.version_by_night[NEXT[0]] == result.version_by_night[NEXT[1]]


def test_a_row_that_changed_makes_its_night_stale_and_only_its_nights(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, SHOP_SCORED[3]
    rows = site.tables.read("raw/orders", [night])
    quantities = [1 + number % 5 for number in range(rows.num_rows)]
    changed = rows.set_column(rows.schema.get_field_index("quantity"), "quantity", [quantities])
    site.tables.publish("raw/orders", changed, {night: NightInputs("", {})}, key=["order_id", "known_at"])
    assert score(site, SHOP_SCORED).published.changed == (night,)


def test_nights_outside_the_project_are_refused(scored_shop: Site) -> None:
    with pytest.raises(ValueError, match="outside this project's nights"):
        score(scored_shop, [date(2024, 6, 2)])


def test_a_scored_night_records_the_version_of_its_features(scored_shop_copy: Site) -> None:
    """Also once later nights have moved the features on."""
    site = scored_shop_copy
    table = features_table(site.sql)
    before = site.tables.published(SCORES, SHOP_SCORED)
    assert {tuple(night.facts) for night in before.values()} == {(table,)}
    assert {night.facts[table] for night in before.values()} == {site.tables.version(table)}
    score(site, NEXT)
    assert site.tables.published(SCORES, SHOP_SCORED) == before
