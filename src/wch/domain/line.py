"""A customer's line: which of the waiting messages may be taken now, and which have died."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from wch.domain.lease import Leasing, Work
from wch.domain.message import MessageStatus

MOST_ATTEMPTS = 3
"""Attempts of one inbound row, whether they ended in an error of ours or in a lost lease."""

_USUAL = Leasing()

GATHERED_AT_LAST = 3
"""Somebody who goes on writing is answered after so many times the wait, counted from their first message."""


@attrs.frozen(kw_only=True)
class Choice:
    """What to do with a line now: rows to take together, or a row whose attempts are used up."""

    take: tuple[Work, ...] = ()
    dead: Work | None = None


def choose(
    line: Sequence[Work], *, now: datetime, gather: timedelta = timedelta(0), leasing: Leasing = _USUAL
) -> Choice:
    """Decide about one customer's line, given in the order of acceptance.

    Only the head decides: while somebody holds it, or it waits for its back-off, nothing
    behind it is taken. All are taken together only while none was tried before; after that
    one at a time, so that a message that kills its worker takes nobody with it.

    Args:
        line: the rows that wait or are in work.
        now: the moment.
        gather: how long after the latest message more is waited for, before the first look at any.
        leasing: how long a take is good for, and the waits before the second and the third attempt.
    """
    if not line:
        return Choice()
    head = line[0]
    working = MessageStatus.PROCESSING.value
    if head.status == working and not head.ran_out(now=now, term=leasing.term):
        return Choice()
    if head.attempts >= MOST_ATTEMPTS:
        return Choice(dead=head)
    if head.status != working and not head.is_due(now=now, waits=leasing.waits):
        return Choice()
    untried = all(one.attempts == 0 and one.status != working for one in line)
    if untried and _may_grow(head.stamp, line[-1].stamp, gather, now=now):
        return Choice()
    return Choice(take=tuple(line) if untried else (head,))


def is_suspect(head: Work) -> bool:
    """Whether this row's last attempt comes after a lost lease: it may be what kills its workers.

    That attempt is made while its worker holds nothing else: whoever was only in the same
    hands loses two leases to it, never three.
    """
    return head.status == MessageStatus.PROCESSING.value and head.attempts == MOST_ATTEMPTS - 1


def _may_grow(first: datetime | None, latest: datetime | None, gather: timedelta, *, now: datetime) -> bool:
    """Whether more words are waited for."""
    if first is None or latest is None:
        return False
    return now < min(latest + gather, first + GATHERED_AT_LAST * gather)
