from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ml_pipeline.contracts.serving import AS_OF_POLICY, ServingPolicy, parse_policy
from ml_pipeline.domain.serving import Wanted, baseline_answer, previous_champion, rungs

CURRENT = ServingPolicy("current")


def entry(
    challenger: str, effective_from: str, *, is_promoted: bool = True, withdrawn: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        "challenger": challenger, "effective_from": effective_from, "is_promoted": is_promoted,
        **({"withdrawn": list(withdrawn)} if withdrawn else {}),
    }  # fmt: skip


LEDGER = [
    entry("a", "2024-05-01"), entry("refused", "2024-05-03", is_promoted=False), entry("b", "2024-05-05"),
    entry("c", "2024-05-09"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "version", "night", "expected"),
    [
        (AS_OF_POLICY, "a", date(2024, 5, 4), None),
        (AS_OF_POLICY, "b", date(2024, 5, 6), "a"),
        (AS_OF_POLICY, "c", date(2024, 5, 9), "b"),
        (CURRENT, "c", date(2024, 5, 2), "b"),
        (AS_OF_POLICY, "a", date(2024, 5, 30), None),
    ],
)
def test_the_previous_champion_is_the_last_promotion_before(
    policy: ServingPolicy, version: str, night: date, expected: str | None
) -> None:
    assert previous_champion(LEDGER, policy, version, night) == expected


def test_a_withdrawn_version_is_no_stopgap_until_it_is_promoted_once_more() -> None:
    rolled_back = [*LEDGER, entry("b", "2024-05-12", withdrawn=("c",))]
    assert previous_champion(rolled_back, AS_OF_POLICY, "b", date(2024, 5, 12)) == "a"
    again = [*rolled_back, entry("c", "2024-05-14"), entry("d", "2024-05-15")]
    assert previous_champion(again, AS_OF_POLICY, "d", date(2024, 5, 16)) == "c"


def test_a_pinned_version_stands_alone() -> None:
    assert [rung for rung, _ in rungs(Wanted("b", "a"), AS_OF_POLICY)] == ["champion", "previous_champion", "baseline"]
    assert [rung for rung, _ in rungs(Wanted("a", None), CURRENT)] == ["champion", "baseline"]
    assert rungs(Wanted("b", "a"), parse_policy("pinned=b")) == (("champion", "b"),)


RATES = pa.table({"shelf": ["books", "toys"], "hour": [5.0, 6.0], "rate": [0.9, 0.1], "rows": [180, 20]})


def test_a_rate_is_drawn_towards_the_overall_one_and_stands_in_its_place_where_there_is_none() -> None:
    rows = pa.table({"shelf": ["toys", "books", "toys", None], "hour": [6, 5, 5, 6]})
    answer = baseline_answer(rows, RATES, ["shelf", "hour"])
    frame = RATES.to_pandas().astype({"hour": int})
    overall = (frame["rate"] * frame["rows"]).sum() / frame["rows"].sum()
    joined = rows.to_pandas().merge(frame, how="left", on=["shelf", "hour"])
    rate, count = joined["rate"].fillna(overall), joined["rows"].fillna(0)
    assert answer.probabilities == pytest.approx(((rate * count + overall * 20) / (count + 20)).to_numpy())
    assert answer.reasons[:2] == (
        "baseline rate of shelf toys, hour 6, 20 rows",
        "baseline rate of shelf books, hour 5, 180 rows",
    )
    assert answer.reasons[2] == "overall rate: shelf toys, hour 5 not seen before"
    assert pd.notna(answer.reasons[3])


def test_rows_without_the_keys_get_the_overall_rate() -> None:
    answer = baseline_answer(pa.table({"shelf": ["toys"] * 3}), RATES, ["shelf", "hour"])
    assert np.unique(answer.probabilities) == pytest.approx([(0.9 * 180 + 0.1 * 20) / 200])


def test_rates_that_rest_on_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="rest on no row"):
        baseline_answer(pa.table({"shelf": ["toys"]}), RATES.slice(0, 0), ["shelf", "hour"])
