"""The one resource: an installation, opened at the start of a step."""

import logging
import sys
from pathlib import Path

import dagster as dg

from ml_pipeline.defs.project import settings, sql_project
from ml_pipeline.operations.deliver_alerts import Delivered, deliver_alerts
from ml_pipeline.operations.recover import hold_run_lock
from ml_pipeline.operations.site import Progress, Site, open_site


class SiteResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the use case and the data lie. Override in the launchpad to run against another data root."""

    project_folder: str
    data: str
    tracking_uri: str
    threads: int

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Hold the run's own lock while its process lives: the kernel frees it, so a dead run is known as dead."""
        if context.run_id is not None:
            hold_run_lock(Path(self.data), context.run_id)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Send what the run raised: where no daemon lives, no sensor does it."""
        if context.run_id is not None:
            self.deliver_alerts()

    def deliver_alerts(self) -> Delivered:
        return deliver_alerts(Path(self.data), settings().channels, project=sql_project().project.name)

    def open(self, progress: Progress) -> Site:
        return open_site(
            project_folder=Path(self.project_folder), data=Path(self.data), tracking_uri=self.tracking_uri,
            threads=self.threads, progress=progress, channels=settings().channels,
        )  # fmt: skip


def site_resource() -> SiteResource:
    found = settings()
    return SiteResource(
        project_folder=str(found.project), data=str(found.data.resolve()), tracking_uri=found.tracking_uri,
        threads=found.threads,
    )  # fmt: skip


def _plain_logger(_: dg.InitLoggerContext) -> logging.Logger:
    # A logger of its own: one from getLogger would collect a handler more with each run of this process.
    logger = logging.Logger("plain", level=logging.INFO)  # noqa: LOG001
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_OwnWords())
    logger.addHandler(handler)
    return logger


plain = dg.LoggerDefinition(_plain_logger, description="The progress of long work, one plain line each.")


class _OwnWords(logging.Formatter):
    """Dagster puts run and step before each message; a person at a terminal wants the message."""

    def format(self, record: logging.LogRecord) -> str:
        return f"    {getattr(record, 'dagster_meta', {}).get('orig_message', record.getMessage())}"


@dg.definitions
def resources() -> dg.Definitions:
    return dg.Definitions(
        resources={"site": site_resource()},
        executor=dg.in_process_executor,
        loggers={"console": dg.colored_console_logger, "plain": plain},
    )
