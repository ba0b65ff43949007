"""What a worker shows to those who watch it: that it lives, how the hub is, what it counted; nothing else."""

from wch.entrypoints.http.answers import Receive, Scope, Send, answer_problem, inner_path, problem_of
from wch.entrypoints.http.front import ApplicationPort

SHOWN = frozenset({"livez", "readyz", "healthz", "metrics"})

_NOT_HERE = problem_of(404, "Not found", "A worker shows /livez, /readyz, /healthz and /metrics.", code="not_found")


class Watched:
    """An application of which only health and metrics are reached, key in hand as everywhere."""

    def __init__(self, application: ApplicationPort) -> None:
        self._application = application

    @property
    def leaving(self) -> bool:
        """Set once the process is on its way out."""
        return self._application.leaving

    @leaving.setter
    def leaving(self, value: bool) -> None:
        self._application.leaving = value

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and inner_path(scope).split("/")[1] not in SHOWN:
            await answer_problem(send, _NOT_HERE)
            return
        await self._application(scope, receive, send)
