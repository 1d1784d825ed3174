from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from ml_pipeline.contracts.serving import SHADOW_SCORES, ServingPolicy
from ml_pipeline.io.model_bundle import BundleError
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.promote import PROMOTIONS, current_champion
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.shadow import challenger_on, score_in_the_shadow, shadow_evidence
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.second_model import promoted, recalibrated, second_version

SHADOWED = nights_between(date(2024, 5, 10), date(2024, 5, 16))
LAST = date(2024, 5, 18)


def judged(site: Site, version: str, night: str, *, is_promoted: bool = False) -> None:
    promoted(site, version, night, is_promoted=is_promoted)


def test_the_challenger_is_who_was_judged_last_unless_that_is_the_champion() -> None:
    def entry(challenger: str, night: str, is_promoted: bool, **more: Any) -> dict[str, Any]:
        return {
            "challenger": challenger,
            "judged_on": night,
            "effective_from": night,
            "is_promoted": is_promoted,
            **more,
        }

    entries = [entry("a", "2024-05-01", True), entry("b", "2024-05-05", False), entry("c", "2024-05-09", True)]
    days = [date(2024, 5, day) for day in (1, 4, 5, 8, 9, 30)]
    assert [challenger_on(entries, day) for day in days] == [None, None, "b", "b", None, None]
    by_hand = {**entry("b", "2024-05-06", True), "judged_on": None}
    assert challenger_on([*entries[:2], by_hand], days[3]) is None
    gone = [entry("a", "2024-05-01", True), entry("b", "2024-05-05", False, withdrawn=["b"])]
    assert challenger_on(gone, days[3]) is None


def test_a_challenger_scores_in_the_shadow_and_is_compared_on_what_has_matured(scored_shop_copy: Site) -> None:
    site, champion = scored_shop_copy, str(current_champion(scored_shop_copy))
    assert score_in_the_shadow(site, SHADOWED).version_by_night == {}
    assert not site.tables.exists(SHADOW_SCORES)
    challenger = second_version(site, champion, lambda files: recalibrated(files, 0.2, 0.5))
    judged(site, challenger, "2024-05-11")
    score(site, SHADOWED)
    before = site.tables.version(SCORES)
    outcome = score_in_the_shadow(site, SHADOWED)
    assert outcome.published.changed == SHADOWED[1:] == tuple(outcome.version_by_night)
    rows = site.tables.read(SHADOW_SCORES, SHADOWED)
    assert (set(rows["served_by"].to_pylist()), set(rows["model_version"].to_pylist())) == (
        {"challenger"},
        {challenger},
    )
    assert rows.schema == site.tables.schema(SCORES)
    assert score_in_the_shadow(site, SHADOWED).published.changed == ()
    assert site.tables.version(SCORES) == before  # nobody is served by it
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as analyst:
        assert analyst.sql("select count(*), count(distinct score_date) from shadow_scores").fetchall() == [(240, 6)]

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
    (site.models / challenger / "model.txt").write_text("tree\n", encoding="utf-8")
    with pytest.raises(BundleError, match=r"model\.txt was changed"):
        score_in_the_shadow(site, [LAST])
    assert len(site.ledger(PROMOTIONS).entries()) == 2


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
