"""Explanations of the shop's published scores, held against the table that was published."""

import math

import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations.explain_score import explain_score
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.cli.test_main import invoke
from ml_pipeline_tests.conftest import SHOP_SCORED

NIGHT = SHOP_SCORED[2]


def test_an_explanation_equals_what_was_published_bit_by_bit(scored_shop: Site) -> None:
    published = scored_shop.tables.read(SCORES, [NIGHT]).to_pylist()
    for row in published[::8]:
        found = explain_score(scored_shop, NIGHT, {"order_id": row["order_id"]}, leading=2)
        assert found.is_exact
        assert found.published == row == found.recomputed
        assert found.recomputed["probability"].hex() == row["probability"].hex()
        total = found.base + sum(feature.contribution for feature in found.features)
        assert math.isclose(1 / (1 + math.exp(-total)), row["score"], abs_tol=1e-12)
        words = ("raises: ", "lowers: ")[found.features[0].contribution < 0] + found.features[0].description.rstrip(".")
        assert row["reason_1"].startswith(words)
        assert [bool(feature.rows) for feature in found.features] == [True, True] + [False] * 10


def test_versions_are_those_of_the_logs(scored_shop: Site) -> None:
    site = scored_shop
    order = site.tables.read(SCORES, [NIGHT]).column("order_id")[0].as_py()
    found = explain_score(site, NIGHT, {"order_id": order})
    table = features_table(site.sql)
    facts = site.tables.published(SCORES, [NIGHT])[NIGHT].facts
    assert found.versions[SCORES] == site.tables.version(SCORES)
    assert found.versions[table] == facts[table]
    assert {name for name in found.versions if name.startswith("raw/")} == {"raw/orders", "raw/returns", "raw/products"}
    assert found.published_at == site.tables.publications(SCORES)[0].published_at


def altered(site: Site, **changes: object) -> str:
    """Publish NIGHT again with ``changes`` in its first row, as if made from the same; returns that row's order."""
    facts = site.tables.published(SCORES, [NIGHT])[NIGHT]
    rows = site.tables.read(SCORES, [NIGHT])
    first = {**rows.slice(0, 1).to_pylist()[0], **changes}
    other = rows.from_pylist([first, *rows.slice(1).to_pylist()], schema=rows.schema)
    site.tables.publish(SCORES, other, {NIGHT: NightInputs(facts.inputs_hash, facts.facts)}, key=["order_id"])
    return str(first["order_id"])


def test_a_score_that_its_inputs_do_not_give_ends_with_exit_code_1_and_names_the_column(scored_shop_copy: Site) -> None:
    probability = scored_shop_copy.tables.read(SCORES, [NIGHT]).column("probability")[0].as_py()
    order = altered(scored_shop_copy, probability=math.nextafter(probability, 1))
    found = explain_score(scored_shop_copy, NIGHT, {"order_id": order})
    assert (found.differing, found.is_exact) == (("probability",), False)
    assert len(scored_shop_copy.tables.publications(SCORES)) == len(SHOP_SCORED) + 1
    result = invoke(scored_shop_copy, "explain", "--key", f"order_id={order}", "--night", str(NIGHT))
    assert result.exit_code == 1
    assert "DIFFERENT in probability" in result.output
    assert f"published {math.nextafter(probability, 1)!r}, made again {probability!r}" in result.output


def test_a_row_that_the_baseline_served_says_so(scored_shop_copy: Site) -> None:
    order = altered(scored_shop_copy, served_by="baseline", model_version="none")
    result = invoke(scored_shop_copy, "explain", "--key", f"order_id={order}", "--night", str(NIGHT))
    assert result.exit_code == 0
    assert "not explained: the baseline served it" in result.output


def test_the_command_shows_the_row_its_versions_and_the_rows_behind_it(scored_shop: Site) -> None:
    row = scored_shop.tables.read(SCORES, [NIGHT]).to_pylist()[0]
    result = invoke(
        scored_shop, "explain", "--key", f"order_id={row['order_id']}", "--night", str(NIGHT), "--features", "12"
    )
    assert result.exit_code == 0, result.output
    for words in (
        f"probability          {row['probability']!r}", f"model_version        {row['model_version']}", row["reason_1"],
        "equal, bit by bit", "with the same product_code", "raw/returns", "base, then", "in all: score",
    ):  # fmt: skip
        assert words in result.output, words


@pytest.mark.parametrize(
    ("key", "night", "words"),
    [
        ("order_id=O999999", NIGHT, "0 rows of night"),
        ("product=1", NIGHT, "the columns of the key are order_id"),
        ("order_id", NIGHT, "write column=value"),
        ("order_id=O000001", "2024-05-27", "was never scored; materialise scores"),
    ],
)
def test_a_row_that_is_not_there_is_an_error_that_says_what_to_write(
    scored_shop: Site, key: str, night: object, words: str
) -> None:
    result = invoke(scored_shop, "explain", "--key", key, "--night", str(night))
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output
