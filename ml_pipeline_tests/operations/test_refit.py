import dataclasses
from datetime import date
from typing import Any

import numpy as np
import pytest

from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.operations.contest import set_up_comparison
from ml_pipeline.operations.promote import (
    PROMOTIONS,
    champion_on,
    current_champion,
    next_night,
    promote_by_hand,
    promote_if_better,
)
from ml_pipeline.operations.recalibrate import recalibrate
from ml_pipeline.operations.refit import Refit, is_refit_due, refit_if_better
from ml_pipeline.operations.refit_evidence import REFITS
from ml_pipeline.operations.reproduce import reproduce_bundle
from ml_pipeline.operations.rollback import roll_back
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import find_training, train
from ml_pipeline.operations.training_rows import open_split
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON
from ml_pipeline_tests.operations.test_promote import LATER
from ml_pipeline_tests.remade_bundles import remade

YES: dict[str, Any] = {
    "night": str(SHOP_TRAINED_ON), "is_refit": True, "reasons": ["fresher is better"], "numbers": {"gain": {"mean": 0.01}},
}  # fmt: skip


def refitting(site: Site, **changes: object) -> Site:
    """``site`` whose project refits, on folds that the shop has the nights for."""
    wanted = {"refit": "if_fresher_is_better", "refit_folds": 2, "refit_validate_nights": 7} | changes
    training = site.project.training.model_copy(update=wanted)
    project = site.project.model_copy(update={"training": training})
    return dataclasses.replace(site, sql=dataclasses.replace(site.sql, project=project))


def accepted(site: Site) -> str:
    version = current_champion(site)
    assert version is not None
    return version


@pytest.fixture
def refit_champion(scored_shop_copy: Site) -> tuple[Site, str, Refit]:
    """The shop whose champion was refit, its bundle's version, and the refit; the evidence was in favour."""
    site = refitting(scored_shop_copy)
    recipe = accepted(site)
    site.ledger(REFITS).append(YES | {"version": recipe})
    done = refit_if_better(site, recipe, SHOP_TRAINED_ON)
    assert done is not None
    return site, recipe, done


def test_a_project_that_never_refits_decides_and_records_nothing(scored_shop: Site) -> None:
    assert scored_shop.project.training.refit == "never"
    assert refit_if_better(scored_shop, accepted(scored_shop), SHOP_TRAINED_ON) is None
    assert not is_refit_due(scored_shop, accepted(scored_shop), SHOP_TRAINED_ON)
    assert scored_shop.ledger(REFITS).entries() == []


def test_to_refit_or_not_is_no_reason_to_train_again(scored_shop: Site) -> None:
    found = find_training(refitting(scored_shop), SHOP_TRAINED_ON)
    assert found is not None
    assert found.version == accepted(scored_shop)


def test_the_evidence_is_gathered_once_and_recorded_whatever_it_says(scored_shop_copy: Site) -> None:
    site, recipe = refitting(scored_shop_copy), accepted(scored_shop_copy)
    assert refit_if_better(site, recipe, LATER) is None
    assert is_refit_due(site, recipe, SHOP_TRAINED_ON)
    first = refit_if_better(site, recipe, SHOP_TRAINED_ON)
    assert first is not None
    (entry,) = site.ledger(REFITS).entries()
    assert (entry["version"], entry["night"], entry["is_refit"]) == (
        recipe,
        str(SHOP_TRAINED_ON),
        first.decision.is_refit,
    )
    assert first.decision.is_refit is (entry["numbers"]["gain"]["low"] > 0) is (first.version is not None)
    assert first.is_champion is first.decision.is_refit
    assert current_champion(site) == (first.version or recipe)
    blocks = open_split(site, SHOP_TRAINED_ON).blocks
    judged = [
        (date.fromisoformat(one["first_night"]), date.fromisoformat(one["last_night"]))
        for one in entry["numbers"]["folds"]
    ]
    assert [(last - first).days + 1 for first, last in judged] == [7, 7]
    assert (judged[0][0] > blocks.train.first, judged[-1][1]) == (True, blocks.test.last)
    again = refit_if_better(site, recipe, SHOP_TRAINED_ON)
    assert again is not None
    assert (again.is_new, again.decision.reasons) == (False, first.decision.reasons)
    assert len(site.ledger(REFITS).entries()) == 1
    assert not is_refit_due(site, recipe, SHOP_TRAINED_ON)


def test_too_few_nights_for_the_folds_are_no_evidence_and_no_error(scored_shop_copy: Site) -> None:
    site, recipe = refitting(scored_shop_copy, refit_folds=9), accepted(scored_shop_copy)
    done = refit_if_better(site, recipe, SHOP_TRAINED_ON)
    assert done is not None
    assert (done.version, current_champion(site)) == (None, recipe)
    assert "there is no evidence: 9 folds of 7 validate nights" in done.decision.reasons[0]
    assert site.ledger(REFITS).entries()[0]["is_refit"] is False


def test_a_refit_serves_in_the_place_of_its_recipe(refit_champion: tuple[Site, str, Refit]) -> None:
    """One copy of the shop for the whole story: promoted, serving, not recalibrated, made anew from the record."""
    site, recipe, done = refit_champion
    bundle = read_bundle(site.models, str(done.version))
    entry = site.ledger(PROMOTIONS).entries()[-1]
    assert (entry["kind"], entry["refit_of"], entry["champion_before"]) == ("refit", recipe, recipe)
    assert (done.is_champion, current_champion(site)) == (True, bundle.version)
    assert champion_on(site.ledger(PROMOTIONS).entries(), SHOP_TRAINED_ON) == recipe
    night = next_night(site, SHOP_TRAINED_ON)
    assert entry["effective_from"] == str(night)
    score(site, [night])
    assert set(site.tables.read("scores", [night], ["model_version"]).column("model_version").to_pylist()) == {
        bundle.version
    }
    with pytest.raises(ValueError, match=f"is a refit.* Recalibrate its recipe, {recipe}"):
        recalibrate(site, bundle.version, date(2024, 5, 24))
    found = reproduce_bundle(site, bundle.version)
    assert found.is_reproduced, (found.reasons, found.differing)


def test_a_challenger_of_a_refit_is_compared_with_its_recipe(refit_champion: tuple[Site, str, Refit]) -> None:
    """The refit has seen nights of the challenger's test block, or of its gap; and none would be known to be its own."""
    site, recipe, done = refit_champion
    challenger = train(site, LATER).bundle.version
    compared = set_up_comparison(site, challenger, done.version, LATER)
    plain = set_up_comparison(site, challenger, recipe, LATER)
    assert compared.champion is not None and plain.champion is not None
    assert (compared.champion.name, compared.champion.used) == (recipe, plain.champion.used)
    assert np.array_equal(compared.champion.probabilities, plain.champion.probabilities)
    assert plain.remarks == ()
    verdict = promote_if_better(site, challenger, LATER)
    assert verdict.champion_before == done.version
    assert verdict.verdict.reasons[-1] == (
        f"champion {done.version} is a refit that has seen these rows: compared with its recipe, {recipe}"
    )
    assert str(done.version) not in str(dict(verdict.verdict.numbers))
    said = promote_if_better(site, recipe, LATER)
    assert not said.verdict.is_promoted
    with pytest.raises(ValueError, match=f"is a refit of {recipe}: it has seen every night"):
        set_up_comparison(site, str(done.version), None, LATER)


def test_the_recipe_cannot_be_promoted_over_its_own_refit(refit_champion: tuple[Site, str, Refit]) -> None:
    site, recipe, done = refit_champion
    said = promote_if_better(site, recipe, LATER)
    assert said.verdict.reasons == (f"the champion, {done.version}, is its refit already",)


def test_a_refit_that_is_rolled_back_gives_way_to_its_recipe_and_stays_away(
    refit_champion: tuple[Site, str, Refit],
) -> None:
    site, recipe, done = refit_champion
    gone = roll_back(site, reason="it is off")
    assert (gone.champion, gone.withdrawn) == (recipe, (done.version,))
    again = refit_if_better(site, recipe, SHOP_TRAINED_ON)
    assert again is not None
    assert (again.version, again.is_champion, current_champion(site)) == (done.version, False, recipe)


def test_a_champion_that_came_meanwhile_is_not_replaced(scored_shop_copy: Site) -> None:
    site, recipe = refitting(scored_shop_copy), accepted(scored_shop_copy)
    other = train(site, LATER).bundle.version
    promote_by_hand(site, other, reason="it came first", until=date(2024, 5, 28))
    site.ledger(REFITS).append(YES | {"version": recipe})
    assert not is_refit_due(site, recipe, SHOP_TRAINED_ON)
    done = refit_if_better(site, recipe, SHOP_TRAINED_ON)
    assert done is not None
    assert (done.version is not None, done.is_champion, current_champion(site)) == (True, False, other)


def test_a_bundle_that_does_not_say_how_many_trees_its_members_have_is_not_refit(scored_shop_copy: Site) -> None:
    site = refitting(scored_shop_copy)
    old = remade(read_bundle(site.models, accepted(site)), member_tree_counts=[])
    (verdict,) = site.ledger(PROMOTIONS).entries()
    (trained,) = site.ledger("trainings").entries()
    for name, entry in (
        (PROMOTIONS, verdict | {"challenger": old.version}),
        ("trainings", trained | {"version": old.version}),
    ):
        site.ledger(name).append(
            {key: entry[key] for key in entry if key not in ("number", "recorded_at", "previous", "sha256")}
        )
    site.ledger(REFITS).append(YES | {"version": old.version})
    with pytest.raises(ValueError, match="the numbers of trees of 0 are known; train again"):
        refit_if_better(site, old.version, SHOP_TRAINED_ON)
