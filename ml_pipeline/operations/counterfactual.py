"""What would have been built, had other rows landed: a store of altered landed rows, on which the ordinary runner works.

Audits change the past or the future here and compare; nothing in the runner or in the real tables knows of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline.contracts.source import KNOWN_AT, SCORE_DATE, SourceContract
from ml_pipeline.io.table_store import NightInputs, TableStore
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.site import Site

Alter = Callable[[SourceContract, pa.Table], pa.Table]


@contextmanager
def altered_landing(site: Site, first: Night, last: Night, alter: Alter) -> Iterator[TableStore]:
    """A temporary store with the landed rows of nights ``first`` to ``last``, each source as ``alter`` returns it.

    ``alter`` is given a source's rows (contract columns and ``score_date``, the night that landed them) and may change,
    drop, add or move them. References are taken from the project's first night on. Nights without a row are not
    recorded in the store: it is to build from, not to ask what has landed.
    """
    nights = {
        name: nights_between(site.calendar.first_night if contract.reference else first, last)
        for name, contract in site.sql.sources.items()
    }
    with _altered(site, nights, alter) as tables:
        yield tables


@contextmanager
def altered_window(site: Site, first: Night, last: Night, alter: Alter) -> Iterator[TableStore]:
    """As ``altered_landing``, with no more landed nights than the features of ``first`` to ``last`` open: the cheapest."""
    runner = site.runner()
    lookbacks = site.sql.lookbacks(site.sql.feature_models)
    with _altered(
        site, {name: runner.landed_nights(days, first, last) for name, days in lookbacks.items()}, alter
    ) as tables:
        yield tables


@contextmanager
def _altered(site: Site, nights: Mapping[str, Sequence[Night]], alter: Alter) -> Iterator[TableStore]:
    with TemporaryDirectory(prefix="ml_pipeline_counterfactual_") as folder:
        tables = TableStore(Path(folder))
        for name, opened in nights.items():
            contract = site.sql.sources[name]
            table = f"raw/{name}"
            rows = alter(contract, site.tables.read(table, opened))
            landed = rows.column(SCORE_DATE).unique().to_pylist()
            inputs = {night: NightInputs.made_from("altered") for night in landed}
            tables.publish(table, rows, inputs, key=(*contract.key, KNOWN_AT))
        yield tables


def shuffle_rows(tables: TableStore, sources: Sequence[str], *, seed: int) -> None:
    """Write every landed file of a counterfactual store again with its rows in a random order.

    A store publishes rows in key order, so this is done to the files themselves; the log goes on naming them.
    """
    generator = np.random.default_rng(seed)
    for source in sources:
        for path in tables.files(f"raw/{source}"):
            rows = pq.read_table(path, partitioning=None)
            pq.write_table(rows.take(pa.array(generator.permutation(rows.num_rows))), path)


def longest_lookback(site: Site) -> int:
    """The most days that any feature model looks back."""
    days: Sequence[int] = [days for days in site.sql.lookbacks(site.sql.feature_models).values() if days]
    return max(days, default=1)
