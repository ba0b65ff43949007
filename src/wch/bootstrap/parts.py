"""The opened resources that a hub is made of."""

from collections.abc import Mapping

import attrs

from wch.adapters.memory import MemoryMediaStore
from wch.application.checkup import Check, Sightings
from wch.application.failpoints import Failpoints
from wch.application.observers import Observers
from wch.application.ports import (
    AccountSource,
    Catalogue,
    Clock,
    Database,
    Ids,
    MediaFiles,
    MediaStore,
    Model,
    Payments,
    Shop,
    Tracer,
    WhatsApp,
)
from wch.application.tallies import Tallies
from wch.application.untraced import Untraced
from wch.domain.attachment import Attachment, AttachmentError
from wch.settings import Settings


class NoFiles:
    """Files need the extra `http`; without it none comes or goes."""

    async def fetch(self, media_id: str, *, sha256: str | None = None, most: int = 0) -> Attachment:  # noqa: ARG002 - the port's arguments
        """None comes."""
        raise AttachmentError(code="unavailable")

    async def upload(self, number: str, data: bytes, *, mime_type: str, filename: str) -> str:  # noqa: ARG002 - as above
        """None goes."""
        raise AttachmentError(code="unavailable")


@attrs.frozen(kw_only=True)
class Parts:
    """The opened resources that a hub is made of.

    Attributes:
        settings: all of them, what the console set included.
        given: the same without that; None when nothing could be set there.
        keys: what secrets are hashed with; None draws one for a store in memory, where the settings have none.
        tallies: what was counted by a hub on the same store before this one, which goes on being counted.
        sightings: how that hub saw its parts.
        checks: what the host wants looked at too.
    """

    settings: Settings
    given: Settings | None = None
    keys: tuple[str, ...] | None = None
    tallies: Tallies = attrs.field(factory=Tallies)
    sightings: Sightings = attrs.field(factory=Sightings)
    checks: Mapping[str, Check] = attrs.field(factory=dict)
    database: Database
    clock: Clock
    ids: Ids
    whatsapp: WhatsApp
    account: AccountSource | None = None
    media_files: MediaFiles = attrs.field(factory=NoFiles)
    media_store: MediaStore = attrs.field(factory=MemoryMediaStore)
    model: Model | None = None
    catalogue: Catalogue | None = None
    shop: Shop
    payments: Payments
    observers: Observers
    tracer: Tracer = attrs.field(factory=Untraced)
    failpoints: Failpoints
    tag: str
