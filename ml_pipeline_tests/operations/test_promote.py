from datetime import date
from typing import Any

import duckdb
import pytest
from mlflow import MlflowClient

from ml_pipeline.io.model_bundle import BundleError, read_bundle
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.promote import (
    PROMOTIONS,
    NoChampionError,
    champion_on,
    champions_of,
    current_champion,
    judged_before,
    promote_by_hand,
    promote_if_better,
    withdrawal_of,
)
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.register import register
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.stale_scores import stale_scores
from ml_pipeline.operations.train import train
from ml_pipeline_tests.conftest import SHOP_SCORED, SHOP_TRAINED_ON, open_test_site
from ml_pipeline_tests.remade_bundles import remade

LATER = date(2024, 5, 20)


def entry(challenger: str, effective_from: str, is_promoted: bool = True, until: str | None = None) -> dict[str, Any]:
    return {
        "challenger": challenger, "champion_before": None, "judged_on": effective_from, "effective_from": effective_from,
        "is_promoted": is_promoted, "reasons": [], "until": until,
    }  # fmt: skip


def test_the_champion_of_a_night_is_the_last_one_that_took_effect_by_then() -> None:
    entries = [entry("a", "2024-05-05"), entry("no", "2024-05-06", is_promoted=False), entry("b", "2024-05-10")]
    answers = [champion_on(entries, date(2024, 5, day)) for day in (4, 5, 9, 10, 31)]
    assert answers == [None, "a", "a", "b", "b"]


def test_after_an_override_the_champion_before_serves_again_unless_the_gate_promoted_meanwhile() -> None:
    entries = [entry("a", "2024-05-05"), entry("hand", "2024-05-08", until="2024-05-10")]
    gated = [*entries, entry("b", "2024-05-09")]
    nights = [date(2024, 5, day) for day in (7, 8, 9, 10, 11)]
    assert [champion_on(entries, night) for night in nights] == ["a", "hand", "hand", "hand", "a"]
    assert [champion_on(gated, night) for night in nights] == ["a", "hand", "b", "b", "b"]


def test_from_a_rollback_on_it_is_as_if_the_withdrawn_version_had_not_been_promoted_before() -> None:
    withdraws = entry("a", "2024-05-09") | {"kind": "rollback", "withdrawn": ["b"], "number": 4}
    entries = [entry("a", "2024-05-05"), entry("b", "2024-05-07"), entry("b", "2024-05-12"), withdraws]
    nights = [date(2024, 5, day) for day in (6, 7, 8, 9, 11, 12, 31)]
    assert [champion_on(entries, night) for night in nights] == ["a", "b", "b", "a", "a", "a", "a"]
    by_hand = entry("b", "2024-05-10", until="2024-05-11") | {"kind": "override"}
    assert [champion_on([*entries, by_hand], night) for night in nights] == ["a", "b", "b", "a", "b", "a", "a"]
    assert withdrawal_of(entries, "b") == "withdrawn since, by entry 4: "
    assert withdrawal_of(entries, "a") is None
    assert withdrawal_of([*entries, by_hand], "b") is None


def test_nights_are_grouped_by_their_champion(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    first = current_champion(site)
    site.ledger(PROMOTIONS).append(entry("b", "2024-05-10"))
    grouped = champions_of(site, nights_between(date(2024, 5, 8), date(2024, 5, 11)))
    assert grouped == {first: [date(2024, 5, 8), date(2024, 5, 9)], "b": [date(2024, 5, 10), date(2024, 5, 11)]}


def test_a_night_before_the_first_champion_has_none(scored_shop: Site) -> None:
    with pytest.raises(NoChampionError, match="no model was champion on night 2024-05-04; materialise trained_model"):
        champions_of(scored_shop, [date(2024, 5, 4), *SHOP_SCORED])


def test_a_verdict_is_recorded_with_reasons_and_mlflow_follows(scored_shop: Site) -> None:
    (recorded,) = scored_shop.ledger(PROMOTIONS).entries()
    assert recorded["is_promoted"]
    assert recorded["champion_before"] is None
    assert (recorded["judged_on"], recorded["effective_from"]) == ("2024-05-05", "2024-05-05")
    assert any("beats the baseline" in reason for reason in recorded["reasons"])
    gain = recorded["numbers"]["gain_over"]["baseline"]
    assert gain["low"] < gain["mean"] < gain["high"]
    assert recorded["numbers"]["metrics"]["challenger"]["rows"] == gain["rows"] == 480
    client = MlflowClient(tracking_uri=scored_shop.tracking_uri)
    for alias in ("champion", "challenger"):
        found = client.get_model_version_by_alias(scored_shop.project.name, alias)
        assert found.tags["bundle_version"] == recorded["challenger"]


def test_judging_again_says_the_same_and_records_nothing(scored_shop_copy: Site) -> None:
    site, version = scored_shop_copy, current_champion(scored_shop_copy)
    assert version is not None
    again = promote_if_better(site, version, SHOP_TRAINED_ON)
    assert not again.is_new
    assert again.verdict.is_promoted
    assert again.verdict.numbers["names"]["challenger"] == version
    assert len(site.ledger(PROMOTIONS).entries()) == 1
    assert judged_before(site, version, LATER) is None


@pytest.fixture
def weak_champion(scored_shop_copy: Site) -> Site:
    """The shop with a champion of two trees."""
    path = scored_shop_copy.sql.folder / "project.yml"
    strong = path.read_text(encoding="utf-8")
    path.write_text(strong.replace("max_trees: 60", "max_trees: 2"), encoding="utf-8")
    weak = train(open_test_site(path.parent, scored_shop_copy.data), SHOP_TRAINED_ON).bundle
    assert weak.manifest["tree_count"] <= 2
    scored_shop_copy.ledger(PROMOTIONS).append(entry(weak.version, "2024-05-05"))
    # The 480 rows of twelve nights are not enough to be surer.
    terms = "promotion: {min_log_loss_gain: 0.0005"
    assert terms in strong
    path.write_text(strong.replace(terms, f"{terms}, confidence: 0.9"), encoding="utf-8")
    return open_test_site(path.parent, scored_shop_copy.data)


def test_a_better_challenger_takes_over_from_a_weak_champion(weak_champion: Site) -> None:
    site = weak_champion
    champion = current_champion(site)
    outcome = promote_if_better(site, train(site, LATER).bundle.version, LATER)
    assert outcome.verdict.is_promoted, outcome.verdict.reasons
    assert outcome.champion_before == champion
    assert any(f"of champion {champion}: gain +" in reason for reason in outcome.verdict.reasons)
    assert champion_on(site.ledger(PROMOTIONS).entries(), date(2024, 5, 19)) == champion
    assert champion_on(site.ledger(PROMOTIONS).entries(), LATER) == outcome.challenger


def test_a_challenger_that_is_no_better_is_refused_and_the_champion_stays(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    champion = current_champion(site)
    path = site.sql.folder / "project.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("max_trees: 60", "max_trees: 1"), encoding="utf-8")
    site = open_test_site(path.parent, site.data)
    outcome = promote_if_better(site, train(site, LATER).bundle.version, LATER)
    assert not outcome.verdict.is_promoted
    assert current_champion(site) == champion
    recorded = site.ledger(PROMOTIONS).entries()[-1]
    assert (recorded["is_promoted"], recorded["challenger"]) == (False, outcome.challenger)
    assert set(recorded["numbers"]["gain_over"]) == {"baseline", "champion", "constant", "logistic"}
    assert recorded["reasons"] == list(outcome.verdict.reasons)
    assert tags(site) == {"champion": champion, "challenger": outcome.challenger}


def test_a_contest_on_nights_that_the_champion_was_made_from_is_void(weak_champion: Site) -> None:
    """A champion judged on its own test nights would be judged on rows that chose it."""
    night = date(2024, 5, 8)
    outcome = promote_if_better(weak_champion, train(weak_champion, night).bundle.version, night)
    assert not outcome.verdict.is_promoted
    assert any("not a fair test" in reason for reason in outcome.verdict.reasons)


def test_a_night_that_has_been_scored_keeps_its_champion(weak_champion: Site) -> None:
    site = weak_champion
    score(site, nights_between(SHOP_TRAINED_ON, LATER))
    outcome = promote_if_better(site, train(site, LATER).bundle.version, LATER)
    assert outcome.verdict.is_promoted
    assert champion_on(site.ledger(PROMOTIONS).entries(), LATER) == outcome.champion_before
    assert champion_on(site.ledger(PROMOTIONS).entries(), date(2024, 5, 21)) == outcome.challenger


def test_no_night_that_has_been_published_changes_its_champion(weak_champion: Site) -> None:
    """Also not the nights after the one that the challenger was trained on."""
    site, nights = weak_champion, nights_between(SHOP_TRAINED_ON, date(2024, 5, 24))
    score(site, nights)
    before = champions_of(site, nights)
    assert promote_if_better(site, train(site, LATER).bundle.version, LATER).verdict.is_promoted
    assert champions_of(site, nights) == before
    assert stale_scores(site, nights) == []


def tags(site: Site) -> dict[str, str]:
    client = MlflowClient(tracking_uri=site.tracking_uri)
    return {
        alias: client.get_model_version_by_alias(site.project.name, alias).tags["bundle_version"]
        for alias in ("champion", "challenger")
    }


def test_nobody_is_promoted_over_a_champion_that_is_damaged_until_it_is_whole_again(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    champion = read_bundle(site.models, str(current_champion(site)))
    challenger = remade(champion, seed=2)
    register(site, challenger)
    whole, aside = (champion.folder / "model.txt").read_bytes(), site.data / "aside"
    (champion.folder / "model.txt").write_bytes(whole[:-1])
    damaged = promote_if_better(site, challenger.version, LATER)
    assert (damaged.verdict.is_promoted, damaged.kind) == (False, "no_comparison")
    assert "model.txt was changed after the bundle was written" in damaged.verdict.reasons[0]
    promote_if_better(site, challenger.version, LATER)
    assert len(site.ledger(PROMOTIONS).entries()) == 2
    champion.folder.rename(aside)
    missing = promote_if_better(site, challenger.version, LATER)
    assert f"there is no model bundle {champion.version}" in missing.verdict.reasons[0]
    assert [each["is_promoted"] for each in site.ledger(PROMOTIONS).entries()] == [True, False, False]
    assert tags(site) == {"champion": champion.version, "challenger": challenger.version}
    publish_catalog(site)
    aside.rename(champion.folder)
    (champion.folder / "model.txt").write_bytes(whole)
    judged = promote_if_better(site, challenger.version, LATER)
    assert (judged.is_new, judged.kind) == (True, "verdict")
    assert "not a fair test" in judged.verdict.reasons[0]
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as connection:
        kinds = connection.execute("select kind, count(*) from promotions group by kind order by kind").fetchall()
    assert kinds == [("no_comparison", 2), ("verdict", 1)]


def test_a_damaged_challenger_is_an_error_and_no_verdict(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    challenger = remade(read_bundle(site.models, str(current_champion(site))), seed=2)
    (challenger.folder / "model.txt").write_text("tree")
    with pytest.raises(BundleError, match=challenger.version):
        promote_if_better(site, challenger.version, LATER)
    assert len(site.ledger(PROMOTIONS).entries()) == 1


def test_an_override_that_mlflow_could_not_follow_is_not_recorded(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    unknown = remade(read_bundle(site.models, str(current_champion(site))), seed=2).version
    with pytest.raises(LookupError, match=f"bundle {unknown} is not in the registry"):
        promote_by_hand(site, unknown, reason="a test", until=date(2024, 5, 25))
    assert len(site.ledger(PROMOTIONS).entries()) == 1


def test_a_promotion_by_hand_serves_until_its_night_and_not_before_it_was_trained(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, current_champion(scored_shop_copy)
    version = train(site, LATER).bundle.version
    done = promote_by_hand(site, version, reason="  the old one fails ", until=date(2024, 5, 22))
    assert (done.champion_before, done.verdict.reasons) == (
        first,
        ("by hand, until night 2024-05-22: the old one fails",),
    )
    grouped = champions_of(site, nights_between(date(2024, 5, 18), date(2024, 5, 24)))
    assert grouped[version] == list(nights_between(LATER, date(2024, 5, 22)))
    assert len(grouped[str(first)]) == 4
    assert current_champion(site) == version
    client = MlflowClient(tracking_uri=site.tracking_uri)
    assert client.get_model_version_by_alias(site.project.name, "champion").tags["bundle_version"] == version
    score(site, nights_between(date(2024, 5, 13), date(2024, 5, 22)))
    assert current_champion(site) == first


def test_an_override_is_no_verdict_of_the_gate(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    version = train(site, LATER).bundle.version
    promote_by_hand(site, version, reason="a test", until=date(2024, 5, 22))
    assert judged_before(site, version, LATER) is None


def test_an_override_changes_no_night_that_has_been_published(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    version = train(site, LATER).bundle.version
    score(site, nights_between(date(2024, 5, 13), LATER))
    before = champions_of(site, [*SHOP_SCORED, LATER])
    promote_by_hand(site, version, reason="a test", until=date(2024, 5, 22))
    assert champions_of(site, [*SHOP_SCORED, LATER]) == before
    assert champion_on(site.ledger(PROMOTIONS).entries(), date(2024, 5, 21)) == version
    assert first != version


@pytest.mark.parametrize(
    ("reason", "until", "words"),
    [
        ("", date(2024, 5, 25), "needs a reason"), ("  ", date(2024, 5, 25), "needs a reason"),
        ("why not", date(2024, 5, 12), "could serve from night 2024-05-13 on, but until is 2024-05-12"),
        ("why not", date(2024, 5, 25), "is the champion of night 2024-05-13 already"),
    ],
)  # fmt: skip
def test_an_override_that_says_nothing_or_does_nothing_is_refused(
    scored_shop_copy: Site, reason: str, until: date, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        promote_by_hand(scored_shop_copy, str(current_champion(scored_shop_copy)), reason=reason, until=until)
    assert len(scored_shop_copy.ledger(PROMOTIONS).entries()) == 1
