from datetime import date

import duckdb
import pytest

from ml_pipeline.contracts.serving import SHADOW_REVIEW
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.policy_evidence import read_record
from ml_pipeline.operations.promote import PROMOTIONS, champions_of, current_champion
from ml_pipeline.operations.rollback import nights_scored_by
from ml_pipeline.operations.score import score
from ml_pipeline.operations.shadow import score_in_the_shadow
from ml_pipeline.operations.shadow_review import review_shadow
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.operations.test_promote import tags
from ml_pipeline_tests.second_model import promoted, recalibrated, second_version
from ml_pipeline_tests.shadowed_shop import LAST_ORDERS, kinds, run_nights, with_short_looks

FIRST = date(2024, 5, 13)
NIGHTS = nights_between(FIRST, LAST_ORDERS)


def fresh_champion(site: Site, *, is_worse: bool, **entry: object) -> tuple[str, str]:
    """Who was champion, and the one that took its place: with the same probabilities, or with ones that are far too high."""
    before = str(current_champion(site))
    fresh = (
        second_version(site, before, lambda files: recalibrated(files, 0.6, 0.9))
        if is_worse
        else second_version(site, before)
    )
    promoted(site, fresh, str(FIRST), champion_before=before, **entry)
    return before, fresh


def test_where_the_ledger_names_nobody_nothing_is_read_or_written(scored_shop: Site) -> None:
    outcome = review_shadow(scored_shop, NIGHTS)
    assert (outcome.rows_by_night, outcome.published.changed) == ({}, ())
    assert not scored_shop.tables.exists(SHADOW_REVIEW)


def test_a_fresh_champion_that_is_surely_worse_is_rolled_back_once(scored_shop_copy: Site) -> None:
    site = with_short_looks(scored_shop_copy)
    before, fresh = fresh_champion(site, is_worse=True)
    found = run_nights(site, NIGHTS[:8], *([night] for night in NIGHTS[8:]))
    # Five nights, the last of them 17 May, have matured on 21 May.
    assert [found[day] for day in range(13, 22)] == [
        *[[("predecessor", "wait", 0)]] * 4, *([("predecessor", "wait", count)] for count in range(1, 5)),
        [("predecessor", "roll_back", 5)],
    ]  # fmt: skip
    assert [found[day] for day in (22, 23, 24)] == [[], [], []]
    (entry,) = [each for each in site.ledger(PROMOTIONS).entries() if each.get("kind") == "rollback"]
    assert (entry["challenger"], entry["withdrawn"], entry["judged_on"]) == (before, [fresh], "2024-05-21")
    assert champions_of(site, NIGHTS) == {fresh: list(NIGHTS[:9]), before: list(NIGHTS[9:])}
    assert nights_scored_by(site, fresh) == NIGHTS[:9]  # published nights stand
    assert tags(site)["champion"] == before
    (alert,) = site.ledger("alerts").entries()
    assert (alert["severity"], alert["night"]) == ("advisory", "2024-05-21")
    assert alert["runbook"].endswith("#a-fresh-champion-does-worse-than-its-predecessor")
    # Nobody is put behind what comes after, and nobody was refused.
    assert [each.night.day for each in read_record(site).judgements] == [5, 13]

    published = site.tables.published(SHADOW_REVIEW)
    again = review_shadow(site, NIGHTS)
    assert (again.published.changed, site.tables.published(SHADOW_REVIEW)) == ((), published)
    assert (len(kinds(site)), len(site.ledger("alerts").entries())) == (1, 1)
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as analyst:
        shown = "select role, challenger, champion, nights, gain > low and low > 0, verdict from shadow_review"
        assert analyst.sql(f"{shown} order by score_date desc limit 1").fetchall() == [
            ("predecessor", before, fresh, 5, True, "roll_back")
        ]


def test_a_fresh_champion_that_is_no_worse_is_kept_when_its_nights_are_over(scored_shop_copy: Site) -> None:
    site = with_short_looks(scored_shop_copy)
    _, fresh = fresh_champion(site, is_worse=False)
    found = run_nights(site, nights_between(FIRST, date(2024, 5, 26)))
    # The first look on 21 May, the last when the eighth night, 20 May, has matured on 24 May.
    assert [found[day] for day in (20, 21, 22, 24)] == [[("predecessor", "wait", count)] for count in (4, 5, 6)] + [
        [("predecessor", "keep", 8)]
    ]
    assert (found[25], found[26]) == ([], [])
    assert kinds(site) == [("probation", fresh, "2024-05-21"), ("probation", fresh, "2024-05-24")]
    assert current_champion(site) == fresh
    assert site.ledger("alerts").entries() == []
    assert read_record(site).rejected_in_a_row() == ()


def test_nights_in_one_run_are_judged_on_the_same_evidence_and_served_from_the_first_open_night(
    scored_shop_copy: Site,
) -> None:
    site = with_short_looks(scored_shop_copy)
    before, fresh = fresh_champion(site, is_worse=True)
    run_nights(site, NIGHTS)
    assert kinds(site) == [("rollback", before, "2024-05-21")]
    assert site.ledger(PROMOTIONS).entries()[-1]["effective_from"] == "2024-05-25"
    assert champions_of(site, NIGHTS) == {fresh: list(NIGHTS)}
    rows = site.tables.read(SHADOW_REVIEW, NIGHTS).to_pylist()
    assert [(row["score_date"].day, row["verdict"]) for row in rows][-2:] == [(20, "wait"), (21, "roll_back")]
    assert score_in_the_shadow(site, NIGHTS).published.changed == ()


@pytest.mark.parametrize("why", ["by_hand", "damaged"])
def test_what_a_person_did_is_not_undone_and_a_damaged_predecessor_does_not_serve(
    scored_shop_copy: Site, why: str
) -> None:
    site = with_short_looks(scored_shop_copy)
    by_hand = {"kind": "override", "judged_on": None, "until": "2024-06-30"} if why == "by_hand" else {}
    before, fresh = fresh_champion(site, is_worse=True, **by_hand)
    score(site, NIGHTS)
    score_in_the_shadow(site, NIGHTS)
    if why == "damaged":
        (site.models / before / "model.txt").write_text("tree\n", encoding="utf-8")
    review_shadow(site, NIGHTS)
    review_shadow(site, NIGHTS)
    assert kinds(site) == [("probation", fresh, "2024-05-21")]
    assert current_champion(site) == fresh
    entry, (alert,) = site.ledger(PROMOTIONS).entries()[-1], site.ledger("alerts").entries()
    assert (entry["verdict"], alert["severity"]) == ("alarm", "blocking")
    assert ("a person must withdraw it" if why == "by_hand" else "it was not rolled back: bundle") in alert["detail"]


def test_an_old_night_that_is_run_again_decides_nothing_by_what_is_known_now(scored_shop_copy: Site) -> None:
    """On 20 May four nights had matured; another model has taken over since, which no old review may undo."""
    site = with_short_looks(scored_shop_copy)
    _, fresh = fresh_champion(site, is_worse=True)
    score(site, NIGHTS)
    score_in_the_shadow(site, NIGHTS)
    review_shadow(site, [date(2024, 5, 20)])
    promoted(site, second_version(site, fresh), "2024-05-25", champion_before=fresh)
    outcome = review_shadow(site, [date(2024, 5, 20), date(2024, 5, 21)])
    (row,) = outcome.rows_by_night[date(2024, 5, 21)]
    assert (row["verdict"], row["nights"]) == ("wait", 5)
    assert kinds(site) == []
