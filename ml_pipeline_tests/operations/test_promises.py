import json

from ml_pipeline.operations.promises import ModelPromises
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site


def test_a_model_promises_what_its_test_block_measured_and_a_damaged_one_nothing(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    version = str(current_champion(site))
    path = site.models / version / "metrics.json"
    test = json.loads(path.read_text(encoding="utf-8"))["test"]
    promises = ModelPromises(site)
    for subject in ("model", "baseline"):
        assert promises.log_loss(version, subject) == test[subject]["log_loss"]
    assert promises.log_loss("20240101-000000000000") is None
    path.chmod(0o644)
    path.write_text("{}", encoding="utf-8")
    assert promises.log_loss(version) == test["model"]["log_loss"], "a bundle is opened once"
    assert ModelPromises(site).log_loss(version) is None
