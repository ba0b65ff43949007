"""Limits hold over all processes, and a refusal costs nothing."""

from datetime import timedelta

import pytest

from tests.application.rooms import ANNA, Rooms, rooms
from wch.application.limits import DOCUMENTED, PAIR
from wch.application.ports import UnitOfWork
from wch.domain.errors import NotFoundError
from wch.domain.rate_limit import Pace, RateLimit


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
async def test_the_documented_limits(hub: Rooms, name: str) -> None:
    """Exactly the limit is admitted in its window; then it says how long to wait, and keeps its word."""
    rule = hub.limits.rule(name)

    answers = [await hub.limits.hit(name, "caller") for _ in range(rule.most + 1)]

    assert [one.admitted for one in answers] == [True] * rule.most + [False]
    assert (await hub.limits.hit(name, "another")).admitted
    hub.clock.advance(answers[-1].retry_after)
    assert (await hub.limits.hit(name, "caller")).admitted


async def test_an_unknown_limit_is_refused(hub: Rooms) -> None:
    """Nothing is allowed because nobody knows its limit."""
    with pytest.raises(NotFoundError):
        await hub.limits.hit("nonsense", "caller")


async def test_nobody_is_named_in_the_table(hub: Rooms) -> None:
    """Identifiers are HMACs."""
    await hub.limits.hit("message_send", ANNA)

    (part,) = await hub.limits.listed(name="message_send")
    assert part.identifier_hash == hub.digests.of(ANNA)
    assert ANNA not in part.identifier_hash


async def test_a_person_lets_somebody_go_on(hub: Rooms) -> None:
    """Resetting is written down; one caller's hits, or all of a limit's."""
    for name in ("a", "b"):
        for _ in range(3):
            await hub.limits.hit("export", name)
    assert not (await hub.limits.hit("export", "a")).admitted

    assert await hub.limits.reset(name="export", identifier="a", by="cli") > 0
    assert (await hub.limits.hit("export", "a")).admitted
    assert not (await hub.limits.hit("export", "b")).admitted
    await hub.limits.reset(by="cli")
    assert (await hub.limits.hit("export", "b")).admitted
    assert [line.object for line in await hub.see(lambda uow: uow.audit.listed())] == ["limit:export", "limit:all"]


async def test_a_blocked_caller_is_refused_whatever_it_did(hub: Rooms) -> None:
    """By the named limit alone, until the block ends; nothing is counted for it meanwhile."""
    block = await hub.limits.block("auth", "bad", span=timedelta(hours=2), by="cli")

    refused = await hub.limits.hit("auth", "bad")
    assert not refused.admitted
    assert refused.retry_after == timedelta(hours=2)
    assert (await hub.limits.hit("api", "bad")).admitted
    assert (await hub.limits.hit("auth", "good")).admitted
    assert await hub.limits.blocked() == [block]
    assert "bad" not in block.option

    hub.clock.advance(2 * 3600)
    assert await hub.limits.blocked() == []
    assert (await hub.limits.hit("auth", "bad")).admitted
    assert (await hub.limits.sweep(), await hub.limits.sweep()) == (1, 0)


async def test_a_block_is_lifted_by_hand(hub: Rooms) -> None:
    """Both are written down; lifting what is not there is not."""
    await hub.limits.block("auth", "bad", span=timedelta(days=7), by="cli")

    assert await hub.limits.unblock("auth", "bad", by="cli")
    assert not await hub.limits.unblock("auth", "bad", by="cli")
    assert (await hub.limits.hit("auth", "bad")).admitted
    lines = await hub.see(lambda uow: uow.audit.listed())
    assert [line.action for line in lines] == ["limit.block", "limit.unblock"]


@pytest.mark.parametrize("span", [timedelta(0), timedelta(days=366), -timedelta(hours=1)])
async def test_a_block_has_an_end(hub: Rooms, span: timedelta) -> None:
    """No limit that is unknown, and no block for ever."""
    with pytest.raises(ValueError, match="365 days"):
        await hub.limits.block("auth", "bad", span=span, by="cli")
    with pytest.raises(NotFoundError):
        await hub.limits.block("nonsense", "bad", span=timedelta(hours=1), by="cli")


async def test_slots_of_a_second(hub: Rooms) -> None:
    """The k-th permit leaves at k parts of the second; the next second has slots of its own."""
    pace = Pace(name="p", per_second=4)

    waits = [await hub.do(lambda uow: hub.limits.pace_in(uow, pace, "n")) for _ in range(5)]
    hub.clock.advance(1)

    assert waits == [0.0, 0.25, 0.5, 0.75, None]
    assert await hub.do(lambda uow: hub.limits.pace_in(uow, pace, "n")) == 0.0


async def test_a_second_that_is_nearly_over_holds_nothing_up(hub: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last slot has passed, and nobody used it: then the next second's slots are given away, and no more than it has."""
    pace = Pace(name="p", per_second=4)
    limits, now = hub.limits, hub.clock.now()
    monkeypatch.setattr(type(hub.clock), "fraction", lambda _clock: 0.875)

    waits = [await hub.do(lambda uow: limits.pace_in(uow, pace, "n")) for _ in range(5)]
    until = await hub.do(lambda uow: limits.paced_until(uow, pace, "n"))

    assert waits == [0.125, 0.375, 0.625, 0.875, None]
    assert until == now + timedelta(seconds=1)


def test_the_pair_rate_is_what_whatsapp_says() -> None:
    """45 in any 276 seconds."""
    assert RateLimit(name="whatsapp_pair", most=45, seconds=276) == PAIR


async def test_the_time_is_asked_for_when_the_lock_is_held(hub: Rooms) -> None:
    """Who waits three seconds for it is counted when it comes in, not when it came to the door."""
    rule = RateLimit(name="race", most=5, seconds=12)
    late = hub.clock.now() + timedelta(seconds=3)

    def work(uow: UnitOfWork) -> None:
        lock = uow.limits.lock

        def slow(digest: str, name: str) -> None:
            lock(digest, name)
            hub.clock.advance(max(timedelta(), late - hub.clock.now()))

        setattr(uow.limits, "lock", slow)  # noqa: B010 - the wait
        hub.limits.hit_in(uow, rule, "somebody")

    await hub.do(work)

    (part,) = await hub.see(lambda uow: uow.limits.listed(limit_type="race"))
    assert part.window_start == late
