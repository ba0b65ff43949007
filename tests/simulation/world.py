"""A whole shop in one thread: processes that die, a store that fails, a WhatsApp that loses and doubles, customers who tap."""

import asyncio
import contextlib
import contextvars
import inspect
import json
import logging
import random  # noqa: TID251 - chance from a seed, outside the hub
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NoReturn, cast

import attrs

from tests.processes import NUMBER, SECRET, signature_of
from tests.simulation.loop import OWNER
from tests.simulation.shelf import STOCK, stocked
from wch import Settings
from wch.adapters.local_shop import LocalShop
from wch.adapters.memory import MemoryDatabase
from wch.adapters.payments import CashOnDelivery, SwitchedOnPayments
from wch.application.failpoints import Failpoints
from wch.application.hub import Hub
from wch.application.observers import Observers
from wch.application.ports import Shop, UnitOfWork
from wch.bootstrap import Parts, wired
from wch.domain.circuit_breaker import BreakerState
from wch.domain.errors import StoreUnavailableError
from wch.domain.message import FOREIGN, Class, Direction, Message, MessageStatus
from wch.domain.moment import unix
from wch.domain.quote import Line
from wch.domain.saga import Saga, SagaState
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Accepted, Refused, SendResult
from wch.entrypoints.cli.demo import options_of
from wch.testing import NOON, SeededIds
from wch.testing.faults import Fault, Faults

ADDRESS = "Maria Garcia, Calle Mayor 12, 28013 Madrid, Spain"
PATIENCE = 20.0
"""Seconds after which Meta gives a delivery up and sends it again."""

DRAINED_WITHIN = 24 * 3600.0
FORWARD = (
    *("confirm_order", "payment_", "shipping_", "use_address", "checkout"),
    *("add_to_cart_", "variant_", "product_", "category_", "categories"),
)
RATES = {"database": 0.01, "shop": 0.05, "whatsapp": 0.12, "payments": 0.1, "clock": 0.002, "ids": 0.02}
"""How often a call of each port goes wrong: so that much still comes to its end."""

CALLS = ((Fault.ERROR, 30), (Fault.DELAY, 20), (Fault.LOST_ANSWER, 25), (Fault.CRASH, 8), (Fault.CRASH_AFTER, 12))
KINDS = {
    "clock": ((Fault.JUMP, 1), (Fault.STEP, 1), (Fault.DRIFT, 1)),
    "ids": ((Fault.REPEAT, 1),),
}
"""What goes wrong with what is no call, and how often one beside the other."""

REFUSALS = (131000, 131000, 130429, 131056, 131026)
NEEDED = frozenset(
    {
        *("crash", "crash_after", "error", "delay", "lost_answer", "503", "delivery twice", "killed"),
        *("jump", "step", "drift", "repeat"),
        *("inbound lease lost", "the store did not answer for a line", "the store did not answer for a send"),
        *("resent", "order completed", "breaker opened", "foreign", "a heartbeat could not be written"),
    }
)
"""Rare branches: over all seeds each must have been taken, or the seeds prove nothing about it."""

RARER = frozenset(
    {"letter crash", "unconfirmed_twice", "outbound lease lost", "sync lease lost", "order undone"},
)
"""Those that only one of some hundred seeds comes to."""

SETTINGS: Settings = Settings.load(
    {
        "WCH_PROFILE": "test",
        "WCH_DATABASE_URL": "memory://",
        "WCH_APP_SECRET": SECRET,
        "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough",
        "WCH_ACCESS_TOKEN": "an-access-token",
        "WCH_PHONE_NUMBER_ID": "*",
        "WCH_CURRENCY": "EUR",
        "WCH_COUNTRY": "ES",
        "WCH_WORKER_POLL_SECONDS": "15",
    },
    {},
    None,
)[0]


@attrs.define(kw_only=True)
class HostClock:
    """The virtual clock that every host has, as far as it is right."""

    loop: asyncio.AbstractEventLoop

    def now(self) -> datetime:
        return NOON + timedelta(seconds=int(self.loop.time()))

    def fraction(self) -> float:
        return self.loop.time() % 1.0

    def boot(self) -> float:
        return 1000.0 + self.loop.time()


class Elsewhere:
    """A service that lives on when the process that called it dies."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._inner, operation)
        if not inspect.iscoroutinefunction(method):
            return method

        async def call(*arguments: Any, **named: Any) -> Any:
            return await asyncio.shield(apart(method(*arguments, **named)))

        return call


def apart(work: Any, owner: Any = None) -> "asyncio.Task[Any]":
    """A task that belongs to this process, or to nobody."""
    context = contextvars.copy_context()
    context.run(OWNER.set, owner)
    return asyncio.get_running_loop().create_task(work, context=context)


@attrs.define(kw_only=True, eq=False)
class Process:
    """A `wch serve` with its worker, until it dies."""

    world: "World"
    name: str
    is_alive: bool = True
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)
    hub: Hub = attrs.field(init=False)

    def start(self) -> None:
        world = self.world
        faults = Faults(plan=world.fault, die=self._die, dawdle=world.dawdle)
        self.hub = wired(
            Parts(
                settings=SETTINGS,
                database=faults.database(world.store),
                clock=faults.clock(HostClock(loop=asyncio.get_running_loop())),
                ids=faults.ids(SeededIds(f"{world.seed}:{self.name}")),
                whatsapp=faults.whatsapp(cast("Any", Elsewhere(world.meta))),
                shop=faults.shop(cast("Shop", Elsewhere(world.shop))),
                payments=faults.payments(SwitchedOnPayments((_cash(),))),
                observers=Observers(all=()),
                failpoints=Failpoints.disarmed(),
                tag="sim",
            )
        )
        apart(self.hub.worker.run(asyncio.Event()), self)

    def kill(self) -> None:
        self.is_alive = False
        self.ended.set()

    async def _die(self) -> NoReturn:
        self.kill()
        await asyncio.get_running_loop().create_future()
        raise AssertionError


def _cash() -> CashOnDelivery:
    return CashOnDelivery(fee=None, max_total=None, excluded_countries=frozenset())


@attrs.define(kw_only=True)
class Meta:
    """WhatsApp outside the hub: it notes what it accepted, and tells of it as unreliably as it may."""

    world: "World"
    arrived: list[tuple[int, str, Any]] = attrs.field(factory=list)

    async def send(self, _number: str, message: Any) -> SendResult:
        world = self.world
        await asyncio.sleep(world.dice.random())
        if world.rages and world.dice.random() < 0.05:
            code = world.dice.choice(REFUSALS)
            return Refused(error=GraphError(code=code, title="no"), failure=classify(code), retry_after=None)
        data = str(message["biz_opaque_callback_data"])
        person = str(message.get("to")).removeprefix("+")
        self.arrived.append((int(data.split(".")[2]), person, message))
        key = f"wamid.out.{len(self.arrived)}"
        apart(self._statuses(key, data, person))
        return Accepted(wa_message_id=key)

    async def mark_read(self, _number: str, _wa_message_id: str, *, typing: bool = False) -> bool:
        return typing

    async def _statuses(self, key: str, data: str, person: str) -> None:
        world = self.world
        words = ["sent", "delivered", "read"]
        if world.rages:
            world.dice.shuffle(words)
            words = [word for word in words if world.dice.random() < 0.6]
        for word in words:
            await asyncio.sleep(world.dice.choice((0.0, 0.5, 5.0, 200.0)))
            status = {
                "id": key,
                "status": word,
                "timestamp": str(unix(NOON) + int(asyncio.get_running_loop().time())),
                "recipient_id": person,
            }
            if not world.rages or world.dice.random() < 0.7:
                status["biz_opaque_callback_data"] = data
            await self.deliver({"statuses": [status]})

    async def deliver(self, *values: dict[str, Any]) -> None:
        """Post until somebody answers 200, and sometimes once more."""
        world = self.world
        metadata = {"display_phone_number": "1", "phone_number_id": NUMBER}
        changes = [
            {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
            for value in values
        ]
        body = json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}).encode()
        times = 2 if world.rages and world.dice.random() < 0.1 else 1
        world.marks["delivery twice"] += times - 1
        while times:
            if await self._post(body):
                times -= 1
            else:
                await asyncio.sleep(1 + 10 * world.dice.random())

    async def _post(self, body: bytes) -> bool:
        world = self.world
        process = world.dice.choice(world.processes)
        if not process.is_alive:
            return False
        posted = apart(process.hub.inbox.receive_raw(body, signature=signature_of(body)), process)
        ended = apart(process.ended.wait())
        await asyncio.wait({posted, ended}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not posted.done():
            return False
        if posted.exception() is None:
            return bool(posted.result().status == "accepted")
        assert isinstance(posted.exception(), StoreUnavailableError), posted.exception()
        world.marks["503"] += 1
        return False


@attrs.define(kw_only=True)
class World:
    """One seed's world, from the first word until all is quiet again."""

    seed: int
    dice: random.Random
    words_each: int = 14
    customers: tuple[str, ...] = ("34600111222", "34600333444")
    store: MemoryDatabase = attrs.field(factory=MemoryDatabase)
    marks: Counter[str] = attrs.field(factory=Counter)
    processes: list[Process] = attrs.field(factory=list)
    rages: bool = True
    is_over: bool = False
    whatsapp_is_down: bool = False
    cancelled: set[int] = attrs.field(factory=set)
    acknowledged: list[str] = attrs.field(factory=list)
    meta: Meta = attrs.field(init=False)
    shop: LocalShop = attrs.field(init=False)
    virtual_seconds: float = 0.0

    # --- faults

    def fault(self, place: str) -> Fault | None:
        """What happens to a call, while faults are ordered."""
        if self.whatsapp_is_down and place == "whatsapp.send":
            return Fault.ERROR
        port = place.partition(".")[0]
        if not self.rages or self.dice.random() > RATES[port]:
            return None
        faults, weights = zip(*KINDS.get(port, CALLS), strict=True)
        fault: Fault = self.dice.choices(faults, weights)[0]
        self.marks[fault.value] += 1
        self.marks[f"{fault.value} at {port}"] += port not in KINDS
        return fault

    async def dawdle(self) -> None:
        await asyncio.sleep(self.dice.choice((0.0, 0.1, 1.0, 20.0, 65.0, 200.0)))

    # --- the run

    async def live(self) -> None:
        """Faults and customers, then calm; every promise is checked on the way and at the end."""
        loop = asyncio.get_running_loop()
        self.meta = Meta(world=self)
        self.shop = await stocked(HostClock(loop=loop))
        for _ in range(2):
            self._start()
        watching = apart(self._watch())
        chaos = apart(self._chaos())
        talking = [apart(self._talk(person)) for person in self.customers]
        async with asyncio.timeout(DRAINED_WITHIN):
            await asyncio.gather(*talking)
        chaos.cancel()
        self.rages = self.whatsapp_is_down = False
        for place, process in enumerate(self.processes):
            if not process.is_alive:
                self.processes[place] = self._started()
        async with asyncio.timeout(DRAINED_WITHIN):
            while await self.store.read(waits):  # noqa: ASYNC110 - time is what is waited for
                await asyncio.sleep(30.0)
        watching.cancel()
        await self._check()
        await self._check_the_end()
        self.virtual_seconds = loop.time()
        self.is_over = True

    def _start(self) -> None:
        self.processes.append(self._started())

    def _started(self) -> Process:
        process = Process(world=self, name=str(sum(self.marks.values()) * 100 + len(self.processes)))
        process.start()
        return process

    async def _chaos(self) -> None:
        """Dead processes come back after a while, living ones are taken away, WhatsApp goes down."""
        while True:
            await asyncio.sleep(self.dice.uniform(0.5, 20.0))
            self.whatsapp_is_down = self.dice.random() < (0.8 if self.whatsapp_is_down else 0.1)
            for place, process in enumerate(self.processes):
                if not process.is_alive and self.dice.random() < 0.7:
                    self.processes[place] = self._started()
                elif self.dice.random() < 0.05:
                    self.marks["killed"] += 1
                    process.kill()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.dice.uniform(3.0, 40.0))
            await self._check()

    async def _talk(self, person: str) -> None:
        """A customer who mostly wants to buy, and answers what the phone shows."""
        for number in range(self.words_each):
            key = f"wamid.{person}.{number}"
            body = self._says(person)
            tapped = body.get("interactive", {}).get("list_reply", {}).get("id", "")
            if tapped.startswith("cancel_order_yes_"):
                self.cancelled.add(int(tapped.rpartition("_")[2]))
            stamp = str(unix(NOON) + int(asyncio.get_running_loop().time()))
            await self.meta.deliver(
                {
                    "contacts": [{"profile": {"name": "Ana"}, "wa_id": person}],
                    "messages": [{"from": person, "id": key, "timestamp": stamp, **body}],
                }
            )
            self.acknowledged.append(key)
            await asyncio.sleep(self.dice.choice((0.0, 3.0, 5.0, 15.0, 40.0)))

    def _says(self, person: str) -> dict[str, Any]:
        seen = [message for _, to, message in self.meta.arrived if to == person]
        options = [option for message in seen[-1:] for option in options_of(message)]
        for prefix in FORWARD if self.dice.random() < 0.93 else ():
            for option in options:
                if option.id.startswith(prefix):
                    return _tap(option)
        if options and self.dice.random() < 0.4:
            return _tap(self.dice.choice(options))
        others = ("hi", "mug", "cart", "checkout", "help", "where is my order")
        words = ADDRESS if seen and not options and self.dice.random() < 0.8 else self.dice.choice(others)
        return {"type": "text", "text": {"body": words}}

    # --- the promises

    async def _check(self) -> None:
        """What must hold at any instant."""
        report = await self.processes[0].hub.verification.__class__(database=self.store).run()
        assert report["ok"], [check for check in report["checks"] if not check["ok"]]
        breakers = await self.store.read(lambda uow: uow.breakers.listed())
        self.marks["breaker opened"] += sum(breaker.state is not BreakerState.CLOSED for breaker in breakers)

    async def _check_the_end(self) -> None:
        rows, sagas, letters = await self.store.read(_everything)
        inbound = [row for row in rows if row.direction is Direction.INBOUND]
        assert Counter(row.wa_message_id for row in inbound) == Counter(self.acknowledged), "accepted once, all of it"
        dead = {row.id for row in inbound if row.status is MessageStatus.DEAD}
        assert {row.status for row in inbound} <= {MessageStatus.PROCESSED, MessageStatus.DEAD}
        assert dead <= {int(one.args["id"]) for one in letters if one.args.get("table") == "messages"}
        self._check_order(inbound)
        self._check_sends(rows)
        self._mark(rows, sagas, letters)
        await self._check_shop(sagas)

    def _check_order(self, inbound: list[Message]) -> None:
        """Answers come in the order of what they answer; what a customer said later is never answered first."""
        for thread in {row.conversation_id for row in inbound}:
            latest = 0
            for row in sorted((one for one in inbound if one.conversation_id == thread), key=lambda one: one.id):
                handled: Any = row.content.get("handled") or {}
                answers = [int(one) for one in handled.get("answers", ())]
                assert not answers or min(answers) >= latest, "answered out of order"
                latest = max([latest, *answers])

    def _check_sends(self, rows: list[Message]) -> None:
        """Each row arrives once, and a second time only where the row says so; campaigns never."""
        times = Counter(row for row, _, _ in self.meta.arrived)
        for row in rows:
            if row.type == FOREIGN:
                # Its answer was lost and its echo came without our data: nobody can tell whose it was.
                self.marks["foreign"] += 1
                continue
            allowed = 1 + (1 if row.content.get("resent") and row.class_ is not Class.CAMPAIGN else 0)
            assert times[row.id] <= allowed, f"row {row.id} went out {times[row.id]} times"
            if row.direction is Direction.OUTBOUND and row.status in {MessageStatus.SENT, MessageStatus.DELIVERED}:
                assert times[row.id] >= 1, "told as sent, and never was"

    async def _check_shop(self, sagas: list[Saga]) -> None:
        """One order for each placement that went through, none for any other, and no mug lost."""
        sold = 0
        orders: Counter[str] = Counter()
        for saga in sagas:
            assert saga.state in {SagaState.COMPLETED, SagaState.FAILED}, saga.state
            made = saga.results.get("create_order", {}).get("order_id")
            if saga.state is SagaState.COMPLETED:
                order = await self.shop.order(order_id=int(made))
                orders[str(order.id)] += 1
                if order.status.value == "cancelled":
                    assert order.id in self.cancelled, "cancelled, and nobody asked for it"
                    self.marks["order cancelled"] += 1
                    continue
                sold += sum(line.quantity for line in order.lines)
        assert all(count == 1 for count in orders.values()), "an order of two placements"
        parked = any(saga.outcome == "parked" for saga in sagas)
        found = await self.shop.resolve(retailer_ids=("MUG",))
        (check,) = await self.shop.check(lines=(Line(product_id=found["MUG"].id, quantity=1),))
        if not parked:
            assert check.available == STOCK - sold, f"{check.available} left of {STOCK}, {sold} sold"

    def _mark(self, rows: Any, sagas: Any, letters: Any) -> None:
        marks = self.marks
        marks["resent"] += sum(bool(row.content.get("resent")) for row in rows)
        marks["unconfirmed_twice"] += sum(letter.reason == "unconfirmed_twice" for letter in letters)
        marks["letter crash"] += sum(letter.reason == "crash" for letter in letters)
        marks["order completed"] += sum(saga.state is SagaState.COMPLETED for saga in sagas)
        marks["order undone"] += sum(saga.outcome == "compensated" for saga in sagas)
        marks["orders"] += len(sagas)


def _tap(option: Any) -> dict[str, Any]:
    reply = {"id": option.id, "title": option.title}
    return {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": reply}}


def waits(uow: UnitOfWork) -> bool:
    """Whether anything is left to do."""
    states = uow.census.states()
    busy = {
        "messages": ("inbound:received", "inbound:processing", "outbound:pending", "outbound:sending"),
        "notification_log": ("pending",),
        "sync_queue": ("pending", "processing"),
    }
    if any(states[table].get(word) for table, words in busy.items() for word in words):
        return True
    rows = [row for row in whole_threads(uow) if row.status is MessageStatus.UNCONFIRMED]
    open_sagas = [saga for saga in uow.sagas.listed(limit=500) if saga.is_open]
    return bool(open_sagas) or any(row.class_ is not Class.CAMPAIGN for row in rows)


def whole_threads(uow: UnitOfWork) -> list[Message]:
    """Every message of every conversation."""
    threads = uow.conversations.listed(limit=500)
    return [row for thread in threads for row in uow.messages.thread(thread.id, limit=1000)]


def _everything(uow: UnitOfWork) -> tuple[list[Message], list[Any], list[Any]]:
    return (
        whole_threads(uow),
        list(uow.sagas.listed(limit=500)),
        list(uow.dead_letters.listed(status=None, limit=500)),
    )


@contextlib.contextmanager
def log_marks(world: World) -> Iterator[None]:
    """Count what the hub logs, such as leases that were lost."""
    log = logging.getLogger("wch")

    class Marking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not world.is_over:
                world.marks[str(record.msg).partition(":")[0]] += 1

    handler = Marking()
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
