"""Processes that score the new nights of a shop, and die or wait at a place that is chosen for them."""

import importlib
import multiprocessing
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from ml_pipeline.contracts.serving import SCORES
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.site import Site

NEW = nights_between(date(2024, 5, 13), date(2024, 5, 24))

# The server of forks imports and does nothing: no runtime and no thread of Delta's is started before a fork.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([
    "__main__", "deltalake", "duckdb", "lightgbm", "llvmlite.binding", "ml_pipeline.operations.score",
    "ml_pipeline.operations.recover", "ml_pipeline_tests.faults.scorers",
])  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A call at which a scorer dies by SIGKILL or waits for a word: ``name`` of ``module``, before or after it is done.

    ``module`` may end with a class, after a colon.
    """

    module: str
    name: str
    when: Literal["before", "after"] = "before"
    does: Literal["die", "wait"] = "die"


class Scorer:
    """A process that has begun to score the new nights of ``site``."""

    def __init__(self, site: Site, place: Place | None = None) -> None:
        self._here, there = _FORKS.Pipe()
        arguments = (site.sql.folder, site.data, place, there)
        self.process = _FORKS.Process(target=_score, args=arguments, daemon=True)
        self.process.start()
        there.close()
        assert self._said() == "begun"

    def wait_until_it_waits(self) -> None:
        """Return when it stands at its place."""
        told = self._said()
        assert told == "waiting", told

    def kill_after(self, seconds: float) -> bool:
        """SIGKILL so many seconds after it has begun; False if it had ended by then."""
        self.process.join(seconds)
        self.process.kill()
        self.process.join()
        return self.process.exitcode == -signal.SIGKILL

    def end(self) -> tuple[int | None, str]:
        """Its exit code and what it said last; whoever waits is let go on."""
        with suppress(OSError):
            self._here.send("go")
        told = self._said()
        self.process.join(120)
        return self.process.exitcode, told

    def _said(self) -> str:
        try:
            return str(self._here.recv()) if self._here.poll(120) else "nothing in two minutes"
        except (EOFError, ConnectionResetError):
            return "nothing"


def _score(project: Path, data: Path, place: Place | None, said: Connection) -> None:
    from ml_pipeline.operations.score import score
    from ml_pipeline.operations.site import open_site

    said.send("begun")
    site = open_site(project_folder=project, data=data, tracking_uri="", threads=2)
    if place is not None:
        _stand_at(place, said)
    try:
        score(site, NEW)
    except Exception as error:
        said.send(f"{type(error).__name__}: {error}")
        raise SystemExit(1) from error
    said.send("done")


def _stand_at(place: Place, said: Connection) -> None:
    module, _, owner_name = place.module.partition(":")
    owner = importlib.import_module(module)
    owner = getattr(owner, owner_name) if owner_name else owner
    whole = getattr(owner, place.name)

    def act() -> None:
        if place.does == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        said.send("waiting")
        said.recv()

    def watched(*arguments: object, **named: object) -> object:
        if place.when == "before":
            act()
        done = whole(*arguments, **named)
        if place.when == "after":
            act()
        return done

    setattr(owner, place.name, watched)


def hashes(site: Site) -> list[str]:
    """Content of the new nights that are published."""
    published = site.tables.published(SCORES, NEW)
    return [published[night].content_hash for night in NEW if night in published]
