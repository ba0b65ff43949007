"""Faults to order: every port of a hub wrapped, so that any call of it may fail, dawdle, lose its answer or be the last."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, NoReturn, Protocol, TypeVar, cast

import attrs

from wch.application.around import StoreAround
from wch.application.ports import (
    Catalogue,
    Clock,
    Database,
    Ids,
    MediaFiles,
    MediaStore,
    Model,
    Payments,
    Shop,
    TemplateSource,
    UnitOfWork,
    WhatsApp,
)
from wch.domain.attachment import AttachmentError
from wch.domain.catalogue_item import CatalogueError
from wch.domain.completion import ModelUnavailableError
from wch.domain.errors import StoreUnavailableError
from wch.domain.message_template import TemplatesUnavailableError
from wch.domain.payment import PaymentUnavailableError
from wch.domain.send_failure import FailureClass
from wch.domain.send_result import Ambiguous, NotMade
from wch.domain.shop_error import ShopUnavailableError

R = TypeVar("R")

MOST_REDOS = 50

SECONDS_PER_DRIFT = timedelta(seconds=10)
"""A clock that runs fast gains a second in so many."""


class Fault(StrEnum):
    """What may happen to one call."""

    ERROR = "error"
    """It does not get through; nothing has happened."""

    DELAY = "delay"
    """It gets through late."""

    LOST_ANSWER = "lost_answer"
    """It happened, and nobody is told; of a store: a COMMIT that nobody knows the end of."""

    CRASH = "crash"
    """The process is gone before the call."""

    CRASH_AFTER = "crash_after"
    """The process is gone right after it."""

    JUMP = "jump"
    """Of a clock: from now on it is ahead."""

    STEP = "step"
    """Of a clock: from now on it is behind; what it said already it does not take back."""

    DRIFT = "drift"
    """Of a clock: from now on it runs fast."""

    REPEAT = "repeat"
    """Of ids: what was drawn the last time is drawn again."""


class CrashedError(BaseException):
    """The process ends here; not an `Exception`, since nothing may answer it."""


class Plan(Protocol):
    """Decides what happens to the call that is about to be made."""

    def __call__(self, place: str) -> Fault | None:
        """The fault at this passing of `port.operation`; None: all is well."""
        ...


@attrs.define
class NthCall:
    """One fault, at the n-th call of the places whose names begin so.

    Attributes:
        fault: what happens then.
        at: at which call, from 1.
        of: how the names of the places begin that are counted, one way or several.
        passed: how many were counted so far.
    """

    fault: Fault
    at: int
    of: str | tuple[str, ...] = ""
    passed: int = 0

    def __call__(self, place: str) -> Fault | None:
        """Count, and say whether this is the one."""
        if not place.startswith(self.of):
            return None
        self.passed += 1
        return self.fault if self.passed == self.at else None

    @property
    def was_reached(self) -> bool:
        """Whether there were as many calls."""
        return self.passed >= self.at


async def _crash() -> NoReturn:
    raise CrashedError


async def _now() -> None:
    await asyncio.sleep(0)


@attrs.frozen(kw_only=True)
class Faults:
    """Where faults come from and what they do beside the call.

    Attributes:
        plan: decides.
        die: ends the process; never returns.
        dawdle: lets time pass.
        clock_off: how far a clock is wrong at most; beyond two seconds `wch doctor` warns.
    """

    plan: Plan
    die: Callable[[], Awaitable[NoReturn]] = _crash
    dawdle: Callable[[], Awaitable[None]] = _now
    clock_off: timedelta = timedelta(seconds=2)

    async def around(
        self, place: str, call: Callable[[], Awaitable[R]], *, failed: Callable[[], R], lost: Callable[[], R]
    ) -> R:
        """Make the call, or do to it what was ordered; `failed` and `lost` answer or raise as the port does."""
        fault = self.plan(place)
        if fault is Fault.CRASH:
            await self.die()
        if fault is Fault.ERROR:
            return failed()
        if fault is Fault.DELAY:
            await self.dawdle()
        answer = await call()
        if fault is Fault.CRASH_AFTER:
            await self.die()
        return lost() if fault is Fault.LOST_ANSWER else answer

    def database(self, inner: Database, *, statements: bool = False) -> Database:
        """The same store; with `statements`, every call of a repository may fail as a busy row does."""
        return _FaultyDatabase(inner, self, statements=statements)

    def whatsapp(self, inner: WhatsApp) -> WhatsApp:
        """The same WhatsApp: what did not get through was surely not sent, what lost its answer is in doubt."""
        return cast("WhatsApp", _FaultyWhatsApp(inner, self))

    def shop(self, inner: Shop) -> Shop:
        """The same shop, at times unavailable."""
        return cast("Shop", _FaultyPort(inner, "shop", self, ShopUnavailableError))

    def payments(self, inner: Payments) -> Payments:
        """The same ways to pay, each at times unavailable."""
        return cast("Payments", _FaultyPayments(inner, self))

    def catalogue(self, inner: Catalogue) -> Catalogue:
        """The same catalogue, whose answers may not come."""
        return cast(
            "Catalogue",
            _FaultyPort(inner, "catalogue", self, lambda: CatalogueError(FailureClass.RETRY, "no answer")),
        )

    def media_files(self, inner: MediaFiles) -> MediaFiles:
        """The same files at WhatsApp, at times unavailable."""
        return cast("MediaFiles", _FaultyPort(inner, "files", self, lambda: AttachmentError(code="unavailable")))

    def media_store(self, inner: MediaStore) -> MediaStore:
        """The same files of ours, at times without room, unreadable, or not to be deleted."""
        return cast("MediaStore", _FaultyMediaStore(inner, self))

    def model(self, inner: Model) -> Model:
        """The same language model, at times without an answer."""
        return cast("Model", _FaultyPort(inner, "model", self, ModelUnavailableError))

    def templates(self, inner: TemplateSource) -> TemplateSource:
        """The same account's templates, which cannot always be fetched."""
        return cast("TemplateSource", _FaultyPort(inner, "templates", self, TemplatesUnavailableError))

    def clock(self, inner: Clock) -> Clock:
        """The same clock, which jumps, is set back and runs fast; it still never goes back in its own eyes."""
        return _FaultyClock(inner, self)

    def ids(self, inner: Ids) -> Ids:
        """The same chance, which at times gives what it gave before."""
        return _FaultyIds(inner, self.plan)


class _FaultyClock:
    """The wall clock is wrong; the boot clock and the fraction of a second are not what people set."""

    def __init__(self, inner: Clock, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults
        self._off = timedelta()
        self._fast_since: datetime | None = None
        self._latest: datetime | None = None

    def now(self) -> datetime:
        true, most = self._inner.now(), self._faults.clock_off
        fault = self._faults.plan("clock.now")
        if fault in {Fault.JUMP, Fault.STEP, Fault.DRIFT}:
            self._off = {Fault.JUMP: most, Fault.STEP: -most}.get(fault, timedelta())
            self._fast_since = true if fault is Fault.DRIFT else None
        off = self._off
        if self._fast_since is not None:
            off = min(most, timedelta(seconds=(true - self._fast_since) // SECONDS_PER_DRIFT))
        self._latest = true + off if self._latest is None else max(self._latest, true + off)
        return self._latest

    def fraction(self) -> float:
        return self._inner.fraction()

    def boot(self) -> float:
        return self._inner.boot()


class _FaultyIds:
    def __init__(self, inner: Ids, plan: Plan) -> None:
        self._inner = inner
        self._plan = plan
        self._token = ""
        self._number = 0

    def token(self) -> str:
        if not self._token or self._plan("ids.token") is not Fault.REPEAT:
            self._token = self._inner.token()
        return self._token

    def number(self) -> int:
        if not self._number or self._plan("ids.number") is not Fault.REPEAT:
            self._number = self._inner.number()
        return self._number


class _FaultyPort:
    """Every asynchronous operation of a port, by its name."""

    def __init__(self, inner: object, name: str, faults: Faults, unavailable: Callable[[], Exception]) -> None:
        self._inner = inner
        self._name = name
        self._faults = faults
        self._unavailable = unavailable

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._inner, operation)
        if not inspect.iscoroutinefunction(method):
            return method

        def refused() -> NoReturn:
            raise self._unavailable()

        async def call(*arguments: Any, **named: Any) -> Any:
            place = f"{self._name}.{operation}"
            return await self._faults.around(place, lambda: method(*arguments, **named), failed=refused, lost=refused)

        return call


class _FaultyMediaStore:
    def __init__(self, inner: MediaStore, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    async def put(self, name: str, data: bytes) -> None:
        refused = partial(_refused_by_the_disk, "unkept")
        await self._faults.around("store.put", lambda: self._inner.put(name, data), failed=refused, lost=refused)

    async def get(self, name: str) -> bytes | None:
        return await self._faults.around(
            "store.get", lambda: self._inner.get(name), failed=lambda: None, lost=lambda: None
        )

    async def forget(self, names: Iterable[str]) -> int:
        refused = partial(_refused_by_the_disk, "unforgotten")
        kept = tuple(names)
        return await self._faults.around("store.forget", lambda: self._inner.forget(kept), failed=refused, lost=refused)


def _refused_by_the_disk(code: str) -> NoReturn:
    raise AttachmentError(code=code)


class _FaultyPayments:
    def __init__(self, inner: Payments, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    def gateway(self, name: str) -> Any:
        return _FaultyPort(self._inner.gateway(name), "payments", self._faults, PaymentUnavailableError)

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._inner, operation)


class _FaultyWhatsApp:
    def __init__(self, inner: WhatsApp, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    async def send(self, number: str, message: Any) -> Any:
        return await self._faults.around(
            "whatsapp.send",
            lambda: self._inner.send(number, message),
            failed=lambda: NotMade(reason="no connection"),
            lost=lambda: Ambiguous(reason="no answer"),
        )

    async def mark_read(self, number: str, wa_message_id: str, *, typing: bool = False) -> bool:
        return await self._faults.around(
            "whatsapp.mark_read",
            lambda: self._inner.mark_read(number, wa_message_id, typing=typing),
            failed=lambda: False,
            lost=lambda: False,
        )


class _BusyError(Exception):
    """A statement found its row busy: the whole work is rolled back and run again."""


class _FaultyDatabase(StoreAround):
    """A store that is away, busy, or does not say what became of a COMMIT."""

    def __init__(self, inner: Database, faults: Faults, *, statements: bool) -> None:
        self.database = inner
        self._faults = faults
        self._statements = statements

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        return await self._faults.around(
            "database.transact",
            lambda: self._redone(self.database.transact, work),
            failed=_unavailable,
            lost=_unavailable,
        )

    async def read(self, work: Callable[[UnitOfWork], R]) -> R:
        return await self._faults.around(
            "database.read", lambda: self._redone(self.database.read, work), failed=_unavailable, lost=_unavailable
        )

    async def _redone(
        self, run: Callable[[Callable[[UnitOfWork], R]], Awaitable[R]], work: Callable[[UnitOfWork], R]
    ) -> R:
        if not self._statements:
            return await run(work)
        for _ in range(MOST_REDOS):
            try:
                return await run(lambda uow: work(cast("UnitOfWork", _FaultyUnit(uow, self._faults.plan))))
            except _BusyError:
                continue
        raise StoreUnavailableError


def _unavailable() -> NoReturn:
    raise StoreUnavailableError


class _FaultyUnit:
    """A unit of work whose repositories count their calls; only an error can be ordered there."""

    def __init__(self, uow: UnitOfWork, plan: Plan) -> None:
        self._uow = uow
        self._plan = plan

    def read_ahead(self, **asked: Any) -> None:
        if self._plan("statement.read_ahead") is not None:
            raise _BusyError
        self._uow.read_ahead(**asked)

    def __getattr__(self, repository: str) -> Any:
        return _FaultyRepository(getattr(self._uow, repository), repository, self._plan)


class _FaultyRepository:
    def __init__(self, inner: object, name: str, plan: Plan) -> None:
        self._inner = inner
        self._name = name
        self._plan = plan

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._inner, operation)
        if self._plan(f"statement.{self._name}.{operation}") is not None:
            raise _BusyError
        return method
