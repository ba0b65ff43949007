"""What WhatsApp tells: a delivery is a row of events, each of which stands alone."""

from datetime import datetime

import attrs

from wch.domain.document import JsonObject
from wch.domain.errors import WchError
from wch.domain.moment import utc_seconds


class UnreadableDeliveryError(WchError):
    """The body is not JSON within the rules, or it is not WhatsApp's."""


@attrs.frozen(kw_only=True)
class InboundMessage:
    """A customer said something.

    Attributes:
        number: the phone number id that was written to.
        wa_message_id: WhatsApp's id of it, unique for ever.
        sender: the customer's key: digits, or a surrogate made of the BSUID.
        user_id: the BSUID, where WhatsApp told it.
        wa_id: the number in the contact block, where it differs an alias.
        name: what the customer calls themselves.
        type: the word of the type column; a kind that is not known is `unsupported`.
        content: what was said, in the shape of the data page.
        sent_at: the provider's time, or the time of acceptance where that could not be used.
        raw: field, entry id, metadata, contact and this one event, as they came.
        is_live: whether somebody waits for an answer; not so under `history` or `standby`.
        in_group: whether it was said in a group.
    """

    number: str
    wa_message_id: str
    sender: str
    user_id: str | None = None
    wa_id: str | None = None
    name: str | None = None
    type: str
    content: JsonObject
    sent_at: datetime = attrs.field(validator=utc_seconds)
    raw: JsonObject
    is_live: bool = True
    in_group: bool = False


@attrs.frozen(kw_only=True)
class StatusUpdate:
    """Something became of a message that went out.

    Attributes:
        status: the provider's word, known or not.
        callback_data: what we sent along, if anything.
        error_code: the first error's code.
        error: that error in words: `<code> <title>: <details>`.
        pricing: what it costs, as the provider says.
        payment: for statuses of payments.
    """

    number: str
    wa_message_id: str
    status: str
    at: datetime = attrs.field(validator=utc_seconds)
    recipient: str | None = None
    callback_data: str | None = None
    error_code: int | None = None
    error: str | None = None
    pricing: JsonObject | None = None
    conversation_id: str | None = None
    payment: JsonObject | None = None
    in_group: bool = False
    raw: JsonObject


@attrs.frozen(kw_only=True)
class PreferenceChange:
    """A customer allowed or stopped marketing in WhatsApp itself: `stop`, `resume` or `signup`."""

    number: str
    sender: str
    value: str
    at: datetime = attrs.field(validator=utc_seconds)
    raw: JsonObject


@attrs.frozen(kw_only=True)
class Echo:
    """The shop's owner wrote to a customer from the phone's own app."""

    number: str
    wa_message_id: str
    recipient: str
    type: str
    content: JsonObject
    sent_at: datetime = attrs.field(validator=utc_seconds)
    raw: JsonObject


@attrs.frozen(kw_only=True)
class AccountEvent:
    """Something about the account, a template, a limit; every field that is not known is one of these."""

    number: str | None = None
    field: str
    raw: JsonObject


@attrs.frozen(kw_only=True)
class Unusable:
    """An event that names no message or no sender."""

    number: str | None = None
    detail: str
    raw: JsonObject


InboundEvent = InboundMessage | StatusUpdate | PreferenceChange | Echo | AccountEvent | Unusable


@attrs.frozen(kw_only=True)
class Delivery:
    """One webhook: its events in their own order."""

    events: tuple[InboundEvent, ...]
