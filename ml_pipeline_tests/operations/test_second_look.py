from datetime import date

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.policy_evidence import read_record
from ml_pipeline.operations.promote import PROMOTIONS, champion_on, current_champion
from ml_pipeline.operations.register import register
from ml_pipeline.operations.shadow_review import review_shadow
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL
from ml_pipeline_tests.operations.test_promote import tags
from ml_pipeline_tests.remade_bundles import remade
from ml_pipeline_tests.second_model import promoted, recalibrated, second_version
from ml_pipeline_tests.shadowed_shop import LAST_ORDERS, kinds, run_nights, with_short_looks

FIRST = date(2024, 5, 13)
NIGHTS = nights_between(FIRST, LAST_ORDERS)
LATER_TEST = {"test": ["2024-05-03", "2024-05-09"]}


def refused(site: Site, blocks: dict[str, list[str]], champion: str) -> ModelBundle:
    """The trained model once more, as a challenger that was refused on 13 May."""
    known = read_bundle(site.models, str(site.ledger(PROMOTIONS).entries()[0]["challenger"]))
    challenger = remade(known, seed=2, blocks=known.manifest["blocks"] | blocks)
    promoted(site, challenger.version, str(FIRST), is_promoted=False, champion_before=champion)
    return challenger


def weak_champion(site: Site) -> str:
    """One that says far too much, from 12 May on."""
    champion = second_version(site, str(current_champion(site)), lambda files: recalibrated(files, 0.6, 0.9))
    promoted(site, champion, "2024-05-12")
    return champion


def test_a_challenger_that_is_better_after_all_is_promoted_at_its_first_look(scored_shop_copy: Site) -> None:
    site = with_short_looks(scored_shop_copy)
    champion = weak_champion(site)
    bundle = refused(site, LATER_TEST, champion)
    register(site, bundle)
    found = run_nights(site, NIGHTS[:8], [NIGHTS[8]], [NIGHTS[9]])
    assert [found[day] for day in (20, 21)] == [[("challenger", "wait", 4)], [("challenger", "promote", 5)]]
    assert found[22] == [("predecessor", "wait", 0)]
    entry = site.ledger(PROMOTIONS).entries()[-1]
    assert (entry["kind"], entry["judged_on"], entry["effective_from"]) == ("second_look", "2024-05-21", "2024-05-22")
    assert champion_on(site.ledger(PROMOTIONS).entries(), date(2024, 5, 21)) == champion
    assert tags(site)["champion"] == bundle.version == current_champion(site)
    assert [each.is_promoted for each in read_record(site).judgements] == [True, True, False, True]
    assert review_shadow(site, NIGHTS[:10]).published.changed == ()
    assert len(kinds(site)) == 1


def test_where_the_champion_was_chosen_on_the_test_block_only_what_was_said_at_the_time_counts(
    scored_shop_copy: Site,
) -> None:
    site = with_short_looks(scored_shop_copy)
    champion = weak_champion(site)
    bundle = refused(site, {}, champion)
    challenger = bundle.version
    register(site, bundle)
    run_nights(site, NIGHTS[:9])
    entry = site.ledger(PROMOTIONS).entries()[-1]
    assert "the nights in the shadow alone, for of the test block: " in entry["reasons"][-1]
    for role, version in (("challenger", challenger), ("champion", champion)):
        assert entry["numbers"]["names"][role] == version
        assert entry["numbers"]["metrics"][role]["log_loss"] == pytest.approx(log_loss(site, version))


def log_loss(site: Site, version: str) -> float:
    """Of what ``version`` published of the first five nights, by numpy, with the outcomes known to 21 May."""
    labels = site.tables.read("labels", nights_between(FIRST, date(2024, 5, 21))).to_pandas()
    truth = labels.sort_values("label_known_at").drop_duplicates(["order_id", "labelled_date"], keep="last")
    said = pd.concat([site.tables.read(table, NIGHTS[:5]).to_pandas() for table in ("scores", "shadow_scores")])
    said = said[said["model_version"] == version]
    both = said.merge(truth, left_on=["order_id", "score_date"], right_on=["order_id", "labelled_date"])
    assert len(both) == 200
    return float(-np.log(np.where(both["label"], both["probability"], 1 - both["probability"])).mean())


def test_one_that_is_no_better_is_refused_twice_then_left_alone_and_counts_once(scored_shop_copy: Site) -> None:
    site = with_short_looks(scored_shop_copy)
    champion = str(current_champion(site))
    challenger = refused(site, LATER_TEST, champion).version
    found = run_nights(site, NIGHTS, nights_between(date(2024, 5, 25), SHOP_LANDED_UNTIL))
    # Five nights have matured on 21 May, ten on 26 May.
    decided = {day: rows[0][1:] for day, rows in found.items() if rows and rows[0][1] != "wait"}
    assert decided == {21: ("refuse", 5), 26: ("refuse", 10)}
    assert (found[27], found[28]) == ([], [])
    assert kinds(site) == [("second_look", challenger, "2024-05-21"), ("second_look", challenger, "2024-05-26")]
    assert current_champion(site) == champion
    assert read_record(site).rejected_in_a_row() == (FIRST,)
    # Seven nights of its test block and five or ten in the shadow, forty rows each, for everybody.
    for entry, nights, last in zip(site.ledger(PROMOTIONS).entries()[2:], (12, 17), ("17", "22"), strict=True):
        assert {each["rows"] for each in entry["numbers"]["metrics"].values()} == {nights * 40}
        assert (entry["numbers"]["first_night"], entry["numbers"]["last_night"]) == ("2024-05-03", f"2024-05-{last}")
        assert entry["numbers"]["terms"]["confidence"] == pytest.approx(0.975)
        assert entry["numbers"]["shadow"]["nights"] == nights - 7


def test_a_damaged_model_uses_up_no_look(scored_shop_copy: Site) -> None:
    site = with_short_looks(scored_shop_copy)
    champion = str(current_champion(site))
    challenger = refused(site, LATER_TEST, champion).version
    run_nights(site, NIGHTS[:8])
    file = site.models / champion / "model.txt"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    (row,) = review_shadow(site, [NIGHTS[8]]).rows_by_night[NIGHTS[8]]
    assert row["verdict"] == "wait" and "model.txt was changed" in str(row["reasons"])
    assert kinds(site) == []
    file.write_bytes(whole)
    review_shadow(site, [NIGHTS[8]])
    assert kinds(site) == [("second_look", challenger, "2024-05-21")]
