"""The webhook's door, as the conversations page has it."""

import asyncio
import string
from collections.abc import MutableMapping
from operator import length_hint
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.entrypoints.http.doubles import BODY, DOORS, ScriptedHub, application, part, signed, spoken, web
from wch.domain.errors import StoreUnavailableError
from wch.entrypoints.http.answers import whole_body

DOOR = "/webhooks/whatsapp"
HANDSHAKE = {"hub.mode": "subscribe", "hub.verify_token": "a-word-of-ours", "hub.challenge": "1158201444"}

ALPHABET = {*string.ascii_letters, *string.digits, "-", "_"}
APP = application(ScriptedHub())
"""For what leaves nothing behind."""


async def refuse(_message: object) -> None:
    """Who is refused hears it; nobody listens here."""


async def shaken(query: str) -> tuple[int, str]:
    answered = await spoken(APP, {"method": "GET", "query_string": query.encode()}, [])
    assert answered is not None
    return answered.status, answered.body.decode()


async def test_a_handshake_gets_its_bare_challenge_back() -> None:
    """Meta compares the body with the number; quotes or JSON around it fail."""
    async with web(application(ScriptedHub())) as client:
        answered = await client.get(DOOR, params=HANDSHAKE)

    assert (answered.status_code, answered.text) == (200, "1158201444")
    assert answered.headers["content-type"] == "text/plain; charset=utf-8"
    assert answered.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1", 403),
        ("hub.mode=subscribe&hub.challenge=1", 403),
        ("", 403),
        ("hub.mode=subscribe&hub.verify_token=%E9&hub.challenge=1", 403),
        ("hub.mode=subscribe&hub.verify_token=a-word-of-ours&hub.challenge=%3Cscript%3E", 400),
        ("hub.mode=subscribe&hub.verify_token=a-word-of-ours&hub.challenge=", 400),
        ("hub.mode=subscribe&hub.verify_token=a-word-of-ours&hub.challenge=1%0A", 400),
        ("hub.mode=subscribe&hub.verify_token=a-word-of-ours", 400),
        (f"hub.mode=subscribe&hub.verify_token=a-word-of-ours&hub.challenge={'1' * 257}", 400),
        ("hub.mode=unsubscribe&hub.verify_token=a-word-of-ours&hub.challenge=1", 400),
        ("hub.verify_token=a-word-of-ours&hub.challenge=1", 400),
        ("hub_mode=subscribe&hub_verify_token=a-word-of-ours&hub_challenge=1", 400),
        ("hub_mode=subscribe&hub.verify_token=a-word-of-ours&hub.challenge=1", 400),
        ("hub.mode=subscribe&hub.mode=subscribe&hub.verify_token=a-word-of-ours&hub.challenge=1", 400),
        ("hub.mode=subscribe&hub.verify_token=a-word-of-ours&hub.verify_token=a-word-of-ours&hub.challenge=1", 400),
        ("hub.mode=subscribe&hub.verify_token=a-word-of-ours&hub.challenge=1&hub.challenge=2", 400),
    ],
)
async def test_every_other_handshake_is_refused_without_an_echo(query: str, status: int) -> None:
    """403 for the token, 400 for anything else; nothing that was sent comes back."""
    answered, text = await shaken(query)

    assert answered == status
    assert "script" not in text


async def test_an_empty_token_is_nobodys() -> None:
    """A hub that was never given one must not let everybody in."""
    doors = attrs.evolve(DOORS, verify_token="")
    async with web(application(ScriptedHub(doors=doors))) as client:
        answered = await client.get(DOOR, params={**HANDSHAKE, "hub.verify_token": ""})

    assert answered.status_code == 403


@given(st.text(max_size=300))
async def test_only_the_alphabet_of_challenges_is_echoed(challenge: str) -> None:
    """Whatever is asked, nothing but letters, digits, - and _ is ever said."""
    status, text = await shaken(f"hub.mode=subscribe&hub.verify_token=a-word-of-ours&hub.challenge={quote(challenge)}")

    assert status in {200, 400}
    assert status == 400 or (text == challenge and set(text) <= ALPHABET)


async def test_a_signed_delivery_is_taken_as_it_came() -> None:
    """The bytes reach the inbox untouched: a body written anew would not fit its signature."""
    hub = ScriptedHub()
    body = b'{"text":"caf\\u00e9 \\/ \\u0040"}'
    async with web(application(hub)) as client:
        answered = await client.post(DOOR, content=body, headers=signed(body))

    assert answered.status_code == 200
    assert hub.inbox.taken == [body]
    assert len(answered.content) < 100


async def test_what_a_host_writes_into_an_answers_headers_is_in_that_answer_alone() -> None:
    """A middleware adds to the list that it was given; the next answer knows nothing of it."""
    app = application(ScriptedHub())

    async def dressed(scope: Any, receive: Any, send: Any) -> None:
        async def adding(message: Any) -> None:
            if "headers" in message:
                message["headers"].append((b"x-trace", b"1"))
            await send(message)

        await app(scope, receive, adding)

    asked = {"headers": [(name.lower().encode(), value.encode()) for name, value in signed().items()]}
    first = await spoken(dressed, asked, [part(BODY)])
    second = await spoken(app, asked, [part(BODY)])

    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (200, 200)
    assert first.headers[b"x-trace"] == b"1"
    assert b"x-trace" not in second.headers


@pytest.mark.parametrize("values", [[], [b"one", b"two"], [b"sha256=\xe9" + b"0" * 63], [b"sha1=00"]])
async def test_signatures_reach_the_inbox_as_bytes_and_all_of_them(values: list[bytes]) -> None:
    """Which header is taken is the inbox's decision: a door that picked one would let two pass."""
    hub = ScriptedHub()
    headers = [(b"x-hub-signature-256", value) for value in values]

    answered = await spoken(application(hub), {"headers": headers}, [part(BODY)])

    assert answered is not None
    assert answered.status == 401
    assert hub.inbox.headers == [values]
    assert hub.limits.hits == [("webhook", "198.51.100.7")]


async def test_further_bad_signatures_over_the_limit_get_429_and_a_good_one_still_passes() -> None:
    """A good signature is never limited, wherever it comes from."""
    hub = ScriptedHub()
    hub.limits.most = 1
    async with web(application(hub)) as client:
        first = await client.post(DOOR, content=BODY)
        second = await client.post(DOOR, content=BODY)
        good = await client.post(DOOR, content=BODY, headers=signed())

    assert (first.status_code, second.status_code, good.status_code) == (401, 429, 200)
    assert second.headers["retry-after"] == "41"


async def test_a_bad_signature_stays_bad_when_nobody_can_count_it() -> None:
    """The limiter's store away is no reason for another answer."""
    hub = ScriptedHub()
    hub.limits.is_down = True
    async with web(application(hub)) as client:
        answered = await client.post(DOOR, content=BODY)

    assert answered.status_code == 401


async def test_a_delivery_is_answered_by_its_status_alone() -> None:
    """A body would be a second write of the server's for each delivery, and nobody reads it."""
    async with web(application(ScriptedHub())) as client:
        answered = await client.post(DOOR, content=BODY, headers=signed())

    assert (answered.status_code, answered.content) == (200, b"")
    assert answered.headers["content-length"] == "0"
    assert "content-type" not in answered.headers
    assert answered.headers["x-content-type-options"] == "nosniff"


async def test_a_store_that_cannot_take_it_is_503_with_a_time_to_come_back() -> None:
    """Only 200 tells Meta that it worked; everything else is sent again."""
    hub = ScriptedHub()
    hub.inbox.raises = StoreUnavailableError()
    async with web(application(hub)) as client:
        answered = await client.post(DOOR, content=BODY, headers=signed())

    assert answered.status_code == 503
    assert answered.headers["retry-after"] == "30"


async def test_a_fault_of_ours_is_500_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    """The words of an exception may hold what a customer wrote: neither answer nor log repeats them."""
    hub = ScriptedHub()
    hub.inbox.raises = RuntimeError("+16505551234 wrote: hello")
    async with web(application(hub)) as client:
        answered = await client.post(DOOR, content=BODY, headers=signed())

    assert answered.status_code == 500
    assert answered.headers["content-type"] == "application/problem+json"
    assert "6505551234" not in answered.text + caplog.text
    assert "an answer failed" in caplog.text


async def test_a_body_over_four_mebibytes_is_413_and_reaches_nobody() -> None:
    """The size is counted while reading; a length that was declared is not believed."""
    hub = ScriptedHub()
    slice_of_it = b"x" * 1024 * 1024
    parts = [part(slice_of_it, more=True) for _ in range(4)]

    fits = await spoken(application(hub), {}, [*parts, part(b"")])
    long = await spoken(application(hub), {"headers": [(b"content-length", b"2")]}, [*parts, part(b"y")])

    assert fits is not None
    assert fits.status == 401
    assert long is not None
    assert (long.status, long.headers[b"connection"]) == (413, b"close")
    assert len(hub.inbox.headers) == 1


async def test_an_endless_body_is_cut_off() -> None:
    """A client that never stops is not read for ever."""

    def endless() -> object:
        while True:
            yield part(b"x" * 1024 * 1024, more=True)

    answered = await spoken(application(ScriptedHub()), {}, endless())  # type: ignore[arg-type] # a generator

    assert answered is not None
    assert answered.status == 413


async def test_a_body_that_takes_too_long_is_408() -> None:
    """One byte now and then must not hold a connection."""
    hub = ScriptedHub(doors=attrs.evolve(DOORS, read_seconds=0.01))

    answered = await spoken(application(hub), {}, [part(b"x", more=True), asyncio.Event()])

    assert answered is not None
    assert (answered.status, answered.headers[b"connection"]) == (408, b"close")
    assert not hub.inbox.headers


@given(st.lists(st.tuples(st.binary(max_size=8), st.integers(0, 3)), min_size=1, max_size=6))
async def test_a_body_is_what_came_whatever_it_had_to_be_waited_for(slices: list[tuple[bytes, int]]) -> None:
    """What is there at once is read without a clock, and the rest beside one: both are the same body."""
    coming = iter(slices)
    whole = b"".join(slice_of_it for slice_of_it, _ in slices)

    async def receive() -> MutableMapping[str, Any]:
        slice_of_it, turns = next(coming)
        for _ in range(turns):
            await asyncio.sleep(0)
        return part(slice_of_it, more=length_hint(coming) > 0)

    read = await whole_body(receive, refuse, most=32, drained=64, seconds=60)

    assert read == (whole if len(whole) <= 32 else None)


async def test_who_is_cancelled_while_a_body_is_waited_for_leaves_nothing_open() -> None:
    """The server's own reading ends with the one who asked for it."""
    ends: list[str] = []

    async def receive() -> MutableMapping[str, Any]:
        try:
            await asyncio.sleep(3600)
        finally:
            ends.append("reading")
        raise AssertionError

    task = asyncio.create_task(whole_body(receive, refuse, most=32, drained=64, seconds=60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ends == ["reading"]


async def test_a_client_that_went_away_is_not_answered() -> None:
    """Half a body is nobody's delivery."""
    hub = ScriptedHub()

    answered = await spoken(application(hub), {}, [part(b"x", more=True), {"type": "http.disconnect"}])

    assert answered is None
    assert not hub.inbox.headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"])
async def test_other_methods_are_405(method: str) -> None:
    """And the answer says which there are."""
    async with web(application(ScriptedHub())) as client:
        answered = await client.request(method, DOOR)

    assert answered.status_code == 405
    assert answered.headers["allow"] == "GET, POST"
