from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.nights import nights_back
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.refit_bundle import matured_nights
from ml_pipeline.operations.refit_evidence import judge_folds, lay_folds, recorded_decision
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import Split, open_split
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON
from ml_pipeline_tests.operations.test_refit import refitting

Evidence = tuple[Site, ModelBundle, Split]


@pytest.fixture(scope="module")
def evidence(scored_shop: Site) -> Evidence:
    site = refitting(scored_shop)
    return site, read_bundle(site.models, str(current_champion(site))), open_split(site, SHOP_TRAINED_ON)


def turned(split: Split, first: date, last: date) -> Split:
    """``split`` with the labels of nights ``first`` to ``last`` turned round."""
    nights = split.rows.nights
    is_within = (nights >= np.datetime64(first)) & (nights <= np.datetime64(last))
    labels = np.where(is_within, 1 - split.rows.labels, split.rows.labels)
    return replace(split, rows=replace(split.rows, labels=labels))


def test_each_fold_is_the_training_that_would_have_been_on_its_first_night(evidence: Evidence) -> None:
    site, source, split = evidence
    training, horizon = site.project.training, site.project.label.horizon_nights
    laid = lay_folds(site, source, split)
    assert [(fold.validate.first, fold.validate.length) for fold, _ in laid] == [
        (nights_back(split.blocks.test.last, 13), 7), (nights_back(split.blocks.test.last, 6), 7),
    ]  # fmt: skip
    for fold, blocks in laid:
        assert blocks.test.last == matured_nights(blocks).last == nights_back(fold.validate.first, horizon)
        assert blocks.train.first == split.blocks.train.first
        wanted = (training.early_stop_nights, training.calibrate_nights, training.test_nights)
        assert tuple(block.length for block in blocks.in_order[1:]) == wanted
        assert blocks.gap_nights == split.blocks.gap_nights


def test_neither_model_of_a_fold_knows_an_outcome_of_the_nights_that_judge_it(evidence: Evidence) -> None:
    """With these and all later labels turned round, both say the same p as before: losses of -log p become -log (1 - p)."""
    site, source, split = evidence
    (laid, _) = lay_folds(site, source, split)
    (plain,) = judge_folds(site, source, split, [laid])
    first_unknown = nights_back(laid[0].validate.first, site.project.label.horizon_nights - 1)
    (other,) = judge_folds(site, source, turned(split, first_unknown, split.blocks.test.last), [laid])
    for before, after in ((plain.recipe, other.recipe), (plain.refit, other.refit)):
        assert np.allclose(np.exp(-before) + np.exp(-after), 1, rtol=0, atol=1e-9)
    last_known = nights_back(first_unknown, 1)
    (fresh,) = judge_folds(site, source, turned(split, nights_back(last_known, 2), last_known), [laid])
    assert np.array_equal(fresh.recipe, plain.recipe)
    assert not np.allclose(fresh.refit, plain.refit)


def test_what_was_never_decided_is_not_known(evidence: Evidence) -> None:
    assert recorded_decision(evidence[0], evidence[1].version, SHOP_TRAINED_ON) is None
