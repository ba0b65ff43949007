"""Real processes for tests: a `wch serve` on a store of its own, Meta's two ends around it, commands beside it."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx2
import sqlalchemy
from prometheus_client.parser import text_string_to_metric_families

from wch.adapters.clock import SystemClock
from wch.domain.moment import unix

SECRET = "a-secret-of-the-app"
NUMBER = "106540352242922"
USUAL_PATIENCE = 90.0
PATIENCE = float(os.environ.get("WCH_TEST_PATIENCE", USUAL_PATIENCE))
"""Seconds until something that did not happen counts as not happening; a busy machine needs more."""

POLL = 0.03
"""Between two looks at another process, which has no way to call back. Nothing but a look is timed by it."""


# --- what Meta posts


def signature_of(body: bytes, secret: str = SECRET) -> str:
    """The header that proves a body, made without the hub's own code."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def said(text: str, *, sender: str, wa_id: str) -> dict[str, Any]:
    """A text message as it stands in a delivery; its moment is taken from the machine's clock."""
    return {
        "from": sender,
        "id": wa_id,
        "timestamp": str(unix(SystemClock().now())),
        "type": "text",
        "text": {"body": text},
    }


def delivery(*messages: Mapping[str, Any], number: str = NUMBER) -> bytes:
    """The body of a delivery with these messages in one change."""
    people = sorted({str(message["from"]) for message in messages})
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": number},
        "contacts": [{"profile": {"name": f"N{one}"}, "wa_id": one} for one in people],
        "messages": list(messages),
    }
    change = {"field": "messages", "value": value}
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "200000000000002", "changes": [change]}]}
    ).encode()


# --- where messages go


@attrs.frozen(kw_only=True)
class Call:
    """One message that the stand-in was given."""

    number: str
    body: Mapping[str, Any]

    @property
    def to(self) -> str:
        """Whom it was for."""
        return str(self.body.get("to") or self.body.get("recipient")).removeprefix("+")

    @property
    def row(self) -> int:
        """The hub's row that it was made from, as its callback data tells."""
        return int(str(self.body["biz_opaque_callback_data"]).split(".")[2])


WELL = b'{"data": {"is_valid": true, "expires_at": 0}, "quality_rating": "GREEN"}'
"""What is said of the token and of every number."""


class GraphApi:
    """A stand-in for the Graph API outside the hub: it accepts everything and forgets nothing."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.receipts: list[str] = []
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator["GraphApi"]:
        """Listen on a free port until the block ends."""
        api = cls()
        server = await asyncio.start_server(api.talk, "127.0.0.1", 0)
        api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield api
        finally:
            server.close()

    def to(self, customer: str) -> list[Call]:
        """What was sent to this customer, in order."""
        return [call for call in self.calls if call.to == customer]

    def sent_twice(self) -> Counter[int]:
        """For each row, how often it was sent beyond once."""
        rows = Counter(call.row for call in self.calls)
        return Counter({row: count - 1 for row, count in rows.items() if count > 1})

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, request after request."""

        async def answer(method: str, target: str, _headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
            if method == "GET":
                return 200, WELL
            status, told = await self.reply(target, json.loads(body), reader, writer)
            return status, json.dumps(told).encode()

        await answer_in_turn(reader, writer, answer)

    async def reply(
        self,
        path: str,
        body: dict[str, Any],
        reader: asyncio.StreamReader,  # noqa: ARG002 - for those who keep a caller waiting
        writer: asyncio.StreamWriter,  # noqa: ARG002 - for those who ask which door it is
    ) -> tuple[int, dict[str, Any]]:
        """What a request is answered, and with which status."""
        return 200, self.accept(path, body)

    def accept(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Note what came; the answer to it."""
        if body.get("status") == "read":
            self.receipts.append(str(body["message_id"]))
            return {"success": True}
        call = Call(number=path.split("/")[2], body=body)
        self.calls.append(call)
        return {
            "messaging_product": "whatsapp",
            "contacts": [{"input": call.to, "wa_id": call.to}],
            "messages": [{"id": f"wamid.out.{len(self.calls)}"}],
        }


# --- the store, looked at from outside


@attrs.frozen(kw_only=True)
class Store:
    """A database that the processes of one test share, read and written past the hub."""

    url: str

    @property
    def engine_url(self) -> str:
        """The same database by a driver that blocks."""
        return self.url.replace("sqlite+aiosqlite", "sqlite")

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """What a SELECT finds now."""
        return self._run(statement, values)

    def one(self, statement: str, **values: Any) -> Any:
        """The one value that a SELECT finds."""
        ((value,),) = self._run(statement, values)
        return value

    def change(self, statement: str, **values: Any) -> None:
        """Write past the hub."""
        self._run(statement, values)

    def _run(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        engine = sqlalchemy.create_engine(self.engine_url, poolclass=sqlalchemy.NullPool)
        try:
            with engine.begin() as connection:
                found = connection.execute(sqlalchemy.text(statement), values)
                return [tuple(row) for row in found] if found.returns_rows else []
        finally:
            engine.dispose()

    def unfinished(self) -> dict[str, int]:
        """How many messages wait or are under way, by direction and state."""
        return {
            f"{direction} {status}": int(count)
            for direction, status, count in self.rows(
                "SELECT direction, status, COUNT(*) FROM wch_messages WHERE status IN "
                "('received', 'processing', 'pending', 'sending') GROUP BY direction, status"
            )
        }


def sqlite_store(folder: Path, *, driver: str = "sqlite+aiosqlite") -> Store:
    """A fresh file."""
    return Store(url=f"{driver}:///{folder}/wch.db")


@contextmanager
def mariadb_store(server_url: str, name: str) -> Iterator[Store]:
    """A fresh database on the server, named after the one of the tests, dropped again afterwards."""
    server = Store(url=server_url)
    name = f"{urlsplit(server_url).path.strip('/')}_{name}"
    server.change(f"DROP DATABASE IF EXISTS `{name}`")
    server.change(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    try:
        yield Store(url=urlsplit(server_url)._replace(path=f"/{name}").geturl())
    finally:
        server.change(f"DROP DATABASE IF EXISTS `{name}`")


# --- the hub's processes


@attrs.define(kw_only=True)
class Installed:
    """Where one test's processes run: settings, folder, store."""

    folder: Path
    store: Store
    graph_url: str = "http://127.0.0.1:9"
    more: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """This test's settings and nothing of the machine's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WCH_")}
        return {
            **kept,
            "WCH_PROFILE": "test",
            "WCH_DATABASE_URL": self.store.url,
            "WCH_APP_SECRET": SECRET,
            "WCH_VERIFY_TOKEN": "a-token",
            "WCH_ACCESS_TOKEN": "an-access-token",
            "WCH_PHONE_NUMBER_ID": "*",
            "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough",
            "WCH_GRAPH_URL": self.graph_url,
            **self.more,
        }

    def wch(self, *arguments: str, without: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
        """Run one command to its end."""
        environment = {name: value for name, value in self.environment.items() if name not in without}
        return subprocess.run(
            [sys.executable, "-m", "wch", *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=environment,
            timeout=PATIENCE,
        )

    def json(self, *arguments: str, code: int = 0) -> Any:
        """The one JSON document that a command prints."""
        done = self.wch(*arguments, "--json")
        assert done.returncode == code, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return json.loads(done.stdout)

    def start(self, *arguments: str, command: Sequence[str] = ("serve", "--port", "0")) -> "Server":
        """Start `wch serve`, or another command that serves, on a free port; it may not be ready yet."""
        log = self.folder / "serve.log"
        with log.open("ab") as errors, (self.folder / "serve.out").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "wch", *command, *arguments],
                stdout=output,
                stderr=errors,
                cwd=self.folder,
                env=self.environment,
            )
        return Server(process=process, folder=self.folder)

    @asynccontextmanager
    async def serving(
        self, *arguments: str, command: Sequence[str] = ("serve", "--port", "0")
    ) -> AsyncIterator["Server"]:
        """A server that answers; killed at the end if it still runs."""
        server = self.start(*arguments, command=command)
        try:
            await server.ready()
            yield server
        finally:
            server.kill()

    @property
    def log(self) -> str:
        """All that the servers of this test wrote to standard error."""
        path = self.folder / "serve.log"
        return path.read_text() if path.exists() else ""


@attrs.define(kw_only=True)
class Server:
    """A running `wch serve`."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    address: str = ""

    async def ready(self) -> None:
        """Wait until it answers `/livez`."""
        async with asyncio.timeout(PATIENCE), httpx2.AsyncClient(trust_env=False) as web:
            while not await self._answers(web):
                assert self.process.poll() is None, (self.folder / "serve.log").read_text()[-4000:]
                await asyncio.sleep(POLL)

    async def _answers(self, web: httpx2.AsyncClient) -> bool:
        first = (self.folder / "serve.out").read_text().partition("\n")
        if not first[1]:
            return False
        self.address = first[0].split(" ")[-1]
        try:
            return (await web.get(f"{self.address}/livez")).status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    def kill(self) -> None:
        """Take it away at once, as a power cut does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    async def terminate(self) -> int:
        """Ask it to stop, and wait; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        await until(lambda: self.process.poll() is not None, PATIENCE)
        return self.process.wait()

    async def post(self, web: httpx2.AsyncClient, body: bytes) -> int:
        """Post a signed delivery; the status, 0 if nobody answered."""
        headers = {"X-Hub-Signature-256": signature_of(body), "Content-Type": "application/json"}
        try:
            answer = await web.post(f"{self.address}/webhooks/whatsapp", content=body, headers=headers)
        except httpx2.TransportError:
            return 0
        return int(answer.status_code)


async def answer_in_turn(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    answer: Callable[[str, str, dict[str, str], bytes], Awaitable[tuple[int, bytes]]],
) -> None:
    """Speak HTTP on one connection: each request is answered, by its method, target, headers and body, before the next."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
            first, *lines = head.split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            status, content = await answer(method, target, headers, body)
            writer.write(
                b"HTTP/1.1 %d -\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                % (status, len(content))
            )
            writer.write(content)
            await writer.drain()
    writer.close()


async def until_alive(web: httpx2.AsyncClient, port: int) -> None:
    """Wait until the server on this port answers."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                if (await web.get(f"http://127.0.0.1:{port}/livez")).status_code == httpx2.codes.OK:
                    return
            except httpx2.TransportError:
                await asyncio.sleep(0.05)


def client() -> httpx2.AsyncClient:
    """A sender of deliveries that opens as many connections as it needs."""
    return httpx2.AsyncClient(
        trust_env=False, timeout=PATIENCE, limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20)
    )


async def counters(web: httpx2.AsyncClient, address: str, key: str) -> dict[tuple[str, ...], float]:
    """What a process tells Prometheus, by name and the values of its labels in the order of their names."""
    told = await web.get(f"{address}/metrics", headers={"Authorization": f"Bearer {key}"})
    assert told.status_code == httpx2.codes.OK, told.text
    samples = (one for family in text_string_to_metric_families(told.text) for one in family.samples)
    return {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in samples}


async def finished(store: Store, within: float = PATIENCE) -> None:
    """Wait until a running worker has left nothing that waits or is under way."""
    await until(lambda: not store.unfinished(), within)


async def until(seen: Callable[[], bool], within: float = PATIENCE) -> None:
    """Look at another process again and again until this is seen, or it took too long."""
    async with asyncio.timeout(within):
        while not seen():  # noqa: ASYNC110 - it shares no event with us
            await asyncio.sleep(POLL)
