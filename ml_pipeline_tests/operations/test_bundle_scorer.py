import json

import pyarrow as pa
import pytest

from ml_pipeline.domain.feature_matrix import OTHER
from ml_pipeline.io.model_bundle import BundleError, ModelBundle, json_bytes, read_bundle, write_bundle
from ml_pipeline.operations.bundle_scorer import GOLDEN, golden_rows, require_golden, scorer_of
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site


def changed(site: Site, **files: bytes | None) -> ModelBundle:
    """The champion with other content, or none, in some of its files (dots are written as double underscores)."""
    bundle = read_bundle(site.models, str(current_champion(site)))
    names = {name.replace("__", "."): content for name, content in files.items()}
    kept = {name: bundle.content(name) for name in bundle.manifest["files"]} | names
    facts = {name: fact for name, fact in bundle.manifest.items() if name != "files"}
    content = {name: value for name, value in kept.items() if value is not None}
    return write_bundle(site.models, content, facts, label="changed")


def test_a_bundle_reproduces_its_golden_rows(scored_shop: Site) -> None:
    bundle = read_bundle(scored_shop.models, str(current_champion(scored_shop)))
    scorer = scorer_of(bundle)
    golden = bundle.table(GOLDEN)
    assert require_golden(bundle, scorer) == golden.num_rows == 21
    assert golden.schema.names == [*scorer.encoder.names, "golden_score", "golden_probability"]
    assert len(set(golden.column("golden_score").to_pylist())) > 10
    assert golden_rows(scorer, golden.slice(0, 20)).equals(golden)
    unseen, first = (golden.slice(row, 1).to_pylist()[0] for row in (20, 0))
    changed_columns = {name for name, value in unseen.items() if value != first[name]}
    assert {name: unseen[name] for name in ("product_code", "category", "channel")} == dict.fromkeys(
        ("product_code", "category", "channel"), OTHER
    )
    assert changed_columns <= {"product_code", "category", "channel", "golden_score", "golden_probability"}


def test_a_bundle_without_golden_rows_says_so(scored_shop_copy: Site) -> None:
    bundle = changed(scored_shop_copy, golden__parquet=None)
    assert require_golden(bundle, scorer_of(bundle)) == 0


def test_other_rows_than_the_golden_ones_are_refused(scored_shop_copy: Site) -> None:
    bundle = changed(scored_shop_copy, golden__parquet=(b"PAR1"))
    with pytest.raises(BundleError, match=r"golden\.parquet is no Parquet file"):
        require_golden(bundle, scorer_of(bundle))


def test_a_probability_that_is_not_reproduced_names_its_row(scored_shop_copy: Site) -> None:
    bundle = read_bundle(scored_shop_copy.models, str(current_champion(scored_shop_copy)))
    nudged = scorer_of(bundle).calibrator.as_json() | {"kind": "intercept", "inputs": [1e-6], "outputs": []}
    other = changed(scored_shop_copy, calibrator__json=json_bytes(nudged))
    with pytest.raises(
        BundleError, match=r"golden rows are not reproduced, first row \d+: golden_probability was 0\.\d+"
    ):
        require_golden(other, scorer_of(other))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("threshold__json", b"{}", "a file lacks what a scorer needs"),
        ("threshold__json", b'{"threshold": 1.5}', "is no probability"),
        ("threshold__json", b"[]", "a file lacks what a scorer needs"),
        ("calibrator__json", json.dumps({"kind": "sigmoid", "inputs": [-1, 0], "outputs": []}).encode(), "calibrator"),
        ("feature_columns__json", b'[{"contract": {}, "levels": []}]', "Field required"),
        ("model__txt", b"\x80\x04", "is no text"), ("model__txt", b"forest\n", "does not begin"),
    ],
)  # fmt: skip
def test_a_file_that_no_training_writes_is_refused(
    scored_shop_copy: Site, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(BundleError, match=reason):
        scorer_of(changed(scored_shop_copy, **{name: content}))


def test_fewer_rows_than_golden_ones_are_all_taken_once(scored_shop: Site) -> None:
    scorer = scorer_of(read_bundle(scored_shop.models, str(current_champion(scored_shop))))
    rows = read_bundle(scored_shop.models, str(current_champion(scored_shop))).table("reference.parquet").slice(0, 3)
    assert golden_rows(scorer, rows).select(rows.schema.names).slice(0, 3).equals(pa.table(rows))
