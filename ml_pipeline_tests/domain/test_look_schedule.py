from collections.abc import Iterator

import numpy as np
import pytest

from ml_pipeline.domain.look_schedule import LOOKS, Look, look_confidence, next_look
from ml_pipeline.domain.paired_bootstrap import paired_gain

BLOCK, SHADOW, ROWS = 14, 14, 40


def test_the_looks_are_fixed_beforehand_and_share_the_error() -> None:
    first = next_look(0, shadow_nights=14)
    assert first == Look(1, 14) and not first.is_last
    last = next_look(1, shadow_nights=14)
    assert last == Look(2, 28) and last.is_last
    assert next_look(2, shadow_nights=14) is None
    for confidence in (0.9, 0.95, 0.99):
        assert LOOKS * (1 - look_confidence(confidence)) == pytest.approx(1 - confidence)


def lower_ends(better_by: float, seed: int) -> Iterator[float]:
    """Of one pair of models: the lower end at the gate's verdict, and at each look, if nobody stopped before."""
    draw = np.random.default_rng(seed)
    nights = np.repeat(np.arange(BLOCK + LOOKS * SHADOW), ROWS)
    gains = better_by + draw.normal(0, 0.02, BLOCK + LOOKS * SHADOW)[nights] + draw.normal(0, 0.25, len(nights))
    days = np.datetime64("2024-01-01") + nights
    for number in range(LOOKS + 1):
        known = nights < BLOCK + number * SHADOW
        confidence = look_confidence(0.95) if number else 0.95
        yield paired_gain(days[known], gains[known], confidence=confidence, seed=1).low


def promoted_at(better_by: float, pairs: int) -> tuple[int, int]:
    """Of so many pairs, how many the gate promoted at once, and how many of the others at a look."""
    at_once = later = 0
    for seed in range(pairs):
        low = lower_ends(better_by, seed)
        if next(low) > 0:
            at_once += 1
        else:
            later += any(each > 0 for each in low)
    return at_once, later


def test_equals_are_rarely_promoted_at_a_look_and_the_better_usually() -> None:
    assert promoted_at(0.0, 200)[1] <= 0.05 * 200
    at_once, later = promoted_at(0.02, 60)
    assert later >= 0.6 * (60 - at_once)
