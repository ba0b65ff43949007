"""What may be had once is had once, in whatever order it is asked for: claims and dead letters beside a model of them."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wch.adapters.memory import MemoryDatabase
from wch.application.ports import UnitOfWork
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus, Hook, Reason
from wch.domain.errors import ConflictError
from wch.testing import NOON

R = TypeVar("R")

KEYS = st.sampled_from(["a" * 64, "A" * 64, "b" * 64])
SCOPES = st.sampled_from(["webhook", "api"])
SECONDS = st.integers(0, 90)


class Walk(RuleBasedStateMachine):
    """A store in memory, and a time that moves."""

    @initialize()
    def begin(self) -> None:
        self.now = NOON
        self.loop = asyncio.new_event_loop()
        self.store = MemoryDatabase()

    def do(self, work: Callable[[UnitOfWork], R]) -> R:
        return self.loop.run_until_complete(self.store.transact(work))

    @rule(seconds=SECONDS)
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()


class Claims(Walk):
    """The model knows until when each key is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.until: dict[tuple[str, str], datetime] = {}

    def _is_taken(self, key: str, scope: str) -> bool:
        return self.until.get((key, scope), self.now) > self.now

    @rule(key=KEYS, scope=SCOPES, seconds=st.integers(1, 60))
    def claim(self, key: str, scope: str, seconds: int) -> None:
        expires_at = self.now + timedelta(seconds=seconds)
        taken = self._is_taken(key, scope)

        first = self.do(lambda uow: uow.claims.claim(key, scope, now=self.now, expires_at=expires_at))

        assert first is not taken
        if first:
            self.until[key, scope] = expires_at

    @rule(key=KEYS, scope=SCOPES)
    def look(self, key: str, scope: str) -> None:
        assert self.do(lambda uow: uow.claims.is_claimed(key, scope, now=self.now)) is self._is_taken(key, scope)

    @rule(limit=st.integers(1, 3))
    def purge(self, limit: int) -> None:
        over = sum(until <= self.now for until in self.until.values())

        assert self.do(lambda uow: uow.claims.purge(now=self.now, limit=limit)) == min(over, limit)

        there = self._there()
        assert all(until <= self.now for known, until in self.until.items() if known not in there)
        self.until = there

    def _there(self) -> dict[tuple[str, str], datetime]:
        keys = {key for key, _ in self.until}
        found = self.do(lambda uow: [claim for key in keys for claim in uow.claims.of(key)])
        return {(claim.message_id, claim.scope): claim.expires_at for claim in found}

    @invariant()
    def every_claim_is_there_until_it_is_over(self) -> None:
        if hasattr(self, "loop"):
            assert self._there() == self.until


class Letters(Walk):
    """The model knows what was decided of each letter, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.decided: dict[int, tuple[DeadLetterStatus, datetime | None]] = {}

    @rule(table=st.sampled_from(["messages", "saga_state"]))
    def bury(self, table: str) -> None:
        def work(uow: UnitOfWork) -> DeadLetter:
            hook = Hook.INBOUND if table == "messages" else Hook.SAGA
            return uow.dead_letters.add(
                DeadLetter.of_row(hook, table, 7, Reason.CRASH, error=None, attempts=3, now=self.now)
            )

        self.decided[self.do(work).id] = (DeadLetterStatus.PENDING, None)

    @precondition(lambda self: self.decided)
    @rule(data=st.data(), status=st.sampled_from([DeadLetterStatus.REPLAYED, DeadLetterStatus.DISMISSED]))
    def decide(self, data: st.DataObject, status: DeadLetterStatus) -> None:
        number = data.draw(st.sampled_from(sorted(self.decided)))

        def work(uow: UnitOfWork) -> bool:
            letter = uow.dead_letters.get(number, lock=True)
            assert letter is not None
            try:
                after = (
                    letter.replayed(now=self.now, by="ann")
                    if status is DeadLetterStatus.REPLAYED
                    else letter.dismissed("spam", now=self.now, by="ann")
                )
            except ConflictError:
                return False
            uow.dead_letters.save(after)
            return True

        assert self.do(work) is (self.decided[number][0] is DeadLetterStatus.PENDING)
        if self.decided[number][0] is DeadLetterStatus.PENDING:
            self.decided[number] = (status, self.now)

    @rule(seconds=SECONDS)
    def purge(self, seconds: int) -> None:
        before = self.now - timedelta(seconds=seconds)
        gone = {number for number, (_, at) in self.decided.items() if at is not None and at < before}

        assert self.do(lambda uow: uow.dead_letters.purge(decided_before=before)) == len(gone)

        self.decided = {number: told for number, told in self.decided.items() if number not in gone}

    @invariant()
    def every_letter_stands_as_it_was_decided(self) -> None:
        if hasattr(self, "loop"):
            there = self.do(lambda uow: uow.dead_letters.listed(status=None, limit=500))
            assert {one.id: one.status for one in there} == {
                number: status for number, (status, _) in self.decided.items()
            }


TestClaims = Claims.TestCase
TestLetters = Letters.TestCase
