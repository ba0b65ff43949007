"""Order notices: what customers are told about their orders, each thing once."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import attrs

from wch.application.causes import caused, customer_then
from wch.application.failpoints import Failpoints
from wch.application.faults import fault
from wch.application.following import REF, letter
from wch.application.noticing import Noticing, Telling
from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.application.speaking import Speaker
from wch.domain.audit import AuditEntry
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetterStatus, Hook, Reason
from wch.domain.document import amended, document
from wch.domain.erasure import is_erased
from wch.domain.errors import ConflictError, NotFoundError, StoreUnavailableError
from wch.domain.evolution import evolve
from wch.domain.lease import Leasing
from wch.domain.message import Class, Message
from wch.domain.moment import SECOND
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.order import Order
from wch.domain.shop_error import ShopNotFoundError, ShopUnavailableError
from wch.domain.verdict import Answer, Verdict

log = logging.getLogger(__name__)

LOOKED_AGAIN_IN = timedelta(minutes=5)
"""How soon a notice is looked at again whose hold has no known end."""

_FAILS = frozenset({"template", "content"})
"""Rules whose refusal is a fault of ours to mend, and no decision not to tell."""

_WORDS = {"over": "expired"}


@attrs.frozen(kw_only=True)
class Explained:
    """What there is to say about one notice.

    Attributes:
        verdict: what every rule says at the moment asked about.
        rows: its messages, the oldest first.
        has_order: whether the shop showed the order.
    """

    notice: Notification
    verdict: Verdict
    rows: tuple[Message, ...]
    has_order: bool


@attrs.frozen(kw_only=True)
class Notifications:
    """The duty that prepares notices, and what people ask about them."""

    kind: ClassVar[str] = "notifications"

    database: Database
    clock: Clock
    shop: Shop
    speaker: Speaker
    noticing: Noticing
    failpoints: Failpoints
    leasing: Leasing

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
            await self.database.transact(lambda uow: self._give_up(uow, notice.id, "order_not_found"))
            return
        await self.database.transact(lambda uow: self._queue(uow, notice, order))

    def _queue(self, uow: UnitOfWork, seen: Notification, order: Order) -> None:
        """Still pending and unmoved: skip it with its reason, hold it, give it up, or write its message."""
        now = self.clock.now()
        if is_erased(seen.customer_phone):
            self._skip(uow, seen, "erased", now)
            return
        profile = uow.customers.lock(seen.customer_phone, now=now)
        uow.conversations.latest_of(profile.phone, lock=True)
        notice = uow.notifications.get(seen.id, lock=True)
        if notice is None or notice.status is not NotificationStatus.PENDING or notice.updated_at != seen.updated_at:
            return
        telling = self.noticing.telling(uow, notice, order, profile, now=now)
        verdict, decisive = telling.verdict, telling.verdict.decisive
        if verdict.outcome == "hold":
            until = verdict.until or now + LOOKED_AGAIN_IN
            uow.notifications.save(notice.held(max(min(until, notice.dies_at), now + SECOND)))
        elif decisive is not None and decisive.rule in _FAILS:
            self._give_up(uow, notice.id, _what_is_missing(decisive))
        elif decisive is not None:
            uow.notifications.save(notice.skipped(_WORDS.get(decisive.because, decisive.because), now=now))
        else:
            self._say(uow, notice, telling, profile, now)

    def _say(
        self, uow: UnitOfWork, notice: Notification, telling: Telling, profile: CustomerProfile, now: datetime
    ) -> None:
        if telling.message is None:
            self._give_up(uow, notice.id, "template")  # pragma: no cover - without words the template rule refuses
            return
        counted, row = self.speaker.say(
            uow,
            self.speaker.thread(uow, profile, now=now),
            telling.message,
            profile=profile,
            class_=Class.NOTICE,
            origin={"by": "notice", "ref": f"{REF}:{notice.id}"},
            now=now,
            lives=max(notice.dies_at - now, SECOND),
            fallback=telling.fallback,
            plain=telling.plain,
        )
        policy = {"planned": telling.verdict.to_json()}
        uow.messages.save(evolve(row, content=amended(row.content, policy=policy)))
        uow.conversations.save(counted)
        uow.notifications.save(notice.queued(template_name=telling.template_name, now=now))
        self.failpoints("notice.before_commit")

    def _skip(self, uow: UnitOfWork, seen: Notification, reason: str, now: datetime) -> None:
        notice = uow.notifications.get(seen.id, lock=True)
        if notice is not None and notice.status is NotificationStatus.PENDING:
            uow.notifications.save(notice.skipped(reason, now=now))

    def _put_off(self, uow: UnitOfWork, notification_id: int, error: str) -> None:
        """The shop is away: again later, and given up after the last back-off."""
        notice = uow.notifications.get(notification_id, lock=True)
        if notice is None or notice.status is not NotificationStatus.PENDING:
            return
        if notice.retry_count >= len(self.leasing.waits):
            self._give_up(uow, notice.id, error)
            return
        uow.notifications.save(notice.retried(error, now=self.clock.now(), waits=self.leasing.waits))

    def _give_up(self, uow: UnitOfWork, notification_id: int, error: str) -> None:
        now = self.clock.now()
        notice = uow.notifications.get(notification_id, lock=True)
        if notice is None or notice.status is not NotificationStatus.PENDING:
            return
        failed = notice.failed(error, now=now)
        uow.notifications.save(failed)
        uow.dead_letters.add(letter(failed, Reason.MAX_RETRIES_EXCEEDED, error=error, now=now))

    # --- what people ask

    async def listed(self, *, status: str | None = None, after: int = 0, limit: int = 50) -> Sequence[Notification]:
        """Notices by id."""
        return await self.database.read(lambda uow: uow.notifications.listed(status=status, after=after, limit=limit))

    async def retry(self, notification_id: int, *, by: str = "host") -> Notification:
        """Let a notice that was given up be prepared again, as the same row; its dead letter is answered with it.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: it has not failed.
        """

        def work(uow: UnitOfWork) -> Notification:
            now = self.clock.now()
            notice = uow.notifications.get(notification_id, lock=True)
            if notice is None:
                raise NotFoundError(_NO_NOTICE, kind="notification", id=notification_id)
            if notice.status is not NotificationStatus.FAILED:
                sentence = f"Notice {notice.id} is {notice.status}; only one that failed can be prepared again."
                raise ConflictError(sentence, notification_id=notification_id, status=notice.status)
            again = notice.anew(now=now)
            uow.notifications.save(again)
            _answered(uow, notice.id, by=by, now=now)
            about = f"notification:{notification_id}"
            uow.audit.add(AuditEntry(at=now, actor=by, action="notification.retry", object=about))
            return again

        return await self.database.transact(work)

    async def resend(self, notification_id: int, *, by: str = "host") -> Notification:
        """Tell once more what was told already, as a new row that is prepared by every rule as of now.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: it was not told yet, or the same waits to be told already.
        """

        def work(uow: UnitOfWork) -> Notification:
            now = self.clock.now()
            notice = uow.notifications.get(notification_id, lock=True)
            if notice is None:
                raise NotFoundError(_NO_NOTICE, kind="notification", id=notification_id)
            same = uow.notifications.of_order(notice.order_id, notice.notification_type)
            if not notice.is_told or any(one.status in _WAITING for one in same):
                sentence = f"Notice {notice.id} is {notice.status}; only one that left, and that none like it waits beside, can be sent again."
                raise ConflictError(sentence, notification_id=notification_id, status=notice.status)
            again = uow.notifications.add(notice.once_more(now=now))
            uow.audit.add(
                AuditEntry(
                    at=now,
                    actor=by,
                    action="notification.resend",
                    object=f"notification:{notification_id}",
                    detail=document(again=again.id),
                )
            )
            return again

        return await self.database.transact(work)

    async def explain(self, notification_id: int, *, at: datetime) -> Explained:
        """What every rule says about a notice, with the order as the shop has it now and the customer as of then.

        Where the shop does not show the order, its last known status is what is asked about.

        Raises:
            NotFoundError: there is none of this id.
        """
        notice = await self.database.read(lambda uow: uow.notifications.get(notification_id))
        if notice is None:
            raise NotFoundError(_NO_NOTICE, kind="notification", id=notification_id)
        order: Order | None
        try:
            order = await self.shop.order(order_id=notice.order_id)
        except (ShopUnavailableError, ShopNotFoundError):
            order = None
        return await self.database.read(lambda uow: self._explained(uow, notice, order, at))

    def _explained(self, uow: UnitOfWork, notice: Notification, order: Order | None, at: datetime) -> Explained:
        profile = uow.customers.of(notice.customer_phone)
        if profile is not None and at < self.clock.now():
            profile = customer_then(uow, profile, at=at)
        rows = tuple(caused(uow, notice.customer_phone, f"{REF}:{notice.id}", since=notice.created_at))[::-1]
        if profile is None:
            verdict = self.noticing.nobody(notice, now=at)
        elif rows and notice.status is NotificationStatus.QUEUED:
            verdict = self.noticing.again(uow, rows[-1], notice, profile, now=at)
        elif order is None:
            verdict = self.noticing.without_order(uow, notice, profile, now=at)
        else:
            verdict = self.noticing.telling(uow, notice, order, profile, now=at).verdict
        return Explained(notice=notice, verdict=verdict, rows=rows, has_order=order is not None)


_WAITING = frozenset({NotificationStatus.PENDING, NotificationStatus.QUEUED})

_NO_NOTICE = "There is no notice of this number; list them with `wch notifications list`."


def _what_is_missing(answer: Answer) -> str:
    """`missing:<name>` for the first variable without a value, else the rule's own word."""
    variables = answer.facts.get("variables") or ()
    return f"missing:{variables[0]}" if variables else answer.because


def _answered(uow: UnitOfWork, notification_id: int, *, by: str, now: datetime) -> None:
    """Nobody needs to decide about the letters of a notice that waits again."""
    after = 0
    while page := uow.dead_letters.listed(
        status=DeadLetterStatus.PENDING, hook=Hook.NOTIFICATION, after=after, limit=200
    ):
        after = page[-1].id
        for seen in page:
            if seen.args.get("id") != notification_id:
                continue
            held = uow.dead_letters.get(seen.id, lock=True)
            if held is not None and held.status is DeadLetterStatus.PENDING:
                uow.dead_letters.save(held.replayed(now=now, by=by))
