"""Hypothesis strategies, one for each domain class: whatever they draw is a value that the class accepts."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from wch.domain.address import Address
from wch.domain.audit import AuditEntry
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.cart import Cart, CartItem, CartStatus, total_of
from wch.domain.circuit_breaker import BreakerRule, BreakerState, CircuitBreaker
from wch.domain.claim import Claim, Scope
from wch.domain.conversation import Conversation, ConversationStatus, State
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus, Reason
from wch.domain.document import JsonObject
from wch.domain.lease import Work
from wch.domain.message import Class, Direction, Message, MessageStatus
from wch.domain.moment import iso, of_unix
from wch.domain.money import CURRENCIES, Money, places
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.product_view import ProductView
from wch.domain.rate_limit import RateLimit, RateLimitWindow
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Saga, SagaState
from wch.domain.sync import EntityType, SyncAction, SyncStatus, SyncTask
from wch.testing.doubles import NOON

_YEAR = timedelta(days=365)
_DIGITS = "0123456789"
_HEX = _DIGITS + "abcdef"

NASTY = (
    "a",
    "A",
    "ä",
    "a\N{COMBINING DIAERESIS}",
    "a ",
    " a",
    "ß",
    "ss",
    "SS",
    "İ",
    "\N{LATIN SMALL LETTER DOTLESS I}",
    "\N{SMILING FACE WITH SUNGLASSES}",
    "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc",
    "%",
    "_",
    "\\",
    "'; --",
    '"',
    "null",
    "0",
    "\t",
    "é" * 3,
)
"""Texts that stores like to mix up: by case, accents, trailing blanks, emoji, wildcards and quotes."""


# --- parts ---------------------------------------------------------------------------------


def moments(*, near: datetime = NOON, within: timedelta = _YEAR) -> st.SearchStrategy[datetime]:
    """Aware UTC moments in whole seconds, within so much of a given one."""
    middle, most = int(near.timestamp()), int(within.total_seconds())
    return st.integers(middle - most, middle + most).map(of_unix)


def texts(most: int, *, least: int = 0) -> st.SearchStrategy[str]:
    """Texts that every store can keep, of so many characters at most."""
    letters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    plain = st.text(letters, min_size=least, max_size=min(most, 20))
    nasty = st.sampled_from([word for word in NASTY if least <= len(word) <= most] or ["a" * least])
    return plain | nasty | st.sampled_from(["x" * most, "é" * most])


def phones() -> st.SearchStrategy[str]:
    """Customers' keys: numbers and surrogates."""
    number = st.text(_DIGITS, min_size=1, max_size=19)
    surrogate = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=19, max_size=19).map(lambda word: f"u{word}")
    return number | surrogate


def hashes() -> st.SearchStrategy[str]:
    """HMACs in hex."""
    return st.text(_HEX, min_size=64, max_size=64)


def row_ids() -> st.SearchStrategy[int]:
    """Ids of rows that other systems gave."""
    return st.integers(1, 2**53)


def amounts(most: Decimal = Decimal("99999999.99")) -> st.SearchStrategy[Decimal]:
    """Amounts in two places that a report column holds."""
    return st.decimals(min_value=0, max_value=most, places=2, allow_nan=False, allow_infinity=False)


def currencies() -> st.SearchStrategy[str]:
    """ISO 4217's codes."""
    return st.sampled_from(sorted(CURRENCIES))


def json_values() -> st.SearchStrategy[Any]:
    """Whatever JSON can hold and give back as it was."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts(40)
    )
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(10), inner, max_size=3), max_leaves=6
    )


def documents() -> st.SearchStrategy[JsonObject]:
    """JSON objects of the present version."""
    return st.dictionaries(texts(10), json_values(), max_size=4).map(lambda known: {**known, "v": 1})


def optional(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The value, or None."""
    return st.none() | inner


# --- values --------------------------------------------------------------------------------


@st.composite
def moneys(draw: st.DrawFn) -> Money:
    """Exact amounts of any currency."""
    currency = draw(currencies())
    return Money(Decimal(draw(st.integers(-(10**12), 10**12))).scaleb(-places(currency)), currency)


def addresses() -> st.SearchStrategy[Address]:
    """Addresses as people type them; not all can be delivered to."""
    return st.builds(
        Address,
        first_name=texts(30),
        last_name=texts(30),
        address_1=texts(60),
        address_2=texts(60),
        city=texts(30),
        state=texts(10),
        postcode=texts(10),
        country=st.sampled_from(["DE", "BR", "US", "IN", "AE", ""]),
        phone=phones(),
    )


def works() -> st.SearchStrategy[Work]:
    """Rows of work as a fence sees them."""
    return st.builds(
        Work,
        id=row_ids(),
        status=st.sampled_from(["pending", "processing", "sending", "received"]),
        attempts=st.integers(0, 10),
        stamp=optional(moments()),
    )


def rate_limits() -> st.SearchStrategy[RateLimit]:
    """Limits of every shape: parts of a second, parts of a twelfth."""
    seconds = st.integers(9, 35) | st.integers(3, 300).map(lambda twelfth: twelfth * 12)
    return st.builds(RateLimit, name=st.just("api"), most=st.integers(1, 200), seconds=seconds)


def breaker_rules() -> st.SearchStrategy[BreakerRule]:
    """When breakers trip and are trusted again."""
    return st.builds(
        BreakerRule,
        failures=st.integers(1, 6),
        successes=st.integers(1, 4),
        timeout=st.integers(1, 120).map(lambda seconds: timedelta(seconds=seconds)),
        probe_lease=st.integers(3, 60).map(lambda seconds: timedelta(seconds=seconds)),
    )


# --- rows ----------------------------------------------------------------------------------


def conversations() -> st.SearchStrategy[Conversation]:
    """Threads in any state."""
    return st.builds(
        Conversation,
        customer_phone=phones(),
        wa_conversation_id=optional(texts(255)),
        status=st.sampled_from(ConversationStatus),
        state=st.sampled_from(State),
        assigned_agent_id=optional(row_ids()),
        context=documents(),
        message_count=st.integers(0, 10_000),
        unread_count=st.integers(0, 10_000),
        last_message_at=optional(moments()),
        created_at=moments(),
        updated_at=moments(),
    )


INBOUND = (MessageStatus.RECEIVED, MessageStatus.PROCESSING, MessageStatus.PROCESSED, MessageStatus.DEAD)
OUTBOUND = tuple(status for status in MessageStatus if status not in INBOUND)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Messages of both directions, in the words of each."""
    direction = draw(st.sampled_from(Direction))
    said: dict[str, Any] = {**draw(documents())}
    if direction is Direction.OUTBOUND:
        said["class"] = draw(st.sampled_from(Class)).value
        said["number"] = draw(st.text(_DIGITS, min_size=1, max_size=15))
        if draw(st.booleans()):
            said["not_before"] = iso(draw(moments()))
    return Message(
        conversation_id=draw(optional(row_ids())),
        direction=direction,
        type=draw(st.sampled_from(["text", "image", "interactive", "reaction", "foreign", "template"])),
        wa_message_id=draw(optional(texts(255, least=1))),
        content=said,
        raw_payload=draw(optional(documents())),
        status=draw(st.sampled_from(INBOUND if direction is Direction.INBOUND else OUTBOUND)),
        retry_count=draw(st.integers(0, 10)),
        error_message=draw(optional(texts(200))),
        created_at=draw(moments()),
        updated_at=draw(moments()),
        sent_at=draw(optional(moments())),
        delivered_at=draw(optional(moments())),
        read_at=draw(optional(moments())),
    )


def cart_items(currency: str = "EUR") -> st.SearchStrategy[CartItem]:
    """Lines of a cart in one currency."""
    return st.builds(
        CartItem,
        product_id=st.integers(1, 6),
        variation_id=st.sampled_from([None, 101, 102]),
        quantity=st.integers(1, 12),
        price_at_add=amounts(Decimal("999.99")),
        currency=st.just(currency),
        product_name=texts(40),
        variant_attributes=st.dictionaries(texts(10), texts(10), max_size=2),
        added_at=moments(),
    )


@st.composite
def carts(draw: st.DrawFn) -> Cart:
    """Carts in any state, with lines that differ and the total of them."""
    items = tuple({item.key: item for item in draw(st.lists(cart_items(), max_size=4))}.values())
    recovered = draw(st.booleans())
    return Cart(
        customer_phone=draw(phones()),
        items=items,
        total=total_of(items),
        coupon_code=draw(optional(texts(50))),
        shipping_address=draw(optional(documents())),
        status=draw(st.sampled_from(CartStatus)),
        reminder_1_sent_at=draw(optional(moments())),
        reminder_2_sent_at=draw(optional(moments())),
        reminder_3_sent_at=draw(optional(moments())),
        abandoned_at=draw(optional(moments())),
        recovery_coupon_code=draw(optional(texts(50))),
        recovered=recovered,
        recovered_order_id=draw(row_ids()) if recovered else None,
        recovered_revenue=draw(amounts()) if recovered else None,
        recovered_at=draw(moments()) if recovered else None,
        expires_at=draw(optional(moments())),
        created_at=draw(moments()),
        updated_at=draw(moments()),
    )


def customers() -> st.SearchStrategy[CustomerProfile]:
    """Profiles with everything that may be known."""
    return st.builds(
        CustomerProfile,
        phone=phones(),
        wc_customer_id=optional(row_ids()),
        name=optional(texts(255)),
        email=optional(texts(255)),
        last_known_address=optional(documents()),
        saved_addresses=st.lists(documents(), max_size=3).map(tuple),
        preferences=documents(),
        tags=st.lists(texts(20), max_size=3).map(tuple),
        total_orders=st.integers(0, 1000),
        total_spent=amounts(),
        opt_in_marketing=st.booleans(),
        notification_opt_out=st.booleans(),
        last_interaction_at=optional(moments()),
        marketing_opted_at=optional(moments()),
        created_at=moments(),
        updated_at=moments(),
    )


def recipients() -> st.SearchStrategy[BroadcastRecipient]:
    """Who gets a broadcast."""
    return st.builds(
        BroadcastRecipient,
        campaign_id=row_ids(),
        phone=phones(),
        wa_message_id=optional(texts(255)),
        status=st.sampled_from(RecipientStatus),
        sent_at=optional(moments()),
        created_at=moments(),
    )


def sync_tasks() -> st.SearchStrategy[SyncTask]:
    """Tasks in any state."""
    return st.builds(
        SyncTask,
        entity_type=st.sampled_from(EntityType),
        entity_id=row_ids(),
        action=st.sampled_from(SyncAction),
        status=st.sampled_from(SyncStatus),
        attempts=st.integers(0, 10),
        error_message=optional(texts(200)),
        created_at=moments(),
        processed_at=optional(moments()),
    )


def notifications() -> st.SearchStrategy[Notification]:
    """Notices in any state."""
    return st.builds(
        Notification,
        order_id=row_ids(),
        notification_type=st.sampled_from(["order_confirmed", "shipped", "shipped_2", "status_on_hold"]),
        customer_phone=phones(),
        template_name=optional(texts(100)),
        wa_message_id=optional(texts(255)),
        status=st.sampled_from(NotificationStatus),
        retry_count=st.integers(0, 10),
        sent_at=optional(moments()),
        delivered_at=optional(moments()),
        read_at=optional(moments()),
        error_message=optional(texts(200)),
        created_at=moments(),
        updated_at=moments(),
    )


def product_views() -> st.SearchStrategy[ProductView]:
    """What was looked at."""
    return st.builds(ProductView, customer_phone=phones(), product_id=row_ids(), viewed_at=moments())


def reengagements() -> st.SearchStrategy[Reengagement]:
    """Contacts, credited or not."""
    return st.builds(
        Reengagement,
        customer_phone=phones(),
        campaign_type=st.sampled_from(CampaignType),
        product_id=optional(row_ids()),
        sent_at=optional(moments()),
        converted=st.booleans(),
        conversion_order_id=optional(row_ids()),
        conversion_revenue=optional(amounts()),
        converted_at=optional(moments()),
        created_at=moments(),
    )


def dead_letters() -> st.SearchStrategy[DeadLetter]:
    """Letters of every hook, decided or not."""
    return st.builds(
        DeadLetter,
        hook=st.sampled_from(["messages.inbound", "whatsapp.event", "sync:product:1:update"]) | texts(255, least=1),
        args=documents(),
        reason=st.sampled_from([reason.value for reason in Reason]),
        error_message=optional(texts(500)),
        attempts=st.integers(0, 10),
        priority=st.integers(0, 10),
        metadata=documents(),
        status=st.sampled_from(DeadLetterStatus),
        created_at=moments(),
        replayed_at=optional(moments()),
        dismissed_at=optional(moments()),
    )


def claims() -> st.SearchStrategy[Claim]:
    """Who was first."""
    return st.builds(
        Claim,
        message_id=hashes(),
        scope=st.sampled_from([scope.value for scope in Scope]),
        processed_at=moments(),
        expires_at=moments(),
    )


def rate_limit_windows() -> st.SearchStrategy[RateLimitWindow]:
    """Parts of windows."""
    return st.builds(
        RateLimitWindow,
        identifier_hash=hashes(),
        limit_type=st.sampled_from(["api", "webhook", "message_send"]),
        request_count=st.integers(0, 10_000),
        window_start=moments(),
    )


def circuit_breakers() -> st.SearchStrategy[CircuitBreaker]:
    """Breakers in any state."""
    return st.builds(
        CircuitBreaker,
        service=texts(100, least=1),
        state=st.sampled_from(BreakerState),
        failures=st.integers(0, 100),
        successes=st.integers(0, 100),
        opened_at=optional(moments()),
        updated_at=moments(),
    )


def sagas() -> st.SearchStrategy[Saga]:
    """Sagas in any state, with any log."""
    entries = st.lists(documents().map(lambda entry: {**entry, "ev": "start", "step": "reserve"}), max_size=3)
    return st.builds(
        Saga,
        saga_id=texts(100, least=1),
        saga_type=st.sampled_from(["OrderPlacement", "Refund"]),
        state=st.sampled_from(SagaState),
        context=documents(),
        log=entries.map(tuple),
        created_at=moments(),
        updated_at=moments(),
    )


def audit_entries() -> st.SearchStrategy[AuditEntry]:
    """What people did."""
    return st.builds(
        AuditEntry,
        at=moments(),
        actor=texts(100, least=1),
        role=optional(texts(50)),
        action=texts(100, least=1),
        object=optional(texts(255)),
        reason=optional(texts(200)),
        detail=documents(),
        request_id=optional(texts(100)),
        address_hash=optional(hashes()),
    )
