"""Writes what a made-up shop delivers: orders, how they turned out, its catalogue. Seeded, so always the same."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ml_pipeline.contracts.source import SourceContract, load_sources

FIRST_NIGHT = date(2024, 2, 15)
NIGHTS = 100
ORDERS_PER_NIGHT = 40
_TIMEZONE = "Europe/Berlin"
# "00123" and "NA" are what a careless reader turns into 123 and into a missing value.
_PRODUCTS = ("00123", "NA", "00301", "00302", "00417", "00558", "00611", "00702", "00815", "00944")
_CATEGORIES = ("shoes", "shirts", "books", "toys")


def write_deliveries(project: Path) -> None:
    """Write the files of all three sources below ``project``/deliveries, orders and returns one file a month."""
    sources = load_sources(project / "sources.yml")
    generator = np.random.default_rng(20240215)
    products = _products(generator)
    orders = _orders(generator, products)
    returns = _returns(generator, orders, products)
    root = project / "deliveries"
    _write(root / "products" / "catalogue.csv", products, sources["products"])
    for month, rows in orders.groupby(orders["dispatch_date"].dt.strftime("%Y-%m")):
        _write(root / "orders" / f"{month}.csv", rows, sources["orders"])
    for month, rows in returns.groupby(returns["known_at"].dt.strftime("%Y-%m")):
        _write(root / "returns" / f"{month}.parquet", rows, sources["returns"])


def deliver_later(project: Path, source: str, rows: list[dict[str, object]], name: str = "later") -> None:
    """Deliver a further file of ``source`` in the manner of the others; ``known_at`` says on which night it lands."""
    contract = load_sources(project / "sources.yml")[source]
    frame = pa.Table.from_pylist(rows, schema=contract.arrow_schema()).to_pandas()
    _write(project / "deliveries" / str(contract.files).replace("*", name), frame, contract)


def _write(path: Path, frame: pd.DataFrame, source: SourceContract) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(frame, schema=source.arrow_schema(), preserve_index=False)
    if path.suffix == ".csv":
        pa_csv.write_csv(table, path)
    else:
        pq.write_table(table, path)


def _products(generator: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "product_code": _PRODUCTS,
            "category": [_CATEGORIES[number % len(_CATEGORIES)] for number in range(len(_PRODUCTS))],
            "list_price_eur": generator.integers(10, 90, len(_PRODUCTS)).astype(float),
            "known_at": pd.Timestamp("2024-01-01", tz="UTC"),
            "return_rate": np.linspace(0.04, 0.6, len(_PRODUCTS)),
        }
    )


def _orders(generator: np.random.Generator, products: pd.DataFrame) -> pd.DataFrame:
    count = NIGHTS * ORDERS_PER_NIGHT
    dispatch_date = (
        pd.Series(pd.date_range(FIRST_NIGHT, periods=NIGHTS)).repeat(ORDERS_PER_NIGHT).reset_index(drop=True)
    )
    # Placed between 20:00 two days before and 19:45 the day before, so every order is known by its night's cutoff.
    minutes_before = pd.to_timedelta(generator.integers(4 * 60 + 15, 28 * 60, count), unit="min")
    placed_at = (dispatch_date - minutes_before).dt.tz_localize(_TIMEZONE, nonexistent="shift_forward", ambiguous=True)
    product = generator.integers(0, len(products), count)
    orders = pd.DataFrame(
        {
            "order_id": [f"O{number:06d}" for number in range(count)],
            "placed_at": placed_at.dt.tz_convert("UTC"),
            "dispatch_date": dispatch_date,
            "product_code": products["product_code"].to_numpy()[product],
            "channel": generator.choice(["web", "app", "phone"], count, p=[0.5, 0.4, 0.1]),
            "quantity": generator.integers(1, 6, count),
            "price_eur": products["list_price_eur"].to_numpy()[product] * generator.choice([1.0, 0.75, 0.5], count),
            "coupon": generator.choice(np.array([None, "SPRING", "NA"], dtype=object), count, p=[0.7, 0.2, 0.1]),
        }
    )
    orders.loc[[500, 2000], "quantity"] = 0  # breaks the contract: quarantine is never empty
    return orders.assign(known_at=orders["placed_at"] + pd.Timedelta(minutes=5))


def _returns(generator: np.random.Generator, orders: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    rate = orders["product_code"].map(products.set_index("product_code")["return_rate"]).to_numpy()
    # The order itself tells more than its product does, so that a model can beat the product's own rate.
    chance = np.clip(rate + 0.3 * (orders["channel"] == "app") + 0.12 * (orders["quantity"] - 3) - 0.05, 0.02, 0.97)
    is_sent_back = generator.random(len(orders)) < chance
    dispatched_at = orders["dispatch_date"].dt.tz_localize(_TIMEZONE).dt.tz_convert("UTC")
    returns = pd.DataFrame(
        {
            "order_id": orders["order_id"],
            "dispatch_date": orders["dispatch_date"],
            "product_code": orders["product_code"],
            "is_sent_back": is_sent_back,
            "refund_eur": (orders["price_eur"] * orders["quantity"]).where(is_sent_back),
            "known_at": dispatched_at + pd.to_timedelta(generator.integers(24 * 60, 72 * 60, len(orders)), unit="min"),
        }
    )
    # One outcome in fifty is corrected five days later: "kept" turns out to be "sent back" or the other way round.
    corrected = returns[generator.random(len(returns)) < 0.02]
    corrected = corrected.assign(
        is_sent_back=~corrected["is_sent_back"], refund_eur=None, known_at=corrected["known_at"] + pd.Timedelta(days=5)
    ).astype(returns.dtypes)
    return pd.concat([returns, corrected], ignore_index=True)
