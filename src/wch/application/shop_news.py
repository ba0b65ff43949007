"""Shop news: what the shop tells by webhook is a hint, claimed once and put into the sync queue."""

import base64
import logging
import re
from collections.abc import Sequence
from enum import StrEnum

import attrs

from wch.application.bell import Bell
from wch.application.claims import is_first
from wch.application.digests import Digests
from wch.application.ports import Clock, Database, ShopWebhooks, UnitOfWork
from wch.domain.claim import Scope
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import document
from wch.domain.errors import UndecodableError
from wch.domain.payment import BadSignatureError
from wch.domain.shop_hint import HINT_TTL, ShopHint

log = logging.getLogger(__name__)

_PING = re.compile(rb"webhook_id=[0-9]{1,20}\Z")


class ShopReceipt(StrEnum):
    """What became of a delivery of the shop."""

    UNSIGNED = "unsigned"
    PING = "ping"
    OTHER = "other"
    UNREADABLE = "unreadable"
    KNOWN = "known"
    TAKEN = "taken"


@attrs.frozen(kw_only=True)
class ShopNews:
    """The door for what the shop tells.

    A delivery is never repeated, so what is lost on the way here is found by `Shop.changed_since`.
    """

    database: Database
    clock: Clock
    webhooks: ShopWebhooks
    digests: Digests
    bell: Bell

    async def receive(self, body: bytes, *, signatures: Sequence[bytes], topic: str, webhook_id: str) -> ShopReceipt:
        """Take one delivery: once this has returned, its hint is in the sync queue, or of no use to anybody here.

        Args:
            body: the bytes as received.
            signatures: every value of the signature header that came.
            topic: what the delivery says it is about; not signed, so it is only believed within a signed body.
            webhook_id: which of the shop's webhooks sent it.

        Raises:
            StoreUnavailableError: nothing was stored.
        """
        if not signatures and _PING.match(body):
            return ShopReceipt.PING
        try:
            hint = self.webhooks.read(body, signatures=signatures, topic=topic, webhook_id=webhook_id)
        except BadSignatureError:
            return ShopReceipt.UNSIGNED
        except UndecodableError as error:
            why = f"no {error.facts.get('what', 'hint')} that can be read"
            return await self.database.transact(lambda uow: self._bury(uow, body, topic, why))
        if hint is None:
            log.info("the shop told of something else")
            return ShopReceipt.OTHER
        taken = await self.database.transact(lambda uow: self._note(uow, hint))
        if taken is ShopReceipt.TAKEN:
            self.bell.ring()
        return taken

    def _note(self, uow: UnitOfWork, hint: ShopHint) -> ShopReceipt:
        if not self._first(uow, hint.key):
            return ShopReceipt.KNOWN
        uow.sync.enqueue(hint.entity_type, hint.entity_id, hint.action, now=self.clock.now())
        return ShopReceipt.TAKEN

    def _bury(self, uow: UnitOfWork, body: bytes, topic: str, why: str) -> ShopReceipt:
        """Signed nonsense is kept, once, for a person to look at."""
        if not self._first(uow, f"body:{base64.b64encode(body).decode('ascii')}"):
            return ShopReceipt.KNOWN
        uow.dead_letters.add(
            DeadLetter(
                hook=Hook.SHOP,
                args=document(topic=topic[:100], body=base64.b64encode(body).decode("ascii")),
                reason=Reason.VALIDATION_FAILED,
                error_message=why,
                created_at=self.clock.now(),
            )
        )
        return ShopReceipt.UNREADABLE

    def _first(self, uow: UnitOfWork, text: str) -> bool:
        """Whether nobody claimed this before, under any of the secret keys; it is claimed now."""
        return is_first(uow, self.digests, text, Scope.WOOCOMMERCE, now=self.clock.now(), lives=HINT_TTL)
