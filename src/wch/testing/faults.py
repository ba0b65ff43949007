"""Faults to order: every port of a hub wrapped, so that any call of it may fail, dawdle, lose its answer or be the last."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum
from typing import Any, NoReturn, Protocol, TypeVar, cast

import attrs

from wch.application.ports import Database, Payments, Shop, UnitOfWork, WhatsApp
from wch.domain.catalogue import ShopUnavailableError
from wch.domain.errors import StoreUnavailableError
from wch.domain.payment import PaymentUnavailableError
from wch.domain.send_result import Ambiguous, NotMade

R = TypeVar("R")

MOST_REDOS = 50


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
    """

    plan: Plan
    die: Callable[[], Awaitable[NoReturn]] = _crash
    dawdle: Callable[[], Awaitable[None]] = _now

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


class _FaultyDatabase:
    """A store that is away, busy, or does not say what became of a COMMIT."""

    def __init__(self, inner: Database, faults: Faults, *, statements: bool) -> None:
        self._inner = inner
        self._faults = faults
        self._statements = statements

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        return await self._faults.around(
            "database.transact",
            lambda: self._redone(self._inner.transact, work),
            failed=_unavailable,
            lost=_unavailable,
        )

    async def read(self, work: Callable[[UnitOfWork], R]) -> R:
        return await self._faults.around(
            "database.read", lambda: self._redone(self._inner.read, work), failed=_unavailable, lost=_unavailable
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

    async def forget(self) -> bool:
        return await self._inner.forget()

    async def clock_offset(self) -> timedelta:
        return await self._inner.clock_offset()

    async def aclose(self) -> None:
        await self._inner.aclose()


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
