from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.serving import ServingContract
from ml_pipeline.domain.audit import Distribution, audit_scores, distributions, out_of_bounds
from ml_pipeline.nights import nights_between

NIGHTS = nights_between(date(2024, 5, 5), date(2024, 5, 7))
ROWS = 30


def scores(probabilities: np.ndarray | None = None, keys: list[str] | None = None) -> pa.Table:
    """Three good nights; ``probabilities`` and ``keys`` replace those of the second."""
    generator = np.random.default_rng(0)
    parts = []
    for position, night in enumerate(NIGHTS):
        mine = probabilities if position == 1 and probabilities is not None else generator.random(ROWS)
        names = keys if position == 1 and keys is not None else [f"O{number}" for number in range(len(mine))]
        parts.append(pa.table({
            "score_date": pa.array([night] * len(mine), pa.date32()), "order_id": pa.array(names, pa.string()),
            "probability": pa.array(mine, pa.float64()),
        }))  # fmt: skip
    return pa.concat_tables(parts)


def broken(rows: pa.Table, expected: int = ROWS) -> tuple[str, ...]:
    """What is wrong with the second night; the other two must be found in order."""
    first, second, third = audit_scores(rows, {NIGHTS[0]: ROWS, NIGHTS[1]: expected, NIGHTS[2]: ROWS}, ["order_id"])
    assert first.broken == third.broken == ()
    assert second.night == NIGHTS[1]
    return second.broken


def test_good_nights_break_nothing() -> None:
    assert broken(scores()) == ()


def test_nights_are_audited_apart() -> None:
    """The same key on two nights is no doubled key."""
    audits = audit_scores(scores(), dict.fromkeys(NIGHTS, ROWS), ["order_id"])
    assert [(audit.night, audit.rows) for audit in audits] == [(night, ROWS) for night in NIGHTS]


@pytest.mark.parametrize("expected", [ROWS - 1, ROWS + 1])
def test_a_count_that_differs_from_the_spine_is_named(expected: int) -> None:
    assert broken(scores(), expected) == (f"{ROWS} rows, the spine has {expected}",)


def test_a_doubled_key_is_named() -> None:
    keys = [f"O{number}" for number in range(ROWS)]
    assert broken(scores(np.linspace(0, 1, ROWS), [*keys[:-2], "O0", "O0"])) == (
        "2 rows repeat a key (first: order_id O0)",
    )


@given(
    keys=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", None]), st.one_of(st.none(), st.integers(0, 3))), max_size=12
    ),
    is_sorted=st.booleans(),
)
def test_keys_in_any_order_are_counted_as_a_set_counts_them(
    keys: list[tuple[str | None, int | None]], *, is_sorted: bool
) -> None:
    if is_sorted:
        keys = sorted(keys, key=lambda key: (key[0] is None, key[0] or "", key[1] is None, key[1] or 0))
    rows = pa.table({
        "score_date": pa.array([NIGHTS[0]] * len(keys), pa.date32()),
        "shop": pa.array([shop for shop, _ in keys], pa.string()), "number": pa.array([number for _, number in keys], pa.int64()),
        "probability": pa.array(np.full(len(keys), 0.5)),
    })  # fmt: skip
    (audit,) = audit_scores(rows, {NIGHTS[0]: len(keys)}, ["shop", "number"], may_be_alike=True)
    repeated = len(keys) - len(set(keys))
    told = [rule for rule in audit.broken if "repeat a key" in rule]
    assert [rule.split(" rows")[0] for rule in told] == ([str(repeated)] if repeated else [])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.001, 1.001, None])
def test_a_number_that_is_no_probability_is_named(value: float | None) -> None:
    table = scores()
    values = table["probability"].to_pylist()
    values[ROWS + 3] = value
    damaged = table.set_column(
        table.schema.get_field_index("probability"), "probability", pa.array(values, pa.float64())
    )
    assert broken(damaged) == ("1 probabilities are not numbers in [0, 1] (first: order_id O3)",)


def test_the_ends_of_the_interval_are_probabilities() -> None:
    assert broken(scores(np.array([0.0, 1.0] * (ROWS // 2)))) == ()


@pytest.mark.parametrize(("rows", "is_suspicious"), [(19, False), (20, True), (30, True)])
def test_many_rows_that_are_all_alike_are_suspicious(rows: int, is_suspicious: bool) -> None:
    found = broken(scores(np.full(rows, 0.3)), rows)
    assert (found == ("every probability is the same",)) == is_suspicious
    assert found == () or is_suspicious


def test_a_night_without_rows_is_not_fit() -> None:
    """An empty night must not pass for a night on which nothing was wrong."""
    found = broken(scores(np.array([])), 0)
    assert len(found) == 1
    assert found[0].startswith("the spine is empty")
    assert broken(scores(np.array([]))) == (f"0 rows, the spine has {ROWS}",)


def test_every_rule_that_does_not_hold_is_named_at_once() -> None:
    found = broken(scores(np.full(ROWS, 2.0), ["same"] * ROWS), 5)
    assert len(found) == 4


def test_a_row_that_the_spine_lacks_is_named() -> None:
    rows = scores()
    spine = rows.select(["score_date", "order_id"])
    assert all(not audit.broken for audit in audit_scores(rows, dict.fromkeys(NIGHTS, ROWS), ["order_id"], spine=spine))
    without = spine.filter(pa.array([place != ROWS + 4 for place in range(spine.num_rows)]))
    _, second, _ = audit_scores(rows, dict.fromkeys(NIGHTS, ROWS), ["order_id"], spine=without)
    assert second.broken == ("1 rows are not in the spine (first: order_id O4)",)


def test_a_stopgap_may_say_the_same_of_every_row() -> None:
    rows = scores(np.full(ROWS, 0.3))
    audits = audit_scores(rows, dict.fromkeys(NIGHTS, ROWS), ["order_id"], may_be_alike=True)
    assert [audit.broken for audit in audits] == [(), (), ()]


TERMS = ServingContract(mean_odds_factor=4, share_margin=0.5, least_history_nights=5)
HISTORY = [Distribution(night, mean, mean) for night, mean in zip(nights_between(date(2024, 4, 1), date(2024, 4, 5)),
                                                                  (0.2, 0.25, 0.3, 0.4, 0.5), strict=True)]  # fmt: skip


@pytest.mark.parametrize(
    ("mean", "share", "words"),
    [
        (0.0589, 0.3, ""),  # odds of 1/16 against 1/4 at the lower end
        (0.0587, 0.3, "mean probability 0.059"),
        (0.79, 0.3, ""),
        (0.81, 0.3, "mean probability 0.810"),
        (0.3, 1.0, ""),
        (0.3, 0.0, ""),
        (0.0, 0.0, "mean probability 0.000"),
    ],
)
def test_a_night_may_leave_the_range_of_its_history_so_far_and_no_further(
    mean: float, share: float, words: str
) -> None:
    told = "; ".join(out_of_bounds(Distribution(NIGHTS[0], mean, share), HISTORY, TERMS))
    assert told.startswith(words) and bool(told) == bool(words)


def test_the_share_that_reaches_the_threshold_is_bounded_too() -> None:
    calm = [Distribution(one.night, one.mean, 0.1) for one in HISTORY]
    assert out_of_bounds(Distribution(NIGHTS[0], 0.3, 0.6), calm, TERMS) == ()
    (told,) = out_of_bounds(Distribution(NIGHTS[0], 0.3, 0.61), calm, TERMS)
    assert told.startswith("61.0% of the rows reach the threshold")


def test_with_too_little_history_nothing_is_unlike_it() -> None:
    assert out_of_bounds(Distribution(NIGHTS[0], 0.999, 1), HISTORY[1:], TERMS) == ()


def test_each_night_has_its_own_distribution() -> None:
    rows = scores(np.linspace(0, 1, ROWS))
    rows = rows.append_column("threshold", pa.array([0.5] * rows.num_rows))
    frame = rows.to_pandas().assign(reaches=lambda rows: rows["probability"] >= 0.5)
    expected = frame.groupby("score_date")[["probability", "reaches"]].mean()
    found = distributions(rows)
    assert [one.night for one in found] == list(NIGHTS)
    assert [one.mean for one in found] == pytest.approx(expected["probability"].tolist())
    assert [one.share for one in found] == pytest.approx(expected["reaches"].tolist())
