from datetime import date
from itertools import combinations

import pyarrow as pa

from ml_pipeline.contracts.tables import DECISION_SCHEMA
from ml_pipeline.io.table_store import NightInputs, TableStore
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.decide import DECISIONS
from ml_pipeline.operations.missed_nights import nights_to_run

NIGHTS = nights_between(date(2024, 5, 1), date(2024, 5, 6))
TONIGHT = date(2024, 5, 5)


class Finished(TableStore):
    """A store in which exactly these nights are finished."""

    def __init__(self, nights: tuple[date, ...]) -> None:
        self._finished = nights

    def published(self, *_: object, **__: object) -> dict:
        return dict.fromkeys(self._finished)


def test_whatever_was_finished_all_nights_since_the_first_end_up_finished_in_order() -> None:
    wrong, trials = 0, 0
    for count in range(len(NIGHTS) + 1):
        for finished in combinations(NIGHTS, count):
            asked = nights_to_run(Finished(finished), TONIGHT)
            earlier = [night for night in finished if night < TONIGHT]
            expected = set(nights_between(min(earlier, default=TONIGHT), TONIGHT))
            wrong += {*asked, *earlier} != expected or list(asked) != sorted(asked) or bool(set(asked) & set(earlier))
            trials += 1
    print(f"which nights are asked for: {trials} / {wrong}")
    assert (trials, wrong) == (64, 0)


def test_a_night_counts_when_the_last_table_of_the_chain_has_it(tmp_path) -> None:
    store = TableStore(tmp_path)
    assert nights_to_run(store, TONIGHT) == (TONIGHT,)
    row = {
        "score_date": NIGHTS[1],
        "model_version": "m",
        "drifted_share": 0.0,
        "verdict": "",
        "evidence_id": "",
        "reasons": "",
    }
    rows = pa.Table.from_pylist([row], DECISION_SCHEMA)
    store.publish(DECISIONS, rows, {NIGHTS[1]: NightInputs("", {})}, key=["model_version"])
    assert nights_to_run(store, TONIGHT) == NIGHTS[2:5]
