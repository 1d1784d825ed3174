"""What is sound passes; the mutants that these audits are for stand in promises/test_mutants.py."""

import dataclasses

import pytest

from ml_pipeline.operations.audit_model import (
    learned_from_its_blocks,
    require_same_features,
    shuffled_target,
    training_is_blind,
)
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import find_training, fit_model
from ml_pipeline.operations.training_rows import LabelledRows, Split, open_split
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON, open_test_site


@pytest.fixture(scope="module")
def split(built_shop: Site) -> Split:
    return open_split(built_shop, SHOP_TRAINED_ON)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_where_nothing_can_be_learnt_nothing_is(built_shop: Site, split: Split, seed: int) -> None:
    training = built_shop.project.training.model_copy(update={"seed": seed})
    project = built_shop.project.model_copy(update={"training": training})
    site = dataclasses.replace(built_shop, sql=dataclasses.replace(built_shop.sql, project=project))
    audit = shuffled_target(site, split)
    assert (audit.trials, audit.violations) == (1, ())


def test_labels_are_dealt_out_anew_over_all_blocks_and_few_trees_are_grown(built_shop: Site, split: Split) -> None:
    seen: list[tuple[Site, LabelledRows]] = []

    def watched(site: Site, rows: LabelledRows, blocks: object) -> object:
        seen.append((site, rows))
        return fit_model(site, rows, blocks)

    shuffled_target(built_shop, split, fit=watched)
    ((site, rows),) = seen
    assert site.project.training.max_trees == 30
    assert rows.labels.sum() == split.rows.labels.sum()
    test = split.blocks.test
    assert rows.block(test).labels.tolist() != split.rows.block(test).labels.tolist()


def test_a_training_is_blind_for_what_lies_behind_its_early_stop_block(built_shop: Site, split: Split) -> None:
    audit = training_is_blind(built_shop, split)
    assert (audit.trials, audit.violations) == (2, ())


def test_a_bundle_learned_from_its_blocks(scored_shop: Site) -> None:
    bundle = find_training(scored_shop, SHOP_TRAINED_ON)
    assert bundle is not None
    audit = learned_from_its_blocks(scored_shop, open_split(scored_shop, SHOP_TRAINED_ON), bundle)
    assert (audit.trials, audit.violations) == (4, ())


def test_a_mean_label_of_other_nights_is_told(scored_shop: Site) -> None:
    bundle = find_training(scored_shop, SHOP_TRAINED_ON)
    assert bundle is not None
    other = dataclasses.replace(bundle, manifest=bundle.manifest | {"positive_share": 0.5})
    (told,) = learned_from_its_blocks(scored_shop, open_split(scored_shop, SHOP_TRAINED_ON), other).violations
    assert "positive_share is 0.5, that of the train block is 0." in told


def test_a_bundle_of_other_features_is_refused(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    bundle = find_training(site, SHOP_TRAINED_ON)
    assert bundle is not None
    path = site.sql.folder / "features" / "baseline.sql"
    path.write_text(path.read_text(encoding="utf-8").replace("shop.rate)", "0.5)"), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"bundle {bundle.version} was trained on feature set .* train anew"):
        require_same_features(open_test_site(site.sql.folder, site.data), bundle)
