"""A good night of the shop: orders as CSV, outcomes as Parquet, the same ones each time."""

import csv
import io
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from ml_pipeline.nights import Night, nights_back

ROWS = 60
PERSON = "Grace Hopper"
Row = dict[str, Any]


def order_rows(night: Night) -> list[Row]:
    """ROWS orders that became known in ``night``, as texts of cells."""
    first, day = (night - date(2024, 1, 1)).days * ROWS, nights_back(night, 1)
    return [
        {
            "order_id": f"O{first + n:06d}", "placed_at": f"{day} {n % 12:02d}:{n % 60:02d}:00Z", "dispatch_date": str(night),
            "collected_at": f"{night} 12:{n % 60:02d}:00", "product_code": ("00123", "NA", "null", "00301")[n % 4],
            "channel": ("web", "app", "phone")[n % 3], "quantity": str(1 + n % 5), "price_eur": f"{10 + n % 7 * 12}.5",
            "weight_kg": f"{0.5 + n % 9 * 0.25:g}", "length_cm": f"{20 + n % 11 * 3}.0", "customer": PERSON,
            "coupon": "SPRING" if n % 4 == 0 else "", "known_at": f"{day} {n % 12:02d}:{n % 60:02d}:30Z",
        }
        for n in range(ROWS)
    ]  # fmt: skip


def return_rows(night: Night) -> pa.Table:
    """ROWS outcomes that became known in ``night``."""
    first, day = (night - date(2024, 1, 1)).days * ROWS, nights_back(night, 1)
    noon = pa.scalar(f"{day} 12:00:00Z").cast(pa.timestamp("us", tz="UTC")).as_py()
    return pa.table(
        {
            "order_id": [f"O{first + n:06d}" for n in range(ROWS)],
            "dispatch_date": pa.array([night - timedelta(days=3)] * ROWS, pa.date32()),
            "product_code": [("00123", "NA", "00301")[n % 3] for n in range(ROWS)],
            "is_sent_back": [n % 3 == 0 for n in range(ROWS)],
            "parts": pa.array([1 + n % 3 for n in range(ROWS)], pa.int64()),
            "refund_eur": pa.array([10.5 + n % 7 if n % 3 == 0 else None for n in range(ROWS)], pa.float64()),
            "known_at": pa.array([noon + timedelta(seconds=n) for n in range(ROWS)], pa.timestamp("us", tz="UTC")),
        }
    )


def as_csv(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0] if rows else order_rows(date(2024, 3, 31))[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", errors="surrogatepass")
