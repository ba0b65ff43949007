"""The repositories of the machinery: letters, claims, limits, breakers, sagas."""

# ruff: noqa: D102 - what each method promises stands in the port

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, select, update

from wch.adapters.sql.reading import MOST, PAST
from wch.adapters.sql.rows import Rows
from wch.adapters.sql.session import Session
from wch.adapters.sql.tables import Tables
from wch.domain.circuit_breaker import CircuitBreaker
from wch.domain.claim import Claim
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus
from wch.domain.errors import DuplicateError, NotLockedError
from wch.domain.moment import SECOND
from wch.domain.rate_limit import ANCHOR, RateLimitWindow
from wch.domain.saga import OPEN, Saga, SagaState


class SqlDeadLetterRepository:
    """See `wch.application.ports.DeadLetterRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.dead_letters, DeadLetter)
        self._c = tables.dead_letters.c

    def add(self, letter: DeadLetter) -> DeadLetter:
        return self._rows.add(letter)

    def get(self, letter_id: int, *, lock: bool = False) -> DeadLetter | None:
        return self._rows.get(letter_id, lock=lock)

    def save(self, letter: DeadLetter) -> None:
        self._rows.save(letter)

    def listed(
        self,
        *,
        status: DeadLetterStatus | None = None,
        hook: str | None = None,
        reason: str | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> Sequence[DeadLetter]:
        where = [self._c.id > after]
        for column, value in ((self._c.status, status), (self._c.hook, hook), (self._c.reason, reason)):
            if value is not None:
                where.append(column == value)
        return self._rows.many(*where, limit=limit)

    def hold_pending(self, hooks: Collection[str]) -> Sequence[DeadLetter]:
        self._session.must_write()
        # Found without locks: letters that somebody decided about are nobody's to wait for.
        of_hooks = self._rows.raw_among(("id", "status"), "hook", sorted(set(hooks)))
        pending = sorted(number for number, status in of_hooks if status == DeadLetterStatus.PENDING)
        held = self._rows.among("id", pending, lock=True)
        return [letter for letter in held if letter.status is DeadLetterStatus.PENDING]

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        columns = (self._c.status, self._c.hook, self._c.reason)
        statement = select(*columns, func.count()).group_by(*columns)
        return {(str(row[0]), row[1], row[2]): int(row[3]) for row in self._session.execute(statement)}

    def purge(self, *, decided_before: datetime) -> int:
        return self._rows.forget(
            self._c.status != DeadLetterStatus.PENDING,
            func.coalesce(self._c.replayed_at, self._c.dismissed_at) < decided_before,
        )


class SqlClaimRepository:
    """See `wch.application.ports.ClaimRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.claims, Claim, key=("message_id", "scope"))
        self._c = tables.claims.c

    def claim(self, key: str, scope: str, *, now: datetime, expires_at: datetime) -> bool:
        try:
            self._rows.add(Claim(message_id=key, scope=scope, processed_at=now, expires_at=expires_at))
        except DuplicateError:
            # Looked at without a lock first: a live claim is the common case, and many who lose
            # at once would each wait for the lock that the others hold by having asked.
            return not self.is_claimed(key, scope, now=now) and self._take_over(key, scope, now, expires_at)
        return True

    def _take_over(self, key: str, scope: str, now: datetime, expires_at: datetime) -> bool:
        statement = (
            update(self._rows.table)
            .where(self._c.message_id == key, self._c.scope == scope, self._c.expires_at <= now)
            .values(processed_at=now, expires_at=expires_at)
        )
        return self._session.execute(statement).rowcount == 1

    def is_claimed(self, key: str, scope: str, *, now: datetime) -> bool:
        statement = select(self._c.scope).where(
            self._c.message_id == key, self._c.scope == scope, self._c.expires_at > now
        )
        return self._session.execute(statement).first() is not None

    def of(self, key: str) -> Sequence[Claim]:
        return sorted(self._rows.many(self._c.message_id == key), key=lambda claim: claim.scope)

    def purge(self, *, now: datetime, limit: int = 500) -> int:
        self._session.must_write()
        expired = self._c.expires_at <= now
        keys = (self._c.message_id, self._c.scope)
        # Found without locks and deleted by key: the table has no index on its times.
        gone = self._session.execute(select(*keys).where(expired).order_by(*keys).limit(limit)).all()
        return sum(self._rows.forget(self._c.message_id == key, self._c.scope == scope, expired) for key, scope in gone)


class SqlRateLimitRepository:
    """See `wch.application.ports.RateLimitRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(
            session, tables.limits, RateLimitWindow, key=("identifier_hash", "limit_type", "window_start")
        )
        self._c = tables.limits.c

    def lock(self, identifier_hash: str, limit_type: str) -> None:
        self._rows.lock_or_add(
            RateLimitWindow(identifier_hash=identifier_hash, limit_type=limit_type, window_start=ANCHOR),
            "identifier_hash",
            "limit_type",
            "window_start",
            unique="request_count",
        )

    def since(self, identifier_hash: str, limit_type: str, oldest: datetime) -> Sequence[RateLimitWindow]:
        def build() -> Select[Any]:
            pair = [self._c[name] == bindparam(name) for name in ("identifier_hash", "limit_type")]
            parts = self._c.window_start >= bindparam("window_start")
            return select(self._rows.table).where(*pair, parts).order_by(self._c.window_start)

        first = max(oldest, ANCHOR + SECOND)
        return self._rows.always(
            "since", build, identifier_hash=identifier_hash, limit_type=limit_type, window_start=first
        )

    def hit(self, identifier_hash: str, limit_type: str, part: datetime, hits: int = 1) -> None:
        self._session.must_write()
        if not self._rows.holds(identifier_hash, limit_type, ANCHOR):
            raise NotLockedError(table=self._rows.table.name)
        self._rows.count(
            RateLimitWindow(
                identifier_hash=identifier_hash, limit_type=limit_type, request_count=hits, window_start=part
            ),
            "request_count",
        )

    def listed(self, *, limit_type: str | None = None, limit: int = 100) -> Sequence[RateLimitWindow]:
        where = [self._c.window_start > ANCHOR, self._c.request_count > 0]
        if limit_type is not None:
            where.append(self._c.limit_type == limit_type)
        order = [self._c.window_start.desc(), self._c.identifier_hash, self._c.limit_type]
        return self._rows.many(*where, order=order, limit=limit)

    def reset(self, *, identifier_hash: str | None = None, limit_type: str | None = None) -> int:
        where = [self._c.window_start > ANCHOR]
        if identifier_hash is not None:
            where.append(self._c.identifier_hash == identifier_hash)
        if limit_type is not None:
            where.append(self._c.limit_type == limit_type)
        return self._rows.forget(*where)

    def purge(self, *, before: datetime) -> int:
        return self._rows.forget(self._c.window_start > ANCHOR, self._c.window_start < before)


class SqlBreakerRepository:
    """See `wch.application.ports.BreakerRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.breakers, CircuitBreaker, key=("service",))
        self._c = tables.breakers.c

    def lock(self, service: str, *, now: datetime) -> CircuitBreaker:
        closed = CircuitBreaker(service=service, updated_at=now)
        return self._rows.lock_or_add(closed, "service", unique="service")

    def of(self, service: str) -> CircuitBreaker | None:
        return self._rows.get(service)

    def save(self, breaker: CircuitBreaker) -> None:
        self._rows.save(breaker)

    def listed(self) -> Sequence[CircuitBreaker]:
        return self._rows.many()


class SqlSagaRepository:
    """See `wch.application.ports.SagaRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.sagas, Saga, key=("saga_id",))
        self._c = tables.sagas.c

    def add(self, saga: Saga) -> Saga:
        return self._rows.add(saga)

    def get(self, saga_id: str, *, lock: bool = False) -> Saga | None:
        return self._rows.get(saga_id, lock=lock)

    def save(self, saga: Saga) -> None:
        self._rows.save(saga)

    def replace(self, before: Saga, after: Saga) -> bool:
        return self._rows.replace(before, after)

    def take_due(self, now: datetime, *, limit: int = 10) -> Sequence[Saga]:
        self._rows.session.must_write()
        found: list[Saga] = []
        for state in sorted(OPEN):
            found += self._due(state, now, limit)
        return sorted(found, key=lambda saga: (saga.updated_at, saga.saga_id))[:limit]

    def _due(self, state: SagaState, now: datetime, limit: int) -> list[Saga]:
        order = [self._c.updated_at, self._c.saga_id]
        if self._rows.session.locks_rows:
            where = self._c.state == state, self._c.updated_at <= now
            return self._rows.take(self._rows.keys(*where, order=order), *where, limit=limit)

        def build() -> Select[Any]:
            is_due = self._c.state == bindparam("state"), self._c.updated_at <= bindparam("updated_at")
            return select(self._rows.table).where(*is_due).order_by(*order).limit(MOST).offset(PAST)

        # Whoever holds the whole file has locked what it reads.
        found = self._rows.always("due", build, limit=limit, state=state, updated_at=now)
        self._rows.hold(found)
        return found

    def listed(
        self,
        *,
        saga_type: str | None = None,
        state: SagaState | None = None,
        outcome: str | None = None,
        after: str = "",
        limit: int = 50,
    ) -> Sequence[Saga]:
        found: list[Saga] = []
        while len(found) < limit:
            where = [self._c.saga_id > after]
            if saga_type is not None:
                where.append(self._c.saga_type == saga_type)
            if state is not None:
                where.append(self._c.state == state)
            page = self._rows.many(*where, limit=limit)
            found += [saga for saga in page if outcome in {None, saga.outcome}]
            if len(page) < limit:
                break
            after = page[-1].saga_id
        return found[:limit]
