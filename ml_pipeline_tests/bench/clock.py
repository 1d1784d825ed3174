"""Measuring one piece of work."""

import resource
import time
from collections.abc import Callable
from pathlib import Path


def timed(work: Callable[[], int], *, of_children: bool = False) -> dict[str, float]:
    """Wall and processor seconds, rows, and the peak memory so far; of this process, or of those that it started."""
    who = resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF
    started, before = time.perf_counter(), resource.getrusage(who)
    rows = work()
    seconds, after = time.perf_counter() - started, resource.getrusage(who)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak_kb = after.ru_maxrss if of_children else _own_peak_kb()
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "rows": rows, "peak_mb": peak_kb / 1024}


def _own_peak_kb() -> int:
    """Of this program alone: ``ru_maxrss`` begins with what the process that started it had at its peak."""
    (told,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(told.split()[1])
