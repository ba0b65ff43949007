"""`wch demo`: sell something over real HTTP, through the sandbox, and show it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel

from wch.entrypoints.cli.running import failure

if TYPE_CHECKING:
    import httpx2

CUSTOMER = "34600111222"
NAME = "Maria"
PATIENCE = 60.0
"""Seconds to wait for one answer before the demo gives up: a busy machine is slow, not broken."""

QUIET = 0.15
"""Seconds of silence after which an answer is taken to be whole."""

ADDRESS = "Maria Garcia, Calle Mayor 12, 28013 Madrid, Spain"


@attrs.frozen(kw_only=True)
class Option:
    """Something that a message offers to tap."""

    id: str
    title: str


def options_of(body: Mapping[str, Any]) -> tuple[Option, ...]:
    """The buttons or rows of a message's Cloud API body."""
    interactive = body.get("interactive", {})
    action = interactive.get("action", {})
    buttons = [button.get("reply", {}) for button in action.get("buttons", ())]
    rows = [row for section in action.get("sections", ()) for row in section.get("rows", ())]
    return tuple(Option(id=one["id"], title=one["title"]) for one in (*buttons, *rows) if "id" in one)


def text_of(body: Mapping[str, Any]) -> str:
    """The words of a message's Cloud API body."""
    kind = str(body.get("type"))
    inner = body.get(kind, {})
    if kind == "text":
        return str(inner.get("body", ""))
    if kind == "interactive":
        reply = inner.get("button_reply") or inner.get("list_reply")
        return str(reply["title"] if reply else inner.get("body", {}).get("text", ""))
    if kind == "template":
        return f"template {inner.get('name')}"
    return f"[{kind}]"


@attrs.define
class Phone:
    """The customer's phone: says things, and waits for what comes back.

    Attributes:
        heard: what the shop has said.
        answered: how much of it was said before the customer spoke last.
    """

    web: "httpx2.Client"
    console: Console | None
    heard: list[dict[str, Any]] = attrs.field(factory=list)
    answered: int = 0

    def say(self, body: Mapping[str, Any]) -> None:
        """Say one thing."""
        self.answered = len(self.heard)
        self._show(NAME, text_of(body), "green", right=True)
        self.web.post(f"/sandbox/api/customers/{CUSTOMER}/messages", json={"name": NAME, **body}).raise_for_status()

    def text(self, words: str) -> None:
        """Type something."""
        self.say({"type": "text", "text": {"body": words}})

    def tap(self, *beginnings: str) -> str:
        """Tap what the answer offers first whose id begins with one of these, as soon as it does; with which one."""
        end = time.monotonic() + PATIENCE
        while (found := self._offered(beginnings)) is None:
            if time.monotonic() > end:
                raise failure(
                    f"the demo waited {PATIENCE:.0f} s for something to tap that begins with {' or '.join(beginnings)}, "
                    "and was offered other things."
                )
            self.listen(1.0)
        beginning, kind, option = found
        self.say({"type": "interactive", "interactive": {"type": kind, kind: {"id": option.id, "title": option.title}}})
        return beginning

    def hear(self) -> None:
        """Wait until the shop has answered."""
        if not self.listen(PATIENCE):
            raise failure(f"the demo waited {PATIENCE:.0f} s for an answer and heard nothing.")

    def listen(self, seconds: float) -> list[dict[str, Any]]:
        """What the shop says in so many seconds, until it is silent for a moment; shown as it comes."""
        end = quiet = time.monotonic() + seconds
        before = len(self.heard)
        while time.monotonic() < end:
            got = self.web.get(f"/sandbox/api/customers/{CUSTOMER}/messages").json()["data"]
            fresh = [one for one in got if one["direction"] == "outbound"][len(self.heard) :]
            if fresh:
                self.heard += fresh
                quiet = time.monotonic()
                for message in fresh:
                    offered = "  ".join(f"[{option.title}]" for option in options_of(message["body"]))
                    words = text_of(message["body"])
                    self._show("Shop", f"{words}\n{offered}" if offered else words, "cyan")
            elif len(self.heard) > before and time.monotonic() - quiet > QUIET:
                break
            time.sleep(0.03)
        return self.heard[before:]

    def _offered(self, beginnings: Iterable[str]) -> tuple[str, str, Option] | None:
        for message in reversed(self.heard[self.answered :]):
            for beginning in beginnings:
                for option in options_of(message["body"]):
                    if option.id.startswith(beginning):
                        kind = "button_reply" if "buttons" in message["body"]["interactive"]["action"] else "list_reply"
                        return beginning, kind, option
        return None

    def _show(self, who: str, words: str, colour: str, *, right: bool = False) -> None:
        if self.console is None:
            return
        width = min(60, self.console.width - 12)
        panel = Panel(words, title=who, title_align="left", border_style=colour, width=width, highlight=False)
        self.console.print(Padding(panel, (0, 0, 0, 10 if right else 0)), markup=False)


@contextmanager
def running_server(database_url: str, folder: Path) -> Iterator[str]:
    """A real `wch serve` process with the sandbox, on a free port; gives its address."""
    import httpx2  # noqa: PLC0415 - slow to load, and only the demo itself needs it

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WCH_")}
    log = folder / "server.log"
    with log.open("wb") as sink:
        server = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "wch", "serve", "--sandbox", "--port", str(port), "--database-url", database_url],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**environment, "WCH_CURRENCY": "EUR", "WCH_COUNTRY": "ES", "WCH_TIMEZONE": "Europe/Madrid"},
        )
        try:
            _await_alive(f"http://127.0.0.1:{port}", server)
            yield f"http://127.0.0.1:{port}"
        except (httpx2.HTTPError, SystemExit) as error:
            click.echo(f"the hub's log ends with:\n{log.read_text(errors='replace')[-2000:]}", err=True)
            if isinstance(error, SystemExit):
                raise
            raise failure(f"the hub did not answer as it should: {error}; its log is above.") from None
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _await_alive(address: str, server: subprocess.Popen[bytes]) -> None:
    import httpx2  # noqa: PLC0415 - slow to load, and only the demo itself needs it

    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            if httpx2.get(f"{address}/livez", timeout=1).status_code == httpx2.codes.OK:
                return
        except httpx2.HTTPError:
            time.sleep(0.05)
    raise failure("the server did not start; its log is above.")


def _wch(database_url: str, *words: str) -> Any:
    """Run another command of ours on the same database, as the shop's owner would."""
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "wch", *words, "--database-url", database_url, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "WCH_PROFILE": "dev", "WCH_CURRENCY": "EUR", "WCH_COUNTRY": "ES"},
    )
    if ran.returncode:
        raise failure(f"`wch {' '.join(words)}` failed: {ran.stderr.strip()}")
    return json.loads(ran.stdout)


def sell(address: str, database_url: str, console: Console | None) -> dict[str, Any]:
    """Buy a product as a customer, ship it as the owner, and count what happened."""
    import httpx2  # noqa: PLC0415 - slow to load, and only the demo itself needs it

    began = time.monotonic()
    with httpx2.Client(base_url=address, timeout=PATIENCE) as web:
        phone = Phone(web=web, console=console)
        phone.text("hi")
        phone.tap("categories")
        phone.tap("category_")
        while phone.tap("product_", "add_to_cart_", "variant_") == "product_":
            pass
        phone.hear()
        phone.text("cart")
        phone.tap("checkout")
        phone.hear()
        phone.text(ADDRESS)
        while phone.tap("confirm_order", "use_address", "shipping_", "payment_") != "confirm_order":
            pass
        order_id = _await_order(phone)
        phone.text("where is my order")
        phone.hear()
        _wch(database_url, "orders", "ship", str(order_id), "--carrier", "DHL", "--tracking", "JD014600003")
        _await_notice(phone)
        calls = web.get("/sandbox/api/graph-log").json()["data"]
        webhooks = web.get("/sandbox/api/deliveries").json()["data"]
    seconds = time.monotonic() - began
    asked = (("stats",), ("verify",), ("orders", "show", str(order_id)))
    with ThreadPoolExecutor() as together:
        figures, verified, shown = together.map(lambda words: _wch(database_url, *words), asked)
    order = shown["order"]
    messages = figures["tables"]["messages"]
    return {
        "order": order["number"],
        "total": order["total"],
        "payment": "cod",
        "webhooks": len(webhooks),
        "messages_in": sum(messages["inbound"].values()),
        "messages_out": sum(messages["outbound"].values()),
        "graph_calls": len(calls),
        "milliseconds": round(seconds * 1000),
        "verified": verified["ok"],
    }


def _await_order(phone: Phone) -> int:
    """Let the sandbox's minutes pass until the confirmation comes; its button names the order."""
    for _ in _minutes(phone):
        for message in phone.heard[phone.answered :]:
            for option in options_of(message["body"]):
                if option.id.startswith("order_"):
                    return int(option.id.removeprefix("order_"))
    raise failure("the order was not confirmed in time.")


def _await_notice(phone: Phone) -> None:
    """Let the sandbox's minutes pass until the customer hears of the parcel.

    A notice is held back for half a minute after the hub has seen the change, and when it sees it
    is the worker's affair: so time is moved again and again, not once and perhaps too early.
    """
    before = len(phone.heard)
    for _ in _minutes(phone):
        if len(phone.heard) > before:
            return
    raise failure("the customer was not told of the parcel in time.")


def _minutes(phone: Phone) -> Iterator[None]:
    """The sandbox's minutes, a second of ours for each."""
    for _ in range(round(PATIENCE)):
        yield
        phone.web.post("/sandbox/api/clock", json={"advance": "1m"}).raise_for_status()
        phone.listen(1.0)


@click.command()
@click.option("--database-url", metavar="URL", help="Where to sell; a fresh SQLite file otherwise.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def demo(database_url: str | None, *, as_json: bool) -> None:
    """Sell something over real HTTP on SQLite, through the sandbox, and show it.

    Example: wch demo
    """
    console = None if as_json else Console()
    with tempfile.TemporaryDirectory(prefix="wch-demo-") as folder:
        url = database_url or f"sqlite+aiosqlite:///{folder}/demo.db"
        with running_server(url, Path(folder)) as address:
            figures = sell(address, url, console)
    if console is None:
        click.echo(json.dumps(figures, indent=2))
        return
    total = f"{figures['total']['amount']} {figures['total']['currency']}"
    console.rule("what happened")
    console.print(f"Order {figures['order']} over {total}, paid by {figures['payment']}.")
    console.print(
        f"{figures['webhooks']} webhooks brought {figures['messages_in']} messages; {figures['messages_out']} went out "
        f"through {figures['graph_calls']} calls, in {figures['milliseconds']} ms; "
        f"`wch verify` is {'content' if figures['verified'] else 'NOT content'}."
    )
    console.rule("how to go on")
    for where, what in (
        ("make serve", "the hub with its sandbox on http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/sandbox", "a phone in the browser: buy something yourself"),
        ("http://127.0.0.1:8080/console", "the shop's side: wch operators add NAME --role admin"),
        ("http://127.0.0.1:8080/docs", "its routes"),
        ("http://127.0.0.1:8080/sandbox/api/graph-log", "what it sent to WhatsApp's stand-in"),
    ):
        console.print(f"{where:44} {what}", soft_wrap=True)
