"""What observers hear, in the past tense and after the commit: a host's way to take part."""

import attrs

from wch.domain.money import Money

Tally = tuple[str, tuple[str, ...]]
"""The name of what is counted, and its labels."""

PAYMENTS = "payments"
FENCED = "fenced"

Timing = tuple[str, tuple[str, ...], float]
"""The name of what is timed, its labels, and seconds."""


class Measured:
    """What is only counted and timed: hosts do not hear of it."""


@attrs.frozen(kw_only=True)
class MessageReceived:
    """A customer's message was accepted."""

    message_id: int
    conversation_id: int | None
    type: str


@attrs.frozen(kw_only=True)
class CartAbandoned:
    """A customer left a cart lying."""

    cart_id: int


@attrs.frozen(kw_only=True)
class HealthChanged:
    """A part of the hub became better or worse."""

    component: str
    before: str
    now: str

    @property
    def tally(self) -> Tally:
        """As it is counted."""
        return "health_changes", (self.component, self.now)


@attrs.frozen(kw_only=True)
class LineAnswered(Measured):
    """A customer's line was answered, or rightly left without an answer; seconds from its take to its commit."""

    intent: str
    seconds: float

    @property
    def timing(self) -> Timing:
        """As it is timed."""
        return "handling_seconds", (self.intent,), self.seconds


@attrs.frozen(kw_only=True)
class SendEnded(Measured):
    """A call of the messages endpoint came to an end.

    Attributes:
        class_: reply, notice or campaign.
        result: accepted, refused, not_made or ambiguous.
        code: WhatsApp's number for the refusal.
    """

    class_: str
    result: str
    code: int | None
    seconds: float

    @property
    def tally(self) -> Tally | None:
        """As it is counted, if it was refused."""
        return None if self.result != "refused" else ("send_errors", (str(self.code or "none"),))

    @property
    def timing(self) -> Timing:
        """As it is timed."""
        return "send_seconds", (self.class_, self.result), self.seconds


@attrs.frozen(kw_only=True)
class StepEnded(Measured):
    """A step of a saga was tried.

    Attributes:
        result: done, waiting, failed, undone or undo_failed.
    """

    saga_type: str
    step: str
    result: str
    seconds: float

    @property
    def timing(self) -> Timing:
        """As it is timed."""
        return "saga_step_seconds", (self.saga_type, self.step, self.result), self.seconds


@attrs.frozen(kw_only=True)
class EventTaken(Measured):
    """An event of a delivery was stored, known already, or laid aside.

    Attributes:
        type: message, status, preference, echo, account or unusable.
        result: new, known or dead.
        tally: as it is counted.
    """

    type: str
    result: str

    tally: Tally = attrs.field(init=False, eq=False, repr=False)

    @tally.default
    def _counted_as(self) -> Tally:
        return "events", (self.type, self.result)


@attrs.frozen(kw_only=True)
class LeaseLost:
    """A worker came too late with this kind of work: another holds it by then, and nothing was written."""

    work: str

    @property
    def tally(self) -> Tally:
        """As it is counted."""
        return FENCED, (self.work,)


@attrs.frozen(kw_only=True)
class PaymentCaptured:
    """Money came for an order, exactly what was due, or after the order had ended (`late`)."""

    saga_id: str
    order_id: int | None
    gateway: str
    amount: Money
    late: bool = False

    @property
    def tally(self) -> Tally:
        """As it is counted."""
        return PAYMENTS, (self.gateway, "captured_late" if self.late else "captured")


@attrs.frozen(kw_only=True)
class OrderPlaced:
    """An order is at work: paid, or to be paid when it arrives."""

    saga_id: str
    order_id: int
    total: Money


@attrs.frozen(kw_only=True)
class PlacementFailed:
    """An order came to nothing, and nothing of it is left; `reason` is the word in its saga."""

    saga_id: str
    gateway: str
    reason: str
    was_opened: bool

    @property
    def tally(self) -> Tally | None:
        """As it is counted, if a payment had been opened."""
        return (PAYMENTS, (self.gateway, _RESULTS.get(self.reason, "undone"))) if self.was_opened else None


@attrs.frozen(kw_only=True)
class PlacementParked:
    """An order waits for an operator; `reason` is the word in its saga."""

    saga_id: str
    gateway: str
    reason: str

    @property
    def tally(self) -> Tally:
        """As it is counted."""
        return PAYMENTS, (self.gateway, "parked")


@attrs.frozen(kw_only=True)
class OrderCancelled:
    """An order that had been placed was called off."""

    order_id: int


@attrs.frozen(kw_only=True)
class RefundDone:
    """Money went back."""

    saga_id: str
    order_id: int
    gateway: str | None
    amount: Money

    @property
    def tally(self) -> Tally | None:
        """As it is counted; what is given by hand passes no gateway."""
        return None if self.gateway is None else (PAYMENTS, (self.gateway, "refunded"))


_RESULTS = {
    "payment_expired": "expired",
    "payment_failed": "failed",
    "payment_refunded": "failed",
    "cancel": "cancelled",
    "other_method": "cancelled",
}
