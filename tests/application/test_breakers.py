"""One breaker state for all processes."""

import pytest

from tests.application.rooms import Rooms, rooms
from wch.application.ports import UnitOfWork
from wch.domain.circuit_breaker import BreakerState, Permit
from wch.domain.errors import NotFoundError


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def test_it_opens_probes_and_closes(hub: Rooms) -> None:
    """Five failures, thirty seconds, then one probe at a time until two went well."""
    for _ in range(5):
        permit = await hub.breakers.ask("shop")
        assert permit == Permit(service="shop")
        await hub.breakers.tell(permit, well=False)
    assert await hub.breakers.ask("shop") is None
    hub.clock.advance(60)

    for _ in range(2):
        probe = await hub.breakers.ask("shop")
        assert probe is not None
        assert probe.probe is not None
        assert await hub.breakers.ask("shop") is None
        await hub.breakers.tell(probe, well=True)

    (breaker,) = await hub.breakers.listed()
    assert (breaker.service, breaker.state) == ("shop", BreakerState.CLOSED)


async def test_a_failed_probe_opens_again(hub: Rooms) -> None:
    """Late news of others changes nothing."""
    late = Permit(service="shop")
    for _ in range(5):
        await hub.breakers.tell(late, well=False)
    hub.clock.advance(60)
    probe = await hub.breakers.ask("shop")
    assert probe is not None
    await hub.breakers.tell(late, well=True)
    assert (await hub.breakers.listed())[0].state is BreakerState.HALF_OPEN
    await hub.breakers.tell(probe, well=False)

    assert (await hub.breakers.listed())[0].state is BreakerState.OPEN
    assert await hub.breakers.ask("shop") is None


async def test_closed_is_believed_for_a_moment(hub: Rooms) -> None:
    """A quarter of a second without looking again; a failure of our own is known at once."""
    assert await hub.breakers.ask("shop") is not None
    await hub.breakers.open("whatsapp", by="cli")
    await hub.do(lambda uow: _opened(hub, uow))
    assert await hub.breakers.ask("shop") is not None

    hub.clock.advance(0.3)
    assert await hub.breakers.ask("shop") is None


def _opened(hub: Rooms, uow: UnitOfWork) -> None:
    breaker = uow.breakers.lock("shop", now=hub.clock.now())
    uow.breakers.save(breaker.opened(now=hub.clock.now()))


async def test_good_news_writes_nothing(hub: Rooms) -> None:
    """A healthy service has no row at all; a success takes single failures back."""
    permit = Permit(service="shop")
    await hub.breakers.tell(permit, well=True)
    assert await hub.breakers.listed() == []

    await hub.breakers.tell(permit, well=False)
    await hub.breakers.tell(permit, well=True)
    await hub.breakers.tell(permit, well=True)
    assert (await hub.breakers.listed())[0].failures == 0


async def test_by_hand(hub: Rooms) -> None:
    """Opened and closed by a person, with a line in the audit log."""
    assert await hub.breakers.ask("shop") is not None
    assert (await hub.breakers.open("shop", by="ann")).state is BreakerState.OPEN
    assert await hub.breakers.ask("shop") is None
    assert (await hub.breakers.close("shop", by="ann")).state is BreakerState.CLOSED
    assert await hub.breakers.ask("shop") is not None
    lines = await hub.see(lambda uow: uow.audit.listed(actor="ann"))
    assert [line.action for line in lines] == ["breaker.open", "breaker.close"]


async def test_a_breaker_that_nobody_knows(hub: Rooms) -> None:
    """A typing error is not a new service."""
    with pytest.raises(NotFoundError):
        await hub.breakers.open("shpo", by="cli")
    assert hub.breakers.rule("whatsapp:123").successes == 1
