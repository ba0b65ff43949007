"""What Meta tells of token, numbers and subscription becomes sentences for the doctor."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from wch.adapters.whatsapp.account import CloudApiAccount
from wch.application.doctor import Complaint
from wch.application.ports import AccountStanding
from wch.domain.errors import AccountUnavailableError
from wch.domain.moment import unix
from wch.testing import NOON

WELL = {
    "debug_token": {
        "data": {
            "is_valid": True,
            "expires_at": 0,
            "scopes": ["whatsapp_business_management", "whatsapp_business_messaging"],
        }
    },
    "subscribed_apps": {"data": [{"whatsapp_business_api_data": {"id": "1"}}]},
    "100": {"id": "100", "quality_rating": "GREEN"},
}
WEEK = timedelta(days=7)
REFUSED = {"error": {"message": "Session has expired", "type": "OAuthException", "code": 190}}


async def _complaints(told: Mapping[str, Any], *, fix: bool = False) -> tuple[list[Complaint], list[httpx2.Request]]:
    calls = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        if request.method == "POST":
            return httpx2.Response(200, json={"success": True})
        value = told[request.url.path.rsplit("/", maxsplit=1)[-1]]
        return httpx2.Response(200, content=value if isinstance(value, bytes) else json.dumps(value))

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        account = CloudApiAccount(graph_url="https://graph.test", version="v24.0", access_token="secret", http=http)
        return await account.complaints(account="200", numbers=["100"], now=NOON, soon=WEEK, fix=fix), calls


async def test_nothing_is_said_of_a_sound_account() -> None:
    """Token, number and subscription, one call each, the token only in its header and in what is asked about it."""
    found, calls = await _complaints(WELL)

    assert found == []
    assert [one.url.path for one in calls] == ["/v24.0/debug_token", "/v24.0/100", "/v24.0/200/subscribed_apps"]


@pytest.mark.parametrize(
    ("change", "severity", "words"),
    [
        ({"debug_token": REFUSED}, "critical", "Session has expired"),
        ({"debug_token": {"data": {"is_valid": False}}}, "critical", "does not take the access token"),
        (
            {"debug_token": {"data": {"is_valid": True, "expires_at": unix(NOON + timedelta(days=3)), "scopes": []}}},
            "warning",
            "ends on 2026-03-05",
        ),
        (
            {"debug_token": {"data": {"is_valid": True, "scopes": ["whatsapp_business_messaging"]}}},
            "critical",
            "whatsapp_business_management",
        ),
        ({"100": REFUSED}, "critical", "number 100"),
        ({"100": {"quality_rating": "RED"}}, "degraded", "RED"),
        ({"100": {"quality_rating": "YELLOW"}}, "warning", "YELLOW"),
        ({"subscribed_apps": {"data": []}}, "degraded", "No app is subscribed"),
        ({"subscribed_apps": REFUSED}, "degraded", "No app is subscribed"),
        ({"debug_token": b"<html>busy</html>"}, "unknown", "could not be asked"),
    ],
)
async def test_each_fault_is_one_sentence(change: dict[str, Any], severity: str, words: str) -> None:
    """With its severity and a way out."""
    (found,), _ = await _complaints({**WELL, **change})

    assert found.severity == severity
    assert words in found.what
    assert found.way_out
    assert "secret" not in found.what + found.way_out


async def test_a_token_that_lasts_is_no_fault() -> None:
    """Eight days are enough time to see the next warning."""
    ends = unix(NOON + timedelta(days=8))
    found, _ = await _complaints({**WELL, "debug_token": {"data": {"is_valid": True, "expires_at": ends}}})

    assert found == []


async def test_the_app_is_subscribed_when_asked_to() -> None:
    """`--fix` posts it; the finding says that it is mended."""
    (found,), calls = await _complaints({**WELL, "subscribed_apps": {"data": []}}, fix=True)

    assert found.mended
    assert (calls[-1].method, calls[-1].url.path) == ("POST", "/v24.0/200/subscribed_apps")


async def test_silence_is_unknown_and_no_fault() -> None:
    """No way to Meta from here says nothing about the account."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no route", request=request)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(refuse)) as http:
        account = CloudApiAccount(graph_url="https://graph.test", version="v24.0", access_token="secret", http=http)
        (found,) = await account.complaints(account="200", numbers=["100"], now=NOON, soon=WEEK)

    assert found.severity == "unknown"


async def _standing(told: Mapping[str, Any]) -> AccountStanding:
    def answer(request: httpx2.Request) -> httpx2.Response:
        value = told[request.url.path.rsplit("/", maxsplit=1)[-1]]
        return httpx2.Response(200, content=value if isinstance(value, bytes) else json.dumps(value))

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        account = CloudApiAccount(graph_url="https://graph.test", version="v24.0", access_token="secret", http=http)
        return await account.standing(["100"])


@pytest.mark.parametrize(
    ("change", "is_good", "ends", "quality"),
    [
        ({}, True, None, {"100": "GREEN"}),
        ({"100": {"quality_rating": "red"}}, True, None, {"100": "RED"}),
        ({"100": {"error": {"code": 100}}}, True, None, {}),
        ({"debug_token": {"data": {"is_valid": True, "expires_at": unix(NOON)}}}, True, NOON, {"100": "GREEN"}),
        ({"debug_token": {"data": {"is_valid": False}}}, False, None, {}),
        ({"debug_token": REFUSED}, False, None, {}),
    ],
)
async def test_those_who_watch_get_the_facts(
    change: dict[str, Any], *, is_good: bool, ends: datetime | None, quality: dict[str, str]
) -> None:
    """Of a token that is not taken, no number is asked for."""
    found = await _standing({**WELL, **change})

    assert found == AccountStanding(is_token_good=is_good, token_ends_at=ends, quality=quality)


@pytest.mark.parametrize("answer", [b"<html>busy</html>", {"error": {"message": "of secret", "code": 2}}])
async def test_what_says_nothing_of_the_token_is_no_answer(answer: Any) -> None:
    """An outage of Meta's is not a bad token; its words, which may hold one, go nowhere."""
    with pytest.raises(AccountUnavailableError) as raised:
        await _standing({**WELL, "debug_token": answer})

    assert "secret" not in f"{raised.value} {raised.value.facts}"
