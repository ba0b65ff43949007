"""Claims, limits and breakers: what stands between the outside and the work."""

import asyncio
from functools import partial

import attrs
import pytest

from wch.application.ports import Database, UnitOfWork
from wch.domain.circuit_breaker import BreakerState
from wch.domain.claim import Claim
from wch.domain.errors import NotLockedError, ReadOnlyError
from wch.domain.rate_limit import ANCHOR, RateLimitWindow
from wch.testing.contract.samples import HASH, later
from wch.testing.doubles import NOON

OTHER_HASH = "cd" * 32


def _claim(uow: UnitOfWork, key: str = HASH, scope: str = "webhook", at: int = 0) -> bool:
    return uow.claims.claim(key, scope, now=later(at), expires_at=later(at + 100))


class TestClaims:
    """`ClaimRepository`."""

    async def test_one_of_fifty_wins(self, database: Database) -> None:
        """Fifty ask at once: one is first, forty-nine hear so, nobody gets an error."""
        answers = await asyncio.gather(*(database.transact(_claim) for _ in range(50)))

        assert sorted(answers) == [False] * 49 + [True]

    async def test_one_of_fifty_wins_an_expired_claim(self, database: Database) -> None:
        """An expired claim can be claimed at once, without having been purged, and by one only."""
        await database.transact(_claim)

        answers = await asyncio.gather(*(database.transact(partial(_claim, at=100)) for _ in range(50)))

        assert sorted(answers) == [False] * 49 + [True]

    async def test_a_claim_holds_until_its_last_second(self, database: Database) -> None:
        """It ends at `expires_at`, not after it."""
        await database.transact(_claim)

        assert await database.transact(partial(_claim, at=99)) is False
        assert await database.read(lambda uow: uow.claims.is_claimed(HASH, "webhook", now=later(99))) is True
        assert await database.read(lambda uow: uow.claims.is_claimed(HASH, "webhook", now=later(100))) is False
        assert await database.transact(partial(_claim, at=100)) is True
        assert await database.transact(partial(_claim, at=100)) is False

    async def test_a_claim_is_of_key_and_scope(self, database: Database) -> None:
        """Neither another key nor another scope is claimed by it."""
        await database.transact(_claim)

        assert await database.transact(partial(_claim, scope="payment")) is True
        assert await database.transact(partial(_claim, key=OTHER_HASH)) is True
        assert await database.read(lambda uow: uow.claims.is_claimed(OTHER_HASH, "payment", now=NOON)) is False

    async def test_the_claims_of_a_key_are_told_by_scope(self, database: Database) -> None:
        """Those that expired too, until they are purged; what another key holds is not among them."""
        await database.transact(partial(_claim, scope="webhook"))
        await database.transact(partial(_claim, scope="api:b"))
        await database.transact(partial(_claim, scope="api:a", at=50))
        await database.transact(partial(_claim, key=OTHER_HASH, scope="payment"))

        found = await database.read(lambda uow: uow.claims.of(HASH))
        await database.transact(lambda uow: uow.claims.purge(now=later(100)))
        left = await database.read(lambda uow: uow.claims.of(HASH))

        assert [claim.scope for claim in found] == ["api:a", "api:b", "webhook"]
        assert [claim.is_expired(now=later(100)) for claim in found] == [False, True, True]
        assert left == [Claim(message_id=HASH, scope="api:a", processed_at=later(50), expires_at=later(150))]

    async def test_a_claim_that_is_rolled_back_was_never_made(self, database: Database) -> None:
        """A claim is one with its effects."""

        def work(uow: UnitOfWork) -> None:
            assert _claim(uow)
            raise KeyError

        with pytest.raises(KeyError):
            await database.transact(work)

        assert await database.transact(_claim) is True

    async def test_a_claim_that_was_lost_leaves_the_transaction_standing(self, database: Database) -> None:
        """Hearing "not first" is an answer, not an error."""
        await database.transact(_claim)

        def work(uow: UnitOfWork) -> bool:
            uow.options.put("before", {"v": 1})
            first = _claim(uow)
            uow.options.put("after", {"v": 1})
            return first

        assert await database.transact(work) is False
        assert await database.read(lambda uow: uow.options.get("before")) == {"v": 1}
        assert await database.read(lambda uow: uow.options.get("after")) == {"v": 1}

    async def test_purging_takes_expired_claims_only(self, database: Database) -> None:
        """So many at a time; it says how many."""

        def work(uow: UnitOfWork) -> None:
            for place in range(5):
                uow.claims.claim(f"{place:064d}", "webhook", now=later(-9), expires_at=later(0))
            uow.claims.claim(HASH, "webhook", now=later(-9), expires_at=later(1))

        await database.transact(work)

        assert await database.transact(lambda uow: uow.claims.purge(now=NOON, limit=3)) == 3
        assert await database.transact(lambda uow: uow.claims.purge(now=NOON)) == 2
        assert await database.transact(lambda uow: uow.claims.purge(now=NOON)) == 0
        assert await database.read(lambda uow: uow.claims.is_claimed(HASH, "webhook", now=NOON)) is True

    async def test_nothing_is_claimed_in_a_read(self, database: Database) -> None:
        """A claim writes."""
        with pytest.raises(ReadOnlyError):
            await database.read(_claim)


class TestLimits:
    """`RateLimitRepository`."""

    async def test_hits_add_up_in_their_part(self, database: Database) -> None:
        """Parts come oldest first, from `oldest` on, without upper bound and without the anchor."""

        def work(uow: UnitOfWork) -> None:
            uow.limits.lock(HASH, "api")
            uow.limits.hit(HASH, "api", later(10))
            uow.limits.hit(HASH, "api", later(10), 4)
            uow.limits.hit(HASH, "api", later(-10))
            uow.limits.hit(HASH, "api", later(5000))

        await database.transact(work)

        assert list(await database.read(lambda uow: uow.limits.since(HASH, "api", ANCHOR))) == [
            _part(-10, 1),
            _part(10, 5),
            _part(5000, 1),
        ]
        assert list(await database.read(lambda uow: uow.limits.since(HASH, "api", later(10)))) == [
            _part(10, 5),
            _part(5000, 1),
        ]
        assert list(await database.read(lambda uow: uow.limits.since(HASH, "admin", ANCHOR))) == []
        assert list(await database.read(lambda uow: uow.limits.since(OTHER_HASH, "api", ANCHOR))) == []

    async def test_a_hit_needs_the_anchors_lock(self, database: Database) -> None:
        """Of this very pair, in this very transaction; else two would read the same sum."""
        await database.transact(lambda uow: uow.limits.lock(HASH, "api"))

        def hit(uow: UnitOfWork, held: tuple[tuple[str, str], ...]) -> None:
            for pair in held:
                uow.limits.lock(*pair)
            uow.limits.hit(HASH, "api", NOON)

        for held in (((HASH, "admin"), (OTHER_HASH, "api")), ()):
            with pytest.raises(NotLockedError):
                await database.transact(partial(hit, held=held))

    async def test_a_hundred_at_once_admit_no_more_than_the_limit(self, database: Database) -> None:
        """Each locks the anchor, counts what is there, and hits when there is room for ten."""

        def ask(uow: UnitOfWork) -> bool:
            uow.limits.lock(HASH, "api")
            if sum(part.request_count for part in uow.limits.since(HASH, "api", ANCHOR)) >= 10:
                return False
            uow.limits.hit(HASH, "api", NOON)
            return True

        answers = await asyncio.gather(*(database.transact(ask) for _ in range(100)))

        assert sum(answers) == 10
        assert list(await database.read(lambda uow: uow.limits.since(HASH, "api", ANCHOR))) == [_part(0, 10)]

    async def test_parts_with_hits_are_listed_newest_first(self, database: Database) -> None:
        """Of one type or of all, so many; anchors are not among them."""
        await self._three(database)

        listed = await database.read(lambda uow: uow.limits.listed())
        assert [(part.limit_type, part.window_start) for part in listed] == [
            ("api", later(20)),
            ("api", later(10)),
            ("admin", later(5)),
        ]
        assert len(await database.read(lambda uow: uow.limits.listed(limit=2))) == 2
        assert len(await database.read(lambda uow: uow.limits.listed(limit_type="admin"))) == 1

    async def test_a_reset_forgets_the_hits(self, database: Database) -> None:
        """Of this pair, this identifier, this type, or all; it says how many rows."""
        await self._three(database)

        assert await database.transact(lambda uow: uow.limits.reset(identifier_hash=HASH, limit_type="api")) == 2
        assert await database.transact(lambda uow: uow.limits.reset(limit_type="api")) == 0
        assert await database.transact(lambda uow: uow.limits.reset()) == 1
        assert list(await database.read(lambda uow: uow.limits.listed())) == []

    async def test_purging_takes_old_parts_and_leaves_anchors(self, database: Database) -> None:
        """Parts that began before the moment."""
        await self._three(database)

        assert await database.transact(lambda uow: uow.limits.purge(before=later(10))) == 1
        left = await database.read(lambda uow: uow.limits.listed())
        assert [part.window_start for part in left] == [later(20), later(10)]
        assert (await database.read(lambda uow: uow.census.states()))["rate_limits"] == {"rows": 4}

    async def _three(self, database: Database) -> None:
        def work(uow: UnitOfWork) -> None:
            uow.limits.lock(HASH, "api")
            uow.limits.lock(OTHER_HASH, "admin")
            uow.limits.hit(HASH, "api", later(10))
            uow.limits.hit(HASH, "api", later(20))
            uow.limits.hit(OTHER_HASH, "admin", later(5))

        await database.transact(work)


def _part(at: int, count: int) -> RateLimitWindow:
    return RateLimitWindow(identifier_hash=HASH, limit_type="api", request_count=count, window_start=later(at))


class TestBreakers:
    """`BreakerRepository`."""

    async def test_locking_makes_a_closed_breaker(self, database: Database) -> None:
        """Once; the second time the same row comes back."""
        made = await database.transact(lambda uow: uow.breakers.lock("shop", now=NOON))
        again = await database.transact(lambda uow: uow.breakers.lock("shop", now=later(9)))

        assert made == again
        assert (made.state, made.failures, made.updated_at) == (BreakerState.CLOSED, 0, NOON)
        assert await database.read(lambda uow: uow.breakers.of("shop")) == made
        assert await database.read(lambda uow: uow.breakers.of("Shop")) is None

    async def test_no_failure_of_a_hundred_is_lost_on_a_new_breaker(self, database: Database) -> None:
        """All meet a row that is not there yet."""

        def fail(uow: UnitOfWork) -> None:
            held = uow.breakers.lock("shop", now=NOON)
            uow.breakers.save(attrs.evolve(held, failures=held.failures + 1))

        await asyncio.gather(*(database.transact(fail) for _ in range(100)))

        found = await database.read(lambda uow: uow.breakers.of("shop"))
        assert found is not None
        assert found.failures == 100

    async def test_breakers_are_listed_by_service(self, database: Database) -> None:
        """All of them."""
        await database.transact(lambda uow: [uow.breakers.lock(name, now=NOON) for name in ("b", "a", "B", "á")])

        listed = await database.read(lambda uow: uow.breakers.listed())
        assert [breaker.service for breaker in listed] == ["B", "a", "b", "á"]
