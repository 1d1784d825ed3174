from datetime import date

import duckdb

from ml_pipeline.contracts.serving import SHADOW_SCORES
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.shadow import ShadowNights, score_in_the_shadow
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.second_model import constant_answer, promoted, recalibrated, second_version

SHADOWED = nights_between(date(2024, 5, 10), date(2024, 5, 16))


def refused(site: Site, version: str, night: str) -> None:
    promoted(site, version, night, is_promoted=False)


def roles(outcome: ShadowNights) -> dict[int, list[str]]:
    return {night.day: [lane.role for lane in lanes] for night, lanes in outcome.lanes_by_night.items()}


def said(site: Site, night: Night) -> set[tuple[str, str]]:
    rows = site.tables.read(SHADOW_SCORES, [night])
    return set(zip(rows["served_by"].to_pylist(), rows["model_version"].to_pylist(), strict=True))


def test_a_challenger_scores_in_the_shadow_and_nobody_is_served_by_it(scored_shop_copy: Site) -> None:
    site, champion = scored_shop_copy, str(current_champion(scored_shop_copy))
    assert score_in_the_shadow(site, SHADOWED).lanes_by_night == {}
    assert not site.tables.exists(SHADOW_SCORES)
    challenger = second_version(site, champion, lambda files: recalibrated(files, 0.2, 0.5))
    refused(site, challenger, "2024-05-11")
    score(site, SHADOWED)
    before = site.tables.version(SCORES)
    outcome = score_in_the_shadow(site, SHADOWED)
    assert outcome.published.changed == SHADOWED[1:] == tuple(outcome.lanes_by_night)
    assert said(site, SHADOWED[1]) == {("challenger", challenger)}
    assert site.tables.read(SHADOW_SCORES, SHADOWED).schema == site.tables.schema(SCORES)
    assert score_in_the_shadow(site, SHADOWED).published.changed == ()
    assert site.tables.version(SCORES) == before
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as analyst:
        assert analyst.sql("select count(*), count(distinct score_date) from shadow_scores").fetchall() == [(240, 6)]


def test_challenger_and_predecessor_score_the_same_night_each_under_its_role(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    fresh = second_version(site, first)
    promoted(site, fresh, "2024-05-12", champion_before=first)
    assert roles(score_in_the_shadow(site, SHADOWED)) == {day: ["predecessor"] for day in range(12, 17)}
    alone = site.tables.published(SHADOW_SCORES)[SHADOWED[-1]]
    other = second_version(site, first, lambda files: recalibrated(files, 0.2, 0.5))
    refused(site, other, "2024-05-16")
    both = score_in_the_shadow(site, SHADOWED)
    assert roles(both)[16] == ["predecessor", "challenger"]
    assert both.published.changed == (SHADOWED[-1],)
    assert said(site, SHADOWED[-1]) == {("predecessor", first), ("challenger", other)}
    assert site.tables.published(SHADOW_SCORES)[SHADOWED[-1]].rows == 2 * alone.rows == 80
    rows = site.tables.read(SHADOW_SCORES, SHADOWED).to_pandas()
    assert not rows.duplicated(["score_date", "order_id", "model_version"]).any()


def test_a_damaged_model_is_left_out_with_an_alert_and_loses_nothing(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    promoted(site, second_version(site, first), "2024-05-12", champion_before=first)
    other = second_version(site, first, lambda files: recalibrated(files, 0.2, 0.5))
    refused(site, other, "2024-05-14")
    score_in_the_shadow(site, SHADOWED[:-1])
    (site.models / other / "model.txt").write_text("tree\n", encoding="utf-8")
    done = score_in_the_shadow(site, SHADOWED)
    assert done.published.changed == (SHADOWED[-1],)
    assert "model.txt was changed" in done.failed[other]
    assert said(site, SHADOWED[-1]) == {("predecessor", first)}
    assert said(site, SHADOWED[-2]) == {("predecessor", first), ("challenger", other)}
    (alert,) = site.ledger("alerts").entries()
    assert (alert["severity"], alert["title"]) == ("advisory", f"model {other} could not score in the shadow")
    score_in_the_shadow(site, SHADOWED)
    assert len(site.ledger("alerts").entries()) == 1


def test_scores_that_fail_the_audit_are_not_published(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    dull = second_version(site, first, constant_answer)
    refused(site, dull, "2024-05-15")
    done = score_in_the_shadow(site, SHADOWED)
    assert (done.published.changed, list(done.failed)) == ((), [dull])
    assert not site.tables.exists(SHADOW_SCORES)
