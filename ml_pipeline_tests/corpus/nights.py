"""B17, B19, B31: nights that are not like the nights before them."""

from collections.abc import Callable

from ml_pipeline_tests.corpus.good_nights import Row, as_csv, order_rows
from ml_pipeline_tests.corpus.workshop import TONIGHT, Case, Drop


def _scaled(column: str, factor: float) -> Callable[[Drop], None]:
    def change(rows: list[Row]) -> None:
        for row in rows:
            row[column] = f"{float(row[column]) * factor:.6f}"

    return lambda drop: drop.edit(change)


def _swapped(drop: Drop) -> None:
    drop.edit(lambda rows: [row | {"weight_kg": row["length_cm"], "length_cm": row["weight_kg"]} for row in rows])


def _emptied(drop: Drop) -> None:
    drop.edit(lambda rows: [row | {"price_eur": ""} for row in rows])


def _no_rows(drop: Drop) -> None:
    drop.orders.write_bytes(as_csv([]))
    drop.delivered = 0


def _tenfold(drop: Drop) -> None:
    def change(rows: list[Row]) -> list[Row]:
        return [row | {"order_id": f"{row['order_id']}-{n}"} for n in range(10) for row in order_rows(TONIGHT)]

    drop.edit(change)


CASES = (
    Case("B17", "no rows", _no_rows, "HOLD", ("2024-03-31", "empty: no rows, the usual night has 60"), decided_by=("_volume",)),
    Case("B17", "no rows on a closed night", _no_rows, "ACCEPT", account=(0, 0, 0), contract={"bounds": {"closed_nights": [TONIGHT]}}),
    Case("B17", "no rows on a closed weekday", _no_rows, "ACCEPT", account=(0, 0, 0), contract={"bounds": {"closed_weekdays": [6]}}),
    Case("B19", "ten times the rows", _tenfold, "HOLD", ("volume: 600 rows, 10 times the usual 60",), decided_by=("_volume",)),
    Case("B19", "a tenth of the rows", lambda drop: drop.edit(lambda rows: rows[:6]), "HOLD", ("volume: 6 rows, 0.1 times the usual 60",), decided_by=("_volume",)),
    Case("B31", "EUR to cents", _scaled("price_eur", 100), "HOLD", ("column price_eur, scale", "100 times the usual"), decided_by=("_another_scale",)),
    Case("B31", "cents to EUR", _scaled("price_eur", 0.01), "HOLD", ("column price_eur, scale", "0.01 times the usual"), decided_by=("_another_scale",)),
    Case("B31", "sign flip", _scaled("length_cm", -1), "HOLD", ("column length_cm, sign", "the sign is turned"), decided_by=("_another_sign",)),
    Case("B31", "two columns swapped", _swapped, "HOLD", ("the values of weight_kg and length_cm look swapped",), decided_by=("_swapped",)),
    Case("B31", "a column without values", _emptied, "HOLD", ("column price_eur, missing: 100% of its values are missing",), decided_by=("_missing",)),
)  # fmt: skip
