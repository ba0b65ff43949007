"""What went out to the hub: each signed delivery with its bytes, so that it can go once more."""

import json
from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import attrs

from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError, WchError

MOST_KEPT = 500
"""Deliveries that the log keeps; the oldest go first."""


class Again(StrEnum):
    """How a delivery goes once more."""

    ONCE = "once"
    """As it was."""
    TWICE = "twice"
    """Two times at the same moment."""
    OUT_OF_ORDER = "out_of_order"
    """With the delivery behind it (the last: before it), the later one first."""
    WRONG_SIGNATURE = "wrong_signature"
    """As it was, signed with another secret."""


class AgainRefusedError(WchError):
    """A delivery goes again once, twice, out_of_order or with a wrong_signature."""


@attrs.define(kw_only=True)
class Sent:
    """One delivery that went out.

    Attributes:
        how: why it went: `new`, or the way in which it went once more.
        status: the hub's HTTP status; None until there is one.
    """

    id: int
    at: str
    how: str
    body: bytes = attrs.field(repr=False)
    status: int | None = None

    def plain(self) -> JsonObject:
        """As the JSON interface tells it."""
        document = json.loads(self.body)
        return {
            "id": self.id,
            "at": self.at,
            "how": self.how,
            "what": ", ".join(_said(document)),
            "status": self.status,
            "bytes": len(self.body),
        }


@attrs.define
class SentLog:
    """The latest deliveries, the oldest first."""

    _kept: deque[Sent] = attrs.field(factory=lambda: deque(maxlen=MOST_KEPT), init=False)
    _count: int = attrs.field(default=0, init=False)

    def add(self, body: bytes, *, at: str, how: str) -> Sent:
        """Note a delivery that leaves."""
        self._count += 1
        sent = Sent(id=self._count, at=at, how=how, body=body)
        self._kept.append(sent)
        return sent

    def listed(self, *, after: int = 0) -> list[JsonObject]:
        """Those after this one."""
        return [sent.plain() for sent in self._kept if sent.id > after]

    def of(self, number: int) -> Sent:
        """The delivery of this number.

        Raises:
            NotFoundError: it was never there, or is not kept any more.
        """
        found = next((sent for sent in self._kept if sent.id == number), None)
        if found is None:
            raise NotFoundError(kind="delivery", id=str(number))
        return found

    def neighbours(self, number: int) -> tuple[Sent, Sent]:
        """This delivery and the one behind it, or the one before it when it is the last; the later one first.

        Raises:
            NotFoundError: it is not kept, or there is no other.
        """
        this = self.of(number)
        others = [sent for sent in self._kept if sent.how == NEW and sent.id != number]
        other = next((sent for sent in others if sent.id > number), others[-1] if others else None)
        if other is None:
            raise NotFoundError(kind="delivery beside", id=str(number))
        return (other, this) if other.id > this.id else (this, other)

    def clear(self) -> None:
        """Forget all; numbers go on."""
        self._kept.clear()


NEW = "new"


def _said(document: Any) -> Iterator[str]:
    """What is in a delivery, in words without what anybody wrote."""
    for change in (change for entry in document["entry"] for change in entry["changes"]):
        value = change["value"]
        yield from (f"message: {message.get('type')}" for message in value.get("messages", ()))
        yield from (f"status: {status.get('status')}" for status in value.get("statuses", ()))
        if change["field"] != "messages":
            yield str(change["field"]).replace("_", " ")
