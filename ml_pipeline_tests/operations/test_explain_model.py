"""The review of the shop's champion; a model that was not held to its directions stands in domain/test_behaviour.py."""

import json
import shutil
from dataclasses import replace
from datetime import date

import pytest

from ml_pipeline.contracts.project import BehaviourContract
from ml_pipeline.domain.model_review import ModelReview, review_markdown
from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.explain_model import review_model
from ml_pipeline.operations.promote import NoChampionError, current_champion
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON


def champion(site: Site) -> ModelBundle:
    version = current_champion(site)
    assert version is not None
    return read_bundle(site.models, version)


@pytest.fixture(scope="module")
def review(scored_shop: Site) -> ModelReview:
    return review_model(scored_shop, SHOP_TRAINED_ON, worst=4)


def declaring(site: Site, **declared: object) -> Site:
    behaviour = BehaviourContract.model_validate(declared)
    return replace(site, sql=replace(site.sql, project=site.project.model_copy(update={"behaviour": behaviour})))


def test_the_review_stands_on_the_test_block_of_the_bundle(scored_shop: Site, review: ModelReview) -> None:
    bundle = champion(scored_shop)
    assert review.version == bundle.version
    assert [str(review.first), str(review.last)] == bundle.manifest["blocks"]["test"]
    assert review.rows == bundle.json("metrics.json")["rows"]["test"] == review.sensitivity.rows


def test_every_feature_has_its_importance_and_its_group(scored_shop: Site, review: ModelReview) -> None:
    names = {feature.name for feature in scored_shop.sql.features}
    assert {one.feature for one in review.importance} == names
    grouped = [feature for group in review.groups for feature in group.features]
    assert sorted(grouped) == sorted(names)
    assert {group.group for group in review.groups} == {"planned_order", "product_rates", "category_rates", "baseline"}
    assert review.groups[0].log_loss_lost.low > 0


def test_the_worst_rows_are_named_by_their_key_and_say_why(scored_shop: Site, review: ModelReview) -> None:
    assert [case.label for case in review.worst].count(1) == 4
    assert [case.label for case in review.worst].count(0) == 4
    assert all(list(case.key) == ["score_date", "order_id"] and len(case.reasons) == 3 for case in review.worst)
    assert all(case.reasons[0].startswith(("raises: ", "lowers: ")) for case in review.worst)
    mistakes = [case.mistake for case in review.worst]
    assert mistakes == sorted(mistakes, reverse=True)
    orders = features_of(scored_shop, review)
    assert {(case.key["score_date"], case.key["order_id"]) for case in review.worst} <= orders


def features_of(site: Site, review: ModelReview) -> set[tuple[str, str]]:
    rows = site.tables.read(features_table(site.sql), nights_between(review.first, review.last))
    return {
        (str(row["score_date"]), str(row["order_id"])) for row in rows.select(["score_date", "order_id"]).to_pylist()
    }


def test_a_night_and_its_champion_give_the_same_review_on_any_number_of_threads(
    scored_shop: Site, review: ModelReview
) -> None:
    again = review_model(replace(scored_shop, threads=1), champion(scored_shop), worst=4)
    assert again.as_json() == review.as_json()
    assert review_markdown(again) == review_markdown(review)


def test_declared_behaviour_is_tried_and_what_does_not_hold_is_said(scored_shop: Site, review: ModelReview) -> None:
    assert review.behaviour.invariance is None
    assert review.behaviour.violations == ()
    held = review_model(
        declaring(scored_shop, invariant_to=["channel"], peers=["product_code"], tolerance=0.2), champion(scored_shop)
    )
    assert held.behaviour.invariance is not None
    assert held.behaviour.invariance.rows_exchanged > 0
    assert held.behaviour.violations == ()
    broken = review_model(
        declaring(scored_shop, invariant_to=["product_code", "product_return_rate_28d"]), champion(scored_shop)
    )
    assert len(broken.behaviour.violations) == 1
    assert f"- **Does not hold**: {broken.behaviour.violations[0]}" in review_markdown(broken)


def test_a_review_writes_nothing(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    before = {path: path.stat().st_mtime_ns for path in site.data.rglob("*")}
    json.dumps(review_model(site, SHOP_TRAINED_ON).as_json(), allow_nan=False)
    assert {path: path.stat().st_mtime_ns for path in site.data.rglob("*")} == before


def test_a_night_without_a_champion_and_features_that_are_gone_are_errors(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    with pytest.raises(NoChampionError, match="2024-05-01"):
        review_model(site, date(2024, 5, 1))
    bundle = champion(site)
    shutil.rmtree(site.data / features_table(bundle.feature_set))
    with pytest.raises(LookupError, match="features has not been built"):
        review_model(site, bundle)
