from datetime import date

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.contracts.serving import SHADOW_SCORES, ServingPolicy
from ml_pipeline.domain.look_schedule import look_confidence
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.promote import PROMOTIONS, current_champion
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.shadow import score_in_the_shadow
from ml_pipeline.operations.shadow_evidence import lane_evidence, paired_rows, shadow_evidence
from ml_pipeline.operations.shadow_lanes import lanes_on
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.second_model import promoted, recalibrated, second_version

SHADOWED = nights_between(date(2024, 5, 10), date(2024, 5, 16))
LAST = date(2024, 5, 18)


def test_a_challenger_is_compared_on_what_has_matured(scored_shop_copy: Site) -> None:
    site, champion = scored_shop_copy, str(current_champion(scored_shop_copy))
    challenger = second_version(site, champion, lambda files: recalibrated(files, 0.2, 0.5))
    promoted(site, challenger, "2024-05-11", is_promoted=False)
    assert shadow_evidence(site, LAST).reasons == ("0 matured nights in the shadow, 14 are asked for",)
    score(site, SHADOWED)
    score_in_the_shadow(site, SHADOWED)
    evidence = shadow_evidence(site, LAST)
    assert (evidence.champion, evidence.challenger) == (champion, challenger)
    assert evidence.nights == nights_between(date(2024, 5, 11), date(2024, 5, 14))  # four nights until labels are known
    assert not evidence.is_enough
    assert evidence.reasons[0] == "4 matured nights in the shadow, 14 are asked for"
    assert evidence.gain is not None
    assert evidence.gain.mean == pytest.approx(_gain_by_pandas(site, evidence.nights))
    assert shadow_evidence(site, date(2024, 5, 10)).reasons == ("there is no challenger on night 2024-05-10",)
    assert shadow_evidence(site, SHADOWED[1]).nights == ()

    score(site, [SHADOWED[2]], policy=ServingPolicy("current"), replaces=True)  # the same answer, by hindsight
    assert shadow_evidence(site, LAST).nights == (SHADOWED[1], SHADOWED[3], SHADOWED[4])


def test_a_predecessor_is_compared_with_who_took_its_place(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    fresh = second_version(site, first, lambda files: recalibrated(files, 0.2, 0.5))
    promoted(site, fresh, "2024-05-13", champion_before=first)
    nights = nights_between(date(2024, 5, 13), date(2024, 5, 16))
    score(site, nights)
    score_in_the_shadow(site, nights)
    (lane,) = lanes_on(site.ledger(PROMOTIONS).entries(), LAST, site.project.serving)
    evidence = lane_evidence(site, lane, LAST, asked_nights=5)
    assert (evidence.champion, evidence.challenger, evidence.nights) == (fresh, first, nights[:2])
    assert not evidence.is_enough
    assert evidence.as_numbers() == {"shadow": {
        "mean": pytest.approx(_gain_by_pandas(site, nights[:2])), "low": None, "high": None, "rows": 80, "nights": 2,
        "confidence": look_confidence(0.95),
    }}  # fmt: skip
    paired = paired_rows(site, lane, LAST)
    assert paired is not None
    assert (paired.rows.num_rows, paired.labels.shape, paired.nights) == (80, (80,), nights[:2])
    assert paired_rows(site, lane, nights[0]) is None


def _gain_by_pandas(site: Site, nights: tuple[date, ...]) -> float:
    """The same from the landed returns, without the pipeline's own labels and joins."""
    served, said = (
        site.tables.read(table, nights).to_pandas().set_index("order_id")["probability"]
        for table in (SCORES, SHADOW_SCORES)
    )
    returns = site.tables.read("raw/returns", nights_between(date(2024, 5, 5), LAST)).to_pandas()
    known = (
        returns.sort_values("known_at").drop_duplicates("order_id", keep="last").set_index("order_id")["is_sent_back"]
    )
    joined = pd.DataFrame({"served": served, "said": said}).join(known, how="inner")
    truth = joined["is_sent_back"].to_numpy(dtype=bool)
    losses = [-np.log(np.where(truth, joined[name], 1 - joined[name])).mean() for name in ("served", "said")]
    return float(losses[0] - losses[1])
