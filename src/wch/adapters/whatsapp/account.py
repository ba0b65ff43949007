"""What Meta tells of a hub's token, account and numbers: for those who watch, and as sentences for the doctor.

Source: https://developers.facebook.com/docs/graph-api/reference/debug_token/ for the token, and the Cloud API's pages
on `subscribed_apps` and on phone numbers.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

import httpx2

from wch.adapters.whatsapp import lookup, strict_json
from wch.adapters.whatsapp.graph_error import graph_error
from wch.application.account_watch import RENEW, WRITE_LESS
from wch.application.doctor import Complaint
from wch.application.ports import AccountStanding
from wch.domain.document import JsonObject
from wch.domain.errors import AccountUnavailableError
from wch.domain.moment import of_unix

ASK_SECONDS = 5.0
NEEDED = ("whatsapp_business_messaging", "whatsapp_business_management")
NUMBER_FIELDS = "display_phone_number,quality_rating,code_verification_status"

TOKEN_REFUSED = 190
"""The Graph API's code for a token that it does not take."""


class _SilentError(Exception):
    """No answer that could be read came; the reason is its text."""


class CloudApiAccount:
    """Asks the Graph API once for each fact, and each within 5 seconds."""

    def __init__(self, *, graph_url: str, version: str, access_token: str, http: httpx2.AsyncClient) -> None:
        """Keep the address and the token, which goes nowhere else."""
        self._root = f"{graph_url.rstrip('/')}/{quote(version, safe='')}"
        self._token = access_token
        self._http = http

    async def complaints(
        self, *, account: str, numbers: Sequence[str], now: datetime, soon: timedelta, fix: bool = False
    ) -> list[Complaint]:
        """What is not as it should be; one sentence of unknown severity when nobody answers.

        Args:
            account: the WhatsApp Business Account's id; empty when it is not set.
            numbers: phone number ids.
            now: what a token's end is compared with.
            soon: a token that ends within it is told of.
            fix: subscribe the app to the account's webhooks where it is not.
        """
        try:
            found = list(_of_token(await self._ask("debug_token", input_token=self._token), now + soon))
            if any(one.severity == "critical" for one in found):
                return found
            for number in numbers:
                found += _of_number(number, await self._ask(quote(number, safe=""), fields=NUMBER_FIELDS))
            if account:
                found += await self._subscription(account, fix=fix)
        except _SilentError as error:
            return [
                Complaint(
                    severity="unknown",
                    what=f"Meta could not be asked about token, numbers and subscription ({error}).",
                    way_out="Look at the way to WCH_GRAPH_URL, and ask again.",
                )
            ]
        return found

    async def standing(self, numbers: Sequence[str]) -> AccountStanding:
        """What is told of the token and these phone number ids; one that is not shown has no quality.

        Raises:
            AccountUnavailableError: no answer came, or it could not be read.
        """
        try:
            told = await self._ask("debug_token", input_token=self._token)
            is_good = _is_good(told)
            quality = {number: await self._quality(number) for number in numbers} if is_good else {}
        except _SilentError as error:
            raise AccountUnavailableError(why=str(error)) from error
        if is_good is None:
            raise AccountUnavailableError(why=f"code {graph_error(told.get('error')).code}")
        known = {number: word for number, word in quality.items() if word}
        return AccountStanding(is_token_good=is_good, token_ends_at=_ends_at(told), quality=known)

    async def _quality(self, number: str) -> str:
        return _quality_of(await self._ask(quote(number, safe=""), fields=NUMBER_FIELDS))

    async def _subscription(self, account: str, *, fix: bool) -> list[Complaint]:
        place = f"{quote(account, safe='')}/subscribed_apps"
        told = await self._ask(place)
        if told.get("error") is None and lookup.sequence(told.get("data")):
            return []
        mended = fix and (await self._call("POST", place, {})).get("success") is True
        return [
            Complaint(
                severity="degraded",
                what="No app is subscribed to the account: its messages reach nobody.",
                way_out=f"POST /{account}/subscribed_apps with the token, or run `wch doctor --fix`.",
                mended=mended,
            )
        ]

    async def _ask(self, path: str, **asked: str) -> JsonObject:
        return await self._call("GET", path, asked)

    async def _call(self, method: str, path: str, asked: dict[str, str]) -> JsonObject:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                answer = await self._http.request(
                    method,
                    f"{self._root}/{path}",
                    params=asked,
                    headers={"Authorization": f"Bearer {self._token}"},
                    follow_redirects=False,
                )
            return lookup.mapping(strict_json.read(answer.content).value)
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as error:
            raise _SilentError(type(error).__name__) from error
        except strict_json.StrictJsonError as error:
            raise _SilentError("no JSON came back") from error


def _is_good(told: JsonObject) -> bool | None:
    """Whether the token is taken; None when the answer is about something else."""
    if told.get("error") is not None:
        return False if graph_error(told.get("error")).code == TOKEN_REFUSED else None
    return lookup.mapping(told.get("data")).get("is_valid") is not False


def _ends_at(told: JsonObject) -> datetime | None:
    ends = lookup.mapping(told.get("data")).get("expires_at")
    return of_unix(ends) if isinstance(ends, int) and ends > 0 else None


def _quality_of(told: JsonObject) -> str:
    return str(told.get("quality_rating", "")).upper()


def _of_token(told: JsonObject, soon: datetime) -> Iterator[Complaint]:
    data = lookup.mapping(told.get("data"))
    if told.get("error") is not None or data.get("is_valid") is False:
        refusal = graph_error(told.get("error") or data.get("error"))
        why = f" ({refusal.title})" if refusal.title else ""
        yield Complaint(severity="critical", what=f"Meta does not take the access token{why}.", way_out=RENEW)
        return
    ends = _ends_at(told)
    if ends is not None and ends < soon:
        yield Complaint(
            severity="warning", what=f"The access token ends on {ends:%Y-%m-%d at %H:%M} UTC.", way_out=RENEW
        )
    scopes = [one for one in lookup.sequence(data.get("scopes")) if isinstance(one, str)]
    for scope in NEEDED:
        if scopes and scope not in scopes:
            yield Complaint(
                severity="critical", what=f"The access token may not use {scope}.", way_out=f"{RENEW} Tick {scope}."
            )


def _of_number(number: str, told: JsonObject) -> Iterator[Complaint]:
    if told.get("error") is not None:
        yield Complaint(
            severity="critical",
            what=f"Meta does not show this hub the number {number}.",
            way_out="Compare WCH_PHONE_NUMBER_ID with the id in WhatsApp Manager, and what the token may see.",
        )
        return
    quality = _quality_of(told)
    if quality in {"YELLOW", "RED"}:
        yield Complaint(
            severity="degraded" if quality == "RED" else "warning",
            what=f"The quality of number {number} is {quality}.",
            way_out=WRITE_LESS,
        )
