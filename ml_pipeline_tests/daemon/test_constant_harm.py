import math
from datetime import date
from itertools import pairwise

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.daemon.constant_harm import live_through

# The shop has sixty nights, the first of them before any model could be trained.
NIGHTS = nights_between(date(2024, 3, 30), date(2024, 5, 28))


def test_sixty_nights_of_constant_harm_retrain_once_a_cool_down_and_promote_only_what_is_better(
    trainable_shop: Site,
) -> None:
    site = trainable_shop
    lived = live_through(site, NIGHTS)
    cool_down = site.project.monitoring.cool_down_nights
    promoted = [entry for entry in lived.verdicts if entry["is_promoted"]]
    print(f"nights: {len(NIGHTS)} / {len(lived.trained)} retrainings, {len(promoted)} promotions")
    assert len(NIGHTS) == 60
    assert 2 <= len(lived.trained) <= math.ceil(60 / cool_down)
    assert all((later - earlier).days >= cool_down for earlier, later in pairwise(lived.trained))
    assert len(set(lived.evidence)) == len(lived.evidence) == len(lived.verdicts)
    for entry in promoted:
        gains = entry["numbers"]["gain_over"]
        assert ("champion" in gains) == (entry["champion_before"] is not None)
        assert all(gain["mean"] > 0 for gain in gains.values())
        # Of who serves it must be better by more than chance; of simple models the interval is recorded, and does not decide.
        assert gains.get("champion", {"low": 1.0})["low"] > 0
    assert promoted
    assert current_champion(site) == promoted[-1]["challenger"]
