"""What the dialogue is shown, and what it decides; it changes nothing itself.

The inbound use-case reads a `Scene` in one transaction, lets the dialogue think (which may
ask the shop), and applies the `Answer` in another, under the fence of the rows it took. If
conversation, cart or profile were changed by somebody meanwhile, the answer is thrown away
and the dialogue is asked again with the new scene.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import attrs

from wch.domain.cart import Cart
from wch.domain.catalogue import Product
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.message import Message
from wch.domain.outgoing import Outgoing
from wch.domain.placement import Placement
from wch.domain.saga import Saga


class Silence(StrEnum):
    """Why nothing is said; every inbound row ends with an answer or one of these."""

    NO_ACTION = "no_action"
    STICKER = "sticker"
    REACTION = "reaction"
    EDIT = "edit"
    REVOKE = "revoke"
    SYSTEM = "system"
    CALL = "call"
    GROUP = "group"
    OWN_NUMBER = "own_number"
    BLOCKED = "blocked"
    WITH_PERSON = "with_person"
    BOT_OFF = "bot_off"
    TOO_OLD = "too_old"
    FLOOD = "flood"
    THANKS_AGAIN = "thanks_again"


@attrs.frozen(kw_only=True)
class Scene:
    """Everything that is known when a customer's line is handled.

    Attributes:
        messages: the rows that were taken together, oldest first; never empty.
        number: the phone number id that was written to, and that answers.
        cart: the customer's row, if there is one.
        placement: the saga of the cart's present name, running or ended, else the one named in
            the conversation's `context.order.saga_id`.
        latest_outbound: the newest row of ours in this thread, for consent words and quotes.
        texts: replaced texts, `<id>.<language>` to text, from the options.
        recent: the latest rows of the thread, oldest first.
        ads: the page that an advertisement leads to, a reply id by the advertisement's own, from the options.
    """

    now: datetime
    conversation: Conversation
    profile: CustomerProfile
    cart: Cart | None
    messages: tuple[Message, ...] = attrs.field(validator=attrs.validators.min_len(1))
    number: str
    placement: Saga | None = None
    latest_outbound: Message | None = None
    texts: Mapping[str, str] = attrs.field(factory=dict)
    ads: Mapping[str, str] = attrs.field(factory=dict)
    recent: tuple[Message, ...] = ()


@attrs.frozen(kw_only=True)
class Say:
    """One message to the customer; `quotes` is the WhatsApp id that it answers visibly."""

    message: Outgoing
    quotes: str | None = None


@attrs.frozen(kw_only=True)
class SagaSignal:
    """What a placement that is under way should hear, such as `cancel` or `look_up`."""

    saga_id: str
    kind: str
    facts: JsonObject = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class RefundWish:
    """A paid order that the customer cancels: its money goes back and the shop undoes it, once for each order."""

    order_id: int


@attrs.frozen(kw_only=True)
class Answer:
    """What the dialogue decided.

    Attributes:
        conversation: as it should be: status, state, person and context count, counters are ignored.
        profile: as it should be: preferences, addresses, consent and name count.
        cart: as it should be, or None to leave it alone; a new one has the id 0.
        says: what is said, in order.
        accounts: for each row of the scene by id: `handled` of the data page: intent, from, to,
            did, silence, with.
        placement: an order to place, made by `wch.domain.placement.freeze`.
        signals: for placements under way.
        refunds: paid orders that are cancelled.
        viewed: products that were shown on their own.
        sightings: these products as the shop had them then.
        facts: what observers hear after the commit.
    """

    conversation: Conversation
    profile: CustomerProfile
    cart: Cart | None = None
    says: tuple[Say, ...] = ()
    accounts: Mapping[int, JsonObject]
    placement: Placement | None = None
    signals: tuple[SagaSignal, ...] = ()
    refunds: tuple[RefundWish, ...] = ()
    viewed: tuple[int, ...] = ()
    sightings: tuple[Product, ...] = ()
    facts: tuple[object, ...] = ()
