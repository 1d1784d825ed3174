"""A child process with limits on memory, time and files: what crashes or swells in it takes nobody else along."""

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
# More threads would only take address space, which is what is limited.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Ending:
    """How a child ended: its exit code (negative: the signal that killed it; None: too slow) and what it said."""

    code: int | None
    out: str
    error: str

    @property
    def in_words(self) -> str:
        """One line for a person."""
        if self.code is None:
            return "did not end in time"
        how = f"was killed by signal {-self.code}" if self.code < 0 else f"ended with code {self.code}"
        last = (self.error.strip().splitlines() or ["it said nothing"])[-1]
        return f"{how} ({last[:300]})"


def run_module(module: str, arguments: Sequence[str], *, seconds: float) -> Ending:
    """Run ``python -m module`` in a fresh interpreter and wait for it, at most ``seconds``.

    Spawned, never forked: threads of other libraries do not survive a fork. The child calls ``limit_this_process``.
    """
    command = [sys.executable, "-B", "-m", module, *arguments]
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=_ROOT, env=os.environ | _ONE_THREAD, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=seconds, text=True, errors="replace", check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Ending(None, "", "")
    return Ending(done.returncode, done.stdout, done.stderr)


def limit_this_process(*, memory_bytes: int, cpu_seconds: int) -> None:
    """Bound what this process may take from here on; it may write no file and leave no core dump."""
    limits = {
        resource.RLIMIT_AS: memory_bytes, resource.RLIMIT_CPU: cpu_seconds, resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }  # fmt: skip
    for kind, wanted in limits.items():
        hard = resource.getrlimit(kind)[1]
        bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (bound, bound))
