"""One installation: a use case, its calendar and its stores. What every operation is given."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_pipeline.contracts.alerts import Channel
from ml_pipeline.contracts.project import ProjectContract
from ml_pipeline.io.connectors.connector import Connector
from ml_pipeline.io.connectors.folder import FolderConnector
from ml_pipeline.io.connectors.nycflights13 import NycFlightsConnector
from ml_pipeline.io.gated_runner import GatedRunner
from ml_pipeline.io.hold_ledger import HOLDS, HoldLedger
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline.io.mlflow_registry import MlflowRegistry
from ml_pipeline.io.sql_project import SqlProject, load_sql_project
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import Night, NightCalendar

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Site:
    """Attributes:
    data: the data root; everything that the pipeline writes lies below it.
    sql: the use case's SQL project as it is now.
    tables: the Delta tables below ``data``.
    connector: where the sources come from.
    tracking_uri: MLflow's store.
    threads: for DuckDB and LightGBM; never changes a result.
    progress: told what long work is doing.
    channels: where alerts go.
    publishes_catalog: whether operations rebuild the analysts' catalog; a replay does so once, at its end.
    """

    data: Path
    sql: SqlProject
    tables: TableStore
    connector: Connector
    tracking_uri: str
    threads: int
    progress: Progress
    channels: tuple[Channel, ...] = ()
    publishes_catalog: bool = True

    @property
    def project(self) -> ProjectContract:
        return self.sql.project

    @property
    def calendar(self) -> NightCalendar:
        return self.project.calendar()

    @property
    def models(self) -> Path:
        """Folder of the model bundles."""
        return self.data / "models"

    @property
    def reports(self) -> Path:
        """Folder of plots and HTML reports: for people, never read back."""
        return self.data / "reports"

    @property
    def registry(self) -> MlflowRegistry:
        return MlflowRegistry(self.tracking_uri, self.data / "mlartifacts", self.project.name)

    def ledger(self, name: str) -> Ledger:
        return Ledger(self.data / "ledgers" / name)

    def lock_file(self, name: str) -> Path:
        return self.data / "locks" / f"{name}.lock"

    def runner(self, sql: SqlProject | None = None, versions: Mapping[str, int] | None = None) -> GatedRunner:
        """A gated runner over the landed rows (as of ``versions``, by table), for the present SQL or for a bundle's."""
        return GatedRunner(
            sql or self.sql, self.tables, self.calendar, threads=self.threads, versions=versions or {}, is_tested=True
        )  # fmt: skip


def open_site(
    *, project_folder: Path, data: Path, tracking_uri: str, threads: int, progress: Progress | None = None,
    channels: tuple[Channel, ...] = (),
) -> Site:  # fmt: skip
    """Read and check the use case in ``project_folder``; opens no database."""
    sql = load_sql_project(project_folder)
    connector: Connector
    if sql.project.connector.kind == "folder":
        connector = FolderConnector(
            project_folder / (sql.project.connector.path or "."), sql.project.calendar(),
            HoldLedger(Ledger(data / "ledgers" / HOLDS)).accepted_deliveries,
        )  # fmt: skip
    else:
        connector = NycFlightsConnector()
    return Site(data, sql, TableStore(data), connector, tracking_uri, threads, progress or (lambda _: None), channels)


def features_table(sql: SqlProject) -> str:
    """Name of the table that holds the features of ``sql``, one table a version."""
    return f"features/{sql.feature_set_version}"


def require_landed(source: str, published: Container[Night], nights: Sequence[Night]) -> None:
    """Raise LookupError if a night that is about to be read was never landed: a gap must not pass for silence."""
    missing = [night for night in nights if night not in published]
    if missing:
        raise LookupError(
            f"raw/{source} has not landed {len(missing)} of the nights that are needed ({missing[0]} to {missing[-1]}); "
            f"materialise raw/{source} for them first"
        )
