"""Order notices: what customers are told about their orders, each thing once."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import attrs

from wch.application.failpoints import Failpoints
from wch.application.faults import fault
from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.application.speaking import Speaker
from wch.application.texts import Texts
from wch.domain.audit import AuditEntry
from wch.domain.catalogue import ShopNotFoundError, ShopUnavailableError
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import JsonObject, document
from wch.domain.errors import ConflictError, NotFoundError, StoreUnavailableError
from wch.domain.lease import BACK_OFF
from wch.domain.message import Class
from wch.domain.moment import SECOND
from wch.domain.notification import CONFIRMED, DELIVERED, STATUS_PREFIX, Notification, NotificationStatus
from wch.domain.order import Order, Tracking
from wch.domain.outgoing import Button, Buttons, Outgoing, Template, Text

log = logging.getLogger(__name__)

WINDOW = timedelta(hours=24) - timedelta(seconds=60)
"""How long after the customer's last message free words may be sent, a minute kept in hand."""

TEMPLATES: Mapping[str, str] = {
    CONFIRMED: "order_confirmation",
    "status_processing": "order_processing",
    "status_cancelled": "order_cancelled",
    "shipped": "shipping_update",
    DELIVERED: "order_completed",
    "refunded": "order_refunded",
}
"""The template of a type; any other status goes out as `order_status_update`."""

LIVES: Mapping[str, timedelta] = {
    CONFIRMED: timedelta(hours=12),
    "shipped": timedelta(hours=48),
    DELIVERED: timedelta(hours=48),
    "refunded": timedelta(hours=48),
}
"""After this time a notice is stale; any other type lives a day."""

COVERED_FOR = timedelta(minutes=10)
"""A status that the confirmation has told already is not told again within this time."""


def kind_of(notification_type: str) -> str:
    """The type without its number: `shipped_2` is `shipped`."""
    stem, _, number = notification_type.rpartition("_")
    return stem if number.isdigit() else notification_type


def parcel_of(notification_type: str, order: Order) -> Tracking | None:
    """The parcel that a type is about: `shipped_2` is about the second; the latest where that one is not there."""
    number = notification_type.rpartition("_")[2]
    place = int(number) if number.isdigit() else 1
    parcels = order.tracking[:place]
    return parcels[-1] if parcels else None


@attrs.frozen(kw_only=True)
class Notifications:
    """The duty that prepares notices, and what people ask about them."""

    kind: ClassVar[str] = "notifications"

    database: Database
    clock: Clock
    shop: Shop
    speaker: Speaker
    failpoints: Failpoints
    language: str

    async def work(self) -> int:
        """Prepare what is due: read the order, then decide and write the message in one transaction."""
        due = await self.database.read(lambda uow: uow.notifications.due(self.clock.now()))
        for notification_id in due:
            await self._safely(notification_id)
        return len(due)

    async def _safely(self, notification_id: int) -> None:
        """A notice that cannot be prepared waits for its back-off; those behind it go on."""
        try:
            await self._prepare(notification_id)
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - one notice never stops the others
            log.error("a notice failed: %s", fault(error), extra={"notification_id": notification_id})  # noqa: TRY400 - no words of an error in a log
            await self.database.transact(lambda uow: self._put_off(uow, notification_id, "error"))

    async def _prepare(self, notification_id: int) -> None:
        notice = await self.database.read(lambda uow: uow.notifications.get(notification_id))
        if notice is None or notice.status is not NotificationStatus.PENDING:
            return
        try:
            order = await self.shop.order(order_id=notice.order_id)
        except ShopUnavailableError:
            await self.database.transact(lambda uow: self._put_off(uow, notice.id, "shop_unavailable"))
            return
        except ShopNotFoundError:
            await self.database.transact(lambda uow: self._give_up(uow, notice, "order_not_found"))
            return
        await self.database.transact(lambda uow: self._queue(uow, notice, order))

    def _queue(self, uow: UnitOfWork, seen: Notification, order: Order) -> None:
        """Still pending and unmoved: skip it with its reason, or write its message."""
        now = self.clock.now()
        profile = uow.customers.lock(seen.customer_phone, now=now)
        conversation = self.speaker.thread(uow, profile, now=now)
        notice = uow.notifications.get(seen.id, lock=True)
        if notice is None or notice.status is not NotificationStatus.PENDING or notice.updated_at != seen.updated_at:
            return
        reason = self._skip(uow, notice, order, profile, now)
        if reason is not None:
            uow.notifications.save(notice.skipped(reason, now=now))
            return
        kind = kind_of(notice.notification_type)
        language = self._language(uow, notice, profile)
        texts = Texts(language)
        template = TEMPLATES.get(kind, "order_status_update")
        values = self._values(order, profile, texts, parcel_of(notice.notification_type, order))
        latest = uow.messages.latest_inbound_at(profile.phone)
        is_open = latest is not None and now < latest + WINDOW
        parameters = tuple(values[name] for name in PARAMETERS.get(template, ("order_number", "status_text")))
        message: Outgoing = (
            self._text(kind, texts, values, order)
            if is_open
            else Template.text(name=template, language=language, body=parameters)
        )
        counted, _ = self.speaker.say(
            uow,
            conversation,
            message,
            profile=profile,
            class_=Class.NOTICE,
            origin={"by": "notice", "ref": f"notification:{notice.id}"},
            now=now,
            lives=max(notice.created_at + LIVES.get(kind, timedelta(hours=24)) - now, SECOND),
            fallback={"template": template, "language": language, "parameters": list(parameters)} if is_open else None,
        )
        uow.conversations.save(counted)
        uow.notifications.save(notice.queued(template_name=template, now=now))
        self.failpoints("notice.before_commit")

    def _skip(
        self, uow: UnitOfWork, notice: Notification, order: Order, profile: CustomerProfile, now: datetime
    ) -> str | None:
        """Why this is not told, if it is not."""
        kind = kind_of(notice.notification_type)
        if profile.notification_opt_out:
            return "optout"
        if profile.is_blocked:
            return "blocked"
        if now >= notice.created_at + LIVES.get(kind, timedelta(hours=24)):
            return "expired"
        if kind.startswith(STATUS_PREFIX):
            if kind.removeprefix(STATUS_PREFIX) != order.status.value:
                return "superseded"
            if kind in {"status_processing", "status_pending"} and any(
                now - one.created_at < COVERED_FOR and one.status is not NotificationStatus.SKIPPED
                for one in uow.notifications.of_order(notice.order_id, CONFIRMED)
            ):
                return "covered"
        return None

    def _language(self, uow: UnitOfWork, notice: Notification, profile: CustomerProfile) -> str:
        known = uow.options.get(f"shop:order:{notice.order_id}") or {}
        return str(profile.language or known.get("language") or self.language)

    def _values(self, order: Order, profile: CustomerProfile, texts: Texts, parcel: Tracking | None) -> dict[str, str]:
        """What the words of a notice may name; every template takes some of them."""
        return {
            "customer_name": profile.name or texts.say("notice.customer"),
            "order_number": order.number,
            "order_total": texts.money(order.total),
            "item_count": str(sum(line.quantity for line in order.lines)),
            "status_text": texts.say(f"status.{order.status.value}"),
            "carrier_name": parcel.carrier if parcel else "-",
            "tracking_number": parcel.number if parcel else "-",
            "tracking_url": (parcel.url or "") if parcel else "",
            "refund_amount": texts.money(order.refunded),
        }

    def _text(self, kind: str, texts: Texts, values: dict[str, str], order: Order) -> Outgoing:
        """The words inside the window; the confirmation carries its buttons."""
        if kind == CONFIRMED:
            lines = "\n".join(f"{line.quantity} x {line.name}" for line in order.lines)
            return Buttons(
                body=texts.say("notice.order_confirmed", lines=lines, **values),
                buttons=(
                    Button(id=f"order_{order.id}", title=texts.say("button.track")),
                    Button(id="menu", title=texts.say("button.menu")),
                ),
            )
        if kind == "shipped" and not order.tracking:
            return Text(body=texts.say("notice.status", **values))
        known = {"shipped": "notice.shipped", DELIVERED: "notice.delivered", "refunded": "notice.refunded"}
        return Text(body=texts.say(known.get(kind, "notice.status"), **values))

    def _put_off(self, uow: UnitOfWork, notification_id: int, error: str) -> None:
        """The shop is away: again later, and given up after the last back-off."""
        notice = uow.notifications.get(notification_id, lock=True)
        if notice is None or notice.status is not NotificationStatus.PENDING:
            return
        if notice.retry_count >= len(BACK_OFF):
            self._give_up(uow, notice, error)
            return
        uow.notifications.save(notice.retried(error, now=self.clock.now()))

    def _give_up(self, uow: UnitOfWork, seen: Notification, error: str) -> None:
        now = self.clock.now()
        notice = uow.notifications.get(seen.id, lock=True)
        if notice is None or notice.status is not NotificationStatus.PENDING:
            return
        uow.notifications.save(notice.failed(error, now=now))
        uow.dead_letters.add(
            DeadLetter.of_row(
                Hook.NOTIFICATION,
                "notification_log",
                notice.id,
                Reason.MAX_RETRIES_EXCEEDED,
                error=error,
                attempts=notice.retry_count,
                now=now,
            )
        )

    async def listed(self, *, status: str | None = None, after: int = 0, limit: int = 50) -> Sequence[Notification]:
        """Notices by id."""
        return await self.database.read(lambda uow: uow.notifications.listed(status=status, after=after, limit=limit))

    async def retry(self, notification_id: int, *, by: str = "host") -> Notification:
        """Let a notice that was given up be prepared again.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: it has not failed.
        """

        def work(uow: UnitOfWork) -> Notification:
            now = self.clock.now()
            notice = uow.notifications.get(notification_id, lock=True)
            if notice is None:
                raise NotFoundError(kind="notification", id=notification_id)
            if notice.status is not NotificationStatus.FAILED:
                raise ConflictError(notification_id=notification_id, status=notice.status)
            again = attrs.evolve(
                notice, status=NotificationStatus.PENDING, retry_count=0, error_message=None, updated_at=now
            )
            uow.notifications.save(again)
            about = f"notification:{notification_id}"
            uow.audit.add(AuditEntry(at=now, actor=by, action="notification.retry", object=about))
            return again

        return await self.database.transact(work)


PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "order_confirmation": ("customer_name", "order_number", "order_total", "item_count"),
    "order_processing": ("order_number", "status_text"),
    "order_cancelled": ("order_number", "status_text"),
    "shipping_update": ("order_number", "carrier_name", "tracking_number"),
    "order_completed": ("order_number", "status_text"),
    "order_refunded": ("order_number", "refund_amount"),
}
"""The positional variables of each template."""


def seen_state(order: Order, before: JsonObject) -> JsonObject:
    """What was last seen of an order, for telling what changed since."""
    return document(
        **{
            **before,
            "status": order.status.value,
            "tracking": [parcel.number for parcel in order.tracking],
            "refunded": str(order.refunded.amount),
        }
    )


def news(order: Order, before: JsonObject) -> tuple[str, ...]:
    """The notice types that a changed order calls for: each shipment, refund and status once."""
    told: list[str] = []
    known = list(before.get("tracking", ()))
    for place, parcel in enumerate(order.tracking, start=1):
        if parcel.number not in known:
            told.append("shipped" if place == 1 else f"shipped_{place}")
    if order.status.value != before.get("status"):
        if order.status.value == "shipped":
            told.extend(() if told or known else ("shipped",))
        elif order.status.value == "completed":
            told.append(DELIVERED)
        elif order.status.value == "refunded":
            told.append("refunded")
        else:
            told.append(f"{STATUS_PREFIX}{order.status.value}")
    elif str(order.refunded.amount) != str(before.get("refunded", "0")) and order.refunded:
        told.append("refunded")
    return tuple(told)
