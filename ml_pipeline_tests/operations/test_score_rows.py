import shutil
from dataclasses import replace

import pytest

from ml_pipeline.contracts.project import ExplainedRows
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.score_rows import score_nights, score_rows
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_SCORED, copy_of


@pytest.fixture(scope="module")
def site(scored_shop: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Scored nights whose features lie in row groups of seven: 40 rows a night are six slices."""
    copied = copy_of(scored_shop, scored_shop.sql.folder, tmp_path_factory.mktemp("small_groups") / "data")
    table = features_table(copied.sql)
    shutil.rmtree(copied.tables.path(table))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ml_pipeline.io.delta_commit._MOST_ROWS_A_GROUP", 7)
        version = build_features(copied, SHOP_SCORED).version
    assert len(copied.tables.slices(table, SHOP_SCORED[0], version=version, most_rows=7)) == 6
    return copied


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("rows_at_once", "rows_a_slice"), [(1, 1000), (1, 7), (1, 20), (90, 7)])
def test_nights_scored_in_parts_and_side_by_side_give_the_same_rows(
    site: Site, monkeypatch: pytest.MonkeyPatch, rows_at_once: int, rows_a_slice: int, threads: int
) -> None:
    site, bundle = replace(site, threads=threads), read_bundle(site.models, str(current_champion(site)))
    monkeypatch.setattr("ml_pipeline.operations.score_rows._ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr("ml_pipeline.operations.score_rows._ROWS_A_SLICE", rows_a_slice)
    parts = score_nights(site, bundle, SHOP_SCORED, version=site.tables.version(features_table(site.sql)))
    assert parts.combine_chunks().equals(site.tables.read(SCORES, SHOP_SCORED).combine_chunks())


def test_the_project_says_which_rows_are_explained(scored_shop: Site) -> None:
    site, bundle = scored_shop, read_bundle(scored_shop.models, str(current_champion(scored_shop)))
    features = site.tables.read(features_table(site.sql), SHOP_SCORED)
    every, acted_on, none = (
        score_rows(site, bundle, features, explained=rows).to_pandas() for rows in ("every", "acted_on", "none")
    )
    assert site.project.scoring.explained_rows == "every"
    assert 0 < every["decision"].sum() < len(every)
    assert acted_on[every["decision"]].equals(every[every["decision"]])
    assert acted_on.loc[~every["decision"], "reason_1"].isna().all()
    assert none[["reason_1", "reason_2", "reason_3"]].isna().all().all()
    assert none.drop(columns=["reason_1", "reason_2", "reason_3"]).equals(
        every.drop(columns=["reason_1", "reason_2", "reason_3"])
    )


@pytest.mark.parametrize("explained", ["every", "acted_on", "none"])
@pytest.mark.parametrize("capacity", [None, 5])
def test_a_large_night_is_decided_ranked_and_explained_as_a_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch, explained: ExplainedRows, capacity: int | None
) -> None:
    bundle = read_bundle(site.models, str(current_champion(site)))
    project = bundle.feature_set.project
    decision = project.decision.model_copy(update={"capacity_per_night": capacity})
    limited = replace(bundle.feature_set, project=project.model_copy(update={"decision": decision}))
    monkeypatch.setitem(bundle.__dict__, "feature_set", limited)
    version = site.tables.version(features_table(site.sql))
    whole = score_nights(site, bundle, SHOP_SCORED, version=version, explained=explained)
    monkeypatch.setattr("ml_pipeline.operations.score_rows._ROWS_AT_ONCE", 1)
    monkeypatch.setattr("ml_pipeline.operations.score_rows._ROWS_A_SLICE", 7)
    sliced = score_nights(site, bundle, SHOP_SCORED, version=version, explained=explained)
    assert sliced.combine_chunks().equals(whole.combine_chunks())
    if capacity:
        acts = whole.to_pandas().groupby("score_date")["decision"].sum()
        assert (acts == capacity).all()
