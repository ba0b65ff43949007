"""The sandbox's routes: the simulated Graph API, the customers, the faults and the clock."""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Any, Protocol

import attrs
from litestar import Request, Response, delete, get, post

from wch.domain.errors import WchError
from wch.domain.moment import iso

_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")
CUT_AFTER = 120.0
"""How long a call is left without an answer when its fault is a lost answer; every client gives up before."""


class SandboxPort(Protocol):
    """What the routes ask of the sandbox."""

    @property
    def faults(self) -> Any: ...

    @property
    def clock(self) -> Any: ...

    async def say(self, wa_id: str, body: dict[str, Any]) -> dict[str, Any]: ...

    def messages(self, wa_id: str) -> list[dict[str, Any]]: ...

    def customers(self) -> list[dict[str, Any]]: ...

    async def graph(
        self, version: str, number: str, authorization: str | None, body: Any
    ) -> tuple[int, dict[str, Any], float]: ...

    def graph_log(self) -> list[dict[str, Any]]: ...

    async def advance(self, span: timedelta) -> datetime: ...


class SpanError(WchError):
    """A span is written like 90s, 5m, 6h, 2d or 1h30m."""


def read_span(text: str) -> timedelta:
    """The span that a text names.

    Raises:
        SpanError: it names none.
    """
    found = _SPAN.match(text)
    if not text or found is None or not any(found.groups()):
        raise SpanError
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


@attrs.frozen(kw_only=True)
class FaultOrder:
    """A fault to order: its name, for how many calls, and its code or seconds where it has them."""

    fault: str
    calls: int = 1
    code: int = 131000
    seconds: float = 2.0


@attrs.frozen(kw_only=True)
class Advance:
    """How far to move the clock, such as `6h`."""

    advance: str


def sandbox_routes(sandbox: SandboxPort) -> list[Any]:
    """Every route of the sandbox."""

    @post("/sandbox/graph/{version:str}/{number:str}/messages", tags=["sandbox"], status_code=200)
    async def graph(version: str, number: str, request: Request[Any, Any, Any]) -> Response[Any]:
        status, answer, seconds = await sandbox.graph(
            version, number, request.headers.get("authorization"), await request.json()
        )
        if seconds:
            await asyncio.sleep(CUT_AFTER if seconds < 0 else seconds)
        return Response(answer, status_code=status)

    @post("/sandbox/api/customers/{wa_id:str}/messages", tags=["sandbox"], status_code=200)
    async def say(wa_id: str, data: dict[str, Any]) -> dict[str, Any]:
        return await sandbox.say(wa_id, data)

    @get("/sandbox/api/customers/{wa_id:str}/messages", tags=["sandbox"])
    async def said(wa_id: str) -> dict[str, Any]:
        return {"data": sandbox.messages(wa_id)}

    @get("/sandbox/api/customers", tags=["sandbox"])
    async def customers() -> dict[str, Any]:
        return {"data": sandbox.customers()}

    @get("/sandbox/api/graph-log", tags=["sandbox"])
    async def graph_log() -> dict[str, Any]:
        return {"data": sandbox.graph_log()}

    @post("/sandbox/api/faults", tags=["sandbox"], status_code=201)
    async def order_fault(data: FaultOrder) -> dict[str, Any]:
        return _plain(sandbox.faults.order(data.fault, calls=data.calls, code=data.code, seconds=data.seconds))

    @get("/sandbox/api/faults", tags=["sandbox"])
    async def faults() -> dict[str, Any]:
        return {"data": [_plain(fault) for fault in sandbox.faults.listed()]}

    @delete("/sandbox/api/faults", tags=["sandbox"], status_code=200)
    async def clear_faults() -> dict[str, Any]:
        sandbox.faults.clear()
        return {"data": []}

    @post("/sandbox/api/clock", tags=["sandbox"], status_code=200)
    async def move_clock(data: Advance) -> dict[str, Any]:
        return {"now": iso(await sandbox.advance(read_span(data.advance)))}

    @get("/sandbox/api/clock", tags=["sandbox"])
    async def clock() -> dict[str, Any]:
        return {"now": iso(sandbox.clock.now())}

    return [graph, say, said, customers, graph_log, order_fault, faults, clear_faults, move_clock, clock]


def _plain(fault: Any) -> dict[str, Any]:
    return {"fault": fault.kind.value, "calls": fault.calls, "code": fault.code, "seconds": fault.seconds}
