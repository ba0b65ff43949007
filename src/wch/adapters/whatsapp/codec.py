"""WhatsApp's wire for the application: signatures, deliveries, bodies; no network."""

from collections.abc import Sequence
from datetime import datetime

import attrs

from wch.adapters.whatsapp import encoder, parser
from wch.adapters.whatsapp.signature import SignatureCheck
from wch.domain.document import JsonObject
from wch.domain.inbound import InboundEvent
from wch.domain.outgoing import Outgoing


@attrs.frozen(kw_only=True)
class CloudApiCodec:
    """Reads what Meta posts and writes what the Cloud API takes.

    Attributes:
        secrets: the app secrets that a delivery may be signed with, several while rotating.
    """

    secrets: tuple[str, ...] = attrs.field(repr=False)
    _check: SignatureCheck = attrs.field(init=False, repr=False)

    @_check.default
    def _check_of_secrets(self) -> SignatureCheck:
        return SignatureCheck(self.secrets)

    def is_signed(self, body: bytes, headers: Sequence[bytes]) -> bool:
        """Whether exactly one header came and one of the secrets made it; never raises."""
        return self._check.holds(body, headers)

    def read(self, body: bytes, *, now: datetime) -> tuple[InboundEvent, ...]:
        """The events of a delivery, in its own order.

        Raises:
            UnreadableDeliveryError: it is not JSON within the rules, or not WhatsApp's.
        """
        return parser.read(body, now=now)

    def encode(self, message: Outgoing) -> JsonObject:
        """The Cloud API body without its envelope."""
        return encoder.encode(message)

    def envelope(
        self, body: JsonObject, *, to: str | None, recipient: str | None, callback_data: str | None
    ) -> JsonObject:
        """The request body: `to` (digits) or `recipient` (BSUID), never both."""
        return encoder.envelope(body, to=to, recipient=recipient, callback_data=callback_data)
