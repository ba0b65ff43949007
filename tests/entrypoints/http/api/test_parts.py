"""Each part of the hub that can be unwell says so at its bound, and not before."""

from datetime import timedelta

import attrs
import httpx2
import pytest

from tests.entrypoints.http.api.conftest import Desk
from wch.application import tiers
from wch.application.ports import UnitOfWork
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import document
from wch.domain.message import Class, Message, MessageStatus


async def _severity(caller: httpx2.AsyncClient, part: str) -> str:
    return str((await caller.get(f"/healthz/{part}")).json()["severity"])


@pytest.mark.parametrize(
    ("free", "severity"), [(None, "ok"), (20, "ok"), (19, "warning"), (9, "degraded"), (4, "critical")]
)
async def test_a_full_disk_is_seen_before_it_is_full(desk: Desk, free: int | None, severity: str) -> None:
    """Below each bound it is worse."""
    checkup = attrs.evolve(desk.hub.checkup, free=lambda: free)

    assert (await checkup.one("disk")).severity.word == severity


@pytest.mark.parametrize(("count", "severity"), [(20, "warning"), (21, "degraded")])
async def test_many_letters_in_an_hour_are_degraded(
    desk: Desk, caller: httpx2.AsyncClient, count: int, severity: str
) -> None:
    """Twenty may wait; more within the hour is a fault that goes on."""
    desk.clock.advance(timedelta(hours=2))
    now = desk.clock.now()

    def work(uow: UnitOfWork) -> None:
        for number in range(count):
            uow.dead_letters.add(
                DeadLetter.of_row(Hook.INBOUND, "messages", number, Reason.EXCEPTION, error="x", attempts=5, now=now)
            )

    await desk.hub.database.transact(work)

    assert await _severity(caller, "dead_letters") == severity


@pytest.mark.parametrize(("used", "severity"), [(200, "ok"), (201, "warning")])
async def test_a_tier_that_is_nearly_used_up_is_a_warning(
    caller: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, used: int, severity: str
) -> None:
    """Above 80 % of 250."""
    monkeypatch.setattr(tiers, "used_part", lambda *_: used / 250)

    assert await _severity(caller, "whatsapp") == severity


def _sent(desk: Desk, status: MessageStatus) -> Message:
    now = desk.clock.now()
    row = Message.outgoing(
        conversation_id=1, kind="text", body=document(), to=document(), number="1", class_=Class.REPLY, origin=document(by="x"), now=now
    )  # fmt: skip
    return attrs.evolve(row, status=status)


async def test_sends_in_doubt_are_counted_against_those_of_the_hour(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """One of fifty is a warning, three are degraded, and an hour later nobody minds."""
    desk.clock.advance(timedelta(hours=2))

    def work(uow: UnitOfWork, doubtful: int, sure: int) -> None:
        for number in range(sure):
            uow.messages.add(attrs.evolve(_sent(desk, MessageStatus.SENT), wa_message_id=f"wamid.{number}"))
        for _ in range(doubtful):
            uow.messages.add(_sent(desk, MessageStatus.UNCONFIRMED))

    await desk.hub.database.transact(lambda uow: work(uow, 1, 49))
    warning = await _severity(caller, "unconfirmed")
    await desk.hub.database.transact(lambda uow: work(uow, 2, 0))
    degraded = await _severity(caller, "unconfirmed")
    desk.clock.advance(timedelta(hours=1))

    assert (warning, degraded, await _severity(caller, "unconfirmed")) == ("warning", "degraded", "ok")


async def test_silence_after_sends_is_degraded(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """A message left, and for two hours neither a status nor a customer was heard."""
    desk.clock.advance(timedelta(hours=3))
    quiet = await _severity(caller, "ingress")
    row = attrs.evolve(_sent(desk, MessageStatus.SENT), wa_message_id="wamid.alone")
    await desk.hub.database.transact(lambda uow: uow.messages.add(row))
    desk.clock.advance(timedelta(minutes=16))

    assert (quiet, await _severity(caller, "ingress")) == ("ok", "degraded")


@pytest.mark.parametrize(("count", "severity"), [(99, "ok"), (100, "warning")])
async def test_many_bad_signatures_are_a_warning(
    desk: Desk, caller: httpx2.AsyncClient, count: int, severity: str
) -> None:
    """As many in a minute as the limit lets one caller try."""
    for _ in range(count):
        await desk.hub.limits.hit("webhook", "203.0.113.7")

    assert await _severity(caller, "ingress") == severity
