"""The client against a real server on this machine, with every way in which an answer can go wrong."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from wch.adapters.whatsapp.client import CloudApiWhatsApp, outcome
from wch.domain.send_failure import CLASS_OF, FailureClass
from wch.domain.send_result import Accepted, Ambiguous, NotMade, Refused

TOKEN = "EAAG-token-of-the-shop"
NUMBER = "106540352242922"
PHONE = "16505551234"
WAMID = "wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI="
MESSAGE = {"messaging_product": "whatsapp", "to": f"+{PHONE}", "type": "text", "text": {"body": "hush"}}
TAKEN = {"messages": [{"id": WAMID}], "contacts": [{"input": f"+{PHONE}", "wa_id": PHONE}]}

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Graph:
    """A server that answers each request with the next answer, and remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.connections = 0
        self.url = ""
        self.was_asked = asyncio.Event()
        self.serving: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        serving = asyncio.current_task()
        assert serving is not None
        self.serving.add(serving)
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                line, *lines = head.decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines if one)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.asked.append((line, headers, json.loads(body)))
                self.was_asked.set()
                await self.answers.pop(0)(reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answer(status: int, body: Any = None, **headers: str) -> Answer:
    """A whole answer."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()

    async def write(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(content)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

    return write


async def cut(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The connection ends after the request came."""
    writer.close()


async def half(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The connection ends within the answer."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()


async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Nothing comes until the caller has gone."""
    await reader.read()


async def garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """No HTTP at all."""
    writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """More than any answer of Graph's."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n" + b" " * 2_000_000)


@asynccontextmanager
async def whatsapp(graph: Graph, *, timeout_seconds: float = 5) -> AsyncIterator[CloudApiWhatsApp]:
    """A client that talks to this server."""
    server = await asyncio.start_server(graph.serve, "127.0.0.1", 0)
    graph.url = "http://{}:{}".format(*server.sockets[0].getsockname())
    client = CloudApiWhatsApp(graph_url=graph.url, version="v24.0", access_token=TOKEN, timeout_seconds=timeout_seconds)
    try:
        yield client
    finally:
        await client.aclose()
        server.close()
        await asyncio.gather(*graph.serving)


async def test_an_accepted_message_has_an_id() -> None:
    """Posted once, to the number's own address, with the token."""
    graph = Graph(answer(200, TAKEN))
    async with whatsapp(graph) as client:
        result = await client.send(NUMBER, MESSAGE)

    assert result == Accepted(wa_message_id=WAMID, wa_id=PHONE)
    ((line, headers, body),) = graph.asked
    assert line == f"POST /v24.0/{NUMBER}/messages HTTP/1.1"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert body == MESSAGE


async def test_throttling_comes_as_a_400() -> None:
    """The code decides, and Retry-After is heard."""
    error = {"error": {"code": 130429, "message": "(#130429) Rate limit hit", "error_data": {"details": "slow down"}}}
    async with whatsapp(Graph(answer(400, error, retry_after="7"))) as client:
        result = await client.send(NUMBER, MESSAGE)

    assert isinstance(result, Refused)
    assert (result.failure, result.retry_after) == (FailureClass.WAIT_NUMBER, timedelta(seconds=7))
    assert result.error.line == "130429 (#130429) Rate limit hit: slow down"


async def test_a_500_with_graphs_own_error_is_a_refusal() -> None:
    """Graph says itself that it did not take it."""
    async with whatsapp(Graph(answer(500, {"error": {"code": 131000}}))) as client:
        result = await client.send(NUMBER, MESSAGE)

    assert isinstance(result, Refused)
    assert result.failure is FailureClass.RETRY


@pytest.mark.parametrize(
    "reply",
    [
        answer(500),
        answer(502, b"<html>Bad gateway</html>"),
        answer(200),
        answer(200, {"messages": []}),
        answer(200, {"messages": [{"id": ""}]}),
        answer(200, {"error": {"code": 100}}),
        answer(200, b"[" * 100_000),
        answer(302, None, location="http://127.0.0.1:1/"),
        cut,
        half,
        garbage,
        endless,
    ],
)
async def test_what_tells_no_id_leaves_it_open(reply: Answer) -> None:
    """The request left: sending again could send twice."""
    async with whatsapp(Graph(reply)) as client:
        result = await client.send(NUMBER, MESSAGE)

    assert isinstance(result, Ambiguous), result


async def test_a_slow_answer_leaves_it_open() -> None:
    """The time is the call's as a whole."""
    async with whatsapp(Graph(silence), timeout_seconds=0.2) as client:
        result = await client.send(NUMBER, MESSAGE)

    assert isinstance(result, Ambiguous)


async def test_a_refused_connection_is_no_request() -> None:
    """Nobody listens: it can be sent again without a thought."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = "http://{}:{}".format(*held.getsockname())
        client = CloudApiWhatsApp(graph_url=url, version="v24.0", access_token=TOKEN)
        result = await client.send(NUMBER, MESSAGE)
        await client.aclose()

    assert result == NotMade(reason="ConnectError")


async def test_a_failed_handshake_is_no_request() -> None:
    """TLS comes before the request: a server that speaks none has seen nothing of it."""
    graph = Graph(garbage)
    async with whatsapp(graph):
        secure = CloudApiWhatsApp(
            graph_url=graph.url.replace("http:", "https:"), version="v24.0", access_token=TOKEN, timeout_seconds=1
        )
        result = await secure.send(NUMBER, MESSAGE)
        await secure.aclose()

    assert isinstance(result, NotMade)
    assert graph.asked == []


async def test_a_connection_that_does_not_come_about_is_no_request() -> None:
    """The whole time ran out before the request began, which the transport tells."""
    with ExitStack() as held:
        full = held.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # more than the queue of a socket that nobody accepts from
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the socket's own way
            waiting.connect_ex(full.getsockname())
        url = "http://{}:{}".format(*full.getsockname())
        async with httpx2.AsyncClient(timeout=None, trust_env=False) as http:
            client = CloudApiWhatsApp(
                graph_url=url, version="v24.0", access_token=TOKEN, timeout_seconds=0.3, http=http
            )
            result = await client.send(NUMBER, MESSAGE)

    assert result == NotMade(reason="connect_timeout")


async def test_no_free_connection_is_no_request() -> None:
    """All are in use: it never left."""
    graph = Graph(silence)
    async with whatsapp(graph):
        http = httpx2.AsyncClient(
            limits=httpx2.Limits(max_connections=1), timeout=httpx2.Timeout(5, pool=0.1), trust_env=False
        )
        client = CloudApiWhatsApp(
            graph_url=graph.url, version="v24.0", access_token=TOKEN, timeout_seconds=1, http=http
        )
        first = asyncio.create_task(client.send(NUMBER, MESSAGE))
        await graph.was_asked.wait()
        second = await client.send(NUMBER, MESSAGE)
        assert isinstance(await first, Ambiguous)
        await http.aclose()

    assert second == NotMade(reason="PoolTimeout")


async def test_the_token_goes_nowhere_else() -> None:
    """Not along a redirect, even if the host's client follows them."""
    elsewhere = Graph(answer(200, TAKEN))
    async with whatsapp(elsewhere):
        graph = Graph(answer(307, None, location=f"{elsewhere.url}/v24.0/{NUMBER}/messages"))
        async with whatsapp(graph), httpx2.AsyncClient(follow_redirects=True, trust_env=False) as http:
            client = CloudApiWhatsApp(graph_url=graph.url, version="v24.0", access_token=TOKEN, http=http)
            result = await client.send(NUMBER, MESSAGE)

    assert isinstance(result, Ambiguous)
    assert elsewhere.asked == []


async def test_a_hosts_client_stays_open() -> None:
    """What was handed over is not ours to close."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        await CloudApiWhatsApp(graph_url="http://127.0.0.1:1", version="v", access_token=TOKEN, http=http).aclose()

        assert not http.is_closed


async def test_connections_are_used_again() -> None:
    """A handshake for each message would double its time."""
    graph = Graph(answer(200, TAKEN), answer(400, {"error": {"code": 100}}), answer(200, TAKEN))
    async with whatsapp(graph) as client:
        for _ in range(3):
            await client.send(NUMBER, MESSAGE)

    assert (len(graph.asked), graph.connections) == (3, 1)


async def test_a_cancelled_send_is_cancelled() -> None:
    """Nothing is swallowed, and the next call works."""
    graph = Graph(silence, answer(200, TAKEN))
    async with whatsapp(graph) as client:
        sending = asyncio.create_task(client.send(NUMBER, MESSAGE))
        await graph.was_asked.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

        assert isinstance(await client.send(NUMBER, MESSAGE), Accepted)


async def test_a_number_cannot_change_the_address() -> None:
    """Whatever stands in a row, the request goes to one place below the root."""
    graph = Graph(answer(200, TAKEN))
    async with whatsapp(graph) as client:
        await client.send("../me?x=", MESSAGE)

    assert graph.asked[0][0] == "POST /v24.0/..%2Fme%3Fx%3D/messages HTTP/1.1"


async def test_a_receipt_is_best_effort() -> None:
    """True when it was taken, False for anything else, never an error."""
    graph = Graph(answer(200, {"success": True}), answer(400, {"error": {"code": 100}}), cut)
    async with whatsapp(graph) as client:
        marked = [await client.mark_read(NUMBER, WAMID, typing=typing) for typing in (True, False, False)]

    assert marked == [True, False, False]
    assert graph.asked[0][2] == {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": WAMID,
        "typing_indicator": {"type": "text"},
    }
    assert "typing_indicator" not in graph.asked[1][2]


async def test_nothing_personal_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, libraries included: no token, phone number, text or message id; nor in a reason."""
    error = {"error": {"code": 131026, "message": f"to {PHONE}", "error_data": {"details": f"+{PHONE}"}}}
    caplog.set_level(logging.DEBUG)
    graph = Graph(answer(200, TAKEN), answer(400, error), cut, answer(200))
    async with whatsapp(graph) as client:
        results = [await client.send(NUMBER, MESSAGE) for _ in range(3)]
        await client.mark_read(NUMBER, WAMID)

    said = caplog.text + "".join(one.reason for one in results if isinstance(one, Ambiguous | NotMade))
    for secret in (TOKEN, PHONE, WAMID, "hush"):
        assert secret not in said


def test_each_recorded_answer_is_classed(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An id is an acceptance; an error is of its code's class, and codes of other matters are unknown."""
    table = []
    for file in sorted((corpus / "whatsapp-responses").glob("*.json")):
        body = file.read_bytes()
        kind, _, rest = file.name.partition("__")[0].partition(".")
        if kind == "send-accepted":
            result = outcome(200, body)
            assert isinstance(result, Accepted), file.name
            assert result.wa_message_id == json.loads(body)["messages"][0]["id"]
            table.append((kind, "accepted"))
            continue
        result = outcome(400, body)
        assert isinstance(result, Refused), file.name
        assert result.error.code == int(rest)
        assert result.failure is CLASS_OF.get(int(rest), FailureClass.UNKNOWN), file.name
        table.append((f"{kind}.{rest}", result.failure.value))
    with capsys.disabled():
        print()  # noqa: T201 - the table is the test's report
        for name, failure in sorted(set(table)):
            print(f"  {table.count((name, failure)):3}  {name:20} {failure}")  # noqa: T201 - as above

    assert table
