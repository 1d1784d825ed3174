"""Expectations of the shop's scored nights: judged alike alone and in a range, and blocked when they must be."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import Night, lookback_nights
from ml_pipeline.operations.expect import EXPECTATIONS, JudgedNights, judge_expectations, stale_expectations
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_SCORED, SHOP_TRAINED_ON

NIGHT = SHOP_SCORED[-1]


def publish(site: Site, table: str, rows: pa.Table, key: list[str], night: Night = NIGHT) -> None:
    site.tables.publish(table, rows, {night: NightInputs("altered", {})}, key=key)


def blocked(outcome: JudgedNights, night: Night = NIGHT) -> set[str]:
    return {
        f"{judged.asset.name}: {each.bound.name}"
        for judged in outcome.by_night[night] for each in judged.unmet if each.bound.severity == "blocking"
    }  # fmt: skip


def test_a_night_of_a_range_is_judged_as_alone_and_again_changes_nothing(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    assert stale_expectations(site, SHOP_SCORED) == list(SHOP_SCORED)
    together = judge_expectations(site, SHOP_SCORED)
    assert together.published.changed == SHOP_SCORED
    assert stale_expectations(site, SHOP_SCORED) == []
    hashes = {night: facts.content_hash for night, facts in site.tables.published(EXPECTATIONS).items()}
    version = site.tables.version(EXPECTATIONS)
    for night in SHOP_SCORED[::3]:
        alone = judge_expectations(site, [night])
        assert alone.by_night[night] == together.by_night[night]
        assert (alone.published.changed, alone.published.unchanged) == ((), (night,))
    assert (site.tables.version(EXPECTATIONS), len(hashes)) == (version, len(SHOP_SCORED))
    for night in SHOP_SCORED:
        assert not blocked(together, night)


def test_bounds_come_of_the_nights_before_alone(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    first = judge_expectations(site, [SHOP_SCORED[3]]).by_night[SHOP_SCORED[3]]
    rows = site.tables.read(SCORES, [NIGHT])
    publish(site, SCORES, rows.slice(0, 1), ["order_id"])
    assert stale_expectations(site, SHOP_SCORED[3:4]) == []
    assert judge_expectations(site, [SHOP_SCORED[3]]).by_night[SHOP_SCORED[3]] == first


def test_the_numbers_are_those_of_numpy(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    outcome = judge_expectations(site, [NIGHT])
    table = features_table(site.sql)
    names = [feature.name for feature in site.sql.features if feature.type == "number"]
    window = [night for night in lookback_nights(NIGHT, 29, first_night=site.project.first_night) if night != NIGHT]
    history = [site.tables.read(table, [night]).to_pandas() for night in window]
    today = site.tables.read(table, [NIGHT]).to_pandas()
    (features,) = [judged for judged in outcome.by_night[NIGHT] if judged.asset.name == "features"]
    found = {(each.bound.name, each.bound.severity): each for each in features.judgements}
    for name in names:
        means = np.array([frame[name].mean() for frame in history])
        values = np.concatenate([frame[name].dropna() for frame in history])
        judgement = found[f"{name} mean", "warning"]
        reach = max(np.nanmax(means) - np.nanmin(means), 0.1 * (values.max() - values.min()))
        assert np.isclose(judgement.observed, today[name].mean(), rtol=1e-12)
        assert np.isclose(judgement.bound.lower, np.nanmin(means) - reach, rtol=1e-6, atol=1e-6)
        assert np.isclose(judgement.bound.upper, np.nanmax(means) + reach, rtol=1e-6, atol=1e-6)
    (volume,) = [
        each for each in features.judgements if each.bound.name == "row_count" and each.bound.severity == "warning"
    ]
    assert (volume.observed, volume.bound.nights_of_history) == (40, 28)
    published = site.tables.read(EXPECTATIONS, [NIGHT])
    assert published.num_rows == sum(len(judged.judgements) for judged in outcome.by_night[NIGHT])


def fewer_rows(site: Site) -> None:
    publish(site, SCORES, site.tables.read(SCORES, [NIGHT]).slice(0, 0), ["order_id"])


def no_feature(site: Site) -> None:
    table = features_table(site.sql)
    rows = site.tables.read(table, [NIGHT])
    place = rows.schema.get_field_index("product_return_rate_28d")
    publish(
        site,
        table,
        rows.set_column(place, rows.schema.field(place), pa.nulls(rows.num_rows, pa.float64())),
        ["order_id"],
    )


def another_unit(site: Site) -> None:
    rows = site.tables.read("raw/returns", [NIGHT])
    place = rows.schema.get_field_index("refund_eur")
    cents = pa.array(
        [None if value is None else value * 1000 for value in rows["refund_eur"].to_pylist()], pa.float64()
    )
    publish(site, "raw/returns", rows.set_column(place, rows.schema.field(place), cents), ["order_id"])


def doubled_outcomes(site: Site) -> None:
    rows = site.tables.read("raw/returns", [NIGHT])
    names = pa.array([f"O{number:06}" for number in range(900_000, 900_000 + 9 * rows.num_rows)])
    more = pa.concat_tables([rows] * 9)
    publish(
        site, "raw/returns", more.set_column(more.schema.get_field_index("order_id"), "order_id", names), ["order_id"]
    )


@pytest.mark.parametrize(
    ("harm", "name"),
    [
        (fewer_rows, "scores: row_count"), (no_feature, "features: product_return_rate_28d missing_share"),
        (another_unit, "returns: refund_eur mean"), (doubled_outcomes, "returns: row_count"),
    ],
)  # fmt: skip
def test_what_is_broken_blocks(scored_shop_copy: Site, harm: Callable[[Site], None], name: str) -> None:
    assert blocked(judge_expectations(scored_shop_copy, [NIGHT])) == set()
    harm(scored_shop_copy)
    assert stale_expectations(scored_shop_copy, [NIGHT]) == [NIGHT]
    outcome = judge_expectations(scored_shop_copy, [NIGHT])
    assert name in blocked(outcome)
    assert outcome.published.changed == (NIGHT,)


def test_a_night_that_was_not_scored_is_refused(scored_shop_copy: Site) -> None:
    with pytest.raises(LookupError, match="table scores does not hold night 2024-05-14; materialise it"):
        judge_expectations(scored_shop_copy, [Night(2024, 5, 14)])
    assert not scored_shop_copy.tables.exists(EXPECTATIONS)
    assert Night(2024, 5, 14) > SHOP_TRAINED_ON
