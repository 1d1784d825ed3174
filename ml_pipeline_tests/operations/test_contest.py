from datetime import date
from pathlib import Path

import numpy as np
import pytest

from ml_pipeline.domain.evaluation import evaluate
from ml_pipeline.domain.simple_models import fit_simple_models
from ml_pipeline.io.model_bundle import BundleError, json_bytes, read_bundle
from ml_pipeline.operations.bundle_contents import SIMPLE_MODELS
from ml_pipeline.operations.contest import set_up_comparison, simple_models, used_nights
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import train
from ml_pipeline.operations.training_rows import open_split
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON, open_test_site
from ml_pipeline_tests.remade_bundles import remade

LATER = date(2024, 5, 20)


def with_promotion(site: Site, promotion: str) -> Site:
    path: Path = site.sql.folder / "project.yml"
    text = path.read_text(encoding="utf-8")
    assert "promotion: {min_log_loss_gain: 0.0005}" in text
    path.write_text(text.replace("promotion: {min_log_loss_gain: 0.0005}", f"promotion: {promotion}"), encoding="utf-8")
    return open_test_site(site.sql.folder, site.data)


def test_the_comparison_is_the_test_block_as_the_bundle_measured_it(scored_shop: Site) -> None:
    version = str(current_champion(scored_shop))
    compared = set_up_comparison(scored_shop, version, None, SHOP_TRAINED_ON)
    recorded = read_bundle(scored_shop.models, version).json("metrics.json")["test"]
    for contestant, name in ((compared.challenger, "model"), (compared.baseline, "baseline")):
        assert evaluate(contestant.rows.labels, contestant.probabilities).as_dict() == pytest.approx(recorded[name])
    assert compared.champion is None
    assert compared.baseline.used is None


def test_champion_and_challenger_see_the_same_rows(scored_shop_copy: Site) -> None:
    site, champion = scored_shop_copy, str(current_champion(scored_shop_copy))
    compared = set_up_comparison(site, train(site, LATER).bundle.version, champion, LATER)
    assert compared.champion is not None
    assert compared.champion.rows.keys.equals(compared.challenger.rows.keys)
    assert compared.challenger.rows.keys.column_names == ["score_date", "order_id"]
    assert np.unique(compared.challenger.rows.nights)[[0, -1]].tolist() == [date(2024, 5, 5), date(2024, 5, 16)]
    assert not np.array_equal(compared.champion.probabilities, compared.challenger.probabilities)
    assert compared.challenger.used is not None and compared.champion.used is not None
    learned = ["calibrate", "early_stop", "train"]
    for used in (compared.challenger.used, compared.champion.used):
        assert sorted(block.purpose for block in used.blocks) == learned
    assert compared.challenger.used.chosen_by == ()
    assert [block.purpose for block in compared.champion.used.chosen_by] == ["test"]


def test_a_block_of_unknown_purpose_counts_as_used(scored_shop: Site) -> None:
    bundle = read_bundle(scored_shop.models, str(current_champion(scored_shop)))
    bundle.manifest["blocks"]["refit"] = ["2024-05-01", "2024-05-03"]
    used = used_nights(bundle, is_champion=False)
    assert [block.purpose for block in used.blocks if block.first == date(2024, 5, 1)] == ["refit"]
    assert used.gap_nights == 4


def test_the_simple_models_compete_as_they_were_fitted_on_the_train_block(scored_shop: Site) -> None:
    bundle = read_bundle(scored_shop.models, str(current_champion(scored_shop)))
    compared = set_up_comparison(scored_shop, bundle.version, None, SHOP_TRAINED_ON)
    split = open_split(scored_shop, SHOP_TRAINED_ON)
    train, test = split.rows.block(split.blocks.train), split.rows.block(split.blocks.test)
    fitted = fit_simple_models(
        train.rows, train.labels, features=scored_shop.sql.features, baseline_feature="baseline_return_rate"
    )
    assert simple_models(bundle) == fitted
    assert set(compared.simple) == {"constant", "logistic"}
    for name, expected in fitted.probabilities(test.rows).items():
        if name in compared.simple:
            assert np.array_equal(compared.simple[name].probabilities, expected)
            assert [block.purpose for block in compared.simple[name].used.blocks] == ["train"]
            assert compared.simple[name].rows.keys.equals(compared.challenger.rows.keys)


def test_a_bundle_from_before_there_were_simple_models_has_none(scored_shop_copy: Site) -> None:
    bundle = read_bundle(scored_shop_copy.models, str(current_champion(scored_shop_copy)))
    old = remade(bundle, {SIMPLE_MODELS: None})
    assert simple_models(old) is None
    assert set_up_comparison(scored_shop_copy, old.version, None, SHOP_TRAINED_ON).simple == {}


def test_simple_models_that_name_no_numeric_feature_are_refused(scored_shop_copy: Site) -> None:
    bundle = read_bundle(scored_shop_copy.models, str(current_champion(scored_shop_copy)))
    content = bundle.json(SIMPLE_MODELS)
    with pytest.raises(BundleError, match=r"simple_models\.json names \['category'\], which are no numeric features"):
        simple_models(remade(bundle, {SIMPLE_MODELS: json_bytes(content | {"baseline_feature": "category"})}))
    with pytest.raises(BundleError, match=r"simple_models\.json: .*positive share 2\.0 is no probability"):
        simple_models(remade(bundle, {SIMPLE_MODELS: json_bytes(content | {"positive_share": 2.0})}))


def test_declared_slices_and_groups_come_with_the_rows(scored_shop_copy: Site) -> None:
    site = with_promotion(scored_shop_copy, "{min_log_loss_gain: 0.0005, slices: [channel], groups: [category]}")
    compared = set_up_comparison(site, str(current_champion(site)), None, SHOP_TRAINED_ON)
    assert set(compared.traits) == {"channel", "category"}
    assert set(compared.traits["channel"]) == {"web", "app", "phone"}
    assert compared.traits["category"].shape == compared.challenger.probabilities.shape


@pytest.mark.parametrize("declared", ["slices: [no_such]", "groups: [quantity]"])
def test_a_slice_that_is_no_category_of_the_model_is_refused_by_name(scored_shop_copy: Site, declared: str) -> None:
    site = with_promotion(scored_shop_copy, f"{{min_log_loss_gain: 0.0005, {declared}}}")
    with pytest.raises(
        ValueError, match=r"project\.yml: promotion names .*(no_such|quantity).*correct promotion\.slices"
    ):
        set_up_comparison(site, str(current_champion(site)), None, SHOP_TRAINED_ON)
