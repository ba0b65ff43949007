"""Following: a notice goes the way of its message."""

from datetime import datetime

from wch.application.causes import ref_of
from wch.application.ports import UnitOfWork
from wch.domain.dead_letter import DeadLetter, Hook
from wch.domain.erasure import is_erased
from wch.domain.message import Message, MessageStatus
from wch.domain.notification import Notification, NotificationStatus

REF = "notification"
"""How the cause of a notice is named in its message: `notification:<id>`."""

_POLICY = "policy:"
_EXPIRED = "expired"


def notice_of(row: Message) -> int | None:
    """The notice that a message tells; None when it tells none."""
    kind, _, number = ref_of(row).partition(":")
    return int(number) if kind == REF and number.isdigit() else None


def follow_message(uow: UnitOfWork, row: Message, *, now: datetime) -> None:
    """The notice moves as its message did; one whose message was stopped before it left is skipped."""
    notice = _locked(uow, row)
    if notice is None or row.status is MessageStatus.PENDING or row.status.value not in set(NotificationStatus):
        return
    error = row.error_message or ""
    stopped = row.status is MessageStatus.FAILED and (error == _EXPIRED or error.startswith(_POLICY))
    if stopped and notice.status is NotificationStatus.QUEUED:
        uow.notifications.save(notice.called_off(error.removeprefix(_POLICY), now=now))
        return
    followed = notice.followed(
        NotificationStatus(row.status.value),
        now=now,
        wa_message_id=row.wa_message_id,
        sent_at=row.sent_at,
        delivered_at=row.delivered_at,
        read_at=row.read_at,
        error=row.error_message,
    )
    uow.notifications.save(followed)


def sent_again(uow: UnitOfWork, row: Message, error: str | None, *, now: datetime) -> None:
    """The message of a notice goes once more: the notice counts it, and waits with it."""
    notice = _locked(uow, row)
    if notice is not None:
        uow.notifications.save(notice.resent(error, now=now))


def laid_aside(uow: UnitOfWork, row: Message, reason: str, *, now: datetime) -> bool:
    """The dead letter of a notice whose message will not arrive, which lets the notice be prepared anew; whether it is one."""
    notice = _locked(uow, row)
    if notice is None or is_erased(notice.customer_phone):
        return notice is not None
    uow.dead_letters.add(letter(notice, reason, error=row.error_message, now=now))
    return True


def letter(notice: Notification, reason: str, *, error: str | None, now: datetime) -> DeadLetter:
    """The dead letter of a notice that was given up."""
    return DeadLetter.of_row(
        Hook.NOTIFICATION,
        "notification_log",
        notice.id,
        reason,
        error=error,
        attempts=notice.retry_count,
        now=now,
    )


def _locked(uow: UnitOfWork, row: Message) -> Notification | None:
    number = notice_of(row)
    return None if number is None else uow.notifications.get(number, lock=True)
