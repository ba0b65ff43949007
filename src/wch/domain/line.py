"""A customer's line: which of the waiting messages may be taken now, and which have died."""

from collections.abc import Sequence
from datetime import datetime

import attrs

from wch.domain.lease import Work
from wch.domain.message import MessageStatus

MOST_ATTEMPTS = 3
"""Attempts of one inbound row, whether they ended in an error of ours or in a lost lease."""

WAITS = (5, 30)
"""Seconds before the second and the third attempt."""


@attrs.frozen(kw_only=True)
class Choice:
    """What to do with a line now: rows to take together, or a row whose attempts are used up."""

    take: tuple[Work, ...] = ()
    dead: Work | None = None


def choose(line: Sequence[Work], *, now: datetime) -> Choice:
    """Decide about one customer's line, given in the order of acceptance.

    Only the head decides: while somebody holds it, or it waits for its back-off, nothing
    behind it is taken. All are taken together only while none was tried before; after that
    one at a time, so that a message that kills its worker takes nobody with it.
    """
    if not line:
        return Choice()
    head = line[0]
    working = MessageStatus.PROCESSING.value
    if head.status == working and not head.ran_out(now=now):
        return Choice()
    if head.attempts >= MOST_ATTEMPTS:
        return Choice(dead=head)
    if head.status != working and not head.is_due(now=now, waits=WAITS):
        return Choice()
    untried = all(one.attempts == 0 and one.status != working for one in line)
    return Choice(take=tuple(line) if untried else (head,))
