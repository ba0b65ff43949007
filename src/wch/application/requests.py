"""Requests that may be sent again: one effect for each Idempotency-Key, and the same answer."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import attrs

from wch.application.around import StoreAround
from wch.application.digests import Digests
from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.claim import API_TTL, Scope
from wch.domain.errors import ConflictError, WchError

BODY_DIGITS = 32

R = TypeVar("R")
T = TypeVar("T")
Room = TypeVar("Room", bound=attrs.AttrsInstance)


class KeyReusedForAnotherError(WchError):
    """This Idempotency-Key belongs to another request; take a new key for a new request."""


class StillRunningError(ConflictError):
    """A request with this Idempotency-Key is still running; ask again in a moment."""


class AnsweredMeanwhileError(WchError):
    """Another process has answered a request with this key."""


@attrs.frozen(kw_only=True)
class Request:
    """What is asked under one key.

    Attributes:
        caller: who asks; keys of two callers never meet.
        key: the Idempotency-Key.
        fingerprint: hex of a hash over what is asked, at least 32 digits.
    """

    caller: str
    key: str
    fingerprint: str


@attrs.frozen(kw_only=True)
class Effect:
    """What came of a request: the status it was answered with, and the row it is about."""

    status: int
    kind: str
    id: str


@attrs.frozen(kw_only=True)
class Done(Generic[T]):
    """A request that had its effect now."""

    value: T


@attrs.frozen(kw_only=True)
class Requests:
    """The first writer wins by a unique key, in the transaction of the effects."""

    database: Database
    clock: Clock
    digests: Digests
    _running: set[str] = attrs.field(factory=set, init=False, repr=False, eq=False)

    async def once(
        self,
        request: Request,
        room: Room,
        act: Callable[[Room], Awaitable[T]],
        made: Callable[[Any], Effect],
    ) -> Done[T] | Effect:
        """Act once for this key; later calls get the effect of the first.

        Args:
            request: what is asked, under which key.
            room: the use-cases; it gets a store that writes the claim with its first transaction.
            act: what is done in that room.
            made: the effect, told by what that transaction returned.

        Raises:
            StillRunningError: this process is still at a request with this key.
            KeyReusedForAnotherError: the key belongs to another request.
        """
        digests = self.digests.all(name_of(request.caller, request.key))
        if digests[0] in self._running:
            raise StillRunningError(code="still_running")
        self._running.add(digests[0])
        try:
            earlier = await self.database.read(lambda uow: self._earlier(uow, digests, request))
            if earlier is not None:
                return earlier
            store = _Once(self.database, self.clock, digests[0], request.fingerprint, made)
            inside: Any = room
            try:
                return Done(value=await act(attrs.evolve(inside, database=store)))
            except AnsweredMeanwhileError:
                earlier = await self.database.read(lambda uow: self._earlier(uow, digests, request))
                if earlier is None:
                    raise StillRunningError(code="still_running") from None
                return earlier
        finally:
            self._running.discard(digests[0])

    def _earlier(self, uow: UnitOfWork, digests: tuple[str, ...], request: Request) -> Effect | None:
        now = self.clock.now()
        for digest in digests:
            for claim in uow.claims.of(digest):
                if claim.is_expired(now=now) or not claim.scope.startswith(f"{Scope.API}:"):
                    continue
                _, fingerprint, status, kind, row = claim.scope.split(":", 4)
                if fingerprint != request.fingerprint[:BODY_DIGITS]:
                    raise KeyReusedForAnotherError
                return Effect(status=int(status), kind=kind, id=row)
        return None


def name_of(caller: str, key: str) -> str:
    """What is claimed for an Idempotency-Key of this caller."""
    return f"{Scope.API}:{caller}:{key}"


class _Once(StoreAround):
    """A store whose first transaction writes the claim of a request beside its effects."""

    def __init__(
        self, database: Database, clock: Clock, digest: str, fingerprint: str, made: Callable[[Any], Effect]
    ) -> None:
        self.database = database
        self._clock = clock
        self._digest = digest
        self._fingerprint = fingerprint[:BODY_DIGITS]
        self._made = made
        self._written = False

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        """As the store beneath; AnsweredMeanwhileError when the key is taken by now."""
        if self._written:
            return await self.database.transact(work)

        def claimed(uow: UnitOfWork) -> R:
            now = self._clock.now()
            if not uow.claims.claim(self._digest, Scope.API, now=now, expires_at=now + API_TTL):
                raise AnsweredMeanwhileError
            result = work(uow)
            effect = self._made(result)
            scope = f"{Scope.API}:{self._fingerprint}:{effect.status}:{effect.kind}:{effect.id}"
            uow.claims.claim(self._digest, scope, now=now, expires_at=now + API_TTL)
            return result

        result = await self.database.transact(claimed)
        self._written = True
        return result

    async def aclose(self) -> None:
        """The store beneath is closed by whoever opened it."""
