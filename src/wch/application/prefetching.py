"""Prefetching: files of customers are fetched before somebody asks, where the shop wants that."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs

from wch.application.attachments import Attachments
from wch.application.bell import Bell
from wch.domain.attachment import AttachmentError
from wch.domain.errors import NotFoundError
from wch.domain.message import Message

log = logging.getLogger(__name__)

MOST_WAITING = 1_000
AT_ONCE = 4


@attrs.frozen(kw_only=True)
class Prefetching:
    """The duty that fetches files of messages that were just handled.

    It keeps no list that outlives the process: a file that was not fetched ahead is fetched when
    somebody wants to see it.

    Attributes:
        is_on: whether files are fetched ahead at all.
    """

    kind: ClassVar[str] = "media"

    attachments: Attachments
    bell: Bell
    is_on: bool
    waiting: deque[int] = attrs.field(factory=lambda: deque(maxlen=MOST_WAITING))

    def want(self, messages: Sequence[Message]) -> None:
        """Fetch the files of these, as soon as there is time."""
        found = [one.id for one in messages if isinstance(one.content.get("media"), Mapping)]
        if self.is_on and found:
            self.waiting.extend(found)
            self.bell.ring()

    async def work(self) -> int:
        """Fetch what waits, some at a time; how many were tried."""
        some = [self.waiting.popleft() for _ in range(min(AT_ONCE, len(self.waiting)))]
        await asyncio.gather(*(self._fetch(one) for one in some))
        return len(some)

    async def _fetch(self, message_id: int) -> None:
        """A failure is noted on the row by the one who fetches, and nobody tries again by themselves."""
        try:
            await self.attachments.open(message_id)
        except (AttachmentError, NotFoundError):
            log.info("a file could not be fetched ahead", extra={"message_id": message_id})
