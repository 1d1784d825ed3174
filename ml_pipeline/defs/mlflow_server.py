"""What ``ml-pipeline mlflow-ui`` starts: MLflow's web server over this installation's store, behind a guard, on loopback."""

from collections.abc import Callable

from ml_pipeline.defs.project import settings
from ml_pipeline.defs.resources import site_resource
from ml_pipeline.ui.loopback import LOOPBACK, answer, bound_socket, interrupt_on_termination
from ml_pipeline.ui.middleware import GuardedApplication
from ml_pipeline.ui.mlflow_application import mlflow_application
from ml_pipeline.ui.mlflow_requests import MlflowRequests
from ml_pipeline.ui.read_only_graphql import ReadOnlyGraphql
from ml_pipeline.ui.request_guard import RequestGuard

# MLflow's pages load a film from its own site, and show files that somebody logged: neither asks another host.
_OWN_HOST_ONLY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"


class ServedElsewhereError(ValueError):
    """The store is a server with pages of its own."""


def serve_mlflow(*, port: int, is_read_only: bool, say: Callable[[str], None]) -> None:
    """Serve until interrupted or terminated; 0 lets the system choose the port.

    Raises:
        PortTakenError, ServedElsewhereError: nothing was started.
    """
    found = settings()
    if found.tracking_uri.startswith(("http://", "https://")):
        raise ServedElsewhereError(f"MLflow's store is the server {found.tracking_uri}; open its own pages")
    with bound_socket(port) as bound:
        site = site_resource().open(say)
        interrupt_on_termination()
        site.registry.prepare(site.lock_file("mlflow"))
        port = bound.getsockname()[1]
        requests = MlflowRequests(is_read_only=is_read_only)
        guard = RequestGuard.on_loopback(port, behind=found.ui_allowed_hosts, rules=requests.judge)
        served = mlflow_application(
            found.tracking_uri, site.registry.artifacts.resolve(), hosts=guard.hosts, origins=guard.origins
        )
        # From here on who connects waits for the answer instead of being refused.
        bound.listen(128)
        say(f"MLflow: http://{LOOPBACK}:{port}{' (read-only)' if is_read_only else ''}")
        # What MLflow does at a start is to remove leftovers of its assistant, which is not served.
        application = ReadOnlyGraphql(served) if is_read_only else served
        answer(GuardedApplication(application, guard, _OWN_HOST_ONLY), bound, has_lifespan=False)
