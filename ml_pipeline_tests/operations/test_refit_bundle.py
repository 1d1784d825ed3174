from datetime import date

import lightgbm
import numpy as np

from ml_pipeline.domain.calibration import UNCALIBRATED
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.nights import nights_back
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.explain_model import review_model
from ml_pipeline.operations.model_cards import card_facts
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.refit_bundle import make_refit, refit_split
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.training_rows import labelled_rows
from ml_pipeline.operations.trainings import recorded_training
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON


def test_a_refit_is_the_recipe_grown_on_all_matured_rows_and_measured_on_none(scored_shop_copy: Site) -> None:
    """The oracle is LightGBM itself, given all rows whose labels were known; one copy of the shop for all of it."""
    site = scored_shop_copy
    source = read_bundle(site.models, str(current_champion(site)))
    recorded = recorded_training(site, source.version)
    assert recorded is not None
    split = refit_split(site, source, versions=recorded.table_versions)
    bundle = make_refit(site, source, split)
    assert make_refit(site, source, split) == bundle

    first = date.fromisoformat(source.manifest["blocks"]["train"][0])
    last = nights_back(SHOP_TRAINED_ON, site.project.label.horizon_nights)
    assert bundle.manifest["blocks"] == {"train": [str(first), str(last)]}
    assert (bundle.refit_of, source.refit_of) == (source.version, None)
    assert bundle.manifest["member_tree_counts"] == source.manifest["member_tree_counts"]
    assert sum(bundle.manifest["member_tree_counts"]) == source.manifest["tree_count"]

    rows = labelled_rows(site, features_table(site.sql), first=first, last=last, known_by=SHOP_TRAINED_ON)
    assert len(rows.labels) > len(split.rows.block(split.blocks.train).labels)
    scorer, training = load_scorer(bundle), site.project.training
    matrix = scorer.encoder.transform(rows.rows)
    data = lightgbm.Dataset(
        matrix, rows.labels, feature_name=list(scorer.encoder.names),
        categorical_feature=list(scorer.encoder.category_positions),
    )  # fmt: skip
    told = {
        **training.lightgbm, "objective": "binary", "seed": training.seed, "deterministic": True, "force_row_wise": True,
        "monotone_constraints": list(scorer.encoder.monotone_constraints), "verbose": -1,
    }  # fmt: skip
    expected = lightgbm.train(told, data, num_boost_round=source.manifest["tree_count"])
    mine = lightgbm.Booster(model_str=scorer.trees_text).predict(matrix, raw_score=True)
    assert np.allclose(mine, expected.predict(matrix, raw_score=True), rtol=0, atol=1e-9)
    before = lightgbm.Booster(model_str=source.text("model.txt")).predict(matrix, raw_score=True)
    assert not np.allclose(mine, before)

    assert scorer.calibrator == UNCALIBRATED
    for name in ("threshold.json", "feature_columns.json", "metrics.json", "split.json"):
        assert bundle.content(name) == source.content(name), name
    for name in ("model_card.md", "model_card.html"):
        assert "It has no test block of its own" in bundle.text(name)
        assert "It has no test block of its own" not in source.text(name)
    told_of = card_facts(bundle).refit
    assert told_of is not None
    assert (told_of.recipe, told_of.first, told_of.last) == (source.version, first, last)
    assert review_model(site, bundle).as_json() == review_model(site, source).as_json()
