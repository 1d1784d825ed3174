"""The gate on 200 simulated pairs each: equal models, clearly better ones, and comparisons that are no fair test."""

from datetime import timedelta

import numpy as np
import pytest

from ml_pipeline.domain.contamination import ComparedRows, UsedNights
from ml_pipeline.domain.gate import Verdict, judge
from ml_pipeline.domain.gate_findings import Contestant
from ml_pipeline.domain.splits import Block
from ml_pipeline_tests.domain.contests import (
    BEFORE,
    FIRST,
    TERMS,
    Floats,
    contestant,
    log_odds,
    made_rows,
    simple_models,
    used,
)

PAIRS = 200
NIGHTS, ROWS_A_NIGHT = 14, 300
VALUES = np.array(["a", "b", "c"], dtype=object)


def pair(seed: int, *, advantage: float) -> tuple[Contestant, Contestant, Contestant, np.ndarray]:
    """Challenger, baseline, champion, and the group of each row.

    Both models err by as much, on each night in a direction of its own as well as on each row; the champion errs by
    ``advantage`` more. Nights share their luck: whole nights come out worse or better than anybody foresaw.
    """
    rng = np.random.default_rng(seed)
    count = NIGHTS * ROWS_A_NIGHT
    night = np.repeat(np.arange(NIGHTS), ROWS_A_NIGHT)
    foreseen = log_odds(np.full(count, 0.25), rng.normal(0, 0.8, count))
    rows = made_rows(log_odds(foreseen, rng.normal(0, 0.4, NIGHTS)[night]), NIGHTS, seed)

    def error(size: float) -> Floats:
        return rng.normal(0, size, NIGHTS)[night] * 0.5 + rng.normal(0, size, count)

    return (
        contestant("challenger", rows, log_odds(foreseen, error(0.3))),
        contestant("baseline", rows, log_odds(foreseen, error(1.2)), None),
        contestant("champion", rows, log_odds(foreseen, error(0.3 + advantage))),
        VALUES[rng.integers(0, 3, count)],
    )


def verdict(seed: int, advantage: float, groups_asked: tuple[str, ...] = ()) -> Verdict:
    challenger, baseline, champion, groups = pair(seed, advantage=advantage)
    terms = TERMS.model_copy(update={"slices": ("shelf",), "groups": groups_asked})
    return judge(
        challenger, baseline, champion, simple=simple_models(challenger.rows, baseline.probabilities), terms=terms,
        traits={"shelf": groups}, seed=seed,
    )  # fmt: skip


def promoted(advantage: float) -> int:
    """Groups are looked at where all else has held: they can only turn a yes into a no, and take most of the time."""
    found = [seed for seed in range(PAIRS) if verdict(seed, advantage).is_promoted]
    return sum(verdict(seed, advantage, groups_asked=("shelf",)).is_promoted for seed in found)


def test_an_equal_model_is_rarely_promoted_and_a_clearly_better_one_almost_always() -> None:
    equal, better = promoted(0.0), promoted(0.6)
    gains = [verdict(seed, 0.6).numbers["gain_over"]["champion"]["mean"] for seed in range(20)]
    print(
        f"gate: equal models promoted {equal} / {PAIRS}, clearly better ones {better} / {PAIRS} (gain {np.mean(gains):.3f})"
    )
    assert equal <= 0.05 * PAIRS
    assert better >= 0.9 * PAIRS


CONTAMINATIONS = (
    "a night of training", "a night in the gap", "a night of calibration", "a model from later nights", "other rows",
    "other keys", "other labels", "labels not matured", "no rows", "no blocks",
)  # fmt: skip


def contaminated(kind: str, rng: np.random.Generator, one: Contestant) -> Contestant:
    """``one`` with what makes the comparison unfair, at a place drawn at random."""
    inside = FIRST + timedelta(days=int(rng.integers(0, NIGHTS)))
    rows, place = one.rows, int(rng.integers(0, len(one.rows.labels)))
    labels = rows.labels.copy()
    nights_used: dict[str, UsedNights] = {
        "a night of training": used(inside),
        "a night in the gap": used(FIRST - timedelta(days=int(rng.integers(1, 3)))),
        "a night of calibration": used(inside, first=inside, purpose="calibrate"),
        "a model from later nights": used(FIRST + timedelta(days=90), first=FIRST + timedelta(days=60)),
        "no blocks": UsedNights((), 2),
    }
    if kind in nights_used:
        blocks = (*BEFORE.blocks, *nights_used[kind].blocks) if nights_used[kind].blocks else ()
        return contestant(one.name, rows, one.probabilities, UsedNights(blocks, 2))
    if kind == "other rows":
        kept = np.flatnonzero(np.arange(len(labels)) != place)
        return contestant(one.name, ComparedRows(rows.keys.take(kept), labels[kept]), one.probabilities[kept])
    if kind == "other keys":
        keys = rows.keys.column("key").to_numpy().copy()
        keys[place] = -1
        return contestant(one.name, ComparedRows(rows.keys.set_column(1, "key", [keys]), labels), one.probabilities)
    labels[place] = 1 - labels[place] if kind == "other labels" else np.nan
    empty = ComparedRows(rows.keys.slice(0, 0), labels[:0])
    return contestant(one.name, empty if kind == "no rows" else ComparedRows(rows.keys, labels), one.probabilities)


def test_no_contaminated_comparison_is_judged() -> None:
    refused, kinds = 0, set()
    for seed in range(PAIRS):
        rng, kind = np.random.default_rng(seed), CONTAMINATIONS[seed % len(CONTAMINATIONS)]
        challenger, baseline, champion, _ = pair(seed, advantage=0.6)
        simple = simple_models(challenger.rows)
        is_challenger = bool(rng.integers(0, 2))
        spoiled = contaminated(kind, rng, challenger if is_challenger else champion)
        found = (
            judge(spoiled, baseline, champion, simple=simple, terms=TERMS) if is_challenger
            else judge(challenger, baseline, spoiled, simple=simple, terms=TERMS)
        )  # fmt: skip
        is_refused = not found.is_promoted and bool(found.reasons) and not found.numbers
        refused += is_refused
        kinds |= {kind} if is_refused else set()
    print(f"gate: contaminated comparisons refused {refused} / {PAIRS}, of {len(CONTAMINATIONS)} kinds")
    assert (refused, len(kinds)) == (PAIRS, len(CONTAMINATIONS))


@pytest.mark.parametrize("block", ["train", "early_stop", "calibrate", "a purpose of tomorrow"])
def test_the_fair_comparison_beside_them_is_judged(block: str) -> None:
    """The guard that refuses everything would pass the test above."""
    challenger, baseline, champion, _ = pair(3, advantage=0.6)
    last = FIRST - timedelta(days=3)
    fair = UsedNights((Block(block, last, last),), 2)
    found = judge(
        contestant("challenger", challenger.rows, challenger.probabilities, fair), baseline, champion,
        simple=simple_models(challenger.rows), terms=TERMS,
    )  # fmt: skip
    assert found.is_promoted
