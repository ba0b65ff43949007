"""Claims: who was first with something, so that nothing is taken twice."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import attrs

from wch.application.digests import Digests
from wch.application.keys import prefixes
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.requests import name_of
from wch.domain.claim import Claim, Scope
from wch.domain.errors import NotFoundError
from wch.domain.message import MessageStatus

PAGE = 500
"""Claims deleted in one transaction."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@attrs.frozen(kw_only=True)
class ClaimsOf:
    """What is known under a key.

    Attributes:
        claims: every claim of it, by scope; the expired ones too, until they are purged.
        message_id: the row that holds the key as WhatsApp's id: that is taken once without any claim.
        message_status: of that row.
    """

    claims: Sequence[Claim]
    message_id: int | None = None
    message_status: MessageStatus | None = None


@attrs.frozen(kw_only=True)
class Claims:
    """Looks claims up and clears them away.

    Attributes:
        gateways: whose events are claimed.
    """

    database: Database
    clock: Clock
    digests: Digests
    gateways: tuple[str, ...]

    async def of(self, key: str) -> ClaimsOf:
        """What was taken under this key.

        Args:
            key: an Idempotency-Key of the API, an event's id at a gateway or shop, WhatsApp's id of a
                message, or the 64 hex digits that the table has instead.

        Raises:
            NotFoundError: nothing was.
        """

        def look(uow: UnitOfWork) -> ClaimsOf:
            row = uow.messages.by_wa_id(key)
            claims = [claim for digest in self._digests(uow, key) for claim in uow.claims.of(digest)]
            if not claims and row is None:
                message = f"Nothing was taken under {key[:80]!r}; claims are deleted once they expired."
                raise NotFoundError(message)
            if row is None:
                return ClaimsOf(claims=claims)
            return ClaimsOf(claims=claims, message_id=row.id, message_status=row.status)

        return await self.database.read(look)

    async def purge(self) -> int:
        """Delete all that have expired; how many."""
        deleted, now = 0, self.clock.now()
        while found := await self.database.transact(lambda uow: uow.claims.purge(now=now, limit=PAGE)):
            deleted += found
        return deleted

    def _digests(self, uow: UnitOfWork, key: str) -> Iterator[str]:
        """What the key may be kept as: each kind of claim writes more around it."""
        if _DIGEST.fullmatch(key):
            yield key
        texts = [key, hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()]
        texts += [f"{gateway}:{key}" for gateway in self.gateways]
        texts += [name_of(prefix, key) for prefix in prefixes(uow)]
        for text in texts:
            yield from self.digests.all(text)


def is_first(uow: UnitOfWork, digests: Digests, text: str, scope: Scope, *, now: datetime, lives: timedelta) -> bool:
    """Whether nobody claimed this before, under any of the secret keys; it is claimed now."""
    present, *former = digests.all(text)
    if any(uow.claims.is_claimed(key, scope, now=now) for key in former):
        return False
    return uow.claims.claim(present, scope, now=now, expires_at=now + lives)
