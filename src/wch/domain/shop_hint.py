"""A hint from the shop: something changed there, look at it again."""

from datetime import timedelta

import attrs

from wch.domain.catalogue import positive_id
from wch.domain.sync import EntityType, SyncAction

HINT_TTL = timedelta(minutes=10)
"""How long a copy of a hint is known. A shop repeats none of its own accord, and what it says of a
deletion is the same text every time: a longer memory would swallow the second deletion of a product."""


@attrs.frozen(kw_only=True)
class ShopHint:
    """What a delivery of the shop is about; what has become of it is asked of the shop.

    Attributes:
        key: the same for copies of one delivery, and for nothing else.
    """

    entity_type: EntityType
    entity_id: int = attrs.field(validator=positive_id)
    action: SyncAction
    key: str
