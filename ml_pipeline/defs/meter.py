"""Measures what each asset of a run costs: time, processor, memory.

Steps of a run follow each other in one process, so an asset's share ends where the next one begins. No asset has to say when
it ends, and one that is added is measured without a line of its own.
"""

import os
import resource
import time
from dataclasses import dataclass, field

from ml_pipeline.domain.run_budget import Cost

_KIB_PER_MIB = 1024


def _cpu_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _peak_memory_mib() -> float:
    return (
        max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        / _KIB_PER_MIB
    )


@dataclass
class _Started:
    asset: str
    nights: int
    nights_changed: int = 0
    rows: int = 0
    wall_seconds: float = field(default_factory=time.monotonic)
    cpu_seconds: float = field(default_factory=_cpu_seconds)

    def cost(self) -> Cost:
        return Cost(
            self.nights, self.nights_changed, self.rows, time.monotonic() - self.wall_seconds,
            _cpu_seconds() - self.cpu_seconds, _peak_memory_mib(),
        )  # fmt: skip


class Meter:
    """The costs of the run that this process works on."""

    def __init__(self) -> None:
        self._run_id = ""
        self._working: _Started | None = None
        self._costs: dict[str, Cost] = {}

    def begin(self, run_id: str, asset: str, nights: int) -> bool:
        """An asset begins, so the one before it has ended; a retry begins anew. Returns whether it is the run's first."""
        is_first = run_id != self._run_id
        if is_first:
            self._run_id, self._working, self._costs = run_id, None, {}
        self._end()
        self._working = _Started(asset, nights)
        return is_first

    def publish(self, run_id: str, asset: str, *, nights_changed: int, rows: int) -> Cost | None:
        """Note what the working asset published; returns its cost so far, None if it is not the one that works."""
        if self._working is None or (self._run_id, self._working.asset) != (run_id, asset):
            return None
        self._working.nights_changed, self._working.rows = nights_changed, rows
        return self._working.cost()

    def costs(self, run_id: str) -> dict[str, Cost]:
        """What each asset of the run has cost; empty for a run of another process."""
        if run_id != self._run_id:
            return {}
        self._end()
        return dict(self._costs)

    def _end(self) -> None:
        if self._working is not None:
            self._costs[self._working.asset] = self._working.cost()
        self._working = None


METER = Meter()
