"""Counting: what is written is counted where it is written, once its transaction has committed.

A room says nothing of it: rows are watched on their way into the store. What rolls back counts
nothing, but that a limit was asked in vain. Whose caller was cancelled may be missing.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar, cast

import attrs

from wch.application.around import StoreAround
from wch.application.causes import ref_of
from wch.application.ports import Clock, Database, UnitOfWork, Written
from wch.application.retention import RAN
from wch.application.tallies import Labels, Tallies
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.cart import Cart, CartStatus
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.erasure import ERASURE
from wch.domain.lease import Work
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.notification import Notification, NotificationStatus, kind_of
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Saga, SagaState
from wch.domain.sync import SyncStatus, SyncTask

R = TypeVar("R")
Say = Callable[..., None]

ROOMS = "wch.application."
_SKIPPED = "skipped_"
_POLICY = "policy:"
_CAMPAIGN, _STATE = "campaign.", ".state"
_WORKING = frozenset({MessageStatus.PROCESSING, MessageStatus.SENDING, SyncStatus.PROCESSING})
_RESULTS: Mapping[str, str] = {
    MessageStatus.RECEIVED: "again",
    MessageStatus.PENDING: "again",
    MessageStatus.DEAD: "failed",
    MessageStatus.FAILED: "failed",
    MessageStatus.UNCONFIRMED: "unconfirmed",
}
"""How an attempt ended, by the state that its row went to; any other is `done`."""
_KINDS = {"recipient": "broadcast", "reminder": "reminder", "reengagement": "reengagement", "notification": "notice"}


@attrs.frozen(kw_only=True)
class CountedDatabase(StoreAround):
    """A store whose committed rows are counted, and whose transactions are timed by the room that asks for them.

    Attributes:
        currency: of the shop, in which what reminders brought is told.
    """

    database: Database
    clock: Clock
    tallies: Tallies
    currency: str

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        """As the store beneath."""
        begun = self.clock.boot()
        last: list[_Watched] = []

        def watched(uow: UnitOfWork) -> R:
            last[:] = [_Watched(uow, self.currency)]
            return work(cast("UnitOfWork", last[0]))

        try:
            answer = await self.database.transact(watched)
            for (name, labels), count in last[0].told.items():
                self.tallies.add(name, labels, count)
            return answer
        finally:
            self.tallies.time("transaction_seconds", (room_of(work),), self.clock.boot() - begun)
            for limit in last[0].refused if last else ():
                self.tallies.add("limit", (limit, "refused"))


def room_of(work: Callable[[UnitOfWork], Any]) -> str:
    """The room that a transaction is of: its module's name; `host` for code that is not ours."""
    return _room(str(getattr(getattr(work, "func", work), "__module__", "")))


@lru_cache(maxsize=256)
def _room(module: str) -> str:
    return module.removeprefix(ROOMS).replace(".", "_") if module.startswith(ROOMS) else "host"


class _Watched:
    """A unit of work whose rows are watched; whatever nobody counts is the store's own."""

    def __init__(self, uow: UnitOfWork, currency: str) -> None:
        self._uow = uow
        self._currency = currency
        self.told: dict[tuple[str, Labels], float] = {}

    def __getattr__(self, name: str) -> Any:
        """A repository, made when it is first asked for and the same from then on: it remembers its rows."""
        found = getattr(self._uow, name)
        watching = _WATCHED.get(name)
        if watching is not None:
            found = watching(found, self._say, self._currency)
        self.__dict__[name] = found
        return found

    @property
    def refused(self) -> tuple[str, ...]:
        """Limits that were asked and let nobody through."""
        limits = self.__dict__.get("limits")
        return () if limits is None else tuple(limits.asked)

    def _say(self, name: str, *labels: str, count: float = 1) -> None:
        told = self.told
        told[name, labels] = told.get((name, labels), 0) + count


class _Rows:
    """A repository that remembers what its rows were when they were read."""

    def __init__(self, rows: Any, say: Say, currency: str) -> None:
        self._rows = rows
        self._say = say
        self._currency = currency
        self._seen: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def _kept(self, row: Any, key: str = "id") -> Any:
        if row is not None:
            self._seen[getattr(row, key)] = row
        return row

    def get(self, row_id: Any, *, lock: bool = False) -> Any:
        return self._kept(self._rows.get(row_id, lock=lock))

    def before(self, row: Any, key: str = "id") -> Any:
        """The row as it was, and from now on as it is; None when nobody read it."""
        name = getattr(row, key)
        was = self._seen.get(name)
        self._seen[name] = row
        return was


class _Messages(_Rows):
    def add(self, message: Message) -> Message:
        added: Message = self._kept(self._rows.add(message))
        self._moved(added)
        return added

    def add_later(self, message: Message) -> Written:
        written: Written = self._rows.add_later(message)
        self._moved(message)
        return written

    def by_wa_id(self, wa_message_id: str, *, lock: bool = False) -> Message | None:
        found: Message | None = self._kept(self._rows.by_wa_id(wa_message_id, lock=lock))
        return found

    def save(self, message: Message) -> None:
        self._rows.save(message)
        was = self.before(message)
        if was is not None and was.status is not message.status:
            self._ended(was.status, message.status, message.direction.value)
            self._moved(message, was.status)

    def finish(self, lease: Work, message: Message) -> None:
        self._rows.finish(lease, message)
        self.before(message)
        self._ended(lease.status, message.status, message.direction.value)
        self._moved(message, MessageStatus(lease.status))

    def move(self, before: Work, after: Work) -> None:
        self._rows.move(before, after)
        inbound = {before.status, after.status} & {MessageStatus.RECEIVED, MessageStatus.PROCESSING}
        _work_moved(self._say, "inbound" if inbound else "outbound", before, after)

    def _ended(self, before: str, after: str, work: str) -> None:
        if before in _WORKING and after not in _WORKING:
            self._say("attempts", work, _RESULTS.get(after, "done"))

    def _moved(self, message: Message, before: MessageStatus | None = None) -> None:
        if message.direction is Direction.INBOUND:
            self._say("messages", "inbound", "customer", message.status)
            return
        class_ = message.class_.value
        self._say("messages", "outbound", class_, message.status.value)
        if before is MessageStatus.UNCONFIRMED:
            how = {MessageStatus.PENDING: "resent", MessageStatus.FAILED: "failed"}.get(message.status, "echo")
            self._say("unconfirmed_resolved", how)
        error = message.error_message or ""
        is_failed = message.status is MessageStatus.FAILED
        if is_failed and error == "window_closed":
            self._say("window_closed", class_)
        kind, _, rest = ref_of(message).partition(":")
        if is_failed and error.startswith(_POLICY):
            self._say("policy", _KINDS.get(kind, class_), _word(error.removeprefix(_POLICY)), "refuse")
        if kind == "reminder":
            result = "planned" if before is None else message.status.value
            self._say("reminders", rest.partition(":")[2] or "1", result)
            if before is None:
                self._say("policy", kind, "none", "send")


class _Carts(_Rows):
    def of(self, customer_phone: str, *, lock: bool = False) -> Cart | None:
        found: Cart | None = self._kept(self._rows.of(customer_phone, lock=lock))
        return found

    def save(self, cart: Cart) -> None:
        self._rows.save(cart)
        was = self.before(cart)
        if was is not None and cart.status is CartStatus.ABANDONED and was.status is not cart.status:
            self._say("carts_abandoned")


class _Customers(_Rows):
    def get(self, customer_id: int) -> CustomerProfile | None:  # type: ignore[override] # profiles are locked by `lock`
        return cast("CustomerProfile | None", self._kept(self._rows.get(customer_id)))

    def of(self, phone: str) -> CustomerProfile | None:
        found: CustomerProfile | None = self._rows.of(phone)
        if found is not None:
            self._seen[found.id] = found
        return found

    def lock(self, phone: str, *, now: datetime) -> CustomerProfile:
        locked: CustomerProfile = self._rows.lock(phone, now=now)
        self._seen[locked.id] = locked
        return locked

    def lock_if_free(self, phone: str) -> CustomerProfile | None:
        return cast("CustomerProfile | None", self._kept(self._rows.lock_if_free(phone)))

    def save(self, profile: CustomerProfile) -> None:
        self._rows.save(profile)
        was, self._seen[profile.id] = self._seen.get(profile.id), profile
        if was is None or was.preferences is profile.preferences:
            return
        known = _consent_log(was)
        for entry in _consent_log(profile):
            if entry.get("to") == "out" and entry not in known:
                self._say("opt_outs", _word(entry.get("source")))


class _Sync(_Rows):
    def move(self, before: Work, after: Work) -> None:
        self._rows.move(before, after)
        _work_moved(self._say, "sync", before, after)

    def finish(self, lease: Work, task: SyncTask) -> None:
        self._rows.finish(lease, task)
        result = "again" if task.status is SyncStatus.PENDING else task.status.value
        self._say("sync", task.entity_type.value, task.action.value, result)
        self._say("attempts", "sync", {"completed": "done"}.get(result, result))


class _Notifications(_Rows):
    def add(self, notification: Notification) -> Notification:
        added: Notification = self._kept(self._rows.add(notification))
        self._say("notices", kind_of(added.notification_type), added.status.value)
        return added

    def save(self, notification: Notification) -> None:
        self._rows.save(notification)
        was = self.before(notification)
        if was is None or was.status is notification.status:
            return
        self._say("notices", kind_of(notification.notification_type), notification.status.value)
        if notification.status is NotificationStatus.SKIPPED:
            self._say("policy", "notice", _word(notification.error_message), "refuse")
        elif notification.status is NotificationStatus.QUEUED:
            self._say("policy", "notice", "none", "send")


class _Recipients(_Rows):
    def take_pending(self, campaign_id: int, *, after: int = 0, limit: int = 50) -> Any:
        return [self._kept(one) for one in self._rows.take_pending(campaign_id, after=after, limit=limit)]

    def save(self, recipient: BroadcastRecipient) -> None:
        self._rows.save(recipient)
        was = self.before(recipient)
        if was is None or was.status == recipient.status:
            return
        word = str(recipient.status)
        if word.startswith(_SKIPPED):
            self._say("policy", "broadcast", word.removeprefix(_SKIPPED), "refuse")
        elif word == RecipientStatus.QUEUED:
            self._say("policy", "broadcast", "none", "send")


class _Reengagements(_Rows):
    def add(self, contact: Reengagement) -> Reengagement:
        added: Reengagement = self._kept(self._rows.add(contact))
        if added.campaign_type is not CampaignType.CART_REMINDER:
            self._say("reengagement", added.campaign_type.value, "planned")
            self._say("policy", "reengagement", "none", "send")
        return added

    def save(self, contact: Reengagement) -> None:
        self._rows.save(contact)
        was = self.before(contact)
        if was is None:
            return
        kind, is_reminder = contact.campaign_type.value, contact.campaign_type is CampaignType.CART_REMINDER
        if contact.converted and not was.converted:
            if is_reminder:
                self._say("recovered")
                self._say("recovered_revenue", self._currency, count=float(contact.conversion_revenue or 0))
            else:
                self._say("reengagement", kind, "converted")
        if not is_reminder and (contact.sent_at is None) is not (was.sent_at is None):
            self._say("reengagement", kind, "unsent" if contact.sent_at is None else "sent")


class _Sagas(_Rows):
    def get(self, saga_id: str, *, lock: bool = False) -> Saga | None:
        return cast("Saga | None", self._kept(self._rows.get(saga_id, lock=lock), "saga_id"))

    def add(self, saga: Saga) -> Saga:
        added: Saga = self._kept(self._rows.add(saga), "saga_id")
        if added.saga_type == ERASURE:
            self._say("erasures", "asked")
        return added

    def save(self, saga: Saga) -> None:
        self._rows.save(saga)
        self._moved(saga)

    def replace(self, before: Saga, after: Saga) -> bool:
        replaced: bool = self._rows.replace(before, after)
        if replaced:
            self._kept(before, "saga_id")
            self._moved(after)
        return replaced

    def _moved(self, saga: Saga) -> None:
        was = self.before(saga, "saga_id")
        if was is None or saga.saga_type != ERASURE or was.state is saga.state:
            return
        if saga.state is SagaState.COMPLETED:
            self._say("erasures", "done")
        elif saga.outcome is not None:
            self._say("erasures", saga.outcome)


class _Options(_Rows):
    def get(self, name: str, *, lock: bool = False) -> JsonObject | None:
        found: JsonObject | None = self._rows.get(name, lock=lock)
        if name.startswith(_CAMPAIGN) and name.endswith(_STATE):
            self._seen[name] = found
        return found

    def put(self, name: str, value: JsonObject) -> None:
        self._rows.put(name, value)
        if name == RAN and isinstance(value.get("done"), Mapping):
            for data, rows in value["done"].items():
                self._say("retention_rows", str(data), "done", count=rows)
        elif name.startswith(_CAMPAIGN) and name.endswith(_STATE):
            was: Any = self._seen.get(name) or {}
            if value.get("state") == "paused" and was.get("state") != "paused":
                self._say("campaign_pauses", _word(value.get("reason") or "person"))
            self._seen[name] = value


class _Limits(_Rows):
    def __init__(self, rows: Any, say: Say, currency: str) -> None:
        super().__init__(rows, say, currency)
        self.asked: list[str] = []

    def lock(self, identifier_hash: str, limit_type: str) -> None:
        self._rows.lock(identifier_hash, limit_type)
        self.asked.append(limit_type)

    def hit(self, identifier_hash: str, limit_type: str, *more: Any) -> None:
        self._rows.hit(identifier_hash, limit_type, *more)
        self._say("limit", limit_type, "admitted")
        if limit_type in self.asked:
            self.asked.remove(limit_type)


_WATCHED: Mapping[str, type[_Rows]] = {
    "messages": _Messages,
    "carts": _Carts,
    "customers": _Customers,
    "sync": _Sync,
    "notifications": _Notifications,
    "recipients": _Recipients,
    "reengagements": _Reengagements,
    "sagas": _Sagas,
    "options": _Options,
    "limits": _Limits,
}


def _work_moved(say: Say, work: str, before: Work, after: Work) -> None:
    """A take of what was in work is a take-over; the end of work that wrote nothing else is an attempt."""
    if after.status in _WORKING:
        if before.status == after.status and after.attempts > before.attempts:
            say("lease_takeovers", work)
    elif before.status in _WORKING:
        say("attempts", work, _RESULTS.get(after.status, "done"))


def _consent_log(profile: CustomerProfile) -> list[Any]:
    consent: Any = profile.preferences.get("consent", {})
    log: Any = consent.get("log", ()) if isinstance(consent, Mapping) else ()
    return [entry for entry in log if isinstance(entry, Mapping)]


_WORD = re.compile(r"(?!.*[0-9]{7})[A-Za-z0-9_-]{1,40}")


def _word(told: object) -> str:
    """The first word of a reason, such as `cap` of `cap:week`; nothing that somebody may have typed is a label."""
    word = str(told or "").partition(":")[0].strip()
    return word if _WORD.fullmatch(word) else "other"
