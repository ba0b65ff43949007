"""What is written is counted once, after its commit, whoever wrote it."""

from decimal import Decimal

import attrs
import pytest

from wch.adapters.memory import MemoryDatabase
from wch.application.campaigns import keep_progress
from wch.application.counting import CountedDatabase, room_of
from wch.application.ports import UnitOfWork
from wch.application.retention import RAN
from wch.application.tallies import BOUNDS, Tallies
from wch.domain.campaign import CampaignState, Progress
from wch.domain.cart import Cart, CartStatus
from wch.domain.document import document
from wch.domain.message import Class, Message, MessageStatus
from wch.domain.reengagement import CampaignType, Reengagement
from wch.testing import NOON, FrozenClock

ANNA = "34600111222"


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def database(request: pytest.FixtureRequest) -> CountedDatabase:
    """Every work runs once, and once more with every work run twice."""
    store = MemoryDatabase(twice=request.param)
    return CountedDatabase(database=store, clock=FrozenClock(), tallies=Tallies(), currency="EUR")


def _reply(ref: str = "", class_: Class = Class.REPLY) -> Message:
    return Message.outgoing(
        conversation_id=0, kind="text", body=document(), to=document(), number="1", class_=class_, origin=document(by="x", ref=ref), now=NOON
    )  # fmt: skip


def _was(before: MessageStatus, after: MessageStatus, *, error: str | None = None, ref: str = "") -> object:
    def work(uow: UnitOfWork) -> None:
        row = uow.messages.add(attrs.evolve(_reply(ref), status=before))
        uow.messages.save(attrs.evolve(row, status=after, error_message=error))

    return work


def _opts_out(uow: UnitOfWork) -> None:
    profile = uow.customers.lock(ANNA, now=NOON)
    out = profile.consenting("marketing", "out", source="keyword", now=NOON)
    uow.customers.save(out)
    uow.customers.save(attrs.evolve(out, name="Anna"))


def _abandons(uow: UnitOfWork) -> None:
    cart = uow.carts.add(Cart.opened(ANNA, now=NOON))
    gone = uow.carts.of(ANNA, lock=True)
    assert gone is not None
    uow.carts.save(attrs.evolve(cart, status=CartStatus.ABANDONED, abandoned_at=NOON))


def _recovers(uow: UnitOfWork) -> None:
    row = uow.reengagements.add(
        Reengagement(customer_phone=ANNA, campaign_type=CampaignType.CART_REMINDER, sent_at=NOON, created_at=NOON)
    )
    uow.reengagements.save(row.credited(7, Decimal("23.90"), now=NOON))


def _pauses(uow: UnitOfWork) -> None:
    running = Progress(state=CampaignState.RUNNING)
    keep_progress(uow, 3, running)
    keep_progress(uow, 3, running.became(CampaignState.PAUSED, by="worker", now=NOON, reason="quality"))


@pytest.mark.parametrize(
    ("work", "name", "labels"),
    [
        (_was(MessageStatus.SENDING, MessageStatus.SENT), "attempts", ("outbound", "done")),
        (_was(MessageStatus.SENDING, MessageStatus.SENT), "messages", ("outbound", "reply", "sent")),
        (_was(MessageStatus.UNCONFIRMED, MessageStatus.DELIVERED), "unconfirmed_resolved", ("echo",)),
        (_was(MessageStatus.UNCONFIRMED, MessageStatus.PENDING), "unconfirmed_resolved", ("resent",)),
        (_was(MessageStatus.PENDING, MessageStatus.FAILED, error="window_closed"), "window_closed", ("reply",)),
        (
            _was(MessageStatus.PENDING, MessageStatus.FAILED, error="policy:cap", ref="recipient:7"),
            "policy",
            ("broadcast", "cap", "refuse"),
        ),
        (_was(MessageStatus.PENDING, MessageStatus.SENT, ref="reminder:7:2"), "reminders", ("2", "sent")),
        (_opts_out, "opt_outs", ("keyword",)),
        (_abandons, "carts_abandoned", ()),
        (_recovers, "recovered", ()),
        (_pauses, "campaign_pauses", ("quality",)),
        (lambda uow: uow.limits.lock("a" * 64, "export"), "limit", ("export", "refused")),
    ],
)
async def test_each_is_counted_once(
    database: CountedDatabase, work: object, name: str, labels: tuple[str, ...]
) -> None:
    """However often the transaction had to be run."""
    await database.transact(work)  # type: ignore[arg-type] # each is a work

    assert database.tallies.of(name)[labels] == 1


async def test_what_reminders_brought_is_told_in_money(database: CountedDatabase) -> None:
    """In the shop's currency."""
    await database.transact(_recovers)

    assert database.tallies.of("recovered_revenue") == {("EUR",): 23.9}


async def test_what_retention_did_is_counted_by_rows(database: CountedDatabase) -> None:
    """As its option says."""
    await database.transact(lambda uow: uow.options.put(RAN, document(at="x", done={"sagas": 3})))

    assert database.tallies.of("retention_rows") == {("sagas", "done"): 3}


async def test_what_rolls_back_is_not_counted(database: CountedDatabase) -> None:
    """Only its time, by the room that asked."""

    def work(uow: UnitOfWork) -> None:
        _abandons(uow)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.transact(work)

    assert not database.tallies.counted
    assert list(database.tallies.spans_of("transaction_seconds")) == [("host",)]


def test_a_transaction_is_named_by_its_room() -> None:
    """A lambda in a room has the room's module."""
    assert room_of(keep_progress) == "campaigns"  # type: ignore[arg-type] # any function of a room


def test_a_time_stands_in_one_part() -> None:
    """At most the bound; what took longer than all is in the last."""
    tallies = Tallies()
    for seconds in (0.001, BOUNDS[0], 99.0):
        tallies.time("x", (), seconds)

    span = tallies.spans_of("x")[()]
    assert (span.parts[0], span.parts[-1], sum(span.parts)) == (2, 1, 3)
