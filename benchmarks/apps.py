"""Webhooks to compare the hub's with: the least that could do the work, and what a Python developer would pick.

Served by uvicorn with uvloop and httptools, as the hub is; each keeps its tables in `BENCH_FOLDER`.
"""

import asyncio
import hmac
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import orjson
from deliveries import CUSTOMERS, SECRET

Row = tuple[Any, ...]

TABLES = """
CREATE TABLE conversation (id INTEGER PRIMARY KEY, phone TEXT NOT NULL UNIQUE, state TEXT NOT NULL,
  latest INTEGER NOT NULL, unread INTEGER NOT NULL, version INTEGER NOT NULL);
CREATE TABLE message (id INTEGER PRIMARY KEY, wamid TEXT NOT NULL UNIQUE, phone TEXT NOT NULL,
  kind TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX of_phone ON message (phone, id);
CREATE TABLE job (id INTEGER PRIMARY KEY, status TEXT NOT NULL, due INTEGER NOT NULL, payload TEXT);
CREATE INDEX ready ON job (id) WHERE status = 'ready';
"""


def signed(body: bytes, told: bytes) -> bool:
    """Whether the signature is right."""
    return hmac.compare_digest(b"sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex().encode(), told)


def row_of(body: bytes) -> Row:
    """What of a delivery is stored."""
    message = orjson.loads(body)["entry"][0]["changes"][0]["value"]["messages"][0]
    return (
        message["id"] + os.urandom(4).hex(), message["from"], message["type"],
        orjson.dumps(message).decode(), "received", int(message["timestamp"]),
    )  # fmt: skip


def opened(name: str) -> sqlite3.Connection:
    """A new database with a conversation for each customer, as durable as the hub's."""
    path = Path(os.environ["BENCH_FOLDER"]) / f"{name}.db"
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(TABLES)
    phones = [(f"1650{number:07d}",) for number in range(CUSTOMERS)]
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO conversation VALUES (NULL, ?, 'browsing', 0, 0, 1)", phones)
    connection.execute("COMMIT")
    return connection


def handled(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Look the conversations up, store the messages, move the conversations on, put the answers on the list."""
    connection.execute("BEGIN IMMEDIATE")
    for row in rows:
        found = connection.execute("SELECT id, version FROM conversation WHERE phone = ?", (row[1],)).fetchone()
        connection.execute("INSERT OR IGNORE INTO message VALUES (NULL, ?, ?, ?, ?, ?, ?)", row)
        connection.execute(
            "UPDATE conversation SET state = 'cart', latest = ?, unread = unread + 1, version = version + 1 "
            "WHERE id = ? AND version = ?",
            (row[5], *found),
        )
        connection.execute("INSERT INTO job VALUES (NULL, 'ready', 0, ?)", (row[3][:100],))
    connection.execute("COMMIT")


def claimed(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Store the messages."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT OR IGNORE INTO message VALUES (NULL, ?, ?, ?, ?, ?, ?)", rows)
    connection.execute("COMMIT")


# --- the least that could do it


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _application(store: Callable[[bytes], Any] | None) -> Any:
    """A raw ASGI application: signature, store, 200."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        body = await _body(receive)
        told = next((value for name, value in scope["headers"] if name == b"x-hub-signature-256"), b"")
        status = 200 if signed(body, told) else 401
        if status == 200 and store is not None:
            await store(body)
        elif status == 200:
            row_of(body)
        # By the status alone, as the hub answers: a body would be one write more.
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    return application


def nothing_stored() -> Any:
    """Signature and JSON, and no more."""
    return _application(None)


def one_commit_each() -> Any:
    """The whole handling, a transaction for each message, on the loop."""
    connection = opened("one")

    async def store(body: bytes) -> None:
        handled(connection, [row_of(body)])

    return _application(store)


def group_commit() -> Any:
    """The whole handling in a thread that takes all that came meanwhile: the floor that the hub is held against."""
    return _gathered(opened("group"), handled)


def group_claim() -> Any:
    """The same, of the message alone: everything else would be somebody's work later."""
    return _gathered(opened("claim"), claimed)


def _gathered(connection: sqlite3.Connection, commit: Callable[[sqlite3.Connection, Sequence[Row]], None]) -> Any:
    executor = ThreadPoolExecutor(1)
    waiting: list[tuple[asyncio.Future[None], Row]] = []
    running: list[asyncio.Task[None]] = []

    async def turn() -> None:
        while waiting:
            batch = waiting.copy()
            waiting.clear()
            await asyncio.get_running_loop().run_in_executor(executor, commit, connection, [row for _, row in batch])
            for answer, _ in batch:
                answer.set_result(None)

    async def store(body: bytes) -> None:
        answer = asyncio.get_running_loop().create_future()
        waiting.append((answer, row_of(body)))
        if not running or running[0].done():
            running[:] = [asyncio.create_task(turn())]
        await answer

    return _application(store)


# --- what a developer would pick


def pywa_handler() -> Any:
    """Pywa's asynchronous handler on FastAPI: it answers first and stores nothing."""
    import logging  # noqa: PLC0415 - of this peer

    from fastapi import FastAPI  # noqa: PLC0415 - as above
    from pywa_async import WhatsApp  # noqa: PLC0415 - as above

    logging.disable(logging.CRITICAL)
    application = FastAPI()
    client: Any = WhatsApp(
        phone_id="106540352242922", token="t", server=application, webhook_endpoint="/webhooks/whatsapp",  # noqa: S106 - of nobody
        verify_token="v", app_secret=SECRET, skip_duplicate_updates=False,  # noqa: S106 - as above
    )  # fmt: skip
    latest: list[str] = []

    @client.on_message  # type: ignore[misc]  # pywa's decorator
    async def on_message(_client: Any, message: Any) -> None:
        latest[:] = [message.id]

    return application


def fastapi_and_orm() -> Any:
    """FastAPI, and SQLAlchemy's ORM over aiosqlite: the whole handling, a session for each message."""
    import sqlalchemy  # noqa: PLC0415 - of this peer
    from fastapi import FastAPI, Header, Request, Response  # noqa: PLC0415 - as above
    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine  # noqa: PLC0415 - as above
    from sqlalchemy.ext.automap import automap_base  # noqa: PLC0415 - as above

    opened("orm").close()
    path = Path(os.environ["BENCH_FOLDER"]) / "orm.db"
    base: Any = automap_base()
    base.prepare(autoload_with=sqlalchemy.create_engine(f"sqlite:///{path}"))
    conversations, messages, jobs = base.classes.conversation, base.classes.message, base.classes.job
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")

    @sqlalchemy.event.listens_for(engine.sync_engine, "connect")
    def durable(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    session = async_sessionmaker(engine, expire_on_commit=False)
    writer = asyncio.Lock()
    application = FastAPI()

    @application.post("/webhooks/whatsapp")
    async def hook(request: Request, x_hub_signature_256: Annotated[str, Header()]) -> Any:
        body = await request.body()
        if not signed(body, x_hub_signature_256.encode()):
            return Response(status_code=401)
        wamid, phone, kind, text, status, at = row_of(body)
        async with writer, session() as unit:
            found = await unit.scalar(sqlalchemy.select(conversations).where(conversations.phone == phone))
            unit.add(messages(wamid=wamid, phone=phone, kind=kind, body=text, status=status, at=at))
            found.state, found.latest, found.unread, found.version = "cart", at, found.unread + 1, found.version + 1
            unit.add(jobs(status="ready", due=0, payload=text[:100]))
            await unit.commit()
        return Response("OK")

    return application
