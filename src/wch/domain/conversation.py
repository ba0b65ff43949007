"""A conversation: one thread with one customer, and the one table of its transitions."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

import attrs

from wch.domain.bound import not_negative
from wch.domain.document import JsonObject, amended, document
from wch.domain.errors import ForbiddenEventError
from wch.domain.evolution import evolve
from wch.domain.moment import iso, of_iso, utc_seconds


class ConversationStatus(StrEnum):
    """Who answers: the dialogue, a person, or nobody any more."""

    ACTIVE = "active"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


class State(StrEnum):
    """Where the customer stands in the shop."""

    IDLE = "idle"
    BROWSING = "browsing"
    VIEWING_PRODUCT = "viewing_product"
    CART_MANAGEMENT = "cart_management"
    CHECKOUT_ADDRESS = "checkout_address"
    CHECKOUT_SHIPPING = "checkout_shipping"
    CHECKOUT_PAYMENT = "checkout_payment"
    CHECKOUT_REVIEW = "checkout_review"
    AWAITING_PAYMENT = "awaiting_payment"
    AWAITING_HUMAN = "awaiting_human"
    COMPLETED = "completed"


class Event(StrEnum):
    """What may move a conversation; the words stand in `handled.did`."""

    BROWSE = "browse"
    VIEW_PRODUCT = "view_product"
    ITEM_ADDED = "item_added"
    CATALOGUE_ORDER = "catalogue_order"
    SHOW_CART = "show_cart"
    CART_CHANGED = "cart_changed"
    COUPON_SET = "coupon_set"
    COUPON_REMOVED = "coupon_removed"
    START_CHECKOUT = "start_checkout"
    ADDRESS_SET = "address_set"
    SHIPPING_SET = "shipping_set"
    PAYMENT_SET = "payment_set"
    CONFIRM = "confirm"
    EDIT_ADDRESS = "edit_address"
    EDIT_SHIPPING = "edit_shipping"
    EDIT_PAYMENT = "edit_payment"
    BACK = "back"
    CANCEL = "cancel"
    PROMPT_EXPIRED = "prompt_expired"
    ORDER_PLACED = "order_placed"
    PAID = "paid"
    PAYMENT_FAILED = "payment_failed"
    ORDER_FAILED = "order_failed"
    TOTAL_DIFFERS = "total_differs"
    PAYMENT_EXPIRED = "payment_expired"
    INACTIVE = "inactive"
    HANDOFF = "handoff"
    HANDBACK = "handback"
    RESOLVE = "resolve"


SHOPPING = frozenset(
    {State.IDLE, State.BROWSING, State.VIEWING_PRODUCT, State.CART_MANAGEMENT, State.COMPLETED},
)
CHECKOUT = frozenset(
    {State.CHECKOUT_ADDRESS, State.CHECKOUT_SHIPPING, State.CHECKOUT_PAYMENT, State.CHECKOUT_REVIEW},
)
PAYING = frozenset({State.AWAITING_PAYMENT})
WITH_PERSON = frozenset({State.AWAITING_HUMAN})

Targets = tuple[State, ...]
"""The states that an event may lead to; the guard of whoever raises it picks the one."""


def _table() -> Mapping[tuple[State, Event], Targets]:  # noqa: C901 - a table, written row by row
    cart_or_browsing = (State.CART_MANAGEMENT, State.BROWSING)
    steps = (State.CHECKOUT_ADDRESS, State.CHECKOUT_SHIPPING, State.CHECKOUT_PAYMENT, State.CHECKOUT_REVIEW)
    table: dict[tuple[State, Event], Targets] = {}
    for state in SHOPPING | CHECKOUT:
        table[state, Event.BROWSE] = (State.BROWSING,)
        table[state, Event.VIEW_PRODUCT] = (State.VIEWING_PRODUCT,)
        table[state, Event.ITEM_ADDED] = (State.CART_MANAGEMENT,)
        table[state, Event.CATALOGUE_ORDER] = (State.CART_MANAGEMENT,)
        table[state, Event.SHOW_CART] = cart_or_browsing
        table[state, Event.CART_CHANGED] = cart_or_browsing
        table[state, Event.HANDOFF] = (State.AWAITING_HUMAN,)
        table[state, Event.RESOLVE] = (State.IDLE,)
    for state in SHOPPING:
        table[state, Event.COUPON_SET] = (State.CART_MANAGEMENT,)
        table[state, Event.COUPON_REMOVED] = (State.CART_MANAGEMENT,)
        table[state, Event.START_CHECKOUT] = (State.CHECKOUT_ADDRESS, State.CHECKOUT_PAYMENT, *cart_or_browsing)
        table[state, Event.INACTIVE] = (State.IDLE,)
    for place, state in enumerate(steps):
        table[state, Event.COUPON_SET] = (state,)
        table[state, Event.COUPON_REMOVED] = (state,)
        table[state, Event.CANCEL] = (State.CART_MANAGEMENT,)
        table[state, Event.PROMPT_EXPIRED] = (State.CART_MANAGEMENT,)
        table[state, Event.BACK] = (*reversed(steps[:place]), State.CART_MANAGEMENT)
        if place > 0:
            table[state, Event.EDIT_ADDRESS] = (State.CHECKOUT_ADDRESS,)
        if place > 1:
            table[state, Event.EDIT_SHIPPING] = (State.CHECKOUT_SHIPPING,)
    table[State.CHECKOUT_REVIEW, Event.EDIT_PAYMENT] = (State.CHECKOUT_PAYMENT,)
    table[State.CHECKOUT_ADDRESS, Event.ADDRESS_SET] = (State.CHECKOUT_SHIPPING, State.CHECKOUT_PAYMENT)
    table[State.CHECKOUT_SHIPPING, Event.SHIPPING_SET] = (State.CHECKOUT_PAYMENT,)
    table[State.CHECKOUT_PAYMENT, Event.PAYMENT_SET] = (State.CHECKOUT_REVIEW,)
    table[State.CHECKOUT_REVIEW, Event.CONFIRM] = (State.AWAITING_PAYMENT, State.CHECKOUT_REVIEW)
    for event in (Event.BROWSE, Event.VIEW_PRODUCT, Event.SHOW_CART):
        table[State.AWAITING_PAYMENT, event] = (State.AWAITING_PAYMENT,)
    for event in (Event.ORDER_PLACED, Event.PAID):
        table[State.AWAITING_PAYMENT, event] = (State.COMPLETED,)
    for event in (Event.EDIT_PAYMENT, Event.PAYMENT_FAILED):
        table[State.AWAITING_PAYMENT, event] = (State.CHECKOUT_PAYMENT,)
    for event in (Event.CANCEL, Event.ORDER_FAILED, Event.PAYMENT_EXPIRED):
        table[State.AWAITING_PAYMENT, event] = (State.CART_MANAGEMENT,)
    table[State.AWAITING_PAYMENT, Event.TOTAL_DIFFERS] = (State.CHECKOUT_REVIEW,)
    table[State.AWAITING_PAYMENT, Event.HANDOFF] = (State.AWAITING_HUMAN,)
    table[State.AWAITING_PAYMENT, Event.RESOLVE] = (State.IDLE,)
    back = (*sorted(SHOPPING), State.AWAITING_PAYMENT, *steps)
    table[State.AWAITING_HUMAN, Event.HANDBACK] = back
    for event in SAGA_RESULTS:
        table[State.AWAITING_HUMAN, event] = (State.AWAITING_HUMAN,)
    table[State.AWAITING_HUMAN, Event.RESOLVE] = (State.IDLE,)
    return table


SAGA_RESULTS = (
    Event.ORDER_PLACED,
    Event.PAID,
    Event.PAYMENT_FAILED,
    Event.ORDER_FAILED,
    Event.TOTAL_DIFFERS,
    Event.PAYMENT_EXPIRED,
)
"""What a placement reports; in a person's hands it moves only the state to return to."""

TRANSITIONS = _table()
"""(state, event) to the states it may lead to. The only table there is: a pair outside it changes nothing."""


@attrs.frozen(kw_only=True, slots=False)
class Conversation:
    """One row of `conversations`.

    Attributes:
        customer_phone: the customer's key: digits, or a surrogate beginning with `u`.
        wa_conversation_id: WhatsApp's own id of the latest billing conversation, if it told one.
        assigned_agent_id: the person who has it.
        context: what the dialogue remembers: language, prompt, checkout, handoff, ...
        message_count: rows in both directions, placeholders and imported history aside.
        unread_count: inbound rows that no person has seen.
        last_message_at: the latest row of either direction.
    """

    id: int = 0
    customer_phone: str
    wa_conversation_id: str | None = None
    status: ConversationStatus = ConversationStatus.ACTIVE
    state: State = State.IDLE
    assigned_agent_id: int | None = None
    context: JsonObject = attrs.field(factory=document)
    message_count: int = attrs.field(default=0, validator=not_negative)
    unread_count: int = attrs.field(default=0, validator=not_negative)
    last_message_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    created_at: datetime = attrs.field(validator=utc_seconds)
    updated_at: datetime = attrs.field(validator=utc_seconds)

    @property
    def is_open(self) -> bool:
        """Whether a customer's next message belongs here without reopening."""
        return self.status is not ConversationStatus.RESOLVED

    def allows(self, event: Event) -> bool:
        """Whether the table has this event for the present state."""
        return (self.state, event) in TRANSITIONS

    def on(self, event: Event, to: State | None = None, *, now: datetime) -> Self:
        """Move as the table says; `to` picks among several targets.

        Raises:
            ForbiddenEventError: the table has no such pair, or `to` is not among its targets.
        """
        targets = TRANSITIONS.get((self.state, event), ())
        target = to if to is not None else (targets[0] if len(targets) == 1 else None)
        if target is None or target not in targets:
            raise ForbiddenEventError(state=self.state, event=event, to=to)
        if event is Event.HANDOFF:
            return self._handed_off(now=now)
        if event is Event.HANDBACK:
            return self._handed_back(target, now=now)
        if event is Event.RESOLVE:
            return self._resolved(now=now)
        if self.state is State.AWAITING_HUMAN:
            return self._result_noted(event, now=now)
        return evolve(self, state=target, updated_at=now)

    def _handed_off(self, *, now: datetime) -> Self:
        handoff = {**self.handoff, "since": iso(now), "return_state": self.state.value}
        return evolve(
            self,
            status=ConversationStatus.ESCALATED,
            state=State.AWAITING_HUMAN,
            context=amended(self.context, handoff=handoff),
            updated_at=now,
        )

    def _handed_back(self, target: State, *, now: datetime) -> Self:
        return evolve(
            self,
            status=ConversationStatus.ACTIVE,
            state=target,
            assigned_agent_id=None,
            context=amended(self.context, handoff=None),
            updated_at=now,
        )

    def _resolved(self, *, now: datetime) -> Self:
        return evolve(
            self,
            status=ConversationStatus.RESOLVED,
            state=State.IDLE,
            assigned_agent_id=None,
            unread_count=0,
            context=amended(self.context, handoff=None, prompt=None, checkout=None),
            updated_at=now,
        )

    def _result_noted(self, event: Event, *, now: datetime) -> Self:
        """A placement's result while a person has the customer moves the state to return to."""
        returns = TRANSITIONS.get((self.return_state, event), ())
        if len(returns) != 1:
            return self
        handoff = {**self.handoff, "return_state": returns[0].value}
        return evolve(self, context=amended(self.context, handoff=handoff), updated_at=now)

    @property
    def handoff(self) -> JsonObject:
        """Why a person has this conversation, since when, and where to go back to."""
        known: Any = self.context.get("handoff")
        return known if isinstance(known, Mapping) else {}

    @property
    def return_state(self) -> State:
        """The state that was left for a person; browsing when none was kept."""
        word = self.handoff.get("return_state")
        return State(word) if isinstance(word, str) and word in set(State) else State.BROWSING

    def escalated(self, reason: str, *, now: datetime) -> Self:
        """Hand over to a person for this reason; the dialogue falls silent."""
        moved = self.on(Event.HANDOFF, now=now)
        return evolve(moved, context=amended(moved.context, handoff={**moved.handoff, "reason": reason}))

    def assigned(self, agent: int, *, now: datetime) -> Self:
        """This person has it now; whatever was unread is read."""
        held = self if self.state is State.AWAITING_HUMAN else self.escalated("operator", now=now)
        return evolve(held, assigned_agent_id=agent, unread_count=0, updated_at=now)

    def answered_by(self, agent: int | None, *, reason: str = "operator", now: datetime) -> Self:
        """A person wrote: the time after which the dialogue takes over again begins anew."""
        held = self if self.state is State.AWAITING_HUMAN else self.escalated(reason, now=now)
        handoff = {**held.handoff, "since": iso(now)}
        if agent is None:
            handoff["reason"] = reason
        return evolve(
            held,
            assigned_agent_id=held.assigned_agent_id if agent is None else agent,
            unread_count=0,
            context=amended(held.context, handoff=handoff),
            updated_at=now,
        )

    def unassigned(self, *, now: datetime) -> Self:
        """Nobody in particular has it; it waits for a person. Of nobody's nothing changes."""
        return self if self.assigned_agent_id is None else evolve(self, assigned_agent_id=None, updated_at=now)

    def is_handoff_over(self, *, person: timedelta, phone_app: timedelta, now: datetime) -> bool:
        """Whether people were silent for so long that the dialogue takes over again.

        Args:
            person: how long after a person's last word.
            phone_app: the same after the last word on the shop's own phone.
            now: the moment.
        """
        until = self.handoff.get("until")
        if isinstance(until, str):
            return now >= of_iso(until)
        since = self.handoff.get("since")
        if not isinstance(since, str):
            return True
        return now >= of_iso(since) + (phone_app if self.handoff.get("reason") == "phone_app" else person)

    def reopened(self, *, now: datetime) -> Self:
        """The customer wrote again soon after the end: the same row, from the start."""
        kept = {
            name: self.context[name]
            for name in ("language", "referral", "free_until", "window_closed_at", "number")
            if name in self.context
        }
        return evolve(
            self,
            status=ConversationStatus.ACTIVE,
            state=State.IDLE,
            assigned_agent_id=None,
            context=document(**kept),
            updated_at=now,
        )

    def counted(self, *, now: datetime, unread: bool = False, context: JsonObject | None = None) -> Self:
        """One more message; `unread` when a person has yet to see it, with another memory where one is given."""
        latest = now if self.last_message_at is None else max(self.last_message_at, now)
        return evolve(
            self,
            message_count=self.message_count + 1,
            unread_count=self.unread_count + (1 if unread else 0),
            last_message_at=latest,
            context=self.context if context is None else context,
            updated_at=max(self.updated_at, now),
        )

    def seen(self, *, now: datetime) -> Self:
        """A person looked at it or wrote: nothing is unread."""
        return evolve(self, unread_count=0, updated_at=max(self.updated_at, now))

    def remembering(self, context: JsonObject, *, now: datetime) -> Self:
        """The same conversation with another memory."""
        return evolve(self, context=context, updated_at=max(self.updated_at, now))
