"""Customers are told each thing about an order once, in time, and in the form that WhatsApp allows."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import attrs
import pytest

from tests.application.shopping import ANNA, Shopping, shopping
from wch.application.ports import Shop, UnitOfWork
from wch.domain.conversation import Conversation
from wch.domain.document import document
from wch.domain.errors import ConflictError, NotFoundError, StoreUnavailableError
from wch.domain.message import Class, Direction, Message, MessageStatus
from wch.domain.moment import iso
from wch.domain.notification import CONFIRMED, DELAY, Notification, NotificationStatus
from wch.domain.order import Order, OrderStatus, Tracking
from wch.domain.shop_error import ShopUnavailableError
from wch.testing import NOON
from wch.testing.scripted_shop import Refused, Unavailable


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[Shopping]:
    made = await shopping(twice=request.param)
    yield made
    await made.shop.aclose()


async def noted(hub: Shopping, order_id: int, word: str = CONFIRMED) -> Notification:
    """A notice that may be looked at now."""
    now = hub.clock.now()
    return await hub.do(  # type: ignore[no-any-return]  # a row
        lambda uow: uow.notifications.add(
            Notification(order_id=order_id, notification_type=word, customer_phone=ANNA, created_at=now, updated_at=now)
        )
    )


@attrs.frozen(kw_only=True)
class Orders:
    """A shop that only shows orders."""

    order: Any


def showing(order: Any) -> Shop:
    return cast("Shop", Orders(order=order))


async def anna(hub: Shopping, *, wrote: bool = False, **more: Any) -> None:
    """What is known of Anna; with `wrote`, her window is open."""
    now = hub.clock.now()

    def work(uow: UnitOfWork) -> None:
        profile = uow.customers.lock(ANNA, now=now)
        uow.customers.save(attrs.evolve(profile, **more))
        if wrote:
            thread = uow.conversations.add(Conversation(customer_phone=ANNA, created_at=now, updated_at=now))
            uow.messages.add(
                Message(
                    conversation_id=thread.id,
                    direction=Direction.INBOUND,
                    type="text",
                    content=document(text="hi", at=iso(now)),
                    status=MessageStatus.PROCESSED,
                    created_at=now,
                    updated_at=now,
                    sent_at=now,
                )
            )

    await hub.do(work)


async def one(hub: Shopping, notification_id: int) -> Notification:
    found = await hub.see(lambda uow: uow.notifications.get(notification_id))
    assert isinstance(found, Notification)
    return found


async def outgoing(hub: Shopping) -> list[Message]:
    return [row for row in await hub.said() if row.direction is Direction.OUTBOUND]


# --- its form


async def test_inside_the_window_it_is_words_with_the_template_in_reserve(hub: Shopping) -> None:
    """Words may hold all the lines; should the window close before it leaves, the template goes."""
    order = await hub.order(quantity=2)
    await anna(hub, wrote=True, name="Anna")
    notice = await noted(hub, order.id)
    assert await hub.notices.work() == 1

    (row,) = await outgoing(hub)
    assert row.class_ is Class.NOTICE
    assert row.content["body"]["type"] == "interactive"
    assert "2 x Mug" in str(row.content["body"])
    assert f"order_{order.id}" in str(row.content["body"])
    assert row.content["origin"] == {"by": "notice", "ref": f"notification:{notice.id}"}
    fallback = row.content["fallback"]
    assert fallback["template"] == "order_confirmation"
    assert fallback["parameters"][:2] == ["Anna", order.number]
    queued = await one(hub, notice.id)
    assert (queued.status, queued.template_name) == (NotificationStatus.QUEUED, "order_confirmation")


@pytest.mark.parametrize("ago", [None, timedelta(hours=24) - timedelta(seconds=60)])
async def test_outside_the_window_it_is_the_template(hub: Shopping, ago: timedelta | None) -> None:
    """A minute is kept in hand: what is open now may be closed when the message leaves."""
    order = await hub.order()
    if ago is not None:
        await anna(hub, wrote=True)
        hub.clock.advance(ago)
    await noted(hub, order.id)
    await hub.notices.work()

    (row,) = await outgoing(hub)
    assert row.content["body"]["type"] == "template"
    assert row.content["body"]["template"]["name"] == "order_confirmation"
    assert row.content.get("fallback") is None


@pytest.mark.parametrize(
    ("word", "template"),
    [
        (CONFIRMED, "order_confirmation"),
        ("status_processing", "order_processing"),
        ("shipped", "shipping_update_plain"),
        ("shipped_2", "shipping_update_plain"),
        ("delivered", "order_completed"),
        ("refunded", "order_refunded"),
    ],
)
@pytest.mark.parametrize("wrote", [False, True])
async def test_each_type_has_its_template_and_its_words(
    hub: Shopping, word: str, template: str, *, wrote: bool
) -> None:
    """Every one can be said in both forms."""
    order = await hub.order()
    await anna(hub, wrote=wrote)
    notice = await noted(hub, order.id, word)
    await hub.notices.work()

    queued = await one(hub, notice.id)
    assert (queued.status, queued.template_name) == (NotificationStatus.QUEUED, template)
    (row,) = await outgoing(hub)
    assert "{" not in str(row.content["body"].get("text", {}).get("body"))


async def test_a_status_without_a_template_of_its_own_goes_out_with_the_general_one(hub: Shopping) -> None:
    """Not every status is worth a template of its own."""
    order = attrs.evolve(await hub.order(), status=OrderStatus.ON_HOLD)
    first = await noted(hub, order.id, "status_on_hold")

    async def held(*, order_id: int) -> Order:
        assert order_id == order.id
        return order

    await attrs.evolve(hub.notices, shop=showing(held)).work()

    assert (await one(hub, first.id)).template_name == "order_status_update"


async def test_a_cancelled_order_is_told_as_cancelled(hub: Shopping) -> None:
    """The status is read from the shop when the notice is prepared."""
    order = await hub.order()
    await hub.shop.shop.cancel_order(order_id=order.id, reason="x")
    notice = await noted(hub, order.id, "status_cancelled")
    await hub.notices.work()

    assert (await one(hub, notice.id)).template_name == "order_cancelled"


async def test_a_parcel_is_named_with_its_number(hub: Shopping) -> None:
    """That is what the customer waits for."""
    order = await hub.order()
    await hub.shop.shop.ship(order_id=order.id, carrier="DHL", tracking="JD01", url="https://dhl.example/JD01")
    await noted(hub, order.id, "shipped")
    await hub.notices.work()

    (row,) = await outgoing(hub)
    assert "JD01" in str(row.content["body"])
    assert "DHL" in str(row.content["body"])


@pytest.mark.parametrize(("word", "parcel"), [("shipped", "A"), ("shipped_2", "B"), ("shipped_3", "B")])
async def test_each_shipment_names_its_own_parcel(hub: Shopping, word: str, parcel: str) -> None:
    """Two parcels that left together are two notices, and not twice the second."""
    made = await hub.order()
    parcels = tuple(Tracking(carrier="DHL", number=number) for number in ("A", "B"))

    async def both(*, order_id: int) -> Order:
        return attrs.evolve(made, id=order_id, tracking=parcels)

    await noted(hub, made.id, word)
    await attrs.evolve(hub.notices, shop=showing(both)).work()

    (row,) = await outgoing(hub)
    body = row.content["body"]["template"]["components"][0]["parameters"]
    assert [one["text"] for one in body[2:]] == [parcel, f"https://dhl.example/?n={parcel}"]


async def test_a_shipment_without_a_number_names_none(hub: Shopping) -> None:
    """A dash in place of a number helps nobody."""
    order = await hub.order()
    await hub.shop.shop.ship(order_id=order.id)
    await anna(hub, wrote=True)
    await noted(hub, order.id, "shipped")
    await hub.notices.work()

    (row,) = await outgoing(hub)
    assert "-" not in row.content["body"]["text"]["body"]


@pytest.mark.parametrize(("profile", "known", "expected"), [("es", "de", "es"), (None, "pt", "pt"), (None, None, "en")])
async def test_it_speaks_the_language_of_the_customer_else_of_the_order_else_of_the_shop(
    hub: Shopping, profile: str | None, known: str | None, expected: str
) -> None:
    """The order remembers in which language it was placed."""
    order = await hub.order()
    if profile:
        now = hub.clock.now()
        await hub.do(lambda uow: uow.customers.save(uow.customers.lock(ANNA, now=now).speaking(profile, now=now)))
    if known:
        await hub.do(lambda uow: uow.options.put(f"shop:order:{order.id}", document(language=known)))
    await noted(hub, order.id)
    await hub.notices.work()

    (row,) = await outgoing(hub)
    assert row.content["body"]["template"]["language"]["code"] == expected


# --- not told


async def skipped(hub: Shopping, notice: Notification) -> str | None:
    await hub.notices.work()
    row = await one(hub, notice.id)
    assert row.status is NotificationStatus.SKIPPED
    assert await outgoing(hub) == []
    return row.error_message


async def test_it_waits_its_delay_and_is_not_told_if_the_status_was_taken_back(hub: Shopping) -> None:
    """A slip of the shop's people is nobody's message."""
    order = await hub.order()
    now = hub.clock.now()
    await hub.do(
        lambda uow: uow.notifications.add(
            Notification(
                order_id=order.id,
                notification_type="status_on_hold",
                customer_phone=ANNA,
                created_at=now,
                updated_at=now + DELAY,
            )
        )
    )
    hub.clock.advance(DELAY - timedelta(seconds=1))
    assert await hub.notices.work() == 0
    hub.clock.advance(1)
    (notice,) = await hub.noted()

    assert await skipped(hub, notice) == "superseded"


@pytest.mark.parametrize(("minutes", "is_told"), [(9, False), (10, True)])
async def test_what_the_confirmation_has_told_is_not_told_again_for_ten_minutes(
    hub: Shopping, minutes: int, *, is_told: bool
) -> None:
    """Confirmed means at work."""
    order = await hub.order()
    await noted(hub, order.id)
    await hub.notices.work()
    hub.clock.advance(timedelta(minutes=minutes))
    notice = await noted(hub, order.id, "status_processing")
    await hub.notices.work()

    row = await one(hub, notice.id)
    assert (row.status, row.error_message) == (
        (NotificationStatus.QUEUED, None) if is_told else (NotificationStatus.SKIPPED, "covered")
    )


async def test_a_confirmation_that_was_skipped_covers_nothing(hub: Shopping) -> None:
    """It told nobody anything."""
    order = await hub.order()
    await anna(hub, notification_opt_out=True)
    await noted(hub, order.id)
    await hub.notices.work()
    await anna(hub, notification_opt_out=False)
    notice = await noted(hub, order.id, "status_processing")
    await hub.notices.work()

    assert (await one(hub, notice.id)).status is NotificationStatus.QUEUED


async def test_who_wants_no_notices_gets_none(hub: Shopping) -> None:
    """Nor does who is blocked."""
    order = await hub.order()
    await anna(hub, notification_opt_out=True)
    assert await skipped(hub, await noted(hub, order.id)) == "optout"


async def test_who_is_blocked_gets_none(hub: Shopping) -> None:
    """What they ordered is the shop's affair; the line stays quiet."""
    order = await hub.order()
    await anna(hub, preferences={"blocked": {"by": "ana"}})
    assert await skipped(hub, await noted(hub, order.id)) == "blocked"


@pytest.mark.parametrize(("word", "hours"), [(CONFIRMED, 12), ("shipped_2", 48), ("status_processing", 24)])
async def test_stale_news_is_no_news(hub: Shopping, word: str, hours: int) -> None:
    """Each type has its own life; what is queued lives no longer than that either."""
    order = await hub.order()
    notice = await noted(hub, order.id, word)
    hub.clock.advance(timedelta(hours=hours))

    assert await skipped(hub, notice) == "expired"


async def test_what_is_queued_lives_as_long_as_the_notice(hub: Shopping) -> None:
    """Its hours began when the thing happened."""
    order = await hub.order()
    await noted(hub, order.id)
    hub.clock.advance(timedelta(hours=5))
    await hub.notices.work()

    (row,) = await outgoing(hub)
    assert row.content["expires_at"] == iso(NOON + timedelta(hours=12))


# --- the shop is away


async def test_a_shop_that_is_away_is_asked_again_until_the_notice_is_given_up(hub: Shopping) -> None:
    """Later and later, then a dead letter; retried, the same row is told after all."""
    order = await hub.order()
    notice = await noted(hub, order.id)
    hub.shop.script("order", *[Unavailable()] * 6)
    waits = []
    for tries in range(1, 6):
        await hub.notices.work()
        row = await one(hub, notice.id)
        assert (row.status, row.retry_count, row.error_message) == ("pending", tries, "shop_unavailable")
        waits.append((row.updated_at - hub.clock.now()).total_seconds())
        assert await hub.notices.work() == 0
        hub.clock.set(row.updated_at)
    await hub.notices.work()

    row = await one(hub, notice.id)
    assert waits == sorted(waits)
    assert (row.status, row.error_message) == (NotificationStatus.FAILED, "shop_unavailable")
    (letter,) = await hub.letters()
    assert (letter.hook, letter.args["id"], letter.attempts) == ("notification", notice.id, 5)

    again = await hub.notices.retry(notice.id)
    await hub.notices.work()

    assert (again.id, again.status, again.retry_count) == (notice.id, NotificationStatus.PENDING, 0)
    assert (await one(hub, notice.id)).status is NotificationStatus.QUEUED
    assert len(await outgoing(hub)) == 1


@pytest.mark.parametrize("status", ["sent", "delivered", "read", "unconfirmed"])
async def test_what_was_told_is_told_once_more_as_a_row_of_its_own(hub: Shopping, status: str) -> None:
    """The customer lost it and asked: a second message goes, the first keeps what became of it, and a line says who."""
    order = await hub.order()
    notice = await noted(hub, order.id)
    told = attrs.evolve(await one(hub, notice.id), status=NotificationStatus(status), sent_at=hub.clock.now())

    def settle(uow: UnitOfWork) -> None:
        uow.notifications.get(notice.id, lock=True)
        uow.notifications.save(told)

    await hub.do(settle)
    await anna(hub, wrote=True)
    hub.clock.advance(3600)

    again = await hub.notices.resend(notice.id, by="ana")
    with pytest.raises(ConflictError):
        await hub.notices.resend(notice.id, by="bob")
    await hub.notices.work()

    assert again.id != notice.id
    assert (await one(hub, again.id)).status is NotificationStatus.QUEUED
    assert await one(hub, notice.id) == told
    assert len(await outgoing(hub)) == 1
    (line,) = await hub.see(lambda uow: uow.audit.listed(action="notification.resend"))
    assert (line.actor, line.object, line.detail["again"]) == ("ana", f"notification:{notice.id}", again.id)


async def test_what_was_not_told_is_not_told_once_more(hub: Shopping) -> None:
    """It waits still, or was given up: that is tried again, not doubled."""
    order = await hub.order()
    notice = await noted(hub, order.id)

    with pytest.raises(ConflictError):
        await hub.notices.resend(notice.id)
    with pytest.raises(NotFoundError):
        await hub.notices.resend(notice.id + 100)


async def test_an_order_that_is_not_there_is_given_up_at_once(hub: Shopping) -> None:
    """No waiting makes it appear; a person is told."""
    notice = await noted(hub, 999)
    await hub.notices.work()

    assert (await one(hub, notice.id)).error_message == "order_not_found"
    assert len(await hub.letters()) == 1


async def test_a_notice_that_cannot_be_prepared_holds_up_nobody_behind_it(hub: Shopping) -> None:
    """One order that the shop will not show must not silence the hub towards everybody else."""
    order = await hub.order()
    bad, good = await noted(hub, order.id), await noted(hub, order.id, "delivered")
    hub.shop.script("order", Refused("broken"))
    await hub.notices.work()

    row = await one(hub, bad.id)
    assert (row.status, row.retry_count, row.error_message) == (NotificationStatus.PENDING, 1, "error")
    assert (await one(hub, good.id)).status is NotificationStatus.QUEUED


async def test_a_store_that_is_away_is_no_fault_of_the_notice(hub: Shopping) -> None:
    """Nothing is counted against it; the worker looks again."""
    order = await hub.order()
    notice = await noted(hub, order.id)

    async def gone(*, order_id: int) -> Order:
        raise StoreUnavailableError(order_id=order_id)

    with pytest.raises(StoreUnavailableError):
        await attrs.evolve(hub.notices, shop=showing(gone)).work()

    assert await one(hub, notice.id) == notice


@pytest.mark.parametrize("is_away", [False, True])
async def test_two_workers_at_once_tell_it_once(hub: Shopping, *, is_away: bool) -> None:
    """The one who comes second finds the row moved, and writes nothing."""
    order = await hub.order()
    notice = await noted(hub, order.id)

    async def meanwhile(*, order_id: int) -> Order:
        await hub.notices.work()
        if is_away:
            raise ShopUnavailableError
        return await hub.shop.order(order_id=order_id)

    await attrs.evolve(hub.notices, shop=showing(meanwhile)).work()

    assert len(await outgoing(hub)) == 1
    row = await one(hub, notice.id)
    assert (row.status, row.retry_count) == (NotificationStatus.QUEUED, 0)


async def test_what_was_decided_before_the_look_is_left_alone(hub: Shopping) -> None:
    """A row that is gone or decided is nobody's work; giving it up twice writes one letter."""
    order = await hub.order()
    notice = await noted(hub, order.id)
    await hub.notices.work()
    await hub.notices._prepare(notice.id)  # noqa: SLF001 - a worker that read its list just before
    await hub.notices._prepare(404)  # noqa: SLF001 - the same
    await hub.do(lambda uow: hub.notices._give_up(uow, notice.id, "late"))  # noqa: SLF001 - the same

    assert len(await outgoing(hub)) == 1
    assert not await hub.letters()


# --- asking


async def test_only_a_notice_that_failed_is_retried(hub: Shopping) -> None:
    """Anything else is under way, or was decided."""
    notice = await noted(hub, 1)
    with pytest.raises(ConflictError):
        await hub.notices.retry(notice.id)
    with pytest.raises(NotFoundError):
        await hub.notices.retry(notice.id + 1)


async def test_notices_are_listed_by_state(hub: Shopping) -> None:
    """In pages, by id."""
    notice = await noted(hub, 1)

    assert [row.id for row in await hub.notices.listed(status="pending")] == [notice.id]
    assert not await hub.notices.listed(status="sent")
    assert not await hub.notices.listed(after=notice.id)
