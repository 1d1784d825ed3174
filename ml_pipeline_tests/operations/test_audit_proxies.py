"""The sound shop under limits of several kinds; leaking features stand in promises/test_mutants.py."""

import pytest

from ml_pipeline.operations.audit_proxies import ProxyAudit, proxy_alarm
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import find_training
from ml_pipeline.operations.training_rows import open_split
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON


def audit(site: Site, **limits: float) -> ProxyAudit:
    bundle = find_training(site, SHOP_TRAINED_ON)
    assert bundle is not None
    return proxy_alarm(site, open_split(site, SHOP_TRAINED_ON), bundle, **limits)


def test_no_feature_of_the_shop_comes_near_its_model(scored_shop: Site) -> None:
    found = audit(scored_shop)
    assert (found.trials, found.violations, found.named, found.share_lost) == (12, (), (), 0.0)
    assert 0.75 < found.model_auc < 0.9
    assert found.telltales == ()


def test_the_model_is_held_by_its_own_metrics(scored_shop: Site) -> None:
    bundle = find_training(scored_shop, SHOP_TRAINED_ON)
    assert bundle is not None
    assert audit(scored_shop).model_auc == pytest.approx(
        bundle.json("metrics.json")["test"]["model"]["roc_auc"], abs=0.01
    )


def test_features_that_reach_the_limit_are_named_the_strongest_first_and_the_baseline_never(scored_shop: Site) -> None:
    found = audit(scored_shop, limit=0.7, most_lost=1.1)
    assert [feature.strength.feature for feature in found.named] == ["product_code", "product_return_rate_28d"]
    assert found.exempt.feature == "baseline_return_rate"
    assert found.exempt.share_of_lift >= 0.7
    assert found.violations == ()


def test_named_features_that_the_model_hangs_on_are_an_alarm_with_their_numbers(scored_shop: Site) -> None:
    found = audit(scored_shop, limit=0.5, most_lost=0.5)
    assert found.share_lost > 0.5 > max(feature.share_lost for feature in found.named)
    told = next(told for told in found.violations if "product_code" in told)
    assert "product_code: ROC AUC 0.7" in told
    assert "% of the model's lift, of which " in told


def test_features_that_stand_in_for_each_other_are_shuffled_together(scored_shop: Site) -> None:
    """Alone none of the product's rates is missed; without all of them most of the model is gone."""
    found = audit(scored_shop, limit=0.6)
    assert sum(feature.share_lost for feature in found.named) < found.share_lost
