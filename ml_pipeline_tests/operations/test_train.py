import dataclasses
import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.model_bundle import BundleError, read_bundle
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations import train as training
from ml_pipeline.operations.audit_split import SplitError, check_split
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.register import plots_folder
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import find_training, train
from ml_pipeline.operations.training_rows import Split, open_split
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON, open_test_site
from ml_pipeline_tests.operations.test_audit_split import MUTANTS, Mutant


def edited(site: Site, path: str, old: str, new: str) -> Site:
    file = site.sql.folder / path
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return open_test_site(site.sql.folder, site.data)


def test_a_bundle_holds_all_that_scoring_and_judging_need(scored_shop: Site) -> None:
    bundle = find_training(scored_shop, SHOP_TRAINED_ON)
    assert bundle is not None
    assert set(bundle.manifest["files"]) >= {
        "model.txt", "calibrator.json", "threshold.json", "feature_columns.json", "metrics.json", "baseline.parquet",
        "reference.parquet", "split.json", "model_card.md", "model_card.html", "calibration.json", "feature_set/staging/spine.sql", "feature_set/features/features.yml",
    }  # fmt: skip
    assert bundle.feature_set.feature_set_version == scored_shop.sql.feature_set_version
    assert load_scorer(bundle).threshold == pytest.approx(1 / 3)
    test = bundle.json("metrics.json")["test"]
    assert test["model"]["rows"] == test["baseline"]["rows"] == 480
    assert test["model"]["log_loss"] < test["baseline"]["log_loss"]


def test_the_manifest_tells_nothing_of_this_machine_or_this_hour(scored_shop: Site) -> None:
    bundle = find_training(scored_shop, SHOP_TRAINED_ON)
    assert bundle is not None
    text = (bundle.folder / "manifest.json").read_text()
    assert str(scored_shop.data) not in text
    assert "_at" not in json.loads(text)
    assert bundle.manifest["trained_on"] == "2024-05-05"
    assert bundle.manifest["blocks"]["test"] == ["2024-04-20", "2024-05-01"]


def test_training_again_trains_nothing_and_registers_nothing(scored_shop_copy: Site) -> None:
    site, said = scored_shop_copy, []
    before = find_training(site, SHOP_TRAINED_ON)
    again = train(dataclasses.replace(site, progress=said.append), SHOP_TRAINED_ON)
    assert (again.is_new, again.bundle, said) == (False, before, [])
    versions = MlflowClient(tracking_uri=site.tracking_uri).search_model_versions(f"name = '{site.project.name}'")
    assert len(versions) == 1


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("project.yml", "seed: 20240505", "seed: 1"), ("project.yml", "num_leaves: 7", "num_leaves: 6"),
        ("project.yml", "cost_miss: 2.0", "cost_miss: 5.0"), ("features/baseline.sql", "shop.rate)", "0.5)"),
    ],
)  # fmt: skip
def test_what_changes_a_model_is_a_reason_to_train(scored_shop_copy: Site, path: str, old: str, new: str) -> None:
    assert find_training(scored_shop_copy, SHOP_TRAINED_ON) is not None
    assert find_training(edited(scored_shop_copy, path, old, new), SHOP_TRAINED_ON) is None


def test_what_does_not_change_a_model_is_none(scored_shop_copy: Site) -> None:
    site = edited(scored_shop_copy, "project.yml", "psi_limit: 0.25", "psi_limit: 0.5")
    assert find_training(dataclasses.replace(site, threads=1), SHOP_TRAINED_ON) is not None


def test_later_nights_do_not_change_a_training(scored_shop_copy: Site) -> None:
    """Features and labels of nights after the training may come and go."""
    site = scored_shop_copy
    labels = site.tables.published("labels")
    later = [night for night in labels if night > SHOP_TRAINED_ON]
    empty = site.tables.read("labels", []).slice(0, 0)
    site.tables.publish("labels", empty, {night: NightInputs("", {}) for night in later}, key=["order_id"])
    assert find_training(site, SHOP_TRAINED_ON) is not None


def test_too_little_history_is_refused_before_anything_is_read(built_shop: Site) -> None:
    with pytest.raises(ValueError, match="needs at least"):
        train(built_shop, date(2024, 3, 20))
    assert not built_shop.models.exists()


@pytest.mark.parametrize("mutant", [mutant for mutant, _ in MUTANTS], ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_a_broken_split_grows_no_tree_and_leaves_nothing(
    built_shop: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Mutant
) -> None:
    def broken(site: Site, night: date) -> Split:
        return mutant(site, open_split(site, night))

    said: list[str] = []
    elsewhere = dataclasses.replace(built_shop, data=tmp_path, tracking_uri="", progress=said.append)
    monkeypatch.setattr(training, "open_split", broken)
    with pytest.raises(SplitError, match="nothing was trained as of 2024-05-05"):
        train(elsewhere, SHOP_TRAINED_ON)
    assert (said, list(tmp_path.iterdir())) == ([], [])


def test_a_training_hands_out_the_audit_of_its_split(scored_shop_copy: Site) -> None:
    found = train(scored_shop_copy, SHOP_TRAINED_ON).split_audit
    assert found == check_split(scored_shop_copy, SHOP_TRAINED_ON)
    assert (found.trials > 5_000, found.violations) == (True, ())


def test_missing_features_or_labels_are_named(landed_shop: Site) -> None:
    with pytest.raises(LookupError, match="features has not been built for .* materialise features"):
        train(landed_shop, SHOP_TRAINED_ON)


def test_a_damaged_bundle_is_not_used_and_can_be_made_again(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    bundle = find_training(site, SHOP_TRAINED_ON)
    assert bundle is not None
    (bundle.folder / "model.txt").write_text("damaged")
    with pytest.raises(BundleError, match=r"model\.txt was changed"):
        train(site, SHOP_TRAINED_ON)
    shutil.rmtree(bundle.folder)
    assert train(site, SHOP_TRAINED_ON).bundle.version == bundle.version


def test_a_manifest_that_cannot_be_read_is_refused_by_name(scored_shop_copy: Site) -> None:
    bundle = find_training(scored_shop_copy, SHOP_TRAINED_ON)
    assert bundle is not None
    (bundle.folder / "manifest.json").write_text('{"half": ')
    with pytest.raises(BundleError, match=bundle.version):
        train(scored_shop_copy, SHOP_TRAINED_ON)


def test_a_training_that_was_killed_before_its_plots_draws_them_when_it_is_run_again(scored_shop_copy: Site) -> None:
    bundle = find_training(scored_shop_copy, SHOP_TRAINED_ON)
    assert bundle is not None
    shutil.rmtree(plots_folder(scored_shop_copy, bundle.version))
    train(scored_shop_copy, SHOP_TRAINED_ON)
    assert len(list(plots_folder(scored_shop_copy, bundle.version).glob("*.png"))) == 4


def test_the_reference_and_the_baseline_come_from_training_nights(scored_shop: Site) -> None:
    bundle = find_training(scored_shop, SHOP_TRAINED_ON)
    assert bundle is not None
    reference = bundle.table("reference.parquet")
    assert reference.schema.names == [feature.name for feature in scored_shop.sql.features]
    rates = bundle.table("baseline.parquet").to_pydict()
    assert len(rates["product_code"]) == len(set(rates["product_code"])) == 10
    assert all(0 < rate < 1 for rate in rates["rate"])
    assert min(rates["rows"]) > 50
    again = read_bundle(scored_shop.models, bundle.version)
    assert content_hash(again.table("reference.parquet")) == content_hash(reference)
