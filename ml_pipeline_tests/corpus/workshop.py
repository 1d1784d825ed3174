"""The shop with one file a night: seventeen good nights landed, and a good delivery of the next for a case to spoil."""

import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline.contracts.rows import SourceShapeError
from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.io.connectors.connector import DeliveryError, DeliveryUnsettledError
from ml_pipeline.io.connectors.folder import FolderConnector
from ml_pipeline.io.hold_ledger import HoldLedger
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.land import LandingBlockedError, LandingHeldError, land
from ml_pipeline.operations.site import Site, open_site
from ml_pipeline_tests.corpus.good_nights import PERSON, ROWS, Row, as_csv, order_rows, return_rows

# The clock of Berlin jumps from two to three on this morning.
TONIGHT = date(2024, 3, 31)
HISTORY = nights_between(date(2024, 3, 14), date(2024, 3, 30))
Outcome = Literal["ACCEPT", "QUARANTINE", "HOLD", "REJECT"]
REFUSALS = (DeliveryError, DeliveryUnsettledError, SourceShapeError, LandingBlockedError)


@dataclasses.dataclass
class Drop:
    """The drop folder on the evening before TONIGHT: good files of every night, TONIGHT's among them."""

    root: Path
    site: Site
    delivered: int = ROWS

    @property
    def orders(self) -> Path:
        return self.root / "orders" / f"{TONIGHT}.csv"

    @property
    def returns(self) -> Path:
        return self.root / "returns" / f"{TONIGHT}.parquet"

    def edit(self, change: Callable[[list[Row]], Iterable[Row] | None]) -> None:
        """Rewrite tonight's orders; ``change`` edits the rows in place or returns others."""
        rows = order_rows(TONIGHT)
        changed = change(rows)
        rows = rows if changed is None else list(changed)
        self.delivered = len(rows)
        self.orders.write_bytes(as_csv(rows))

    def edit_text(self, change: Callable[[str], str]) -> None:
        self.orders.write_bytes(change(self.orders.read_bytes().decode()).encode())

    def edit_returns(self, change: Callable[[pa.Table], pa.Table], **options: Any) -> None:
        """Rewrite tonight's returns."""
        rows = change(pq.read_table(self.returns, partitioning=None))
        self.delivered = rows.num_rows
        pq.write_table(rows, self.returns, **options)


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the corpus: what is delivered, what must come of it, and what the user is told.

    Attributes:
        row: its number in the corpus.
        name: what is wrong.
        spoil: changes the drop folder.
        outcome: what must come of it.
        says: words of the message of a refusal or a hold; of a quarantine, its rules and columns.
        account: rows landed, quarantined, deduplicated.
        source: which source is landed.
        decided_by: names of the rules without which the outcome would be another.
        contract: changes to the source's contract.
    """

    row: str
    name: str
    spoil: Callable[[Drop], None]
    outcome: Outcome
    says: tuple[str, ...] = ()
    account: tuple[int, int, int] | None = None
    source: str = "orders"
    decided_by: tuple[str, ...] = ()
    contract: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of a case. ``faults`` are broken promises: a changed table, rows that do not add up, a personal value."""

    outcome: str
    message: str
    account: tuple[int, int, int] | None
    faults: tuple[str, ...]


def build_workshop(shop: Path, folder: Path) -> Site:
    """The project and data below ``folder``, all of HISTORY landed."""
    project = folder / "project"
    shutil.copytree(shop, project, ignore=shutil.ignore_patterns("deliveries", "oracle.py"))
    shutil.copyfile(Path(__file__).with_name("sources.yml"), project / "sources.yml")
    root = project / "deliveries"
    for name in ("orders", "returns", "products"):
        (root / name).mkdir(parents=True)
    for night in (*HISTORY, TONIGHT):
        (root / "orders" / f"{night}.csv").write_bytes(as_csv(order_rows(night)))
        pq.write_table(return_rows(night), root / "returns" / f"{night}.parquet")
    (root / "products" / "catalogue.csv").write_text(
        "product_code,category,list_price_eur,known_at\n00123,shoes,20,2024-01-01 00:00:00Z\n", encoding="utf-8"
    )
    site = open_site(project_folder=project, data=folder / "data", tracking_uri="sqlite://", threads=1)
    for source in ("orders", "returns"):
        land(site, source, HISTORY)
    for path in root.glob("*/*"):
        touch(path, seconds_ago=3600)
        # Two nights are enough for a case to copy from; a folder may be emptied of what has landed.
        if path.stem < str(HISTORY[-2]):
            path.unlink()
    return site


@dataclasses.dataclass
class Bench:
    """Where cases are tried one after the other: a copy of the workshop's tables, and a fresh one once something landed."""

    workshop: Site
    folder: Path
    tries: int = 0
    data: Path | None = None

    def run(self, case: Case) -> Result:
        """Spoil a copy of the workshop's delivery and land it."""
        self.tries += 1
        folder = self.folder / str(self.tries)
        site = copy_of_workshop(self.workshop, folder, self.data)
        if case.contract:
            contract = SourceContract.model_validate(site.sql.sources[case.source].model_dump() | case.contract)
            sources = site.sql.sources | {case.source: contract}
            site = dataclasses.replace(site, sql=dataclasses.replace(site.sql, sources=sources))
        drop = Drop(folder / "deliveries", site)
        case.spoil(drop)
        result = land_and_judge(site, case.source, drop)
        is_as_before = result.outcome in {"REJECT", "HOLD"} and not result.faults
        self.data = site.data if is_as_before else None
        return result


def copy_of_workshop(workshop: Site, folder: Path, data: Path | None = None) -> Site:
    """The workshop with a drop folder of its own and the data root ``data``, or one of its own; its SQL is not read again."""
    if data is None:
        data = folder / "data"
        shutil.copytree(workshop.data, data, copy_function=_link_what_never_changes)
    shutil.copytree(workshop.sql.folder / "deliveries", folder / "deliveries")
    site = dataclasses.replace(workshop, data=data, tables=TableStore(data))
    accepted = HoldLedger(site.ledger("holds")).accepted_deliveries
    return dataclasses.replace(site, connector=FolderConnector(folder / "deliveries", site.calendar, accepted))


def _link_what_never_changes(source: str, target: str) -> None:
    if source.endswith((".parquet", ".json")):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def land_and_judge(site: Site, source: str, drop: Drop) -> Result:
    before = _state(site)
    try:
        land(site, source, [TONIGHT])
    except LandingHeldError as held:
        return Result("HOLD", str(held), None, _faults_of_refusal(site, before, str(held)))
    except REFUSALS as refusal:
        return Result("REJECT", str(refusal), None, _faults_of_refusal(site, before, str(refusal)))
    facts = site.tables.published(f"raw/{source}", [TONIGHT])[TONIGHT].facts
    account = (facts["landed"], facts["quarantined"], facts["deduplicated"])
    rules = {
        (row["column"], row["rule"], row["value"])
        for row in site.tables.read(f"quarantine/{source}", [TONIGHT]).to_pylist()
    }
    message = (
        "; ".join(f"{column}: {rule}" for column, rule, _ in sorted(rules, key=str)) or f"{account[0]} rows landed"
    )
    faults = [f"{facts['read']} rows read, {drop.delivered} delivered"] if facts["read"] != drop.delivered else []
    faults += [f"{account} do not add up to {facts['read']}"] if sum(account) != facts["read"] else []
    landed = site.tables.read(f"raw/{source}", [TONIGHT])
    faults += [f"{landed.num_rows} rows lie in the table"] if landed.num_rows != account[0] else []
    faults += ["a personal value is shown"] if PERSON in str(rules) else []
    return Result("QUARANTINE" if account[1] else "ACCEPT", message, account, tuple(faults))


def _faults_of_refusal(site: Site, before: dict[str, Any], message: str) -> tuple[str, ...]:
    faults = ["a published table has changed"] if _state(site) != before else []
    faults += ["the message shows a personal value"] if PERSON in message else []
    faults += ["the message floods the log"] if len(message) > 3000 or "\n" in message else []
    return tuple(faults)


def _state(site: Site) -> dict[str, Any]:
    tables = [f"{kind}/{source}" for kind in ("raw", "quarantine") for source in ("orders", "returns")]
    return {table: (site.tables.version(table), site.tables.published(table)) for table in tables}


def touch(path: Path, *, seconds_ago: float) -> None:
    """Set when ``path`` was last written to."""
    then = time.time() - seconds_ago
    os.utime(path, (then, then))
