"""A cart: one row a customer for ever, re-opened for each new cart under a new name."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, Self, TypeVar

import attrs

from wch.domain.document import JsonObject
from wch.domain.errors import CartRefusalError, SlotTakenError, TransitionError
from wch.domain.evolution import evolve
from wch.domain.moment import SECOND, unix, utc_seconds

MOST_LINES = 50
MOST_PER_LINE = 99
MOST_TOTAL = Decimal("99999999.99")
"""What a decimal(10,2) column holds; a cart above it is refused."""

LIVES = timedelta(hours=72)
"""How long after the customer's last activity an active cart expires."""

IDLE_BEFORE_ABANDONED = timedelta(hours=1)

_CENT = Decimal("0.01")

C = TypeVar("C", bound="Cart")


class CartStatus(StrEnum):
    """The life of a cart; only these words stand in the table."""

    ACTIVE = "active"
    ABANDONED = "abandoned"
    RECOVERED = "recovered"
    EXPIRED = "expired"


class Slot(StrEnum):
    """The three reminders a cart may get, by the column that holds when each was taken."""

    FIRST = "reminder_1_sent_at"
    SECOND = "reminder_2_sent_at"
    THIRD = "reminder_3_sent_at"


@attrs.frozen(kw_only=True)
class CartItem:
    """One line of a cart.

    Attributes:
        variation_id: the variant; None for a simple product.
        price_at_add: the shop's present price of one piece, as decimal text in the row.
        agreed_price: the last price that the customer accepted, while the shop's is higher.
        variant_attributes: what makes the variant, such as `{"Size": "M"}`.
    """

    product_id: int = attrs.field(validator=attrs.validators.gt(0))
    variation_id: int | None = None
    quantity: int = attrs.field(validator=attrs.validators.gt(0))
    price_at_add: Decimal = attrs.field(validator=attrs.validators.ge(Decimal(0)))
    agreed_price: Decimal | None = None
    currency: str
    product_name: str
    variant_attributes: Mapping[str, str] = attrs.field(factory=dict)
    added_at: datetime = attrs.field(validator=utc_seconds)

    @property
    def key(self) -> tuple[int, int | None]:
        """What makes two lines the same line."""
        return self.product_id, self.variation_id

    @property
    def sellable_id(self) -> int:
        """The number that names what is sold: the variant, else the product."""
        return self.variation_id or self.product_id

    @property
    def worth(self) -> Decimal:
        """Price times quantity, exact."""
        return self.price_at_add * self.quantity

    def priced(self, price: Decimal) -> Self:
        """The same line at the shop's present price; a higher one waits for the customer's consent."""
        if price == self.price_at_add:
            return self
        accepted = self.price_at_add if self.agreed_price is None else self.agreed_price
        return attrs.evolve(self, price_at_add=price, agreed_price=accepted if price > accepted else None)


def total_of(items: Iterable[CartItem]) -> Decimal:
    """The worth of the goods, rounded half up to the two places of its column."""
    return sum((item.worth for item in items), Decimal(0)).quantize(_CENT, rounding=ROUND_HALF_UP)


def saga_id_of(cart_id: int, created_at: datetime) -> str:
    """The id of the one order placement that the cart of this name can have."""
    return f"order-{cart_id}-{unix(created_at)}"


@attrs.frozen(kw_only=True, slots=False)
class Cart:
    """One row of `carts`.

    A cart's name is its id and `created_at`; it changes with every new cart, so that what
    was decided about one is never taken for the next. `updated_at` is the customer's last
    activity: sweepers and reminders do not move it.

    Attributes:
        total: the worth of the goods without coupon; a report figure, never charged.
        shipping_address: the address of the checkout, with the shop's field names.
        reminder_1_sent_at: when the first reminder's slot was taken, before it was sent.
        recovered_revenue: the order's total, if a reminder had gone out for this name.
    """

    id: int = 0
    customer_phone: str
    items: tuple[CartItem, ...] = ()
    total: Decimal = Decimal("0.00")
    coupon_code: str | None = None
    shipping_address: JsonObject | None = None
    status: CartStatus = CartStatus.ACTIVE
    reminder_1_sent_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    reminder_2_sent_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    reminder_3_sent_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    abandoned_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    recovery_coupon_code: str | None = None
    recovered: bool = False
    recovered_order_id: int | None = None
    recovered_revenue: Decimal | None = None
    recovered_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    expires_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    created_at: datetime = attrs.field(validator=utc_seconds)
    updated_at: datetime = attrs.field(validator=utc_seconds)

    @classmethod
    def opened(cls, customer_phone: str, *, now: datetime, lives: timedelta = LIVES) -> Self:
        """A customer's first cart, empty."""
        return cls(customer_phone=customer_phone, expires_at=now + lives, created_at=now, updated_at=now)

    @property
    def name(self) -> tuple[int, datetime]:
        """What names this cart among all that the row has been: id and moment of opening."""
        return self.id, self.created_at

    @property
    def version(self) -> str:
        """A word that is another one as soon as anything of the cart is."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def saga_id(self) -> str:
        """The id of the one order placement that this cart can have."""
        return saga_id_of(self.id, self.created_at)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return not self.items

    @property
    def currency(self) -> str | None:
        """The one currency of all its lines; None while empty."""
        return self.items[0].currency if self.items else None

    @property
    def needs_consent(self) -> bool:
        """Whether a price went up since the customer last said yes."""
        return any(item.agreed_price is not None for item in self.items)

    @property
    def was_reminded(self) -> bool:
        """Whether any reminder slot of this name is taken."""
        return any(getattr(self, slot) is not None for slot in Slot)

    def line(self, product_id: int, variation_id: int | None = None) -> CartItem | None:
        """The line of this product and variant, if it is there."""
        return next((item for item in self.items if item.key == (product_id, variation_id)), None)

    def looks_like(self, other: Self | None) -> bool:
        """Whether nothing was changed since `other` was read: same name, same items, same coupon."""
        return (
            other is not None
            and self.name == other.name
            and self.items == other.items
            and self.coupon_code == other.coupon_code
        )

    def added(self, item: CartItem, *, now: datetime, most: int = MOST_PER_LINE) -> Self:
        """Put so many more in; a line of the same product and variant grows.

        Raises:
            CartRefusalError: `cart_full`, `limit`, `currency` or `amount_too_large`.
        """
        begun = self.touched(now=now)
        there = begun.line(*item.key)
        if there is None:
            return _holding(begun, (*begun.items, item), most=most)
        grown = attrs.evolve(
            there.priced(item.price_at_add), quantity=there.quantity + item.quantity, product_name=item.product_name
        )
        return _holding(begun, _replaced(begun, grown), most=most)

    def set_to(self, item: CartItem, *, now: datetime, most: int = MOST_PER_LINE) -> Self:
        """Make the line this quantity, whatever it was; setting twice is setting once."""
        begun = self.touched(now=now)
        there = begun.line(*item.key)
        if there is None:
            return _holding(begun, (*begun.items, item), most=most)
        priced = there.priced(item.price_at_add)
        changed = attrs.evolve(priced, quantity=item.quantity, product_name=item.product_name)
        return _holding(begun, _replaced(begun, changed), most=most)

    def with_quantity(
        self, product_id: int, variation_id: int | None, quantity: int, *, now: datetime, most: int = MOST_PER_LINE
    ) -> Self:
        """Change a line's quantity; 0 takes it out.

        Raises:
            CartRefusalError: `not_found` when there is no such line, or a limit's word.
        """
        begun = self.touched(now=now)
        there = begun.line(product_id, variation_id)
        if there is None:
            raise CartRefusalError(code="not_found")
        if quantity == 0:
            return _holding(begun, tuple(item for item in begun.items if item is not there), most=most)
        if not 0 < quantity <= most:
            raise CartRefusalError(code="limit", most=most)
        return _holding(begun, _replaced(begun, attrs.evolve(there, quantity=quantity)), most=most)

    def cleared(self, *, now: datetime) -> Self:
        """Everything out, the coupon too; the address stays."""
        return evolve(_holding(self.touched(now=now), ()), coupon_code=None)

    def with_coupon(self, code: str | None, *, now: datetime) -> Self:
        """Set the one coupon, or take it off."""
        return evolve(self.touched(now=now), coupon_code=code)

    def shipped_to(self, address: JsonObject, *, now: datetime) -> Self:
        """Set where it goes."""
        return evolve(self.touched(now=now), shipping_address=address)

    def priced(self, prices: Mapping[tuple[int, int | None], Decimal], *, now: datetime) -> Self:
        """Follow the shop's present prices; what went up waits for consent."""
        begun = self.touched(now=now)
        return _holding(begun, tuple(item.priced(prices.get(item.key, item.price_at_add)) for item in begun.items))

    def prices_accepted(self, *, now: datetime) -> Self:
        """The customer agrees to the prices shown."""
        begun = self.touched(now=now)
        return _holding(begun, tuple(attrs.evolve(item, agreed_price=None) for item in begun.items))

    def touched(self, *, now: datetime, lives: timedelta = LIVES) -> Self:
        """The customer did something: an abandoned cart is active again, an ended one begins anew."""
        if self.status in {CartStatus.RECOVERED, CartStatus.EXPIRED}:
            return self.renewed(now=now, lives=lives)
        later = max(self.updated_at, now)
        return evolve(self, status=CartStatus.ACTIVE, expires_at=later + lives, updated_at=later)

    def renewed(self, *, now: datetime, keep_items: bool = False, lives: timedelta = LIVES) -> Self:
        """Begin the next cart in this row, under a name that never was before.

        With `keep_items` the lines, coupon and address stay: that is how a placement that
        failed is never remembered as the answer to the next try.
        """
        opened = max(now, self.created_at + SECOND)
        return type(self)(
            id=self.id,
            customer_phone=self.customer_phone,
            items=self.items if keep_items else (),
            total=self.total if keep_items else Decimal("0.00"),
            coupon_code=self.coupon_code if keep_items else None,
            shipping_address=self.shipping_address,
            expires_at=opened + lives,
            created_at=opened,
            updated_at=max(now, opened),
        )

    def abandoned(self, *, now: datetime, idle: timedelta = IDLE_BEFORE_ABANDONED) -> Self:
        """The customer left it lying; `updated_at` stays.

        Raises:
            TransitionError: it is empty, not active, or the customer was there less than `idle` ago.
        """
        if self.status is not CartStatus.ACTIVE or self.is_empty or now - self.updated_at < idle:
            raise TransitionError(cart_id=self.id, status=self.status)
        return evolve(self, status=CartStatus.ABANDONED, abandoned_at=now)

    def remind(self, slot: Slot, *, now: datetime) -> Self:
        """Take a reminder slot, before anything is sent.

        A slot is taken once per name, and in order: a crash after this leaves a message to
        send, never a second reminder. `updated_at` stays: only the customer moves it, and
        expiry counts from it.

        Raises:
            SlotTakenError: the slot is taken, an earlier one is free, or the cart is not abandoned any more.
        """
        earlier = tuple(Slot)[: tuple(Slot).index(slot)]
        in_order = all(getattr(self, one) is not None for one in earlier)
        if self.status is not CartStatus.ABANDONED or getattr(self, slot) is not None or not in_order:
            raise SlotTakenError(cart_id=self.id, slot=slot)
        taken: dict[str, Any] = {slot.value: now}
        return evolve(self, **taken)

    def expired(self, *, now: datetime) -> Self:
        """Its time is over; the lines stay so that the customer can have them back.

        Raises:
            TransitionError: it has not reached `expires_at`, or it has ended already.
        """
        open_ = self.status in {CartStatus.ACTIVE, CartStatus.ABANDONED}
        if not open_ or self.expires_at is None or now < self.expires_at:
            raise TransitionError(cart_id=self.id, status=self.status)
        return evolve(self, status=CartStatus.EXPIRED)

    def recovered_by(self, order_id: int, revenue: Decimal, *, now: datetime) -> Self:
        """A reminder brought this order."""
        return evolve(
            self,
            status=CartStatus.RECOVERED,
            recovered=True,
            recovered_order_id=order_id,
            recovered_revenue=min(revenue.quantize(_CENT, rounding=ROUND_HALF_UP), MOST_TOTAL),
            recovered_at=now,
            updated_at=max(self.updated_at, now),
        )

    def unrecovered(self) -> Self:
        """The order stopped counting: the cart has ended, and its lines can be had back."""
        return evolve(
            self,
            status=CartStatus.EXPIRED,
            recovered=False,
            recovered_order_id=None,
            recovered_revenue=None,
            recovered_at=None,
        )


def _replaced(cart: Cart, item: CartItem) -> tuple[CartItem, ...]:
    return tuple(item if one.key == item.key else one for one in cart.items)


def _holding(cart: C, items: tuple[CartItem, ...], *, most: int = MOST_PER_LINE) -> C:
    """The cart with these lines, within the limits of every cart."""
    if len(items) > MOST_LINES:
        raise CartRefusalError(code="cart_full", most=MOST_LINES)
    if any(not 0 < item.quantity <= most for item in items):
        raise CartRefusalError(code="limit", most=most)
    if len({item.currency for item in items}) > 1:
        raise CartRefusalError(code="currency")
    # Asked before rounding: an amount far beyond the column cannot even be rounded to it.
    if sum((item.worth for item in items), Decimal(0)) > MOST_TOTAL:
        raise CartRefusalError(code="amount_too_large", most=MOST_TOTAL)
    return evolve(cart, items=items, total=total_of(items))
