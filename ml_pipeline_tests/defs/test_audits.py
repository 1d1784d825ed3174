from ml_pipeline.defs.audits import FEATURE_AUDITS, SCORE_AUDITS, Tried, audit_specs, audited, check_result, proxy_facts
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED


def test_every_audit_is_a_blocking_check_that_says_what_it_tries() -> None:
    specs = [*audit_specs("features", FEATURE_AUDITS), *audit_specs("scores", SCORE_AUDITS)]
    assert [spec.name for spec in specs] == [
        "same_as_the_night_alone", "blind_to_a_poisoned_future", "same_in_any_order", "read_only_what_was_known",
        "same_as_the_oracle", "no_train_score_skew",
    ]  # fmt: skip
    assert all(spec.blocking and spec.description and len(spec.description) > 40 for spec in specs)


def test_a_sample_of_the_nights_is_tried_and_reported(scored_shop: Site) -> None:
    (result,) = audited(scored_shop, SCORE_AUDITS, SHOP_SCORED, "scores")
    nights = result.metadata["nights"].value
    assert result.passed and result.metadata["trials"].value > 100
    assert nights[0] == str(SHOP_SCORED[0]) and nights[-1] == str(SHOP_SCORED[-1]) and len(nights) <= 4


def test_a_violation_fails_the_check_and_is_told(landed_shop: Site) -> None:
    broken = {"broken": Tried("Fails.", lambda *_: Audit(7, tuple(f"violation {number}" for number in range(30))))}
    (result,) = audited(landed_shop, broken, nights_between(SHOP_SCORED[0], SHOP_SCORED[1]), "features")
    assert not result.passed
    assert (result.metadata["trials"].value, result.metadata["violations"].value) == (7, 30)
    assert len(result.metadata["violated"].value) == 20


def test_only_the_proxy_audit_has_facts_of_its_own() -> None:
    assert proxy_facts(Audit(1, ())) == {}
    assert check_result("x", Audit(1, ()), "scores").passed
