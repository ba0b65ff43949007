"""What the stores are told in lockstep: small commands over every repository, with texts that stores mix up."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
from hypothesis import strategies as st

from wch.adapters.sql.schema import OPTION
from wch.application.ports import Candidate, Finding, LineRow, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.cart import Cart, CartStatus, total_of
from wch.domain.circuit_breaker import BreakerState
from wch.domain.conversation import Conversation, ConversationStatus, State
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus
from wch.domain.document import document
from wch.domain.lease import Work
from wch.domain.message import Class, Direction, Message, MessageStatus
from wch.domain.moment import iso
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.product_view import ProductView
from wch.domain.rate_limit import ANCHOR
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Saga, SagaState
from wch.domain.sync import EntityType, SyncAction, SyncStatus, SyncTask
from wch.testing import NOON
from wch.testing.strategies import INBOUND, NASTY, OUTBOUND, cart_items, optional

GONE = 10**9
"""An id that nothing has."""


@attrs.define
class Ids:
    """The ids that one store gave, by kind, in the order of adding: the stores agree on the place, not on the number."""

    given: dict[str, list[int]] = attrs.field(factory=dict)

    def copy(self) -> "Ids":
        return Ids({kind: list(ids) for kind, ids in self.given.items()})

    def new(self, row: Any) -> Any:
        """Note a row that was just added."""
        if row is not None:
            ids = self.given.setdefault(type(row).__name__, [])
            if row.id not in ids:
                ids.append(row.id)
        return row

    def real(self, kind: type, place: int | None) -> Any:
        """The id of the row that was added at this place."""
        if place is None:
            return None
        ids = self.given.get(kind.__name__, [])
        return ids[place] if place < len(ids) else GONE + place

    def place(self, kind: str, number: Any) -> Any:
        """The place at which the row of this id was added."""
        ids = self.given.get(kind, [])
        return f"#{ids.index(number)}" if number in ids else number


def plain(value: Any, ids: Ids, work: str = "Message") -> Any:
    """A value in which every id is the place at which its row was added."""
    if isinstance(value, Finding):
        kind = {"conversations": "Conversation", "messages": "Message", "sync_queue": "SyncTask"}.get(value.table)
        kind = kind or ("DeadLetter" if value.table == "dead_letter_queue" else "")
        return (value.table, ids.place(kind, int(value.row)), value.what)
    if attrs.has(type(value)):
        fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
        kind = work if isinstance(value, Work) else type(value).__name__
        if "id" in fields:
            fields["id"] = ids.place(kind, value.id)
        if isinstance(value, (Message, LineRow, Candidate)):
            fields["conversation_id"] = ids.place("Conversation", value.conversation_id)
        return type(value).__name__, {name: plain(one, ids, work) for name, one in fields.items()}
    if isinstance(value, Mapping):
        return {name: plain(one, ids, work) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one, ids, work) for one in value]
    return value


# --- what is drawn -------------------------------------------------------------------------

PHONES = st.sampled_from(["1", "2", "uabc", "uABC", "1 ", "1" * 20])
TEXTS = st.sampled_from([*NASTY, "x\x00", "x\ufffd", "\ud800", "\\\x00", "\\u0000", "é" * 50])
KEYS = st.sampled_from(
    ["k", "K", "k ", "ḱ", "k\x00", "k\ufffd", "\N{SMILING FACE WITH SUNGLASSES}", "é" * 255, "e" * 256]
)
SHORT_KEYS = st.sampled_from(["k", "K", "k ", "ḱ", "k\x00", "k%", "k_", "ke", "e" * 100, "e" * 101])
MOMENTS = st.integers(-4, 4).map(lambda place: NOON + timedelta(seconds=30 * place))
ODD = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
DOCUMENTS = st.dictionaries(
    TEXTS, ODD | st.lists(ODD, max_size=2) | st.dictionaries(TEXTS, ODD, max_size=2), max_size=2
)
PLACES = st.integers(0, 5)
LIMITS = st.sampled_from([1, 2, 50])
HASHES = st.sampled_from(["ab" * 32, "AB" * 32])
AMOUNTS = st.sampled_from([Decimal("0.00"), Decimal("12.345"), Decimal("99999999.99"), Decimal("99999999.995")])
LOCK = st.booleans()

COMMANDS: dict[str, tuple[Callable[..., Any], dict[str, st.SearchStrategy[Any]]]] = {}


def command(**drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A command with what is drawn for it."""

    def noted(function: Callable[..., Any]) -> Callable[..., Any]:
        COMMANDS[function.__name__] = (function, drawn)
        return function

    return noted


@st.composite
def programs(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    """A few commands that are one transaction."""
    names = draw(st.lists(st.sampled_from(sorted(COMMANDS)), min_size=1, max_size=4))
    return [(name, {key: draw(drawn) for key, drawn in COMMANDS[name][1].items()}) for name in names]


def run(name: str, drawn: dict[str, Any], uow: UnitOfWork, ids: Ids) -> Any:
    """One command, and its answer without the store's own numbers."""
    function, _ = COMMANDS[name]
    return plain(function(uow, ids, **drawn), ids, work="SyncTask" if "task" in name else "Message")


def _page(ids: Ids, kind: type, after: int | None) -> int:
    """An id to list after: of a row, or before all."""
    return 0 if after is None else int(ids.real(kind, after))


# --- recipients of a campaign --------------------------------------------------------------


@command(campaign=st.integers(1, 2), limit=LIMITS)
def discard_recipients(uow: UnitOfWork, _ids: Ids, *, campaign: int, limit: int) -> Any:
    return uow.recipients.discard(campaign, limit=limit)


@command(campaign=st.integers(1, 2), phone=PHONES, at=MOMENTS)
def look_for_recipients(uow: UnitOfWork, _ids: Ids, *, campaign: int, phone: str, at: datetime) -> Any:
    return (
        uow.recipients.of(campaign, phone),
        uow.recipients.reached(phone, since=at),
        uow.recipients.standing(campaign, ["queued", "sent"], limit=2),
        uow.recipients.settled(campaign, limit=2),
    )


# --- rows of any table ---------------------------------------------------------------------

WALKED = ("conversations", "messages", "carts", "customer_profiles", "notification_log", "dead_letter_queue", "options")


@command(table=st.sampled_from(WALKED), old=TEXTS, new=TEXTS)
def clean_rows(uow: UnitOfWork, _ids: Ids, *, table: str, old: str, new: str) -> Any:
    def replaced(text: str) -> str:
        return text.replace(old, new[:3]) if old else text

    page = uow.holdings.page(table)
    return [uow.holdings.clean(held, replaced) for held in page if table != "options" or held.key[0] != OPTION]


@command(table=st.sampled_from(["carts", "customer_profiles", "notification_log"]), phone=PHONES)
def drop_rows_of(uow: UnitOfWork, _ids: Ids, *, table: str, phone: str) -> Any:
    return [uow.holdings.drop(held) for held in uow.holdings.of(table, (phone,), limit=2)]


@command(phone=PHONES, other=PHONES)
def hand_over_notices(uow: UnitOfWork, _ids: Ids, *, phone: str, other: str) -> Any:
    page = uow.holdings.of("notification_log", (phone,))
    return [uow.holdings.rewrite(held, {"customer_phone": other, "error_message": None}) for held in page]


# --- conversations and messages ------------------------------------------------------------


@command(
    phone=PHONES,
    text=optional(TEXTS),
    context=DOCUMENTS,
    status=st.sampled_from(ConversationStatus),
    at=optional(MOMENTS),
    count=st.integers(0, 2),
)
def add_thread(uow: UnitOfWork, ids: Ids, **drawn: Any) -> Any:
    row = Conversation(
        customer_phone=drawn["phone"],
        wa_conversation_id=drawn["text"],
        context=drawn["context"],
        status=drawn["status"],
        last_message_at=drawn["at"],
        message_count=drawn["count"],
        created_at=NOON,
        updated_at=NOON,
    )
    return ids.new(uow.conversations.add(row))


@command(place=PLACES, lock=LOCK, state=st.sampled_from(State), context=DOCUMENTS)
def change_thread(uow: UnitOfWork, ids: Ids, *, place: int, lock: bool, **drawn: Any) -> Any:
    row = uow.conversations.get(ids.real(Conversation, place), lock=lock)
    if row is not None:
        uow.conversations.save(attrs.evolve(row, **drawn))
    return row


@command(phone=PHONES, lock=LOCK)
def latest_thread(uow: UnitOfWork, _ids: Ids, *, phone: str, lock: bool) -> Any:
    return uow.conversations.latest_of(phone, lock=lock)


@command(
    phone=optional(PHONES),
    status=optional(st.sampled_from(ConversationStatus)),
    limit=LIMITS,
    at=optional(MOMENTS),
    place=PLACES,
)
def list_threads(uow: UnitOfWork, ids: Ids, *, phone: str | None, at: datetime | None, place: int, **drawn: Any) -> Any:
    before = None if at is None else (at, ids.real(Conversation, place))
    return uow.conversations.listed(customer_phone=phone, before=before, **drawn)


@command(at=MOMENTS, limit=LIMITS, place=optional(PLACES))
def list_quiet_threads(uow: UnitOfWork, ids: Ids, *, at: datetime, limit: int, place: int | None) -> Any:
    return uow.conversations.quiet_since(at, after=_page(ids, Conversation, place), limit=limit)


@command(
    place=optional(PLACES),
    outbound=st.booleans(),
    word=st.integers(0, 6),
    key=optional(KEYS),
    type=st.sampled_from(["text", "reaction", "foreign", "Foreign"]),
    content=DOCUMENTS,
    class_=st.sampled_from([*Class, "odd", None]),
    text=optional(TEXTS),
    at=MOMENTS,
    sent=optional(MOMENTS),
    attempts=st.integers(0, 2),
    history=st.booleans(),
)
def add_message(uow: UnitOfWork, ids: Ids, **drawn: Any) -> Any:
    words = OUTBOUND if drawn["outbound"] else INBOUND
    said = {**drawn["content"], "v": 1, "class": drawn["class_"], "number": "N" if drawn["attempts"] else 5}
    if drawn["history"]:
        said["origin"] = {"by": "history"}
    if drawn["sent"] is not None:
        said["not_before"] = iso(drawn["sent"])
    row = Message(
        conversation_id=ids.real(Conversation, drawn["place"]),
        direction=Direction.OUTBOUND if drawn["outbound"] else Direction.INBOUND,
        type=drawn["type"],
        wa_message_id=drawn["key"],
        content=said,
        status=words[drawn["word"] % len(words)],
        retry_count=drawn["attempts"],
        error_message=drawn["text"],
        created_at=drawn["at"],
        updated_at=drawn["at"],
        sent_at=drawn["sent"],
    )
    return ids.new(uow.messages.add(row))


@command(place=PLACES, lock=LOCK, key=optional(KEYS), status=st.sampled_from(MessageStatus), raw=optional(DOCUMENTS))
def change_message(uow: UnitOfWork, ids: Ids, *, place: int, lock: bool, key: str | None, **drawn: Any) -> Any:
    row = uow.messages.get(ids.real(Message, place), lock=lock)
    if row is not None:
        uow.messages.save(attrs.evolve(row, wa_message_id=key, status=drawn["status"], raw_payload=drawn["raw"]))
    return row


@command(key=KEYS, lock=LOCK)
def find_message(uow: UnitOfWork, _ids: Ids, *, key: str, lock: bool) -> Any:
    return uow.messages.by_wa_id(key, lock=lock)


@command(place=PLACES, lock=LOCK)
def remove_message(uow: UnitOfWork, ids: Ids, *, place: int, lock: bool) -> Any:
    number = ids.real(Message, place)
    if lock:
        uow.messages.get(number, lock=True)
    return uow.messages.remove(number)


@command(
    place=PLACES,
    at=MOMENTS,
    to=st.sampled_from(["processing", "received", "pending", "sending"]),
    off=st.sampled_from([None, "status", "attempts", "stamp"]),
    whole=st.booleans(),
)
def move_message(uow: UnitOfWork, ids: Ids, *, place: int, at: datetime, to: str, off: str | None, whole: bool) -> Any:
    row = uow.messages.get(ids.real(Message, place))
    if row is None:
        return None
    work = Work(id=row.id, status=row.status.value, attempts=row.retry_count, stamp=row.updated_at)
    wrong: dict[str, Any] = {"status": "read", "attempts": 77, "stamp": at}
    before = attrs.evolve(work, **{name: wrong[name] for name in (off,) if name is not None})
    if whole:
        uow.messages.finish(before, row.waiting_again("x", now=at))
    else:
        uow.messages.move(before, work.taken(to, now=at))
    return uow.messages.get(row.id)


@command(at=MOMENTS, limit=LIMITS)
def list_heads(uow: UnitOfWork, _ids: Ids, *, at: datetime, limit: int) -> Any:
    return uow.messages.heads(now=at, limit=limit)


@command(phone=PHONES, place=optional(PLACES), limit=LIMITS, status=st.sampled_from(MessageStatus), at=MOMENTS)
def look_at_messages(uow: UnitOfWork, ids: Ids, *, phone: str, place: int | None, limit: int, **drawn: Any) -> Any:
    messages = uow.messages
    return [
        messages.line(phone),
        messages.leaving(after=_page(ids, Message, place), limit=limit),
        messages.in_flight(phone),
        messages.overdue(drawn["status"], before=drawn["at"], limit=limit),
        messages.latest_inbound_at(phone),
        messages.latest_inbound_at(phone, "N"),
        messages.waiting_campaign(limit),
        [ids.place("Message", number) for number in messages.foreign_before(drawn["at"], limit=limit)],
    ]


@command(place=PLACES, before=optional(PLACES), limit=LIMITS)
def read_thread(uow: UnitOfWork, ids: Ids, *, place: int, before: int | None, limit: int) -> Any:
    return uow.messages.thread(ids.real(Conversation, place), before=ids.real(Message, before), limit=limit)


# --- carts and customers -------------------------------------------------------------------


@command(
    phone=PHONES,
    items=st.lists(cart_items(), max_size=2, unique_by=lambda item: item.key),
    total=optional(AMOUNTS),
    status=st.sampled_from(CartStatus),
    text=optional(TEXTS),
    at=MOMENTS,
    slots=st.integers(0, 3),
)
def add_cart(uow: UnitOfWork, ids: Ids, **drawn: Any) -> Any:
    items = tuple(drawn["items"])
    slots: dict[str, Any] = {f"reminder_{slot}_sent_at": NOON for slot in range(1, drawn["slots"] + 1)}
    row = Cart(
        customer_phone=drawn["phone"],
        items=items,
        total=total_of(items) if drawn["total"] is None else drawn["total"],
        coupon_code=drawn["text"],
        status=drawn["status"],
        abandoned_at=drawn["at"],
        expires_at=drawn["at"],
        created_at=NOON,
        updated_at=drawn["at"],
        **slots,
    )
    return ids.new(uow.carts.add(row))


@command(phone=PHONES, lock=LOCK, status=st.sampled_from(CartStatus), address=optional(DOCUMENTS), revenue=AMOUNTS)
def change_cart(uow: UnitOfWork, _ids: Ids, *, phone: str, lock: bool, **drawn: Any) -> Any:
    row = uow.carts.of(phone, lock=lock)
    if row is not None:
        changed = {"status": drawn["status"], "shipping_address": drawn["address"]}
        uow.carts.save(attrs.evolve(row, recovered=True, recovered_revenue=drawn["revenue"], **changed))
    return row


@command(at=MOMENTS, limit=LIMITS, place=optional(PLACES), status=optional(st.sampled_from(CartStatus)))
def list_carts(uow: UnitOfWork, ids: Ids, *, at: datetime, limit: int, place: int | None, **drawn: Any) -> Any:
    page = {"after": _page(ids, Cart, place), "limit": limit}
    return [
        uow.carts.idle_since(at, **page),
        uow.carts.expiring(at, **page),
        uow.carts.due_for_reminder(at, **page),
        uow.carts.listed(status=drawn["status"], **page),
    ]


@command(phones=st.lists(PHONES, max_size=3), at=MOMENTS)
def lock_customers(uow: UnitOfWork, ids: Ids, *, phones: list[str], at: datetime) -> Any:
    uow.customers.lock_all(phones, now=at)
    return [ids.new(uow.customers.lock(phone, now=at)) for phone in sorted(set(phones))]


@command(phones=st.lists(PHONES, max_size=3))
def look_ahead(uow: UnitOfWork, _ids: Ids, *, phones: list[str]) -> Any:
    uow.customers.look_ahead(phones)


@command(phones=st.lists(PHONES, max_size=3))
def read_ahead(uow: UnitOfWork, _ids: Ids, *, phones: list[str]) -> Any:
    uow.read_ahead(phones=phones)


@command(keys=st.lists(KEYS.filter(lambda key: len(key) < 256), max_size=3))
def look_for_messages(uow: UnitOfWork, _ids: Ids, *, keys: list[str]) -> Any:
    return sorted((key, said.type, dict(said.content)) for key, said in uow.messages.look_ahead(keys).items())


@command(phone=PHONES | st.just("1" * 21), at=MOMENTS)
def lock_customer(uow: UnitOfWork, ids: Ids, *, phone: str, at: datetime) -> Any:
    return ids.new(uow.customers.lock(phone, now=at))


@command(
    phone=PHONES,
    lock=LOCK,
    name=optional(TEXTS),
    preferences=DOCUMENTS,
    tags=st.lists(TEXTS, max_size=2).map(tuple),
    saved_addresses=st.lists(DOCUMENTS, max_size=2).map(tuple),
    total_spent=AMOUNTS,
)
def change_customer(uow: UnitOfWork, _ids: Ids, *, phone: str, lock: bool, **drawn: Any) -> Any:
    row = uow.customers.lock_if_free(phone) if lock else uow.customers.of(phone)
    if row is not None:
        uow.customers.save(attrs.evolve(row, **drawn))
    return row


@command(place=optional(PLACES), limit=LIMITS)
def list_customers(uow: UnitOfWork, ids: Ids, *, place: int | None, limit: int) -> Any:
    known = uow.customers.get(ids.real(CustomerProfile, place or 0))
    return [known, uow.customers.listed(after=_page(ids, CustomerProfile, place), limit=limit)]


@command(phone=PHONES, product_id=st.integers(1, 2), at=MOMENTS)
def add_view(uow: UnitOfWork, ids: Ids, *, phone: str, product_id: int, at: datetime) -> Any:
    row = ids.new(uow.views.add(ProductView(customer_phone=phone, product_id=product_id, viewed_at=at)))
    return [row, uow.views.latest(phone, product_id), uow.views.of(phone, since=at, limit=2)]


@command(phone=PHONES, type=st.sampled_from(CampaignType), at=MOMENTS, revenue=optional(AMOUNTS))
def add_contact(uow: UnitOfWork, ids: Ids, *, phone: str, type: CampaignType, at: datetime, revenue: Any) -> Any:  # noqa: A002 - as drawn
    row = Reengagement(customer_phone=phone, campaign_type=type, conversion_revenue=revenue, created_at=at)
    ids.new(uow.reengagements.add(row))
    return [uow.reengagements.newest_of(phone, type), uow.reengagements.of(phone, since=at, limit=2)]


@command(place=PLACES, lock=LOCK, at=MOMENTS)
def change_contact(uow: UnitOfWork, ids: Ids, *, place: int, lock: bool, at: datetime) -> Any:
    row = uow.reengagements.get(ids.real(Reengagement, place), lock=lock)
    if row is not None:
        uow.reengagements.save(row.sent(now=at))
    return row


# --- queues --------------------------------------------------------------------------------


@command(phone=PHONES, campaign=st.integers(1, 2), status=st.sampled_from(RecipientStatus), key=optional(KEYS))
def add_recipient(uow: UnitOfWork, ids: Ids, *, phone: str, campaign: int, status: Any, key: str | None) -> Any:
    row = BroadcastRecipient(campaign_id=campaign, phone=phone, status=status, wa_message_id=key, created_at=NOON)
    return ids.new(uow.recipients.add(row))


@command(campaign=st.integers(1, 2), limit=LIMITS, place=optional(PLACES), save=st.booleans())
def take_recipients(uow: UnitOfWork, ids: Ids, *, campaign: int, limit: int, place: int | None, save: bool) -> Any:
    after = _page(ids, BroadcastRecipient, place)
    listed = uow.recipients.listed(campaign, after=after, limit=limit)
    if not save:
        return [listed, uow.recipients.counts(campaign)]
    taken = uow.recipients.take_pending(campaign, after=after, limit=limit)
    for row in taken:
        uow.recipients.save(row.queued())
    return [listed, taken]


@command(type=st.sampled_from(EntityType), entity=st.integers(1, 2), action=st.sampled_from(SyncAction), at=MOMENTS)
def enqueue_task(uow: UnitOfWork, ids: Ids, *, type: EntityType, entity: int, action: SyncAction, at: datetime) -> Any:  # noqa: A002 - as drawn
    return ids.new(uow.sync.enqueue(type, entity, action, now=at))


@command(place=PLACES, lock=LOCK, status=st.sampled_from(SyncStatus), error=optional(TEXTS | st.just("again")))
def change_task(uow: UnitOfWork, ids: Ids, *, place: int, lock: bool, status: SyncStatus, error: str | None) -> Any:
    row = uow.sync.get(ids.real(SyncTask, place), lock=lock)
    if row is not None:
        uow.sync.save(attrs.evolve(row, status=status, error_message=error))
    return row


@command(place=PLACES, at=MOMENTS, to=st.sampled_from(SyncStatus), off=st.booleans(), whole=st.booleans())
def move_task(uow: UnitOfWork, ids: Ids, *, place: int, at: datetime, to: SyncStatus, off: bool, whole: bool) -> Any:
    row = uow.sync.get(ids.real(SyncTask, place))
    if row is None:
        return None
    work = Work(id=row.id, status=row.status.value, attempts=row.attempts + off, stamp=row.processed_at)
    if whole:
        uow.sync.finish(work, row.completed(now=at))
    else:
        uow.sync.move(work, work.taken(to.value, now=at))
    return uow.sync.get(row.id)


@command(status=st.sampled_from([*SyncStatus, "odd"]), limit=LIMITS, place=optional(PLACES))
def list_tasks(uow: UnitOfWork, ids: Ids, *, status: str, limit: int, place: int | None) -> Any:
    after = _page(ids, SyncTask, place)
    return [
        uow.sync.waiting(status, after=after, limit=limit),
        uow.sync.listed(status=status, limit=limit),
        uow.sync.listed(after=after, limit=limit),
    ]


@command(
    order=st.integers(1, 2),
    type=st.sampled_from(["shipped", "Shipped", "shipped "]),
    status=st.sampled_from(NotificationStatus),
    text=optional(TEXTS),
    at=MOMENTS,
)
def add_notice(uow: UnitOfWork, ids: Ids, **drawn: Any) -> Any:
    row = Notification(
        order_id=drawn["order"],
        notification_type=drawn["type"],
        customer_phone="1",
        template_name=drawn["text"],
        status=drawn["status"],
        error_message=drawn["text"],
        created_at=NOON,
        updated_at=drawn["at"],
    )
    return [ids.new(uow.notifications.add(row)), uow.notifications.of_order(drawn["order"], drawn["type"])]


@command(at=MOMENTS, limit=LIMITS, place=PLACES, lock=LOCK, status=optional(st.sampled_from(NotificationStatus)))
def look_at_notices(uow: UnitOfWork, ids: Ids, *, at: datetime, limit: int, place: int, lock: bool, status: Any) -> Any:
    row = uow.notifications.get(ids.real(Notification, place), lock=lock)
    if row is not None and row.status is NotificationStatus.PENDING:
        uow.notifications.save(row.held(at))
    return [
        row,
        [ids.place("Notification", number) for number in uow.notifications.due(at, limit=limit)],
        uow.notifications.listed(status=status, limit=limit),
        uow.notifications.listed(after=_page(ids, Notification, place), limit=limit),
    ]


# --- records and guards --------------------------------------------------------------------


@command(
    hook=TEXTS | KEYS,
    reason=st.sampled_from(["crash", "Crash"]),
    status=st.sampled_from(DeadLetterStatus),
    at=MOMENTS,
    about=optional(st.sampled_from(["messages", "sync_queue", "saga_state", "elsewhere"])),
    place=PLACES,
    metadata=DOCUMENTS,
)
def add_letter(uow: UnitOfWork, ids: Ids, **drawn: Any) -> Any:
    kinds: dict[Any, type] = {"messages": Message, "sync_queue": SyncTask}
    about = drawn["about"]
    row = ids.real(kinds[about], drawn["place"]) if about in kinds else "k"
    letter = DeadLetter(
        hook=drawn["hook"],
        args={"v": 1, "odd": 1} if about is None else document(table=about, id=row),
        reason=drawn["reason"],
        metadata=drawn["metadata"],
        status=drawn["status"],
        created_at=NOON,
        dismissed_at=None if drawn["status"] is DeadLetterStatus.PENDING else drawn["at"],
    )
    added = ids.new(uow.dead_letters.add(letter))
    return attrs.evolve(added, args={})


@command(
    hook=optional(TEXTS),
    reason=optional(st.just("crash")),
    status=optional(st.sampled_from(DeadLetterStatus)),
    limit=LIMITS,
    place=optional(PLACES),
)
def list_letters(uow: UnitOfWork, ids: Ids, *, place: int | None, **drawn: Any) -> Any:
    rows = uow.dead_letters.listed(after=_page(ids, DeadLetter, place), **drawn)
    counts = {str(key): count for key, count in uow.dead_letters.counts().items()}
    return [[attrs.evolve(row, args={}) for row in rows], counts]


@command(at=MOMENTS)
def purge_letters(uow: UnitOfWork, _ids: Ids, *, at: datetime) -> Any:
    return uow.dead_letters.purge(decided_before=at)


@command(key=KEYS, scope=st.sampled_from(["api", "API", "api "]), at=MOMENTS, lives=st.integers(0, 2))
def claim(uow: UnitOfWork, _ids: Ids, *, key: str, scope: str, at: datetime, lives: int) -> Any:
    first = uow.claims.claim(key, scope, now=at, expires_at=at + timedelta(seconds=30 * lives))
    return [first, uow.claims.is_claimed(key, scope, now=at), list(uow.claims.of(key))]


@command(at=MOMENTS, limit=LIMITS)
def purge_claims(uow: UnitOfWork, _ids: Ids, *, at: datetime, limit: int) -> Any:
    # Which of several expired claims go first is not promised; how many is.
    return uow.claims.purge(now=at, limit=limit) if limit > 2 else None


@command(hash=HASHES, type=st.sampled_from(["api", "API"]), lock=LOCK, part=MOMENTS, hits=st.integers(1, 3))
def hit(uow: UnitOfWork, _ids: Ids, *, hash: str, type: str, lock: bool, part: datetime, hits: int) -> Any:  # noqa: A002 - as drawn
    if lock:
        uow.limits.lock(hash, type)
    uow.limits.hit(hash, type, part, hits)
    return uow.limits.since(hash, type, part)


@command(hash=optional(HASHES), type=optional(st.just("api")), at=MOMENTS, limit=LIMITS, what=st.integers(0, 9))
def look_at_limits(uow: UnitOfWork, _ids: Ids, *, hash: Any, type: Any, at: datetime, limit: int, what: int) -> Any:  # noqa: A002 - as drawn
    if what == 0:
        return uow.limits.reset(identifier_hash=hash, limit_type=type)
    if what == 1:
        return uow.limits.purge(before=at)
    return [uow.limits.listed(limit_type=type, limit=limit), uow.limits.since(hash or "", "api", ANCHOR)]


@command(service=SHORT_KEYS, at=MOMENTS, lock=LOCK, state=st.sampled_from(BreakerState))
def change_breaker(uow: UnitOfWork, _ids: Ids, *, service: str, at: datetime, lock: bool, state: BreakerState) -> Any:
    row = uow.breakers.lock(service, now=at) if lock else uow.breakers.of(service)
    if row is not None:
        uow.breakers.save(attrs.evolve(row, state=state, failures=row.failures + 1))
    return [row, uow.breakers.listed()]


@command(
    key=SHORT_KEYS,
    type=st.sampled_from(["Order", "order", "order "]),
    state=st.sampled_from(SagaState),
    context=DOCUMENTS,
    outcome=optional(st.sampled_from(["parked", "compensated"])),
    at=MOMENTS,
)
def add_saga(uow: UnitOfWork, _ids: Ids, **drawn: Any) -> Any:
    row = Saga(
        saga_id=drawn["key"] if len(drawn["key"]) <= 100 else "long",
        saga_type=drawn["type"],
        state=drawn["state"],
        context={**drawn["context"], "outcome": drawn["outcome"]},
        log=(drawn["context"], {"ev": "lease", "step": None, "token": "t"}),
        created_at=NOON,
        updated_at=drawn["at"],
    )
    return uow.sagas.add(row)


@command(key=SHORT_KEYS, at=MOMENTS, then=MOMENTS)
def replace_saga(uow: UnitOfWork, _ids: Ids, *, key: str, at: datetime, then: datetime) -> Any:
    """Twice from the same row: the second finds it changed, unless the first changed nothing."""
    found = uow.sagas.get(key)
    if found is None:
        return None
    signalled, moved = found.signalled("x", {}, now=at), attrs.evolve(found, updated_at=then)
    return [uow.sagas.replace(found, one) for one in (moved, signalled, moved)], uow.sagas.get(key)


@command(key=SHORT_KEYS, lock=LOCK, at=MOMENTS, limit=LIMITS, take=st.booleans())
def change_saga(uow: UnitOfWork, _ids: Ids, *, key: str, lock: bool, at: datetime, limit: int, take: bool) -> Any:
    if take:
        rows = list(uow.sagas.take_due(at, limit=limit))
        for row in rows:
            uow.sagas.save(row.leased("u", now=at))
        return rows
    found = uow.sagas.get(key, lock=lock)
    if found is not None:
        uow.sagas.save(found.signalled("x", {}, now=at))
    return found


@command(
    saga_type=optional(st.just("order")),
    state=optional(st.sampled_from(SagaState)),
    outcome=optional(st.just("parked")),
    after=SHORT_KEYS | st.just(""),
    limit=LIMITS,
)
def list_sagas(uow: UnitOfWork, _ids: Ids, **drawn: Any) -> Any:
    return uow.sagas.listed(**drawn) if len(drawn["after"]) <= 100 else None


@command(name=SHORT_KEYS, value=DOCUMENTS, what=st.integers(0, 3), lock=LOCK)
def change_option(uow: UnitOfWork, _ids: Ids, *, name: str, value: Any, what: int, lock: bool) -> Any:
    if what:
        uow.options.put(name, value)
    else:
        return uow.options.remove(name)
    return uow.options.get(name, lock=lock)


@command(names=st.lists(SHORT_KEYS, max_size=3))
def look_at_options(uow: UnitOfWork, _ids: Ids, *, names: list[str]) -> Any:
    uow.options.look_ahead(names)


@command(prefix=SHORT_KEYS, after=st.just("") | SHORT_KEYS, limit=LIMITS)
def list_options(uow: UnitOfWork, _ids: Ids, *, prefix: str, after: str, limit: int) -> Any:
    assert not OPTION.startswith(prefix)
    return uow.options.named(prefix, after=after, limit=limit)


@command(actor=SHORT_KEYS, detail=DOCUMENTS, text=optional(TEXTS), limit=LIMITS, place=optional(PLACES))
def add_line(uow: UnitOfWork, ids: Ids, *, actor: str, detail: Any, text: Any, limit: int, place: int | None) -> Any:
    line = AuditEntry(at=NOON, actor=actor, action="x", object=text, reason=text, detail=detail)
    added = ids.new(uow.audit.add(line))
    edge = _page(ids, AuditEntry, place)
    older = uow.audit.listed(actor=actor, after=edge, newest_first=True, limit=limit)
    return [added, uow.audit.listed(actor=actor, after=edge, limit=limit), older]


@command()
def count(uow: UnitOfWork, _ids: Ids) -> Any:
    census = uow.census
    found = [*census.dangling(limit=1000), *census.unknown_words()]
    return [
        census.states(),
        census.oldest_waiting(),
        census.taken_over(),
        census.miscounted(limit=1000),
        sorted(found, key=lambda one: (one.table, one.what, int(one.row))),
    ]
