"""Which requests a web server on the operator's own machine answers: only those that its own pages, or a program, send.

Any page that the operator opens may send requests to loopback. Dagster's server runs a mutation that comes as a GET, or as
a form's POST with the query in its address, and answers whatever Host it is asked for, so that a name that is rebound to
127.0.0.1 reads everything. The rules are those of the web's own guide (Weichselbaum, "Protect your resources from web
attacks with Fetch Metadata", 2020; OWASP, "Cross-Site Request Forgery Prevention").
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HOST_PATTERN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?")

_GRAPHQL = "/graphql"
READING = frozenset({"GET", "HEAD"})
_METHODS = READING | {"POST"}
# Dagster's pages name the operation in the address of a POST, for whoever reads logs.
_OPERATION = re.compile(r"op=[A-Za-z0-9_]{1,200}")


@dataclass(frozen=True)
class Request:
    """What is judged of a request; headers by lower-case name, each with every value that was sent."""

    method: str
    path: str
    query: str
    headers: dict[str, tuple[str, ...]]
    is_websocket: bool = False

    @property
    def comes_as_json(self) -> bool:
        """A page of any site may send text/plain and forms without asking; JSON it may not."""
        kinds = [kind.split(";")[0].strip().lower() for kind in self.headers.get("content-type", ())]
        return kinds == ["application/json"]


@dataclass(frozen=True)
class Verdict:
    """An HTTP status, 200 for a request that may pass, and why."""

    status: int
    reason: str

    @property
    def is_allowed(self) -> bool:
        return self.status == 200


ALLOWED = Verdict(200, "asked by our own page or by a program")


def dagster_requests(request: Request) -> Verdict:
    """What Dagster's server takes: GET, and a query as the JSON body of a POST."""
    if request.is_websocket:
        return ALLOWED
    if request.method not in _METHODS:
        return Verdict(405, f"{request.method} is not answered")
    if request.path != _GRAPHQL:
        return ALLOWED
    if request.query and not (request.method == "POST" and _OPERATION.fullmatch(request.query)):
        return Verdict(405, "a query comes as the JSON body of a POST, never in the address")
    if request.method == "POST" and not request.comes_as_json:
        return Verdict(415, "a query comes as application/json")
    return ALLOWED


@dataclass(frozen=True)
class RequestGuard:
    """Attributes:
    hosts: names, with port where it is not the default one, under which the server is asked.
    origins: scheme and host of the pages that may ask it for more than reading.
    rules: what else is judged, by what the application behind does with a request.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    rules: Callable[[Request], Verdict] = dagster_requests

    @classmethod
    def on_loopback(
        cls, port: int, behind: Sequence[str] = (), rules: Callable[[Request], Verdict] = dagster_requests
    ) -> "RequestGuard":
        """A server on ``port`` of loopback, and behind proxies that are asked, over TLS, for one of ``behind``."""
        own = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        return cls(
            frozenset(own | set(behind)),
            frozenset({f"http://{host}" for host in own} | {f"https://{host}" for host in behind}),
            rules,
        )

    def judge(self, request: Request) -> Verdict:
        """Whether ``request`` may reach the server."""
        for found in (self._host(request), self._origin(request), _fetched_from(request), self.rules(request)):
            if not found.is_allowed:
                return found
        return ALLOWED

    def _host(self, request: Request) -> Verdict:
        named = request.headers.get("host", ())
        if len(named) == 1 and named[0].lower() in self.hosts:
            return ALLOWED
        return Verdict(
            421,
            f"this server is not {', '.join(named) or 'nameless'}; a proxy's name goes into ML_PIPELINE_UI_ALLOWED_HOSTS",
        )

    def _origin(self, request: Request) -> Verdict:
        """A browser names the page's origin with each POST and each websocket; a program need not, except there.

        It does so too when a page of another origin wants to read an answer, which MLflow's server would let it.
        """
        named = request.headers.get("origin", ())
        if len(named) == 1 and named[0].lower() in self.origins:
            return ALLOWED
        is_program = not any(name.startswith("sec-fetch-") for name in request.headers)
        if not named and not request.is_websocket and (request.method in READING or is_program):
            return ALLOWED
        return Verdict(403, f"a page of {', '.join(named) or 'no origin'} may not ask for this")


def _fetched_from(request: Request) -> Verdict:
    """Pages of other sites may link to the server; they may not load, embed or send anything."""
    sites, modes = request.headers.get("sec-fetch-site", ()), request.headers.get("sec-fetch-mode", ())
    targets = request.headers.get("sec-fetch-dest", ())
    is_link = request.method in READING and modes == ("navigate",) and targets == ("document",)
    if set(sites) <= {"same-origin", "none"} or (is_link and not request.is_websocket):
        return ALLOWED
    return Verdict(403, "a page of another site may link to this server, nothing else")
