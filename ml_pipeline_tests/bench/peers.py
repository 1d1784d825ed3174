"""Four of the features as one would write them without this pipeline, for the whole year, in one go.

For every planned flight: how many flights of its airline from its airport became known in 28 nights, what share of them was
disrupted in 28 and in 7 nights, and how late they arrived on average. No gate, no corrections, no versions, no publishing:
what remains is the arithmetic. ``known_on`` is taken from the landed folders.
"""

from collections.abc import Sequence
from pathlib import Path

from ml_pipeline.io.duckdb_connections import utc_connection
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.bench.history import YEAR

_KEY = ["carrier", "origin"]
_OUTCOMES = [*_KEY, "is_cancelled", "is_diverted", "arr_delay_minutes", "score_date"]
_SPINE = [*_KEY, "flight", "scheduled_departure_at", "departure_date"]


def _files(site: Site, source: str) -> list[str]:
    return [str(path) for path in site.tables.files(f"raw/{source}", YEAR)]


def read_and_write(site: Site, out: Path) -> int:
    """The limit: read the columns that are needed and write them down again."""
    rows = 0
    with utc_connection() as connection:
        for source, columns in (("outcomes", _OUTCOMES), ("schedules", _SPINE)):
            read = connection.read_parquet(_files(site, source), hive_partitioning=True).select(*columns)
            read.write_parquet(str(out / f"{source}.parquet"))
            rows += connection.read_parquet(str(out / f"{source}.parquet")).shape[0]
    return rows


def with_pandas(site: Site, out: Path) -> int:
    import pandas as pd
    import pyarrow.dataset as ds

    def read(source: str, columns: Sequence[str]) -> pd.DataFrame:
        return ds.dataset(_files(site, source), partitioning="hive").to_table(columns=list(columns)).to_pandas()

    outcomes = read("outcomes", _OUTCOMES)
    outcomes["known_on"] = pd.to_datetime(outcomes["score_date"])
    late = outcomes["arr_delay_minutes"] >= 15
    outcomes["disrupted"] = (outcomes["is_cancelled"] | outcomes["is_diverted"] | late).astype("int64")
    daily = outcomes.groupby([*_KEY, "known_on"]).agg(
        flights=("disrupted", "size"), disrupted=("disrupted", "sum"),
        minutes=("arr_delay_minutes", "sum"), arrivals=("arr_delay_minutes", "count"),
    )  # fmt: skip
    grid = daily.unstack(_KEY).reindex(pd.DatetimeIndex(YEAR)).fillna(0)
    grid = grid.stack(_KEY, future_stack=True).sort_index()  # noqa: PD013 - melt would lose the names of the sums
    windows = {days: grid.groupby(level=_KEY).rolling(days, min_periods=1).sum().droplevel([0, 1]) for days in (28, 7)}
    features = pd.DataFrame({
        "count_28d": windows[28]["flights"],
        "rate_28d": windows[28]["disrupted"] / windows[28]["flights"],
        "rate_7d": windows[7]["disrupted"] / windows[7]["flights"],
        "minutes_28d": windows[28]["minutes"] / windows[28]["arrivals"],
    })  # fmt: skip
    features.index.names = ["departure_date", *_KEY]
    spine = read("schedules", _SPINE)
    spine["departure_date"] = pd.to_datetime(spine["departure_date"])
    spine = spine[spine["departure_date"] <= pd.Timestamp(YEAR[-1])]
    rows = spine.merge(features.reset_index(), how="left", on=["departure_date", *_KEY])
    rows.to_parquet(out / "pandas.parquet")
    return len(rows)


def with_polars(site: Site, out: Path) -> int:
    import polars as pl

    outcomes = pl.scan_parquet(_files(site, "outcomes"), hive_partitioning=True, try_parse_hive_dates=True)
    late = (pl.col("arr_delay_minutes") >= 15).fill_null(value=False)
    daily = outcomes.group_by([*_KEY, pl.col("score_date").alias("known_on")]).agg(
        flights=pl.len().cast(pl.Int64),
        disrupted=(pl.col("is_cancelled") | pl.col("is_diverted") | late).cast(pl.Int64).sum(),
        minutes=pl.col("arr_delay_minutes").sum(),
        arrivals=pl.col("arr_delay_minutes").count().cast(pl.Int64),
    )
    nights = pl.LazyFrame({"known_on": list(YEAR)})
    grid = nights.join(daily.select(_KEY).unique(), how="cross").join(daily, how="left", on=["known_on", *_KEY])
    grid = grid.fill_null(0).sort([*_KEY, "known_on"])

    def window(name: str, days: int) -> pl.Expr:
        return pl.col(name).rolling_sum(days, min_samples=1).over(_KEY)

    features = grid.select(
        *_KEY,
        pl.col("known_on").alias("departure_date"),
        count_28d=window("flights", 28),
        rate_28d=window("disrupted", 28) / window("flights", 28),
        rate_7d=window("disrupted", 7) / window("flights", 7),
        minutes_28d=window("minutes", 28) / window("arrivals", 28),
    )
    spine = pl.scan_parquet(_files(site, "schedules"), hive_partitioning=True).select(_SPINE)
    spine = spine.filter(pl.col("departure_date") <= YEAR[-1])
    rows = spine.join(features, how="left", on=["departure_date", *_KEY]).collect()
    rows.write_parquet(out / "polars.parquet")
    return rows.height


def with_the_gate(site: Site, out: Path) -> int:
    """The same four, and three more of their model, through the gate, for every night of the year."""
    import pyarrow.parquet as pq

    rows = site.runner().build("carrier_origin_rates", YEAR[0], YEAR[-1])
    pq.write_table(rows, out / "gate.parquet")
    return int(rows.num_rows)


PEERS = {
    "read and write only": read_and_write, "polars": with_polars, "pandas": with_pandas, "gated SQL": with_the_gate,
}  # fmt: skip
