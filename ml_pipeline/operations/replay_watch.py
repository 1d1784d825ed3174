"""Measures the drift of replayed nights beside the rest of their work, in a process of its own: it is half of all of it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from ml_pipeline.nights import Night
from ml_pipeline.operations.site import Site, open_site
from ml_pipeline.operations.watch import measure_drift

# Begins to watch nights; what it returns waits until that is done.
Watch = Callable[[Sequence[Night]], Callable[[], object]]


@dataclass(frozen=True)
class SitePlace:
    """What another process opens a site by."""

    project_folder: Path
    data: Path
    tracking_uri: str
    threads: int

    @classmethod
    def of(cls, site: Site, *, threads: int) -> "SitePlace":
        return cls(site.sql.folder, site.data, site.tracking_uri, threads)

    def open(self) -> Site:
        return open_site(
            project_folder=self.project_folder, data=self.data, tracking_uri=self.tracking_uri, threads=self.threads
        )


@contextmanager
def watching_beside(site: Site) -> Iterator[Watch]:
    """Yield what watches nights of ``site``; with one thread it does so at once, in this process."""
    if site.threads < 2:
        yield lambda nights: _at_once(site, nights)
        return
    place = SitePlace.of(site, threads=1)
    # Spawned, because Delta's runtime panics in a forked process.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda nights: pool.submit(_watch, place, tuple(nights)).result


def _at_once(site: Site, nights: Sequence[Night]) -> Callable[[], object]:
    measure_drift(site, nights)
    return lambda: None


def _watch(place: SitePlace, nights: Sequence[Night]) -> None:
    measure_drift(replace(place.open(), publishes_catalog=False), nights)
