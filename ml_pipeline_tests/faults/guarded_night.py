"""One whole night under watch: where it connects to, what others may write, how its DuckDB connections are set."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

from ml_pipeline.operations.site import Site
from ml_pipeline_tests.faults.bench import Bench, Installation
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.processes import ROOT

_NIGHT = date(2024, 5, 13)
_GUARDS = Path(__file__).with_name("guards")
LOCKED = ["false", "true", "false", "false", "false", "UTC"]
_CALL = re.compile(r"(?:connect|sendto|sendmsg)\(\d+, .*?sa_family=(AF_\w+)(.*)")
_LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|::1\b|\bNULL\b")
# TEST-NET-1 of RFC 5737: nobody lives there.
_CANARY = """
import socket, duckdb
duckdb.connect().execute("select 1")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
    far.connect(("192.0.2.1", 9))
duckdb.connect().close()
"""


def watch_a_night(bench: Bench) -> tuple[Outcome, ...]:
    """The nightly job, ``query`` and ``verify``, started under umask 000."""
    site = bench.copy("watched")
    _close_what_others_could_write(site)
    installation = Installation.of(site)
    commands = [
        [sys.executable, "-m", "ml_pipeline.cli", "init"], installation.job_command(_NIGHT),
    ]  # fmt: skip
    if not bench.is_quick:
        asked = ("query", "select count(*) from scores")
        commands += [[sys.executable, "-m", "ml_pipeline.cli", *words] for words in (asked, ("verify",))]
    wrong: list[str] = []
    for number, command in enumerate(commands):
        code = _watched(command, installation.environment, bench.folder / str(number))
        wrong += [f"{' '.join(command[2:6])} ended with {code}"] if code else []
    logs = [bench.folder / str(number) for number in range(len(commands))]
    canary = bench.folder / "canary"
    assert _watched([sys.executable, "-c", _CANARY], installation.environment, canary) == 0
    return (
        _network(logs, canary, wrong), _connections(logs, canary), *_permissions(site),
    )  # fmt: skip


def _watched(command: list[str], environment: dict[str, str], log: Path) -> int:
    """Run ``command`` with the guards in all of its processes, under strace where there is one; its exit code."""
    path = os.pathsep.join([str(_GUARDS), str(ROOT)])
    guarded = environment | {"PYTHONPATH": path, "ML_PIPELINE_GUARD_LOG": str(log)}
    # Python's own hook is blind to native code.
    tracer = shutil.which("strace")
    trace = [tracer, "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", f"{log}.strace"] if tracer else []
    with Path(f"{log}.out").open("wb") as said:
        done = subprocess.run(
            [*trace, *command], cwd=ROOT, env=guarded, stdout=said, stderr=said, check=False, umask=0, timeout=900
        )
    return done.returncode


def _noted(log: Path, kind: str) -> list[list[str]]:
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [what for found, what in map(json.loads, lines) if found == kind]


def _far(log: Path) -> tuple[int, list[str]]:
    """How many calls were seen, and those that lead off this machine."""
    seen = [f"{family} {address}" for family, address in _noted(log, "address")]
    seen += [f"AF_INET name {host} {port}" for host, port in _noted(log, "name")]
    traced = Path(f"{log}.strace")
    if traced.exists():
        found = map(_CALL.search, traced.read_text(encoding="utf-8", errors="replace").splitlines())
        seen += [f"{call[1]} {call[2][:80]}" for call in found if call]
    far = [call for call in seen if "AF_INET" in call and not _LOOPBACK.search(call) and "localhost" not in call]
    return len(seen), far


def _network(logs: list[Path], canary: Path, wrong: list[str]) -> Outcome:
    found = [_far(log) for log in logs]
    wrong = [*wrong, *(call for _, far in found for call in far)]
    expected = 1 + Path(f"{canary}.strace").exists()
    wrong += [] if len(_far(canary)[1]) == expected else ["the canary's call to another machine was not seen"]
    how = "Python's audit hook and strace" if expected == 2 else "Python's audit hook"
    details = f"{sum(seen for seen, _ in found)} calls to connect or send on this machine, seen by {how}"
    return Outcome(36, "commands of a night that call another machine", len(logs), tuple(wrong), details)


def _connections(logs: list[Path], canary: Path) -> Outcome:
    seen = [settings for log in logs for settings in _noted(log, "connection")]
    wrong = [f"a connection is set {settings}" for settings in seen if settings != LOCKED]
    wrong += [] if seen else ["no connection was seen"]
    wrong += [] if [LOCKED] != _noted(canary, "connection") != [] else ["the canary's open connection was not seen"]
    return Outcome(
        40, "DuckDB connections of a night, locked down when they are closed or shared", len(seen), tuple(wrong)
    )


def _close_what_others_could_write(site: Site) -> None:
    """So that what is open afterwards was opened by the night."""
    for path in (site.data, *site.data.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o022)
    site.data.chmod(0o755)


def _permissions(site: Site) -> tuple[Outcome, ...]:
    paths = [path for path in (site.data, *site.data.rglob("*")) if not path.is_symlink()]
    writable = [path for path in paths if path.exists() and path.stat().st_mode & stat.S_IWOTH]
    wrong = tuple(f"{path.relative_to(site.data)} is world-writable" for path in writable)
    found = Outcome(38, "paths of a night that began under umask 000, none world-writable", len(paths), wrong)
    return (found, _others(site)) if os.getuid() == 0 else (found,)


_INTRUDER = """
import json, os, sys
os.chdir(sys.argv[1])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in json.load(sys.stdin):
    for act in (lambda: os.open(path, os.O_WRONLY), lambda: os.rename(path, path + ".x"), lambda: os.open(path + "/x", os.O_CREAT | os.O_WRONLY),
                lambda: os.unlink(path), lambda: os.rmdir(path), lambda: os.chmod(path, 0o777)):
        try:
            act()
        except OSError:
            continue
        print(path, file=sys.stderr)
print(os.access("views.sql", os.R_OK))
"""


def _others(site: Site) -> Outcome:
    """Another user, who stands in the data root, tries to open for writing, rename, fill, remove and open up."""
    paths = [str(path.relative_to(site.data)) for path in site.data.rglob("*")]
    # It becomes the other user after it has started: the folders above, and this interpreter, may be closed to that user.
    done = subprocess.run(
        [sys.executable, "-c", _INTRUDER, str(site.data)], input=json.dumps(paths), text=True, capture_output=True,
        check=True,
    )  # fmt: skip
    wrong = tuple(done.stderr.splitlines())
    wrong += () if done.stdout == "True\n" else ("the other user could not even read, so nothing was tried",)
    return Outcome(38, "attempts of another user to write, rename or remove what is published", 6 * len(paths), wrong)
