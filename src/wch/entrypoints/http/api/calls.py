"""What every route of the API does alike: who asks, which page, once for each key, under which version."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import attrs
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from wch.application import requests
from wch.application.hub import Hub
from wch.domain.api_key import ApiKey, KeyScope
from wch.domain.errors import WchError
from wch.entrypoints import sheets
from wch.entrypoints.http.api.door import entry_of
from wch.entrypoints.http.api.views import Page

Asked = Request[Any, Any, Any]

SCOPE: Final = "wch_scope"
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")

T = TypeVar("T")
V = TypeVar("V")
Room = TypeVar("Room", bound=attrs.AttrsInstance)


class ForbiddenError(WchError):
    """This key may not do this; `scope` says what it lacks."""


class CursorError(WchError):
    """`after` is what `next_cursor` of an answer was, and nothing else."""


class IdempotencyKeyError(WchError):
    """An Idempotency-Key is 1 to 255 visible characters of ASCII."""


def needs(*scopes: KeyScope) -> dict[str, Any]:
    """What a route says of the scopes any of which opens it; one that says nothing is open to nobody."""
    return {SCOPE: scopes}


def key_of(request: ASGIConnection[Any, Any, Any, Any]) -> ApiKey:
    """The key of this call."""
    return entry_of(request.scope).key


def sees(request: Asked) -> bool:
    """Whether this key sees people unmasked."""
    return key_of(request).may(KeyScope.PII)


def guard(hub: Hub) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]:
    """The guard that holds every route to the scope it names; a refusal has its line in the audit log."""

    async def check(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        scopes: tuple[KeyScope, ...] = handler.opt[SCOPE]
        key = key_of(connection)
        if not any(key.may(scope) for scope in scopes):
            await hub.keys.refuse(key, scopes[0], what=handler.handler_name)
            raise ForbiddenError(scope=scopes[0].value)

    return check


# --- pages


def cursor(*parts: object) -> str:
    """An opaque word that names the last row of a page."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def parts_of(after: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """What a cursor names; None for the first page.

    Raises:
        CursorError: it was not made by `cursor`.
    """
    if after is None:
        return None
    try:
        told = json.loads(base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise CursorError from error
    fits = isinstance(told, list) and len(told) == len(kinds)
    if not fits or any(type(part) is not kind for part, kind in zip(told, kinds, strict=True)):
        raise CursorError
    if any(isinstance(part, int) and not 0 <= part < 2**63 for part in told):
        raise CursorError
    return tuple(told)


def after_id(after: str | None) -> int:
    """The id that a page begins after."""
    parts = parts_of(after, int)
    return 0 if parts is None else int(parts[0])


def after_word(after: str | None) -> str:
    """The word that a page begins after."""
    parts = parts_of(after, str)
    return "" if parts is None else str(parts[0])


def page(rows: Sequence[T], limit: int, view: Callable[[T], V], last: Callable[[T], tuple[object, ...]]) -> Page[V]:
    """The first `limit` of these rows, of which one more than `limit` was asked for."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(data=[view(row) for row in shown], next_cursor=cursor(*last(shown[-1])) if more and shown else None)


def csv_of(name: str, rows: Iterable[Mapping[str, Any]]) -> Response[str]:
    """A table to keep, safe in a spreadsheet."""
    told = f'attachment; filename="{name}.csv"'
    return Response("".join(sheets.lines(rows)), media_type="text/csv", headers={"Content-Disposition": told})


# --- once for each Idempotency-Key


@attrs.frozen(kw_only=True)
class Told:
    """How one kind of row is answered: its id, how it is read again, and its view."""

    kind: str
    id_of: Callable[[Any], object]
    read: Callable[[str], Awaitable[Any]]
    view: Callable[[Any, Asked], Any]


async def once(
    hub: Hub,
    request: Asked,
    told: Told,
    room: Room,
    act: Callable[[Room], Awaitable[Any]],
    *,
    status: int = 200,
    row: object = None,
) -> Response[Any]:
    """Act, and answer with the row; with an Idempotency-Key only the first call acts.

    Args:
        hub: the hub.
        request: the call.
        told: how the row is answered.
        room: the use-cases.
        act: what is done in them.
        status: the answer's.
        row: the id of the row, where what the transaction returns does not tell it.
    """
    given = request.headers.getall("idempotency-key", [])
    if not given:
        return Response(told.view(await act(room), request), status_code=status)
    if len(given) != 1 or not _KEY.match(given[0]):
        raise IdempotencyKeyError
    asked = requests.Request(
        caller=key_of(request).prefix,
        key=given[0],
        fingerprint=hashlib.sha256(
            b"\n".join((request.method.encode(), request.url.path.encode(), await request.body()))
        ).hexdigest(),
    )

    def made(result: Any) -> requests.Effect:
        return requests.Effect(status=status, kind=told.kind, id=str(told.id_of(result) if row is None else row))

    answered = await hub.requests.once(asked, room, act, made)
    if isinstance(answered, requests.Effect):
        found = await told.read(answered.id)
        headers = {"Idempotent-Replayed": "true"}
        return Response(told.view(found, request), status_code=answered.status, headers=headers)
    return Response(told.view(answered.value, request), status_code=status)


def wanted_version(request: Asked) -> str | None:
    """The version that `If-Match` demands; None when any will do."""
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    return given.strip().removeprefix("W/").strip('"')


def etag(version: str) -> Mapping[str, str]:
    """The header that tells a version."""
    return {"ETag": f'"{version}"'}
