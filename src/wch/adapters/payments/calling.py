"""One call to a gateway's API: one request, one answer, no retry, and only three ways to fail."""

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import attrs
import httpx2

from wch.domain.payment import PaymentMisconfiguredError, PaymentUnavailableError

SECONDS = 20.0
WHATSAPP = "https://wa.me"
"""Where a paid customer is led as long as nobody said where the world reaches the hub."""

ANSWER_BYTES = 1024 * 1024
_LONGEST_WAIT = 3600


def client() -> httpx2.AsyncClient:
    """A client for gateways: no redirects, nothing from the environment, idle connections dropped soon."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(SECONDS, connect=5.0, pool=5.0),
        limits=httpx2.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=5.0),
        follow_redirects=False,
        trust_env=False,
    )


@attrs.frozen(kw_only=True)
class Reply:
    """An answer that could be read: done, or refused with a reason."""

    status: int
    body: Mapping[str, Any]

    @property
    def is_done(self) -> bool:
        """Whether the gateway did it."""
        return bool(httpx2.codes.is_success(self.status))


def _without_slash(address: str) -> str:
    return address.rstrip("/")


@attrs.frozen(kw_only=True)
class GatewayApi:
    """Calls one gateway.

    Attributes:
        http: the client; whoever made it closes it.
        root: the API's address without a slash at the end.
        auth: user and password of basic authentication, if it is that.
        headers: with every call, such as a bearer token.
    """

    http: httpx2.AsyncClient
    root: str = attrs.field(converter=_without_slash)
    auth: tuple[str, str] | None = attrs.field(default=None, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    async def call(
        self,
        method: str,
        *path: str,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        document: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Make one call; each part of the path is quoted.

        Raises:
            PaymentUnavailableError: nothing came, or nothing that could be read; a write is in doubt.
            PaymentMisconfiguredError: our key was rejected.
        """
        more = {"Content-Type": "application/json"} if document is not None else {}
        try:
            answer = await self.http.request(
                method,
                "/".join((self.root, *(quote(part, safe="") for part in path))),
                params=params,
                data=form,
                content=document,
                headers={"Accept": "application/json", **more, **self.headers, **(headers or {})},
                auth=self.auth,
            )
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as error:
            raise PaymentUnavailableError from error
        return _read(answer)


def _read(answer: httpx2.Response) -> Reply:
    status = answer.status_code
    if status in {httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN}:
        raise PaymentMisconfiguredError
    if status == httpx2.codes.TOO_MANY_REQUESTS or status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        raise PaymentUnavailableError(_wait(answer.headers.get("retry-after")))
    body = read_json(answer.content)
    if isinstance(body, list):
        body = {"list": body}
    if not isinstance(body, Mapping) or httpx2.codes.is_redirect(status):
        raise PaymentUnavailableError
    return Reply(status=status, body=body)


def _wait(value: str | None) -> timedelta | None:
    if value is None or not value.isascii() or not value.isdecimal() or len(value) > 4:  # noqa: PLR2004 - more is no wait
        return None
    return timedelta(seconds=min(int(value), _LONGEST_WAIT))


def read_json(body: bytes) -> Any:
    """The JSON value in these bytes, its fractions exact; None when there is none."""
    if len(body) > ANSWER_BYTES:
        return None
    try:
        return json.loads(body.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _refuse(word: str) -> None:
    raise ValueError(word)


# --- looking for a value in what somebody sent: the right kind, or nothing


def part(value: Any, *names: str) -> Mapping[str, Any]:
    """The object under these names, or an empty one."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def several(value: Any) -> list[Any]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else []


def word(value: Any) -> str | None:
    """The text, or the digits of an id that came as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def whole(value: Any) -> int | None:
    """The whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
