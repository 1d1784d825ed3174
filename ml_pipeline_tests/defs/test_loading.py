from ml_pipeline.defs.budgets import RUN_WITHIN_BUDGET
from ml_pipeline.defs.loading import code_location


def test_what_is_judged_once_a_run_waits_for_every_asset_of_the_location() -> None:
    graph = code_location().resolve_asset_graph()
    checks = {key.asset_key.to_user_string(): key for key in graph.asset_check_keys if key.name == RUN_WITHIN_BUDGET}
    assert set(checks) == {"scores", "trained_model", "recalibrated_model", "tuned_parameters"}
    for asset, key in checks.items():
        spec = graph.get_check_spec(key)
        others = {dep.asset_key.to_user_string() for dep in spec.additional_deps}
        assert others | {asset} == {each.to_user_string() for each in graph.materializable_asset_keys}
        assert not spec.blocking
