import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.contamination import ComparedRows
from ml_pipeline.domain.gate import Verdict, judge
from ml_pipeline.domain.gate_findings import Contestant
from ml_pipeline_tests.domain.contests import FIRST, TERMS, contestant, log_odds, made_rows, simple_models, used

_RNG = np.random.default_rng(11)
RISK = log_odds(np.full(2800, 0.3), _RNG.normal(0, 1.2, 2800))
ROWS = made_rows(RISK, nights=14)
SHELVES = np.array(["books", "shoes"], dtype=object)[_RNG.integers(0, 2, 2800)]
CHALLENGER = contestant("new", ROWS, RISK)
CHAMPION = contestant("old", ROWS, log_odds(RISK, _RNG.normal(0, 0.6, 2800)))
BASELINE = contestant("baseline", ROWS, log_odds(RISK, _RNG.normal(0, 1.5, 2800)), None)
SIMPLE = simple_models(ROWS, log_odds(RISK, _RNG.normal(0, 1.0, 2800)))
ASKED = TERMS.model_copy(update={"slices": ("shelf",), "groups": ("shelf",)})


def verdict(
    challenger: Contestant = CHALLENGER, baseline: Contestant = BASELINE, champion: Contestant | None = CHAMPION,
    simple: dict[str, Contestant] = SIMPLE, **terms: Any,
) -> Verdict:  # fmt: skip
    return judge(
        challenger,
        baseline,
        champion,
        simple=simple,
        terms=ASKED.model_copy(update=terms),
        traits={"shelf": SHELVES},
        seed=1,
    )


def test_a_better_model_is_promoted_and_the_reasons_hold_the_numbers() -> None:
    found = verdict()
    assert found.is_promoted, found.reasons
    words = "\n".join(found.reasons)
    for part in ("log_loss 0.5", "beats the baseline's", "of champion old: gain +0.0", "at least the margin 0.0005",
                 "on 2 slices of shelf with at least 500 rows, 2 are surely not worse than old by 0.0200",
                 "in 2 of 2 groups of shelf"):  # fmt: skip
        assert part in words


def test_the_numbers_are_plain_and_complete() -> None:
    numbers = verdict().numbers
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
    assert (numbers["first_night"], numbers["last_night"]) == ("2024-04-20", "2024-05-03")
    assert numbers["names"] == {"challenger": "new", "baseline": "baseline", "champion": "old"}
    assert numbers["terms"]["confidence"] == 0.95
    gain = numbers["gain_over"]["champion"]
    assert gain["low"] < gain["mean"] < gain["high"]
    difference = numbers["metrics"]["champion"]["log_loss"] - numbers["metrics"]["challenger"]["log_loss"]
    assert gain["mean"] == pytest.approx(difference, abs=1e-6)
    assert set(numbers["slices"]["shelf"]) == {"books", "shoes"}
    assert set(numbers["groups"]["shelf"]) == {"challenger", "baseline", "champion"}
    assert numbers["groups"]["shelf"]["champion"]["by_group"]["books"]["rows"] == int(np.sum(SHELVES == "books"))


def test_without_a_champion_the_baseline_decides_and_the_interval_is_recorded_only() -> None:
    found = verdict(champion=None, min_log_loss_gain=5.0, slice_margin=0.0)
    assert found.is_promoted
    assert "there is no champion to beat" in found.reasons
    assert set(found.numbers["gain_over"]) == {"baseline", "constant", "logistic"}
    assert not verdict(BASELINE_LIKE, champion=None).is_promoted


BASELINE_LIKE = contestant("new", ROWS, BASELINE.probabilities)


@pytest.mark.parametrize("champion", [None, CHAMPION])
@pytest.mark.parametrize("metric", ["log_loss", "brier", "roc_auc", "average_precision"])
def test_who_is_as_good_as_the_baseline_does_not_beat_it(metric: str, champion: Contestant | None) -> None:
    found = verdict(BASELINE_LIKE, champion=champion)
    assert not found.is_promoted
    assert any(reason.startswith(f"{metric} ") and "does not beat" in reason for reason in found.reasons)


@pytest.mark.parametrize("champion", [None, CHAMPION])
@pytest.mark.parametrize("name", ["constant", "logistic"])
def test_who_does_not_beat_a_simple_model_is_not_promoted(name: str, champion: Contestant | None) -> None:
    as_good = SIMPLE | {name: contestant(name, ROWS, CHALLENGER.probabilities)}
    found = verdict(champion=champion, simple=as_good)
    assert not found.is_promoted
    assert any("does not beat" in reason and f"of the {name} model: gain +0.0000" in reason for reason in found.reasons)
    gain = found.numbers["gain_over"][name]
    assert (gain["mean"], gain["nights"]) == (0, 14)
    assert set(found.numbers["metrics"]) >= {"constant", "logistic"}


def test_a_gain_over_simple_models_need_not_be_sure_but_its_interval_is_recorded() -> None:
    """The other one is much better on every second night, and a little more worse on the nights between."""
    by_night = np.where(np.arange(14) % 2, -0.6, 0.5)[np.repeat(np.arange(14), 200)]
    near = contestant("logistic", ROWS, log_odds(RISK, by_night * (2 * ROWS.labels - 1)))
    found = verdict(champion=None, simple=SIMPLE | {"logistic": near})
    gain = found.numbers["gain_over"]["logistic"]
    assert gain["low"] < 0 < gain["mean"] < gain["high"]
    assert found.is_promoted, found.reasons
    assert any("of the logistic model: gain +0.0" in reason and "above -0.0" in reason for reason in found.reasons)


@pytest.mark.parametrize("missing", [("constant",), ("logistic",), ("constant", "logistic")])
def test_a_challenger_without_simple_models_is_judged_but_not_promoted(missing: tuple[str, ...]) -> None:
    found = verdict(simple={name: each for name, each in SIMPLE.items() if name not in missing})
    assert not found.is_promoted
    for name in missing:
        assert any(reason.startswith(f"the bundle holds no {name} model to compete with") for reason in found.reasons)
    assert found.numbers["gain_over"]["champion"]["low"] > 0


def test_a_simple_model_that_learned_from_the_compared_nights_voids_the_comparison() -> None:
    spoiled = replace(SIMPLE["logistic"], used=used(FIRST))
    found = verdict(simple=SIMPLE | {"logistic": spoiled})
    assert not found.is_promoted
    assert "logistic used nights" in found.reasons[0]


def test_the_champion_itself_under_another_name_is_not_promoted() -> None:
    found = verdict(contestant("new", ROWS, CHAMPION.probabilities))
    assert not found.is_promoted
    assert any("gain +0.0000" in reason and "not surely the margin" in reason for reason in found.reasons)


def test_a_gain_must_be_sure_not_only_there() -> None:
    gain = verdict().numbers["gain_over"]["champion"]
    between = (gain["low"] + gain["mean"]) / 2
    assert not verdict(min_log_loss_gain=between).is_promoted
    assert verdict(min_log_loss_gain=between, confidence=0.5).is_promoted
    assert verdict(min_log_loss_gain=gain["low"] - 1e-6).is_promoted


def test_a_slice_that_may_be_worse_stops_a_promotion_unless_it_is_too_small_to_say() -> None:
    books = SHELVES == "books"
    worse = np.where(books, log_odds(RISK, np.full(2800, 0.7)), RISK)
    champion = contestant("old", ROWS, np.where(books, RISK, log_odds(RISK, _RNG.normal(0, 2, 2800))))
    found = verdict(contestant("new", ROWS, worse), champion=champion, groups=())
    assert not found.is_promoted
    assert found.numbers["gain_over"]["champion"]["low"] > 0.0005
    assert any("but gain on books -" in reason and "shoes +" not in reason for reason in found.reasons)
    assert verdict(contestant("new", ROWS, worse), champion=champion, groups=(), slices=()).is_promoted
    small = verdict(contestant("new", ROWS, worse), champion=champion, groups=(), min_slice_rows=2000)
    assert small.is_promoted
    assert small.numbers["slices"]["shelf"]["books"]["mean"] < 0


@pytest.mark.parametrize("champion", [None, CHAMPION])
def test_a_group_whose_calibration_gap_grows_stops_a_promotion(champion: Contestant | None) -> None:
    shoes = SHELVES == "shoes"
    pushed = contestant("new", ROWS, np.where(shoes, log_odds(RISK, np.full(2800, 0.45)), RISK))
    free = verdict(pushed, champion=champion, slices=(), groups=())
    found = verdict(pushed, champion=champion, slices=(), max_calibration_gap_growth=0.03)
    assert free.is_promoted, free.reasons
    assert not found.is_promoted
    assert any("in 1 of 2 groups of shelf" in reason and "but in shoes +0.0" in reason for reason in found.reasons)
    assert verdict(pushed, champion=champion, slices=(), max_calibration_gap_growth=0.5).is_promoted
    assert verdict(
        pushed, champion=champion, slices=(), min_slice_rows=2801, max_calibration_gap_growth=0.03
    ).is_promoted


def test_a_comparison_on_used_or_other_rows_is_refused_before_anything_is_measured() -> None:
    fewer = ComparedRows(ROWS.keys.slice(1), ROWS.labels[1:])
    spoiled = [
        verdict(replace(CHALLENGER, used=used(FIRST))), verdict(champion=replace(CHAMPION, used=used(FIRST))),
        verdict(champion=contestant("old", fewer, CHAMPION.probabilities[1:])),
        verdict(baseline=contestant("baseline", fewer, BASELINE.probabilities[1:], None)),
    ]  # fmt: skip
    assert [(found.is_promoted, dict(found.numbers), len(found.reasons)) for found in spoiled] == [(False, {}, 1)] * 4
    assert "old used nights" in spoiled[1].reasons[0]


def test_too_few_nights_promote_nobody_over_a_champion() -> None:
    rows = made_rows(RISK, nights=4)
    three = [contestant(one.name, rows, one.probabilities, one.used) for one in (CHALLENGER, BASELINE, CHAMPION)]
    found = judge(*three, simple=simple_models(rows), terms=TERMS)
    assert not found.is_promoted
    assert found.numbers["gain_over"]["champion"]["low"] is None
    assert any("on 4 nights, fewer than the 5 that an interval needs" in reason for reason in found.reasons)


def test_one_class_only_promotes_nobody() -> None:
    rows = ComparedRows(ROWS.keys, np.zeros(2800))
    three = [contestant(one.name, rows, one.probabilities, one.used) for one in (CHALLENGER, BASELINE, CHAMPION)]
    assert not judge(*three, simple=simple_models(rows), terms=TERMS).is_promoted


def test_a_declared_feature_whose_values_are_missing_is_an_error() -> None:
    with pytest.raises(KeyError, match="shelf"):
        judge(CHALLENGER, BASELINE, CHAMPION, simple=SIMPLE, terms=ASKED)


@given(st.floats(-3, 3), st.floats(0, 2), st.floats(0, 0.05), st.integers(0, 5))
def test_a_promotion_is_never_a_step_back(shift: float, noise: float, margin: float, seed: int) -> None:
    """Whatever the models: who is promoted is better than the baseline, and than the champion by the margin."""
    moved = log_odds(RISK, shift + np.random.default_rng(seed).normal(0, noise, 2800))
    found = judge(
        contestant("new", ROWS, moved),
        BASELINE,
        CHAMPION,
        simple=SIMPLE,
        terms=TERMS.model_copy(update={"min_log_loss_gain": margin}),
    )
    losses = {role: each["log_loss"] for role, each in found.numbers["metrics"].items()}
    is_better = losses["challenger"] < losses["baseline"] and losses["champion"] - losses["challenger"] >= margin
    assert is_better or not found.is_promoted
    assert found.reasons
