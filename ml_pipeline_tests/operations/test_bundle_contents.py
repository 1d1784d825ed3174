import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.operations.bundle_contents import baseline_rates, load_scorer, measure
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import find_training
from ml_pipeline.operations.training_rows import open_split
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON


def test_a_scorer_out_of_the_bundle_measures_what_the_training_measured(scored_shop: Site) -> None:
    bundle = find_training(scored_shop, SHOP_TRAINED_ON)
    assert bundle is not None
    split = open_split(scored_shop, SHOP_TRAINED_ON)
    contest = measure(scored_shop, split.rows, split.blocks, load_scorer(bundle))
    test = bundle.json("metrics.json")["test"]
    assert contest.model_metrics.as_dict() == pytest.approx(test["model"])
    assert contest.baseline_metrics.as_dict() == pytest.approx(test["baseline"])
    assert len(contest.labels) == len(split.rows.block(split.blocks.test).labels) == 480


def test_the_manifest_names_the_nights_of_each_block(scored_shop: Site) -> None:
    bundle = find_training(scored_shop, SHOP_TRAINED_ON)
    assert bundle is not None
    blocks = open_split(scored_shop, SHOP_TRAINED_ON).blocks
    assert bundle.manifest["blocks"] == {
        block.purpose: [str(block.first), str(block.last)] for block in blocks.in_order
    }


def test_a_row_without_a_baseline_gets_the_rate_of_all(scored_shop: Site) -> None:
    rows = pa.table({scored_shop.project.baseline.feature: pa.array([0.25, None, 0.5], pa.float64())})
    assert np.array_equal(baseline_rates(scored_shop, rows, 0.4), [0.25, 0.4, 0.5])
