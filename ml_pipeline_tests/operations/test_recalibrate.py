from datetime import date, timedelta

import numpy as np
import pytest

from ml_pipeline.domain.calibration_choice import fit_calibrator
from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.nights import nights_back
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.contest import used_nights
from ml_pipeline.operations.promote import current_champion, promote_if_better
from ml_pipeline.operations.recalibrate import SOURCE, recalibrate
from ml_pipeline.operations.reproduce import reproduce_bundle
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import labelled_rows
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON

NIGHT = date(2024, 5, 24)


def champion(site: Site) -> str:
    version = current_champion(site)
    assert version is not None
    return version


def test_the_trees_stay_and_the_calibrator_is_that_of_the_newest_nights(scored_shop_copy: Site) -> None:
    """One copy of the shop for the whole story: made, made again, judged, made anew from the record."""
    site, source = scored_shop_copy, champion(scored_shop_copy)
    made = recalibrate(site, source, NIGHT)
    new = load_scorer(made.bundle)
    kept = (site.models / source / "model.txt").read_bytes()
    assert (made.bundle.folder / "model.txt").read_bytes() == kept
    assert new.trees_text.encode() == kept
    assert made.bundle.manifest[SOURCE] == source
    assert (made.is_new, recalibrate(site, source, NIGHT).is_new) == (True, False)
    assert not made.split_audit.violations

    first, last = (date.fromisoformat(night) for night in made.bundle.manifest["blocks"]["calibrate"])
    table = f"features/{site.sql.feature_set_version}"
    held = labelled_rows(site, table, first=first, last=last, known_by=NIGHT)
    scores = raw_scores(new, new.encoder.transform(held.rows), threads=1)
    wanted = fit_calibrator(scores, held.labels, held.nights)
    assert new.calibrator == wanted
    assert new.calibrator.probability(scores).mean() == pytest.approx(held.labels.mean(), abs=0.03)

    horizon, training = site.project.label.horizon_nights, site.project.training
    test_first, test_last = (date.fromisoformat(night) for night in made.bundle.manifest["blocks"]["test"])
    assert test_last == nights_back(NIGHT, horizon)
    assert (test_last - test_first).days + 1 == training.test_nights
    assert (last - first).days + 1 == training.calibrate_nights
    assert (test_first - last).days - 1 == horizon

    outcome = promote_if_better(site, made.bundle.version, NIGHT)
    assert outcome.champion_before == source
    assert outcome.verdict.reasons
    found = reproduce_bundle(site, made.bundle.version)
    assert found.is_reproduced, (found.reasons, found.differing)


def test_its_used_nights_are_those_of_the_trees_and_of_its_own_calibrator(scored_shop_copy: Site) -> None:
    made = recalibrate(scored_shop_copy, champion(scored_shop_copy), NIGHT).bundle
    used = {block.purpose: block for block in used_nights(made, is_champion=False).blocks}
    blocks = made.manifest["blocks"]
    assert set(used) == {"train", "early_stop", "calibrate"}
    assert [[str(used[name].first), str(used[name].last)] for name in used] == [blocks[name] for name in used]
    source = read_bundle(scored_shop_copy.models, champion(scored_shop_copy)).manifest["blocks"]
    assert str(used["calibrate"].last) > source["calibrate"][1]
    assert np.datetime64(blocks["test"][0]) > np.datetime64(used["calibrate"].last)


def test_trees_that_know_the_nights_already_are_not_calibrated_on_them(scored_shop: Site) -> None:
    version = champion(scored_shop)
    with pytest.raises(ValueError, match="nights too early"):
        recalibrate(scored_shop, version, SHOP_TRAINED_ON - timedelta(days=1))
