"""The door of the API: no call passes without a key, and none without being counted."""

import asyncio
import math
from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

import attrs

from wch.application.health import ANSWERS_WITHIN
from wch.application.keys import Entry, KeyRefusedError
from wch.domain.api_key import ApiKey, KeyScope, prefix_of
from wch.domain.errors import StoreUnavailableError
from wch.entrypoints.http.answers import Header, Receive, Scope, Send, answer_problem, inner_path, problem_of, values_of

API = "/api/v1"
HEALTH = "/healthz"
KEYED = ("/metrics", HEALTH)
"""Beside the API itself, what needs a key too."""

ENTRY = "wch.entry"
"""Where the entry of a call stands in its scope."""

_NAMES = frozenset({"key", "api_key", "apikey", "access_token", "token", "authorization"})
_CHALLENGE: Header = (b"www-authenticate", b'Bearer realm="wch"')


class KeysPort(Protocol):
    """What the door asks of the keys."""

    async def admit(self, text: str) -> Entry:
        """Look at a key and count the call."""
        ...

    async def refuse(self, key: ApiKey, scope: KeyScope, *, what: str) -> None:
        """Write down that a key asked for too much."""
        ...


class AppPort(Protocol):
    """What lies behind the door."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        ...


def is_keyed(path: str) -> bool:
    """Whether this path lies behind the door."""
    return any(path == root or path.startswith(f"{root}/") for root in (API, *KEYED))


@attrs.frozen(kw_only=True)
class Door:
    """Asks for the key, counts the call, and writes on every answer how many more there may be.

    Attributes:
        keys: those that there are.
        inside: answers who is let in.
        away: answers `/healthz` while no key can be looked up, with a word and nothing that is worth a key.
    """

    keys: KeysPort
    inside: AppPort
    away: AppPort

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call, or refuse it."""
        if _bears_a_key(scope.get("query_string", b"")):
            detail = "A key belongs into the header Authorization, never into an address, which is logged on its way."
            await _refuse(send, detail, "key_in_query")
            return
        given = [value.decode("latin-1") for value in values_of(scope, b"authorization")]
        scheme, _, text = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not text.strip():
            await _refuse(send, "Send a key: Authorization: Bearer wch_...", "key_missing")
            return
        is_health = inner_path(scope).rstrip("/") == HEALTH
        try:
            async with asyncio.timeout(ANSWERS_WITHIN if is_health else None):
                entry = await self.keys.admit(text.strip())
        except KeyRefusedError as error:
            await _refuse(send, str(error), "key_refused")
            return
        except (StoreUnavailableError, TimeoutError) as error:
            if is_health:
                await self.away(scope, receive, send)
                return
            problem = problem_of(503, "Service Unavailable", str(error), code="store_unavailable")
            await answer_problem(send, problem, (b"retry-after", b"30"))
            return
        headers = limit_headers(entry)
        if not entry.admission.admitted:
            wait = max(1, math.ceil(entry.admission.retry_after.total_seconds()))
            detail = f"This key has used up its {entry.rule.most} calls in {entry.rule.seconds} s; wait {wait} s."
            problem = problem_of(429, "Too Many Requests", detail, code="rate_limited")
            await answer_problem(send, problem, *headers, (b"retry-after", b"%d" % wait))
            return

        async def counted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
            await send(message)

        await self.inside({**scope, ENTRY: entry}, receive, counted)


def limit_headers(entry: Entry) -> tuple[Header, ...]:
    """What the limit is, and what is left of it."""
    rule, admission = entry.rule, entry.admission
    reset = rule.seconds if admission.admitted else max(1, math.ceil(admission.retry_after.total_seconds()))
    return (
        (b"ratelimit-policy", f'"{rule.name}";q={rule.most};w={rule.seconds}'.encode()),
        (b"ratelimit", f'"{rule.name}";r={admission.remaining};t={reset}'.encode()),
    )


def entry_of(scope: Mapping[str, Any]) -> Entry:
    """The entry of a call that came through the door."""
    entry: Entry = scope[ENTRY]
    return entry


def _bears_a_key(query: bytes) -> bool:
    asked = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return any(name.lower() in _NAMES or prefix_of(value) is not None for name, value in asked)


async def _refuse(send: Send, detail: str, code: str) -> None:
    await answer_problem(send, problem_of(401, "Unauthorized", detail, code=code), _CHALLENGE)
