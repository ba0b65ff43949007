"""What a delivery of WhatsApp's tells: one value for each event, each standing alone."""

from datetime import datetime, timedelta

import attrs

from wch.domain.document import JsonObject
from wch.domain.errors import WchError
from wch.domain.moment import utc_seconds
from wch.domain.send_failure import GraphError

LATE_AFTER = timedelta(days=8)
"""WhatsApp gives up delivering after 7 days: what is older by its own time is no late delivery."""


class UnreadableDeliveryError(WchError):
    """The body is not a delivery of WhatsApp's; `detail` is a word for what is wrong with it."""

    detail: str

    def __init__(self, *, detail: str) -> None:
        super().__init__(f"The body is not a delivery of WhatsApp's: {detail}.", detail=detail)


@attrs.frozen(kw_only=True, slots=False)
class InboundMessage:
    """Something that a customer said or did, or that WhatsApp says about a customer.

    Attributes:
        number: the phone number id that was written to; empty when the delivery names none.
        wa_message_id: WhatsApp's id, verbatim; of a call the call's id.
        sender: the customer's key: digits as received, or the surrogate of a sender without a number.
        sender_user_id: the id by which the business knows the sender, if told.
        parent_user_id: the same of the business's whole portfolio, if told.
        wa_id: the contact block's number; where it differs from `sender` it is an alias.
        name: the profile's name, if told.
        username: the profile's user name, if told.
        type: the word for the `type` column.
        content: the whole `content` column.
        sent_at: WhatsApp's time, or the acceptance where that cannot be (`content.time_repaired`).
        raw: field, entry id, metadata, the matching contact and this one event.
        live: whether it may be answered: it came as a message, not as history or from standby.
        group: whether it was said in a group.
    """

    number: str
    wa_message_id: str
    sender: str
    sender_user_id: str | None = None
    parent_user_id: str | None = None
    wa_id: str | None = None
    name: str | None = None
    username: str | None = None
    type: str
    content: JsonObject
    sent_at: datetime = attrs.field(validator=utc_seconds)
    raw: JsonObject
    live: bool
    group: bool

    def counts_from(self, accepted_at: datetime) -> datetime:
        """The moment from which windows count: WhatsApp's time unless it is too old to be a late delivery's."""
        return accepted_at if self.sent_at < accepted_at - LATE_AFTER else self.sent_at


@attrs.frozen(kw_only=True)
class StatusUpdate:
    """What became of a message that was sent from this number.

    Attributes:
        number: the phone number id that the message left from.
        wa_message_id: the id of the message that it is about.
        kind: `message`, `payment` or `call`; WhatsApp's own word if it is another.
        status: WhatsApp's word: sent, delivered, read, played, failed, or any other.
        at: WhatsApp's time of it.
        time_repaired: whether `at` is the acceptance, since WhatsApp's time could not be.
        recipient: the customer's key, if told.
        recipient_user_id: the id by which the business knows the customer, if told.
        group: whether it is about a message to a group.
        callback_data: what was sent along as `biz_opaque_callback_data`.
        errors: why it failed, the first one deciding.
        pricing: WhatsApp's pricing object, as it came.
        conversation_id: WhatsApp's id of the billing conversation.
        payment: the payment object of a status of kind `payment`, as it came.
        raw: field, entry id, metadata, the matching contact and this one event.
    """

    number: str
    wa_message_id: str
    kind: str = "message"
    status: str
    at: datetime = attrs.field(validator=utc_seconds)
    time_repaired: bool = False
    recipient: str | None = None
    recipient_user_id: str | None = None
    group: bool = False
    callback_data: str | None = None
    errors: tuple[GraphError, ...] = ()
    pricing: JsonObject | None = None
    conversation_id: str | None = None
    payment: JsonObject | None = None
    raw: JsonObject


@attrs.frozen(kw_only=True)
class PreferenceChange:
    """A customer's decision about marketing, made in WhatsApp itself.

    Attributes:
        number: the phone number id that it was made for.
        sender: the customer's key.
        sender_user_id: the id by which the business knows the customer, if told.
        wa_id: the number as told, if any.
        category: what it is about; `marketing_messages` so far.
        value: `stop`, `resume`, `signup`, or a word still to come.
        at: WhatsApp's time of it.
        raw: field, entry id, metadata, the matching contact and this one event.
    """

    number: str
    sender: str
    sender_user_id: str | None = None
    wa_id: str | None = None
    category: str
    value: str
    at: datetime = attrs.field(validator=utc_seconds)
    raw: JsonObject


@attrs.frozen(kw_only=True)
class Echo:
    """Something that the shop's people wrote to a customer on their phone.

    Attributes:
        number: the phone number id that it left from.
        wa_message_id: WhatsApp's id, verbatim.
        recipient: the customer's key.
        recipient_user_id: the id by which the business knows the customer, if told.
        type: the word for the `type` column; `edit` and `revoke` are about `content.target`.
        content: as of an inbound message of that type.
        sent_at: WhatsApp's time.
        raw: field, entry id, metadata, the matching contact and this one event.
    """

    number: str
    wa_message_id: str
    recipient: str
    recipient_user_id: str | None = None
    type: str
    content: JsonObject
    sent_at: datetime = attrs.field(validator=utc_seconds)
    raw: JsonObject


@attrs.frozen(kw_only=True)
class AccountEvent:
    """Anything else: about templates, the account, limits, identities, errors, or still unknown.

    Attributes:
        field: the webhook's field; `errors` for an element of a value's `errors`.
        entry_id: the WhatsApp business account it is about, mostly.
        number: the phone number id, where the value names one.
        value: the value as it came.
    """

    field: str
    entry_id: str | None = None
    number: str | None = None
    value: JsonObject


@attrs.frozen(kw_only=True)
class Unusable:
    """One event that cannot be used; the others of its delivery go on.

    Attributes:
        reason: the word for its dead letter.
        detail: what is missing.
        number: the phone number id, where the value names one.
        raw: field, entry id, metadata and the event, or what came in its place.
    """

    reason: str = "validation_failed"
    detail: str
    number: str | None = None
    raw: JsonObject


InboundEvent = InboundMessage | StatusUpdate | PreferenceChange | Echo | AccountEvent | Unusable


def person_of(event: InboundEvent) -> str | None:
    """The key of the customer whom an event names, before anybody is looked up."""
    if isinstance(event, (InboundMessage, PreferenceChange)):
        return event.sender
    return event.recipient if isinstance(event, (StatusUpdate, Echo)) else None
