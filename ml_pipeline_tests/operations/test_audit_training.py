import dataclasses

from ml_pipeline.operations.audit_proxies import ProxyAudit
from ml_pipeline.operations.audit_training import audit_training
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import find_training
from ml_pipeline.operations.training_rows import open_split
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON


def test_a_training_passes_every_audit_and_each_tries_something(scored_shop: Site) -> None:
    bundle = find_training(scored_shop, SHOP_TRAINED_ON)
    assert bundle is not None
    audits = audit_training(scored_shop, open_split(scored_shop, SHOP_TRAINED_ON), bundle)
    assert list(audits) == ["shuffled_target_is_chance", "training_is_blind", "learned_from_its_blocks", "no_proxy"]
    assert {name: audit.violations for name, audit in audits.items()} == dict.fromkeys(audits, ())
    assert all(audit.trials > 0 for audit in audits.values())


def test_the_limits_of_the_project_are_used(scored_shop: Site) -> None:
    bundle = find_training(scored_shop, SHOP_TRAINED_ON)
    assert bundle is not None
    strict = scored_shop.project.audits.model_copy(update={"proxy_share": 0.01, "proxy_lift_lost": 0.01})
    project = scored_shop.project.model_copy(update={"audits": strict})
    site = dataclasses.replace(scored_shop, sql=dataclasses.replace(scored_shop.sql, project=project))
    found = audit_training(site, open_split(site, SHOP_TRAINED_ON), bundle)["no_proxy"]
    assert isinstance(found, ProxyAudit)
    assert found.named and found.violations
