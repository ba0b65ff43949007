"""Routes about what is not called, not let in, and not taken twice: breakers, limits, claims."""

from datetime import timedelta
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import Body, QueryParameter

from wch.application.hub import Hub
from wch.domain.api_key import KeyScope
from wch.entrypoints.http.api import samples
from wch.entrypoints.http.api.calls import Asked, Told, key_of, needs, once
from wch.entrypoints.http.api.machine_views import BlockView, BreakerView, ClaimsView, LimitPartView
from wch.entrypoints.http.api.parameters import BlockOrder, Text, Word
from wch.entrypoints.http.api.views import Page


def gate_routes(hub: Hub) -> list[Any]:  # noqa: C901 - a list of routes
    """Breakers, limits, claims."""

    async def breaker_again(row: str) -> Any:
        return next(one for one in await hub.breakers.listed() if one.service == row)

    breaker_told = Told(
        kind="breaker", id_of=lambda one: one.service, read=breaker_again, view=lambda one, _: BreakerView.of(one)
    )

    @get("/breakers", opt=needs(KeyScope.READ), summary="Every breaker that was ever used")
    async def breakers() -> Page[BreakerView]:
        return Page(data=[BreakerView.of(one) for one in await hub.breakers.listed()], next_cursor=None)

    @post(
        "/breakers/{service:str}/open", opt=needs(KeyScope.SETTINGS), status_code=200, summary="Stop calling a service"
    )
    async def open_breaker(request: Asked, service: Word) -> Response[BreakerView]:
        by = key_of(request).actor
        return await once(hub, request, breaker_told, hub.breakers, lambda room: room.open(service, by=by))

    @post(
        "/breakers/{service:str}/close",
        opt=needs(KeyScope.SETTINGS),
        status_code=200,
        summary="Call a service again",
    )
    async def close_breaker(request: Asked, service: Word) -> Response[BreakerView]:
        by = key_of(request).actor
        return await once(hub, request, breaker_told, hub.breakers, lambda room: room.close(service, by=by))

    @post(
        "/breakers/reset",
        opt=needs(KeyScope.SETTINGS),
        status_code=200,
        summary="Call every service again; those that were not called",
    )
    async def reset_breakers(request: Asked) -> Page[BreakerView]:
        found = await hub.breakers.reset(by=key_of(request).actor)
        return Page(data=[BreakerView.of(one) for one in found], next_cursor=None)

    @get("/idempotency/{key:str}", opt=needs(KeyScope.READ), summary="What was taken under a key, and until when")
    async def claims(key: Word) -> ClaimsView:
        """An Idempotency-Key, the id of an event at a gateway, WhatsApp's id of a message, or the digest in the table."""
        return ClaimsView.of(await hub.claims.of(key))

    @get("/limits", opt=needs(KeyScope.READ), summary="Counted hits, the newest first")
    async def limits(name: Text = None) -> Page[LimitPartView]:
        return Page(data=[LimitPartView.of(one) for one in await hub.limits.listed(name=name)], next_cursor=None)

    @post(
        "/limits/{name:str}/reset", opt=needs(KeyScope.SETTINGS), status_code=200, summary="Forget the hits of a limit"
    )
    async def reset(
        request: Asked,
        name: Word,
        caller: Annotated[
            str | None, QueryParameter(name="caller", max_length=200, description="Only those of this caller.")
        ] = None,
    ) -> dict[str, int]:
        hub.limits.rule(name)
        forgotten = await hub.limits.reset(name=name, identifier=caller, by=key_of(request).actor)
        return {"forgotten": forgotten}

    @get("/limits/blocked", opt=needs(KeyScope.READ), summary="Who is refused whatever it does, as digests")
    async def blocked() -> Page[BlockView]:
        return Page(data=[BlockView.of(one) for one in await hub.limits.blocked()], next_cursor=None)

    @post(
        "/limits/{name:str}/block",
        opt=needs(KeyScope.SETTINGS),
        status_code=200,
        summary="Refuse a caller for a while, whatever it does",
    )
    async def block(
        request: Asked,
        name: Word,
        data: Annotated[BlockOrder, Body(examples=samples.BLOCK)],
    ) -> BlockView:
        span = timedelta(seconds=data.seconds)
        return BlockView.of(await hub.limits.block(name, data.caller, span=span, by=key_of(request).actor))

    @post(
        "/limits/{name:str}/unblock",
        opt=needs(KeyScope.SETTINGS),
        status_code=200,
        summary="Let a blocked caller in again",
    )
    async def unblock(
        request: Asked,
        name: Word,
        caller: Annotated[str, QueryParameter(name="caller", min_length=1, max_length=200, description="Whom.")],
    ) -> dict[str, bool]:
        return {"unblocked": await hub.limits.unblock(name, caller, by=key_of(request).actor)}

    return [
        breakers, open_breaker, close_breaker, reset_breakers, claims, limits, reset, blocked, block, unblock,
    ]  # fmt: skip
