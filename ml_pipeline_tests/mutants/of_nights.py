"""Mutants that let a night see what it may not know: models, the gate, and what lands when."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.io import gate, gated_runner
from ml_pipeline.nights import Night, NightCalendar, nights_back, nights_between
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.audit_nights import poisoned_future, rows_read_are_known, shuffled_nights
from ml_pipeline.operations.counterfactual import altered_landing
from ml_pipeline.operations.land import land
from ml_pipeline_tests.mutants.workshop import Mutant, Workshop, built_night_by_night, rewritten

NIGHT = date(2024, 4, 18)
AROUND = nights_between(nights_back(NIGHT, 2), nights_back(NIGHT, -1))

_SAME_NIGHT = "spine.score_date = other.score_date"
_SAME_PRODUCT = "spine.product_code = other.product_code"
# By name of the feature: the rows that are joined to the spine, and on what.
_MODELS = {
    "whole_history": (
        """
        select product_code, avg(is_sent_back::int) as whole_history
        from {{ ref('stg_returns') }}
        group by product_code
        """,
        _SAME_PRODUCT,
    ),
    "event_time": (
        """
        select spine.score_date, spine.product_code, avg(returns.is_sent_back::int) as event_time
        from {{ spine() }} as spine
        inner join {{ source('returns', lookback_days=28) }} as returns
            on returns.product_code = spine.product_code and returns.dispatch_date < spine.score_date
        group by spine.score_date, spine.product_code
        """,
        f"{_SAME_NIGHT} and {_SAME_PRODUCT}",
    ),
    "correction_read_early": (
        """
        select nights.score_date, count(*) filter (where returns.is_sent_back) as correction_read_early
        from (select distinct score_date from {{ spine() }}) as nights
        inner join {{ source('returns', lookback_days=9) }} as returns
            on returns.score_date between nights.score_date and nights.score_date + 1
        group by nights.score_date
        """,
        _SAME_NIGHT,
    ),
    "mixed_in_the_middle": (
        """
        select
            score_date,
            case when lag(rate) over (order by score_date) is null then rate
            else coalesce(lead(rate) over (order by score_date), rate) end as mixed_in_the_middle
        from (
            select score_date, avg(is_sent_back::int) as rate
            from {{ ref('stg_returns') }}
            group by score_date
        ) as rates
        """,
        _SAME_NIGHT,
    ),
    "order_of_rows": (
        """
        select score_date, order_id, row_number() over (partition by score_date order by channel) as order_of_rows
        from {{ spine() }}
        """,
        f"{_SAME_NIGHT} and spine.order_id = other.order_id",
    ),
}


def _of_model(name: str, audit: Callable[..., Audit]) -> Mutant:
    rows, on = _MODELS[name]
    sql = (
        f"select spine.score_date, spine.order_id, other.{name} "
        f"from {{{{ spine() }}}} as spine left join ({rows}) as other on {on}"
    )

    def held(workshop: Workshop) -> Audit:
        return audit(built_night_by_night(workshop.with_feature(name, sql), AROUND), AROUND[:3])

    return Mutant(f"a model: {name}", name, held)


def _of_gate(name: str, old: str, new: str, audit: Callable[..., Audit], word: str) -> Mutant:
    def held(workshop: Workshop) -> Audit:
        mutant = rewritten(gate, old, new)
        with pytest.MonkeyPatch.context() as patch:
            for function in vars(gated_runner).keys() & vars(gate).keys():
                if getattr(vars(gate)[function], "__module__", "") == gate.__name__:
                    patch.setattr(gated_runner, function, vars(mutant)[function])
            return audit(workshop.sound, [NIGHT])

    return Mutant(f"the gate: {name}", word, held)


def _closed_landing(workshop: Workshop) -> Audit:
    """Lands a row that became known at the very cutoff on the night after it."""
    sound = workshop.sound
    returns = sound.tables.read("raw/returns", list(sound.tables.published("raw/returns")))
    cutoffs = [sound.calendar.cutoff(night) for night in returns["score_date"].to_pylist()]
    at_cutoff = returns.filter(pc.equal(returns["known_at"], pa.array(cutoffs, returns["known_at"].type)))
    night = at_cutoff["score_date"][0].as_py()

    def too_late(_: NightCalendar, known_at_us: np.ndarray, first: Night, last: Night) -> np.ndarray:
        nights = nights_between(first, last)
        cutoffs = np.array([int(sound.calendar.cutoff(one).timestamp() * 1e6) for one in nights])
        places = np.searchsorted(cutoffs, known_at_us, side="right")
        return np.array(nights, dtype="datetime64[D]")[np.minimum(places, len(nights) - 1)]

    copy = workshop.copy("closed_landing", tables=())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NightCalendar, "nights_known", too_late)
        land(copy, "returns", nights_between(night, nights_back(night, -1)))
    return rows_read_are_known(copy, [nights_back(night, -1)])


def _of_landing(name: str, alter: Callable[[SourceContract, pa.Table], pa.Table]) -> Mutant:
    def held(workshop: Workshop) -> Audit:
        first, last = nights_back(NIGHT, 14), nights_back(NIGHT, -1)
        with altered_landing(workshop.sound, first, last, alter) as tables:
            return rows_read_are_known(replace(workshop.sound, tables=tables), nights_between(first, last)[4:])

    return Mutant(f"the landing: {name}", "after the night's cutoff", held)


def _by_event_time(contract: SourceContract, rows: pa.Table) -> pa.Table:
    """Each outcome lies in the night of its event, whenever it became known."""
    if contract.name != "returns":
        return rows
    nights = pc.max_element_wise(rows["dispatch_date"], pc.min(rows["score_date"]))
    return rows.set_column(rows.schema.get_field_index("score_date"), rows.schema.field("score_date"), nights)


def _corrections_backwards(contract: SourceContract, rows: pa.Table) -> pa.Table:
    """Each correction stands in the night of the outcome that it corrects."""
    if contract.name != "returns":
        return rows
    frame = rows.to_pandas().sort_values("known_at")
    frame["score_date"] = frame.groupby("order_id")["score_date"].transform("first")
    return pa.Table.from_pandas(frame.drop_duplicates("order_id", keep="last"), rows.schema, preserve_index=False)


MUTANTS = (
    _of_model("whole_history", poisoned_future),
    _of_model("event_time", poisoned_future),
    _of_model("correction_read_early", poisoned_future),
    _of_model("mixed_in_the_middle", shuffled_nights),
    _of_model("order_of_rows", shuffled_nights),
    _of_gate(
        "one night too far", "landings.{KNOWN_ON} <= nights.{SCORE_DATE} {in", "landings.{KNOWN_ON} <= nights.{SCORE_DATE} + 1 {in",
        rows_read_are_known, "landed on",
    ),
    _of_gate(
        "a closed window", "landings.{KNOWN_ON} > nights.{SCORE_DATE}", "landings.{KNOWN_ON} >= nights.{SCORE_DATE}",
        rows_read_are_known, "before its lookback",
    ),
    _of_gate(
        "a correction applied backwards", " or nights.{SCORE_DATE} < versions.{SUPERSEDED_ON}", "", poisoned_future, "as published",
    ),
    Mutant("the landing: closed at the wrong end", "by the cutoff", _closed_landing),
    _of_landing("by event time", _by_event_time),
    _of_landing("corrections backwards", _corrections_backwards),
)  # fmt: skip
