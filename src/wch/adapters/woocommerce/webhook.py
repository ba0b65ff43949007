"""WooCommerce's deliveries: signed in base64 over the bytes as they came, and read for nothing but whom they name."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

import attrs

from wch.domain.catalogue import LARGEST_ID
from wch.domain.errors import UndecodableError
from wch.domain.payment import BadSignatureError
from wch.domain.shop_hint import ShopHint
from wch.domain.sync import EntityType, SyncAction

_ENTITIES = {"product": EntityType.PRODUCT, "order": EntityType.ORDER}
_ACTIONS = {
    "created": SyncAction.CREATE,
    "updated": SyncAction.UPDATE,
    "restored": SyncAction.UPDATE,
    "deleted": SyncAction.DELETE,
}


def sign(body: bytes, secret: str) -> str:
    """The header's value for this body under this secret."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode("ascii")


@attrs.frozen(kw_only=True)
class WooCommerceWebhooks:
    """Tells which product or order a delivery is about; everything else of its body is left alone.

    Attributes:
        secret: what deliveries are signed with.
    """

    secret: str = attrs.field(repr=False, validator=attrs.validators.min_len(1))

    def read(self, body: bytes, *, signatures: Sequence[bytes], topic: str, webhook_id: str) -> ShopHint | None:
        """As `ShopWebhooks.read`."""
        expected = sign(body, self.secret).encode()
        if len(signatures) != 1 or not hmac.compare_digest(signatures[0], expected):
            raise BadSignatureError
        resource, _, event = topic.partition(".")
        entity, action = _ENTITIES.get(resource), _ACTIONS.get(event)
        if entity is None or action is None:
            return None
        resource_body = _object(body)
        number = _number(resource_body.get("id"))
        if resource_body.get("type") == "variation" and resource_body.get("parent_id"):
            # A variant is part of its product's row, and one that went leaves the product changed.
            number, action = _number(resource_body["parent_id"]), SyncAction.UPDATE
        return ShopHint(
            entity_type=entity,
            entity_id=number,
            action=action,
            key=hashlib.sha256(b"\n".join((webhook_id.encode(), topic.encode(), body))).hexdigest(),
        )


def _object(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        raise UndecodableError(what="body") from None
    if not isinstance(read, dict):
        raise UndecodableError(what="body")
    return read


def _number(value: object) -> int:
    """An id, as a number or as digits."""
    digits = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if digits.isascii() and digits.isdigit() and len(digits) <= len(str(LARGEST_ID)) and 0 < int(digits) <= LARGEST_ID:
        return int(digits)
    raise UndecodableError(what="id")
