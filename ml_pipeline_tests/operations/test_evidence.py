import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.contracts.project import PromotionContract
from ml_pipeline.domain.evaluation import evaluate
from ml_pipeline.domain.reliability import slice_column
from ml_pipeline.operations.bundle_contents import Contest
from ml_pipeline.operations.evidence import Evidence, gather_evidence, read_evidence, slice_columns
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.operations.test_explain_model import champion


def gathered(site: Site, *, seed: int | None = None) -> tuple[Evidence, Contest]:
    generator = np.random.default_rng(3)
    said = generator.random(300)
    labels = (generator.random(300) < said).astype(float)
    nights = np.datetime64("2024-04-20") + np.arange(300) % 10
    contest = Contest(labels, said, np.full(300, 0.5), nights, (slice_column("channel", ["web", "shop"] * 150),))
    training = site.project.training.model_copy(update={"seed": seed or site.project.training.seed})
    return gather_evidence(site.project.model_copy(update={"training": training}), contest), contest


def test_model_and_baseline_are_measured_on_the_same_rows(shop_site: Site) -> None:
    found, contest = gathered(shop_site)
    assert found.model == evaluate(contest.labels, contest.model)
    assert found.baseline.log_loss == pytest.approx(np.log(2))
    assert found.calibration.rows == found.baseline_calibration.rows == 300
    assert [one.value for one in found.calibration.slices] == ["shop", "web"]
    error = next(one.error for one in found.calibration.errors if (one.binning, one.bins) == ("equal mass", 15))
    assert error == pytest.approx(found.model.calibration_error)


def test_the_same_seed_gives_the_same_bytes(shop_site: Site) -> None:
    first, second = (json.dumps(gathered(shop_site)[0].calibration_json(), sort_keys=True) for _ in range(2))
    assert first == second
    assert json.dumps(gathered(shop_site, seed=9)[0].calibration_json(), sort_keys=True) != first


def test_a_bundle_holds_its_evidence(scored_shop: Site) -> None:
    bundle = champion(scored_shop)
    found = read_evidence(bundle)
    metrics = bundle.json("metrics.json")
    assert found.metrics_json() == {"test": metrics["test"], "intervals": metrics["intervals"]}
    assert found.calibration_json() == bundle.json("calibration.json")
    around = found.intervals.model["log_loss"]
    assert around.low < metrics["test"]["model"]["log_loss"] < around.high
    assert found.calibration.rows == metrics["rows"]["test"]


def test_a_bundle_from_before_is_told_apart(scored_shop: Site) -> None:
    bundle = champion(scored_shop)
    kept = {name: value for name, value in bundle.manifest["files"].items() if name != "calibration.json"}
    with pytest.raises(LookupError, match=r"trained before intervals .* its model_card\.md"):
        read_evidence(replace(bundle, manifest={**bundle.manifest, "files": kept}))


def test_slices_come_first_and_once_and_must_be_features(tmp_path: Path) -> None:
    rows = pa.table({"a": ["x", "y"], "b": ["u", None]})
    terms = PromotionContract(min_log_loss_gain=0, slices=("b",), groups=("a", "b"))
    assert [(one.feature, one.names) for one in slice_columns(terms, rows)] == [
        ("b", ("not known", "u")),
        ("a", ("x", "y")),
    ]
    with pytest.raises(ValueError, match=r"promotion names \['c'\], which are no features"):
        slice_columns(terms.model_copy(update={"groups": ("c",)}), rows)
