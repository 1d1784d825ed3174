"""Who answers when the champion cannot, and what the baseline says of a row: decisions without any store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.serving import Rung, ServingPolicy
from ml_pipeline.nights import Night

# A rate counts as many rows of the overall rate besides its own, so that two rows never make a probability of 0 or 1.
_PRIOR_ROWS = 20.0


@dataclass(frozen=True)
class Wanted:
    """Who is to score some nights (``version``), and who steps in first, if there is anybody (``previous``)."""

    version: str
    previous: str | None


@dataclass(frozen=True)
class BaselineAnswer:
    """One entry a row: ``probabilities`` of shape (rows,), and in words what each was taken from."""

    probabilities: NDArray[np.float64]
    reasons: tuple[str, ...]


def previous_champion(
    entries: Sequence[Mapping[str, Any]], policy: ServingPolicy, version: str, night: Night
) -> str | None:
    """The last champion before ``version``, by the ledger of promotions; None if there was none.

    Under ``as_of`` only promotions that had taken effect by ``night`` count, as for the champion itself. A version that
    was withdrawn (``withdrawn`` of an entry, a list) does not come back as a stopgap, unless it was promoted once more.
    """
    until = str(night) if policy.kind == "as_of" else str(Night.max)
    served: list[str] = []
    for entry in entries:
        withdrawn = set(entry.get("withdrawn") or ())
        served = [found for found in served if found not in withdrawn]
        if entry["is_promoted"] and entry["effective_from"] <= until:
            served.append(str(entry["challenger"]))
    last = max((place for place, found in enumerate(served) if found == version), default=len(served))
    earlier = [found for found in served[:last] if found != version]
    return earlier[-1] if earlier else None


def rungs(wanted: Wanted, policy: ServingPolicy) -> tuple[tuple[Rung, str], ...]:
    """Who is asked, in order, with the version behind it.

    A pinned version stands alone: who names a model wants that model, or to hear that it cannot be had.
    """
    if policy.kind == "pinned":
        return (("champion", wanted.version),)
    previous: tuple[tuple[Rung, str], ...] = (("previous_champion", wanted.previous),) if wanted.previous else ()
    return (("champion", wanted.version), *previous, ("baseline", wanted.version))


def baseline_answer(rows: pa.Table, rates: pa.Table, keys: Sequence[str]) -> BaselineAnswer:
    """The bundled rate of each row of ``rows``, by its baseline keys.

    A rate is drawn towards the overall one (an m-estimate: Cestnik, ECAI 1990), which also stands where the keys were
    never seen, or where ``rows`` lacks one of them.

    Args:
        rows: rows of the spine.
        rates: ``keys``, ``rate`` and ``rows``: what was observed, as a bundle keeps it.
        keys: the baseline's keys.

    Raises:
        ValueError: there are no rates.
    """
    count = rates.column("rows").to_numpy().astype(np.float64)
    if not count.sum():
        raise ValueError("the bundled baseline rates rest on no row")
    rate = rates.column("rate").to_numpy().astype(np.float64)
    overall = float((rate * count).sum() / count.sum())
    place = _places(rows, rates, keys)
    mine = np.where(place >= 0, rate[place], overall)
    seen = np.where(place >= 0, count[place], 0.0)
    names = _names(rows, keys)
    reasons = tuple(
        f"baseline rate of {name}, {int(number)} rows" if number else f"overall rate: {name or 'keys'} not seen before"
        for name, number in zip(names, seen, strict=True)
    )
    return BaselineAnswer((mine * seen + overall * _PRIOR_ROWS) / (seen + _PRIOR_ROWS), reasons)


def _places(rows: pa.Table, rates: pa.Table, keys: Sequence[str]) -> NDArray[np.int64]:
    """For each row the place of its rate, -1 where there is none."""
    if not set(keys) <= set(rows.schema.names):
        return np.full(rows.num_rows, -1)
    known = {values: place for place, values in enumerate(_tuples(rates, keys))}
    return np.array([known.get(values, -1) for values in _tuples(rows, keys)], dtype=np.int64)


def _tuples(rows: pa.Table, keys: Sequence[str]) -> list[tuple[object, ...]]:
    # 5 and 5.0 are equal and hash alike, so an integer of the spine meets a number of the features.
    return list(zip(*(rows.column(name).to_pylist() for name in keys), strict=True))


def _names(rows: pa.Table, keys: Sequence[str]) -> list[str]:
    there = [name for name in keys if name in rows.schema.names]
    columns = [rows.column(name).to_pylist() for name in there]
    return [
        ", ".join(f"{name} {column[row]}" for name, column in zip(there, columns, strict=True))
        for row in range(rows.num_rows)
    ]
