import hashlib
import json
import shutil

import numpy as np
import pytest

from ml_pipeline.domain.scoring import Scorer, raw_scores
from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.bundle_scorer import scorer_of
from ml_pipeline.operations.bundle_trial import require_tried
from ml_pipeline.operations.compiled_scorer import compiled_before, keep_code, proven_code, with_compiled_trees
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.operations.test_bundle_scorer import changed


def champion(site: Site) -> ModelBundle:
    return read_bundle(site.models, str(current_champion(site)))


def test_a_trial_leaves_code_that_scores_as_lightgbm_does(scored_shop_copy: Site) -> None:
    bundle = champion(scored_shop_copy)
    shutil.rmtree(scored_shop_copy.data / "compiled", ignore_errors=True)
    require_tried(bundle)
    receipt = compiled_before(bundle)
    assert receipt is not None
    assert receipt.reason.startswith("equal to LightGBM in ")
    scorer = load_scorer(bundle)
    assert scorer.predictor is not None
    matrix = scorer.encoder.transform(bundle.table("reference.parquet"))
    assert np.array_equal(raw_scores(scorer, matrix, threads=2), raw_scores(scorer_of(bundle), matrix, threads=1))


def test_code_that_another_wrote_is_not_used_and_the_scores_are_the_same(scored_shop_copy: Site) -> None:
    bundle = champion(scored_shop_copy)
    require_tried(bundle)
    (scored_shop_copy.data / "compiled").chmod(0o777)
    with pytest.warns(UserWarning, match="LightGBM predicts in place of compiled trees: .* written by others"):
        assert load_scorer(bundle).predictor is None


def test_code_of_other_trees_does_not_give_the_golden_scores(scored_shop_copy: Site) -> None:
    """Whoever owns the receipts can name other code in them; golden rows still tell that it is another model."""
    bundle = champion(scored_shop_copy)
    text = bundle.text("model.txt")
    leaves = next(line for line in text.splitlines() if line.startswith("leaf_value="))
    # As long as before: the text says of each tree how long it is.
    dealt_out = "leaf_value=" + " ".join(reversed(leaves.removeprefix("leaf_value=").split(" ")))
    other = changed(scored_shop_copy, model__txt=text.replace(leaves, dealt_out, 1).encode())
    code, told = proven_code(other, scorer_of(other))
    assert code is not None, told
    keep_code(bundle, code, told)
    with pytest.warns(
        UserWarning, match=r"LightGBM predicts in place of compiled trees: \d+ of 21 golden scores differ"
    ):
        assert with_compiled_trees(bundle, scorer_of(bundle)).predictor is None


class OneOff:
    """Differs from LightGBM in the last digit."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def predict(self, matrix: np.ndarray, *, threads: int) -> np.ndarray:
        return np.nextafter(raw_scores(self.scorer, matrix, threads=threads), 1)


def test_code_that_differs_in_a_last_digit_is_not_kept(scored_shop: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = champion(scored_shop)
    scorer = scorer_of(bundle)
    monkeypatch.setattr("ml_pipeline.operations.compiled_scorer.CompiledTrees", lambda *_: OneOff(scorer))
    code, told = proven_code(bundle, scorer)
    assert code is None
    assert told.startswith("compiled trees differ from LightGBM in ")


def test_a_bundle_without_golden_rows_is_not_compiled(scored_shop_copy: Site) -> None:
    bundle = changed(scored_shop_copy, golden__parquet=None)
    assert proven_code(bundle, scorer_of(bundle)) == (
        None,
        "the bundle holds no golden rows to prove code by at each load",
    )


def test_a_bundle_brings_no_code_of_its_own(scored_shop_copy: Site) -> None:
    bundle = champion(scored_shop_copy)
    require_tried(bundle)
    folder = scored_shop_copy.data / "compiled"
    (receipt,) = [path for path in folder.glob("*.json") if bundle.manifest["files"]["model.txt"][:16] in path.name]
    assert json.loads(receipt.read_text())["trees_sha256"] == hashlib.sha256(bundle.content("model.txt")).hexdigest()
    assert not [path for path in bundle.folder.rglob("*") if path.suffix == ".o"]
