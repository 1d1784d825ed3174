import dataclasses
import json
import shutil

import pytest

from ml_pipeline.io.bundle_receipts import read_receipt, receipt_path, write_receipt
from ml_pipeline.io.code_version import package_versions
from ml_pipeline.io.model_bundle import BundleError, ModelBundle, read_bundle
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.bundle_trial import hold_trial, require_tried
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.operations.test_bundle_scorer import changed


def champion(site: Site) -> ModelBundle:
    return read_bundle(site.models, str(current_champion(site)))


def test_a_bundle_is_tried_once_and_remembered(scored_shop_copy: Site) -> None:
    bundle = champion(scored_shop_copy)
    shutil.rmtree(scored_shop_copy.data / "verified")
    receipt = require_tried(bundle)
    assert (receipt.manifest_sha256, receipt.golden_rows) == (bundle.manifest_sha256, 21)
    assert receipt.packages == package_versions()
    path = receipt_path(scored_shop_copy.models, bundle.version)
    assert path.parent == scored_shop_copy.data / "verified"
    before = path.stat().st_mtime_ns
    assert require_tried(bundle) == receipt
    assert path.stat().st_mtime_ns == before
    write_receipt(scored_shop_copy.models, bundle.version, dataclasses.replace(receipt, packages={"lightgbm": "0"}))
    assert require_tried(bundle) == receipt, "other packages may predict otherwise: it is tried again"


def test_a_manifest_of_the_same_name_but_another_hash_is_refused(scored_shop_copy: Site) -> None:
    """A version's name holds ten digits of the hash; the receipt holds them all."""
    bundle = champion(scored_shop_copy)
    receipt = read_receipt(scored_shop_copy.models, bundle.version)
    assert receipt is not None
    same_start = bundle.manifest_sha256[:10] + "0" * 54
    write_receipt(
        scored_shop_copy.models, bundle.version, dataclasses.replace(receipt, manifest_sha256=same_start)
    )  # fmt: skip
    with pytest.raises(BundleError, match=r"manifest\.json was changed"):
        champion(scored_shop_copy)


def test_trees_that_cannot_be_parsed_are_refused_by_the_child_and_leave_no_receipt(scored_shop_copy: Site) -> None:
    text = champion(scored_shop_copy).text("model.txt")
    bundle = changed(scored_shop_copy, model__txt=text[:800].encode())
    with pytest.raises(BundleError, match=rf"bundle {bundle.version}: "):
        load_scorer(bundle)
    assert read_receipt(scored_shop_copy.models, bundle.version) is None


def test_a_bundle_without_golden_rows_loads_and_says_so_once(
    scored_shop_copy: Site, recwarn: pytest.WarningsRecorder
) -> None:
    bundle = changed(scored_shop_copy, golden__parquet=None)
    with pytest.warns(UserWarning, match=f"bundle {bundle.version} holds no golden rows"):
        assert load_scorer(bundle).threshold == pytest.approx(1 / 3)
    recwarn.clear()
    load_scorer(bundle)
    assert [str(entry.message) for entry in recwarn] == []


def test_trees_of_other_features_are_refused(scored_shop_copy: Site) -> None:
    columns = champion(scored_shop_copy).json("feature_columns.json")
    bundle = changed(scored_shop_copy, feature_columns__json=json.dumps(columns[1:]).encode(), golden__parquet=None)
    with pytest.raises(BundleError, match=rf"model\.txt has {len(columns)} features, not {len(columns) - 1}"):
        hold_trial(scored_shop_copy.models, bundle.version)
