"""What ``ml-pipeline ui`` starts: Dagster's web server behind a guard, on loopback, and Dagster's daemon beside it."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ml_pipeline.defs.instance import open_instance, prepare
from ml_pipeline.defs.project import settings
from ml_pipeline.defs.resources import site_resource
from ml_pipeline.io.locks import take_lock
from ml_pipeline.operations.site import Site
from ml_pipeline.ui.loopback import LOOPBACK, answer, bound_socket, interrupt_on_termination
from ml_pipeline.ui.middleware import GuardedApplication
from ml_pipeline.ui.request_guard import RequestGuard

_WORKSPACE = Path(__file__).parents[2] / "workspace.yaml"
_DAEMON_STOPS_WITHIN_SECONDS = 60


def serve(*, port: int, is_read_only: bool, has_daemon: bool, say: Callable[[str], None]) -> None:
    """Serve until interrupted or terminated; 0 lets the system choose the port.

    The daemon lives in a process of its own and holds a lock of this data root: two daemons would launch queued runs twice.

    Raises:
        PortTakenError: nothing was started.
    """
    home = settings().dagster_home
    with ExitStack() as started:
        listening = started.enter_context(bound_socket(port))
        site = site_resource().open(say)
        interrupt_on_termination()
        prepare(site, home)
        # Code servers listen on Unix sockets, and who may write to such a socket may run anything: only this user.
        os.umask(os.umask(0o077) | 0o022)
        if has_daemon:
            started.enter_context(_daemon(site, home, say))
        _serve_web(listening, home, is_read_only=is_read_only, say=say)


@contextmanager
def _daemon(site: Site, home: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Dagster's daemon, for the length of the block; one that outlived its web server is joined."""
    lock = take_lock(site.lock_file("daemon"))
    if lock is None:
        say("Dagster's daemon of this data root is running already; this server joins it")
        yield
        return
    command = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(_WORKSPACE)]
    daemon = subprocess.Popen(command, env=os.environ | {"DAGSTER_HOME": str(home)}, pass_fds=[lock])  # noqa: S603 - fixed
    # The child inherited the lock and holds it for as long as it lives, however this process ends.
    os.close(lock)
    try:
        yield
    finally:
        daemon.terminate()
        try:
            daemon.wait(timeout=_DAEMON_STOPS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _serve_web(listening: socket.socket, home: Path, *, is_read_only: bool, say: Callable[[str], None]) -> None:
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context

    port = listening.getsockname()[1]
    guard = RequestGuard.on_loopback(port, behind=settings().ui_allowed_hosts)
    with (
        open_instance(home) as instance,
        WorkspaceProcessContext(
            instance, WorkspaceFileTarget([str(_WORKSPACE)]), read_only=is_read_only, code_server_log_level="WARNING"
        ) as workspace,
    ):
        application = GuardedApplication(create_app_from_workspace_process_context(workspace), guard)
        # From here on who connects waits for the answer instead of being refused.
        listening.listen(128)
        say(f"Dagster: http://{LOOPBACK}:{port}{' (read-only)' if is_read_only else ''}")
        answer(application, listening)
