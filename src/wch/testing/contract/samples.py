"""What the suite writes: one full and one bare row of each kind, and short ways to make more."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

import attrs

from wch.application.ports import UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.cart import Cart, CartItem, CartStatus, total_of
from wch.domain.circuit_breaker import BreakerState, CircuitBreaker
from wch.domain.conversation import Conversation, ConversationStatus, State
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus
from wch.domain.lease import Work
from wch.domain.message import Class, Direction, Message, MessageStatus
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.product_view import ProductView
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Saga, SagaState
from wch.domain.sync import EntityType, SyncAction, SyncStatus, SyncTask
from wch.testing.doubles import NOON

PHONE = "491700000001"
OTHER = "491700000002"
HASH = "ab" * 32

ODD_TEXT = "Größe \N{SMILING FACE WITH SUNGLASSES} 'quoted' \\ %_ \t line\nend "
"""A text with accents, an emoji, quotes, wildcards, control signs and a trailing blank."""

ALIKE = (
    "Key",
    "key",
    "KEY",
    "Key ",
    " Key",
    "Kéy",
    "Ke\N{COMBINING ACUTE ACCENT}y",
    "Kęy",
    "Key\N{SMILING FACE WITH SUNGLASSES}",
    "Key\N{THUMBS UP SIGN}",
    "K%y",
    "K_y",
    "ß",
    "ss",
)
"""Keys that a careless collation takes for each other."""


def later(seconds: float) -> Any:
    """So many seconds after noon; negative ones are before."""
    return NOON + timedelta(seconds=seconds)


def thread(phone: str = PHONE, **more: Any) -> Conversation:
    """A conversation that has just begun."""
    return Conversation(**{"customer_phone": phone, "created_at": NOON, "updated_at": NOON, **more})


def inbound(conversation_id: int | None, **more: Any) -> Message:
    """A message that waits to be handled."""
    given = {
        "conversation_id": conversation_id,
        "direction": Direction.INBOUND,
        "type": "text",
        "status": MessageStatus.RECEIVED,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Message(**{**given, **more})


def outbound(conversation_id: int | None, class_: Class = Class.REPLY, **more: Any) -> Message:
    """A message that waits to be sent."""
    given = {
        "conversation_id": conversation_id,
        "direction": Direction.OUTBOUND,
        "type": "text",
        "content": {"v": 1, "class": class_.value, "number": "100200300"},
        "status": MessageStatus.PENDING,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Message(**{**given, **more})


def item(product_id: int = 7, **more: Any) -> CartItem:
    """A line of a cart."""
    given = {
        "product_id": product_id,
        "quantity": 2,
        "price_at_add": Decimal("12.50"),
        "currency": "EUR",
        "product_name": "Mug",
        "added_at": NOON,
    }
    return CartItem(**{**given, **more})


def cart(phone: str = PHONE, **more: Any) -> Cart:
    """A cart with one line."""
    given = {
        "customer_phone": phone,
        "items": (item(),),
        "total": Decimal("25.00"),
        "expires_at": later(3600),
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Cart(**{**given, **more})


def recipient(phone: str = PHONE, campaign_id: int = 5, **more: Any) -> BroadcastRecipient:
    """Somebody who is to get a broadcast."""
    return BroadcastRecipient(**{"campaign_id": campaign_id, "phone": phone, "created_at": NOON, **more})


def notice(order_id: int = 9, **more: Any) -> Notification:
    """A notice that waits."""
    given = {
        "order_id": order_id,
        "notification_type": "shipped",
        "customer_phone": PHONE,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Notification(**{**given, **more})


def letter(**more: Any) -> DeadLetter:
    """A letter that nobody has decided about."""
    return DeadLetter(**{"hook": "messages.inbound", "reason": "exception", "created_at": NOON, **more})


def view(phone: str = PHONE, **changes: Any) -> ProductView:
    """A look at a product."""
    given: dict[str, Any] = {"customer_phone": phone, "product_id": 1, "viewed_at": NOON}
    return ProductView(**{**given, **changes})


def contact(phone: str = PHONE, **more: Any) -> Reengagement:
    """A contact that was meant to bring somebody back."""
    given = {"customer_phone": phone, "campaign_type": CampaignType.CART_REMINDER, "created_at": NOON}
    return Reengagement(**{**given, **more})


def saga(saga_id: str = "order-1-1", **more: Any) -> Saga:
    """A saga that any worker may take."""
    given = {"saga_id": saga_id, "saga_type": "OrderPlacement", "created_at": NOON, "updated_at": NOON}
    return Saga(**{**given, **more})


def work_of(message: Message) -> Work:
    """A message as its queue sees it."""
    return Work(id=message.id, status=message.status.value, attempts=message.retry_count, stamp=message.updated_at)


def write(*rows: Any) -> Callable[[UnitOfWork], Sequence[Any]]:
    """A transaction that adds these rows and gives them back with their ids."""

    def work(uow: UnitOfWork) -> Sequence[Any]:
        homes = {
            Conversation: uow.conversations,
            Message: uow.messages,
            Cart: uow.carts,
            BroadcastRecipient: uow.recipients,
            Notification: uow.notifications,
            ProductView: uow.views,
            Reengagement: uow.reengagements,
            DeadLetter: uow.dead_letters,
            Saga: uow.sagas,
            AuditEntry: uow.audit,
        }
        added: list[Any] = []
        for row in rows:
            home: Any = homes[type(row)]
            added.append(home.add(row))
        return added

    return work


# --- one row of each kind ------------------------------------------------------------------


class Find(Protocol):
    """Reads a row again."""

    def __call__(self, uow: UnitOfWork, row: Any, /, *, lock: bool) -> Any:
        """The row as it is now; None when it is not there."""
        ...


@attrs.frozen(kw_only=True)
class Kind:
    """How rows of one kind are written and found again.

    Attributes:
        full: a row in which every column has a value other than its default.
        bare: a row in which everything that may be absent is.
        add: writes a new row; the row as it now stands.
        find: reads it again.
        save: writes it whole; None where rows are never changed.
    """

    full: Any
    bare: Any
    add: Callable[[UnitOfWork, Any], Any]
    find: Find
    save: Callable[[UnitOfWork, Any], None] | None = None


def _add_customer(uow: UnitOfWork, row: CustomerProfile) -> CustomerProfile:
    made = uow.customers.lock(row.phone, now=row.created_at)
    whole = attrs.evolve(row, id=made.id)
    uow.customers.save(whole)
    return whole


def _find_customer(uow: UnitOfWork, row: CustomerProfile, *, lock: bool) -> CustomerProfile | None:
    return uow.customers.lock_if_free(row.phone) if lock else uow.customers.of(row.phone)


def _add_task(uow: UnitOfWork, row: SyncTask) -> SyncTask:
    made = uow.sync.enqueue(row.entity_type, row.entity_id, row.action, now=row.created_at)
    whole = attrs.evolve(row, id=made.id)
    uow.sync.save(whole)
    return whole


def _add_breaker(uow: UnitOfWork, row: CircuitBreaker) -> CircuitBreaker:
    uow.breakers.lock(row.service, now=row.updated_at)
    uow.breakers.save(row)
    return row


def _find_breaker(uow: UnitOfWork, row: CircuitBreaker, *, lock: bool) -> CircuitBreaker | None:
    return uow.breakers.lock(row.service, now=NOON) if lock else uow.breakers.of(row.service)


def _find_view(uow: UnitOfWork, row: ProductView, *, lock: bool) -> ProductView | None:
    assert not lock
    return uow.views.latest(row.customer_phone, row.product_id)


def _find_line(uow: UnitOfWork, row: AuditEntry, *, lock: bool) -> AuditEntry | None:
    assert not lock
    return next(iter(uow.audit.listed(after=row.id - 1, limit=1)), None)


def _by_id(name: str) -> Find:
    return lambda uow, row, *, lock: getattr(uow, name).get(row.id, lock=lock)


def _home(name: str, verb: str) -> Callable[[UnitOfWork, Any], Any]:
    return lambda uow, row: getattr(getattr(uow, name), verb)(row)


def _plain(name: str, full: Any, bare: Any) -> Kind:
    return Kind(full=full, bare=bare, add=_home(name, "add"), find=_by_id(name), save=_home(name, "save"))


_DOCUMENT = {"v": 1, "text": ODD_TEXT, "list": [1, 2.5, None, True, {"deep": []}], "": ""}
_LINES = (
    item(
        variation_id=8,
        price_at_add=Decimal("1234.567"),
        agreed_price=Decimal("0.10"),
        product_name=ODD_TEXT,
        variant_attributes={"Size": "M", "Color": "grün"},
    ),
    item(9, quantity=99),
)

KINDS = {
    "conversations": _plain(
        "conversations",
        thread(
            wa_conversation_id="c" * 255,
            status=ConversationStatus.ESCALATED,
            state=State.AWAITING_HUMAN,
            assigned_agent_id=2**40,
            context=_DOCUMENT,
            message_count=3,
            unread_count=2,
            last_message_at=later(1),
            updated_at=later(2),
        ),
        thread(),
    ),
    "messages": _plain(
        "messages",
        inbound(
            2**40,
            wa_message_id="w" * 255,
            content=_DOCUMENT,
            raw_payload=_DOCUMENT,
            retry_count=2,
            error_message=ODD_TEXT,
            updated_at=later(1),
            sent_at=later(2),
            delivered_at=later(3),
            read_at=later(4),
        ),
        inbound(None),
    ),
    "carts": _plain(
        "carts",
        cart(
            items=_LINES,
            total=total_of(_LINES),
            coupon_code="Spring%",
            shipping_address={"city": "Köln", "latitude": 50.9375},
            status=CartStatus.RECOVERED,
            reminder_1_sent_at=later(1),
            reminder_2_sent_at=later(2),
            reminder_3_sent_at=later(3),
            abandoned_at=later(4),
            recovery_coupon_code="BACK10",
            recovered=True,
            recovered_order_id=2**40,
            recovered_revenue=Decimal("99999999.99"),
            recovered_at=later(5),
            expires_at=later(6),
            updated_at=later(7),
        ),
        cart(items=(), total=Decimal("0.00"), expires_at=None),
    ),
    "customers": Kind(
        full=CustomerProfile(
            phone=PHONE,
            wc_customer_id=2**40,
            name=ODD_TEXT,
            email="someone@example.org",
            last_known_address={"city": "Köln"},
            saved_addresses=({"id": 1, "city": "Köln"}, {"id": 2}),
            preferences=_DOCUMENT,
            tags=("vip", "Größe", ""),
            total_orders=3,
            total_spent=Decimal("99999999.99"),
            opt_in_marketing=True,
            notification_opt_out=True,
            last_interaction_at=later(1),
            marketing_opted_at=later(2),
            created_at=NOON,
            updated_at=later(3),
        ),
        bare=CustomerProfile(phone=PHONE, created_at=NOON, updated_at=NOON),
        add=_add_customer,
        find=_find_customer,
        save=_home("customers", "save"),
    ),
    "recipients": _plain(
        "recipients",
        recipient(wa_message_id="w" * 255, status=RecipientStatus.SKIPPED_CANCELLED, sent_at=later(1)),
        recipient(),
    ),
    "sync": Kind(
        full=SyncTask(
            entity_type=EntityType.INVENTORY,
            entity_id=2**40,
            action=SyncAction.DELETE,
            status=SyncStatus.FAILED,
            attempts=3,
            error_message=ODD_TEXT,
            created_at=NOON,
            processed_at=later(1),
        ),
        bare=SyncTask(entity_type=EntityType.PRODUCT, entity_id=1, action=SyncAction.CREATE, created_at=NOON),
        add=_add_task,
        find=_by_id("sync"),
        save=_home("sync", "save"),
    ),
    "notifications": _plain(
        "notifications",
        notice(
            2**40,
            template_name="t" * 100,
            wa_message_id="w" * 255,
            status=NotificationStatus.UNCONFIRMED,
            retry_count=4,
            sent_at=later(1),
            delivered_at=later(2),
            read_at=later(3),
            error_message=ODD_TEXT,
            updated_at=later(4),
        ),
        notice(),
    ),
    "views": Kind(
        full=ProductView(customer_phone=PHONE, product_id=2**40, viewed_at=NOON),
        bare=ProductView(customer_phone=PHONE, product_id=1, viewed_at=NOON),
        add=_home("views", "add"),
        find=_find_view,
    ),
    "reengagements": _plain(
        "reengagements",
        contact(
            product_id=2**40,
            sent_at=later(1),
            converted=True,
            conversion_order_id=2**40,
            conversion_revenue=Decimal("0.01"),
            converted_at=later(2),
        ),
        contact(),
    ),
    "dead_letters": _plain(
        "dead_letters",
        letter(
            hook="h" * 255,
            args=_DOCUMENT,
            reason="r" * 100,
            error_message=ODD_TEXT * 5000,
            attempts=6,
            priority=-1,
            metadata=_DOCUMENT,
            status=DeadLetterStatus.DISMISSED,
            replayed_at=later(1),
            dismissed_at=later(2),
        ),
        letter(),
    ),
    "breakers": Kind(
        full=CircuitBreaker(
            service="s" * 100,
            state=BreakerState.HALF_OPEN,
            failures=2**40,
            successes=2,
            opened_at=later(1),
            updated_at=later(2),
        ),
        bare=CircuitBreaker(service="shop", updated_at=NOON),
        add=_add_breaker,
        find=_find_breaker,
        save=_home("breakers", "save"),
    ),
    "sagas": Kind(
        full=saga(
            "s" * 100,
            state=SagaState.COMPENSATING,
            context=_DOCUMENT,
            log=({"n": 1, "ev": "lease", "step": None, "token": "t"}, {"n": 2, "ev": "start", "step": ODD_TEXT}),
            updated_at=later(1),
        ),
        bare=saga(),
        add=_home("sagas", "add"),
        find=lambda uow, row, *, lock: uow.sagas.get(row.saga_id, lock=lock),
        save=_home("sagas", "save"),
    ),
    "audit": Kind(
        full=AuditEntry(
            at=NOON,
            actor="a" * 100,
            role="admin",
            action="dead_letter.replay",
            object="dead_letter:1",
            reason=ODD_TEXT,
            detail=_DOCUMENT,
            request_id="r-1",
            address_hash=HASH,
        ),
        bare=AuditEntry(at=NOON, actor="cli", action="hub.start"),
        add=_home("audit", "add"),
        find=_find_line,
    ),
}
"""Every kind of row that is an aggregate, by the name of its repository."""

CHANGED = tuple(name for name, kind in KINDS.items() if kind.save is not None)
"""The kinds whose rows are changed after they were written."""
