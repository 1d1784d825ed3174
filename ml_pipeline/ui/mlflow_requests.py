"""Which requests MLflow's server answers: those of its pages of experiments, runs and models, and of programs that keep them.

MLflow's server can also start programs (its assistant, its jobs), send requests anywhere (webhooks, gateway, scorers) and
hold secrets. Nothing of the pipeline needs these, so what is not named here is refused, also what a later version adds.
"""

import re
from dataclasses import dataclass

from ml_pipeline.ui.request_guard import ALLOWED, READING, Request, Verdict

_PAGES = re.compile(r"/|/static-files/.+|/health|/version|/get-artifact|/model-versions/get-artifact")
_API = re.compile(r"/(?:ajax-)?api/(?:2\.0|3\.0)/(mlflow(?:-artifacts)?)/(.+)")
_KEPT = frozenset({
    "artifacts", "datasets", "experiments", "logged-models", "metrics", "model-versions", "registered-models", "runs",
})  # fmt: skip
# Pages of experiments and runs ask for these too.
_READ = _KEPT | {"traces"}
_READ_PLACES = frozenset({"scorers/list", "server-info", "ui-telemetry"})
# Searches that come as a POST because they are long.
_SEARCHES = frozenset({
    "datasets/search", "experiments/search", "experiments/search-datasets", "logged-models/search",
    "registered-models/get-latest-versions", "runs/search", "traces/batchGetInfos", "traces/metrics", "traces/search",
})  # fmt: skip
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class MlflowRequests:
    """Attributes:
    is_read_only: whether only what reads is answered, whoever asks.
    """

    is_read_only: bool

    def judge(self, request: Request) -> Verdict:
        if request.is_websocket:
            return Verdict(403, "MLflow has no websocket")
        if request.method not in READING | _CHANGING:
            return Verdict(405, f"{request.method} is not answered")
        if request.method == "POST" and not request.comes_as_json:
            return Verdict(415, "what is asked comes as application/json")
        return self._judge_place(request)

    def _judge_place(self, request: Request) -> Verdict:
        is_reading = request.method in READING
        if _PAGES.fullmatch(request.path):
            return ALLOWED if is_reading else Verdict(405, f"{request.method} is not answered here")
        if request.path == "/graphql":
            is_form = request.method == "POST" and not request.query
            return (
                ALLOWED if is_form else Verdict(405, "a query comes as the JSON body of a POST, never in the address")
            )
        api = _API.fullmatch(request.path)
        # A path with steps in it could be read as another one behind this judgement.
        if api is None or {"", ".", ".."} & set(request.path.split("/")[1:]):
            return _not_served(request)
        area, place = api.groups()
        return self._judge_api(request, place if area == "mlflow" else "artifacts")

    def _judge_api(self, request: Request, place: str) -> Verdict:
        kind = place.split("/", maxsplit=1)[0]
        if request.method in READING:
            return ALLOWED if kind in _READ or place in _READ_PLACES else _not_served(request)
        if request.method == "POST" and place in _SEARCHES:
            return ALLOWED
        if kind not in _KEPT:
            return _not_served(request)
        return Verdict(403, "this server is read-only") if self.is_read_only else ALLOWED


def _not_served(request: Request) -> Verdict:
    return Verdict(403, f"{request.path} is no part of experiments, runs and models; nothing else is served")
