"""A cart: what is in it, what it is called, and how it lives and ends."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wch.domain.cart import (
    IDLE_BEFORE_ABANDONED,
    LIVES,
    MOST_LINES,
    MOST_PER_LINE,
    MOST_TOTAL,
    Cart,
    CartItem,
    CartStatus,
    Slot,
    total_of,
)
from wch.domain.errors import CartRefusalError, SlotTakenError, TransitionError
from wch.testing import NOON
from wch.testing.strategies import cart_items, carts, moments

LATER = NOON + timedelta(hours=2)
ENDED = (CartStatus.RECOVERED, CartStatus.EXPIRED)


def item(product_id: int = 7, **more: object) -> CartItem:
    given_: dict[str, object] = {
        "product_id": product_id,
        "quantity": 2,
        "price_at_add": Decimal("12.50"),
        "currency": "EUR",
        "product_name": "Mug",
        "added_at": NOON,
    }
    return CartItem(**{**given_, **more})  # type: ignore[arg-type]  # columns by name


@pytest.fixture
def empty() -> Cart:
    return Cart.opened("1", now=NOON)


@pytest.fixture
def cart(empty: Cart) -> Cart:
    return empty.added(item(), now=NOON)


@pytest.fixture
def abandoned(cart: Cart) -> Cart:
    return cart.abandoned(now=LATER)


# --- lines ---------------------------------------------------------------------------------


def test_adding_the_same_product_and_variant_grows_its_line(cart: Cart) -> None:
    """Another variant is another line; the order of adding stays."""
    grown = cart.added(item(8), now=NOON).added(item(variation_id=1), now=NOON).added(item(quantity=3), now=NOON)

    assert [(line.key, line.quantity) for line in grown.items] == [((7, None), 5), ((8, None), 2), ((7, 1), 2)]
    assert grown.total == Decimal("112.50")
    assert grown.line(7, 1) == item(variation_id=1)
    assert grown.line(9) is None


@given(carts(), cart_items())
def test_adding_then_removing_gives_the_same_items(cart: Cart, added: CartItem) -> None:
    """Unless the line was there before."""
    begun = attrs.evolve(cart, status=CartStatus.ACTIVE)
    if begun.line(*added.key) is None:
        there_and_back = begun.added(added, now=LATER).with_quantity(*added.key, 0, now=LATER)
        assert there_and_back.items == begun.items


@given(carts(), st.lists(cart_items(), max_size=5))
def test_merging_twice_is_merging_once(cart: Cart, named: Sequence[CartItem]) -> None:
    """Named lines are set to the quantity, others stay: a catalogue order that comes twice counts once."""

    def merged(before: Cart) -> Cart:
        for one in named:
            before = before.set_to(one, now=LATER)
        return before

    once = merged(cart)

    assert merged(once).items == once.items
    for one in {one.key: one for one in named}.values():
        line = once.line(*one.key)
        assert line is not None
        assert line.quantity == one.quantity


def test_a_line_is_changed_by_what_it_is(cart: Cart) -> None:
    """Not by where it stands; one that is not there is refused."""
    assert cart.with_quantity(7, None, 5, now=LATER).items[0].quantity == 5
    assert cart.with_quantity(7, None, 0, now=LATER).is_empty
    with pytest.raises(CartRefusalError) as refused:
        cart.with_quantity(7, 1, 5, now=LATER)
    assert refused.value.code == "not_found"


@pytest.mark.parametrize("quantity", [-1, MOST_PER_LINE + 1])
def test_a_line_holds_one_to_ninety_nine(cart: Cart, quantity: int) -> None:
    """A shop may say another most."""
    with pytest.raises(CartRefusalError) as refused:
        cart.with_quantity(7, None, quantity, now=NOON)
    assert refused.value.code == "limit"
    with pytest.raises(CartRefusalError):
        cart.added(item(quantity=98), now=NOON)
    assert cart.with_quantity(7, None, 200, now=NOON, most=999).items[0].quantity == 200


def test_a_cart_holds_fifty_lines(empty: Cart) -> None:
    """The fifty-first is refused, and the cart is as before."""
    full = empty
    for number in range(1, MOST_LINES + 1):
        full = full.added(item(number), now=NOON)

    for change in (full.added, full.set_to):
        with pytest.raises(CartRefusalError) as refused:
            change(item(99), now=NOON)
        assert refused.value.code == "cart_full"
    assert full.added(item(1), now=NOON).items[0].quantity == 4


def test_a_cart_has_one_currency(cart: Cart, empty: Cart) -> None:
    """Of its lines; an empty one has none."""
    with pytest.raises(CartRefusalError) as refused:
        cart.added(item(8, currency="USD"), now=NOON)
    assert refused.value.code == "currency"
    assert (cart.currency, empty.currency) == ("EUR", None)


@pytest.mark.parametrize("price", [Decimal(1_000_000_000), Decimal("1e27"), Decimal("1e40")])
def test_a_cart_beyond_its_column_is_refused(cart: Cart, price: Decimal) -> None:
    """However far beyond; a column would cut it or fail."""
    with pytest.raises(CartRefusalError) as refused:
        cart.added(item(8, quantity=1, price_at_add=price), now=NOON)
    assert refused.value.code == "amount_too_large"
    assert cart.added(item(8, quantity=1, price_at_add=MOST_TOTAL - 25), now=NOON).total == MOST_TOTAL


def test_the_total_is_rounded_once() -> None:
    """The sum is exact, half a cent goes up."""
    assert total_of([item(price_at_add=Decimal("0.0025"), quantity=1), item(8, price_at_add=Decimal("0.00125"))]) == (
        Decimal("0.01")
    )
    assert total_of([]) == Decimal("0.00")
    assert item(price_at_add=Decimal("0.0025"), quantity=3).worth == Decimal("0.0075")


def test_what_is_sold_has_one_number() -> None:
    """The variant's, else the product's."""
    assert (item().sellable_id, item(variation_id=9).sellable_id) == (7, 9)


def test_clearing_leaves_the_address(cart: Cart) -> None:
    """Lines and coupon go."""
    cleared = cart.with_coupon("SPRING", now=NOON).shipped_to({"city": "Köln"}, now=NOON).cleared(now=LATER)

    assert (cleared.items, cleared.total, cleared.coupon_code) == ((), Decimal("0.00"), None)
    assert cleared.shipping_address == {"city": "Köln"}


def test_a_cart_looks_like_what_was_read(cart: Cart) -> None:
    """Same name, items and coupon; then a change asked of the shop may be written."""
    assert cart.looks_like(cart.shipped_to({"city": "Köln"}, now=LATER))
    assert not cart.looks_like(None)
    assert not cart.looks_like(cart.with_coupon("SPRING", now=NOON))
    assert not cart.looks_like(cart.added(item(8), now=NOON))
    assert not cart.looks_like(cart.renewed(now=NOON, keep_items=True))


# --- prices --------------------------------------------------------------------------------


def test_a_higher_price_waits_for_consent(cart: Cart) -> None:
    """The last price that was accepted is kept, however often it rises, until the customer says yes."""
    risen = cart.priced({(7, None): Decimal(15)}, now=LATER).priced({(7, None): Decimal(16)}, now=LATER)

    assert risen.needs_consent
    assert (risen.items[0].price_at_add, risen.items[0].agreed_price) == (Decimal(16), Decimal("12.50"))
    assert risen.total == Decimal("32.00")
    agreed = risen.prices_accepted(now=LATER)
    assert (agreed.needs_consent, agreed.items[0].price_at_add) == (False, Decimal(16))


def test_a_lower_price_needs_no_consent(cart: Cart) -> None:
    """And one that comes back below the accepted one neither."""
    risen = cart.priced({(7, None): Decimal(15)}, now=LATER)

    assert not risen.priced({(7, None): Decimal("12.50")}, now=LATER).needs_consent
    assert not cart.priced({(7, None): Decimal(10)}, now=LATER).needs_consent
    assert cart.priced({}, now=NOON) == cart


@given(cart_items(), st.lists(st.decimals(0, 100, places=2), max_size=6))
def test_the_agreed_price_is_always_below_the_present_one(line: CartItem, prices: list[Decimal]) -> None:
    """Otherwise there is nothing to agree to."""
    accepted = line.price_at_add
    for price in prices:
        line = line.priced(price)
        if line.agreed_price is None:
            accepted = line.price_at_add
        else:
            assert line.agreed_price < line.price_at_add
            assert line.agreed_price == accepted


# --- life ----------------------------------------------------------------------------------


def test_activity_brings_an_abandoned_cart_back(abandoned: Cart) -> None:
    """It keeps when it was abandoned and its reminder slots: one name gets each reminder once."""
    reminded = abandoned.remind(Slot.FIRST, now=LATER)
    back = reminded.added(item(8), now=LATER)

    assert (back.status, back.abandoned_at, back.reminder_1_sent_at) == (CartStatus.ACTIVE, LATER, LATER)
    assert back.name == abandoned.name


@pytest.mark.parametrize("status", ENDED)
def test_an_ended_cart_begins_anew(cart: Cart, status: CartStatus) -> None:
    """Empty, under a name that never was."""
    ended = attrs.evolve(cart, status=status, coupon_code="SPRING", reminder_1_sent_at=NOON)
    begun = ended.touched(now=NOON)

    assert (begun.status, begun.items, begun.coupon_code) == (CartStatus.ACTIVE, (), None)
    assert begun.created_at == NOON + timedelta(seconds=1)
    assert not begun.was_reminded
    assert begun.saga_id != ended.saga_id


@given(carts(), st.lists(moments(), min_size=1, max_size=6), st.booleans())
def test_names_strictly_increase(cart: Cart, times: list[datetime], keep: bool) -> None:  # noqa: FBT001 - drawn
    """Even under a clock that stands, or goes back: a name never returns."""
    for now in times:
        renewed = cart.renewed(now=now, keep_items=keep)
        assert renewed.name > cart.name
        assert renewed.updated_at >= renewed.created_at
        assert renewed.expires_at == renewed.updated_at + LIVES
        cart = renewed


def test_a_failed_placement_keeps_the_lines_under_a_new_name(cart: Cart) -> None:
    """So that a failure is never remembered as the answer to the next try."""
    held = cart.with_coupon("SPRING", now=NOON).shipped_to({"city": "Köln"}, now=NOON)
    renewed = held.renewed(now=LATER, keep_items=True)

    assert (renewed.items, renewed.total, renewed.coupon_code) == (held.items, held.total, "SPRING")
    assert renewed.shipping_address == {"city": "Köln"}
    assert renewed.saga_id == f"order-0-{int(LATER.timestamp())}"


def test_only_a_cart_left_lying_is_abandoned(cart: Cart, empty: Cart, abandoned: Cart) -> None:
    """With lines, active, and idle for an hour; the customer's last activity stays what it was."""
    assert (abandoned.status, abandoned.abandoned_at, abandoned.updated_at) == (CartStatus.ABANDONED, LATER, NOON)
    almost = NOON + IDLE_BEFORE_ABANDONED - timedelta(seconds=1)
    for other, now in ((empty, LATER), (abandoned, LATER), (cart, almost)):
        with pytest.raises(TransitionError):
            other.abandoned(now=now)


def test_a_reminder_is_not_activity(abandoned: Cart) -> None:
    """Only the customer moves `updated_at`; otherwise reminding would put off expiry."""
    reminded = abandoned.remind(Slot.FIRST, now=LATER)

    assert reminded.updated_at == abandoned.updated_at
    assert reminded.was_reminded
    assert not abandoned.was_reminded


def test_slots_fill_in_order_and_once(cart: Cart, abandoned: Cart) -> None:
    """Only of an abandoned cart."""
    first = abandoned.remind(Slot.FIRST, now=LATER)
    for held, slot in (
        (abandoned, Slot.SECOND),
        (abandoned, Slot.THIRD),
        (first, Slot.FIRST),
        (first, Slot.THIRD),
        (cart, Slot.FIRST),
    ):
        with pytest.raises(SlotTakenError):
            held.remind(slot, now=LATER)
    third = first.remind(Slot.SECOND, now=LATER).remind(Slot.THIRD, now=LATER)
    assert third.reminder_3_sent_at == LATER


def test_a_cart_expires_at_its_moment(cart: Cart, abandoned: Cart) -> None:
    """Active or abandoned; the lines stay to be restored, and it ends once."""
    end = NOON + LIVES
    for open_ in (cart, abandoned):
        expired = open_.expired(now=end)
        assert (expired.status, expired.items) == (CartStatus.EXPIRED, cart.items)
        with pytest.raises(TransitionError):
            expired.expired(now=end)
        with pytest.raises(TransitionError):
            open_.expired(now=end - timedelta(seconds=1))
    with pytest.raises(TransitionError):
        attrs.evolve(cart, expires_at=None).expired(now=end)


def test_a_recovery_has_its_revenue_until_its_order_is_taken_back(abandoned: Cart) -> None:
    """As far as the column holds it; taken back, the cart has ended and its lines can be had again."""
    recovered = abandoned.remind(Slot.FIRST, now=LATER).recovered_by(9, Decimal("1e12"), now=LATER)

    assert (recovered.status, recovered.recovered, recovered.recovered_order_id) == (CartStatus.RECOVERED, True, 9)
    assert (recovered.recovered_revenue, recovered.recovered_at) == (MOST_TOTAL, LATER)
    ended = recovered.unrecovered()
    assert (ended.status, ended.recovered, ended.items) == (CartStatus.EXPIRED, False, abandoned.items)
    assert (ended.recovered_order_id, ended.recovered_revenue, ended.recovered_at) == (None, None, None)


# --- everything at once --------------------------------------------------------------------

DRAWN = {
    CartStatus.ACTIVE: set(CartStatus),
    CartStatus.ABANDONED: {CartStatus.ABANDONED, CartStatus.ACTIVE, CartStatus.EXPIRED, CartStatus.RECOVERED},
    CartStatus.RECOVERED: {CartStatus.RECOVERED, CartStatus.ACTIVE},
    CartStatus.EXPIRED: {CartStatus.EXPIRED, CartStatus.ACTIVE},
}
"""The graph of states: from each, where one command may lead."""


class Shopping(RuleBasedStateMachine):
    """The model: a dict from line to quantity and price, and the names that were."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.cart = Cart.opened("1", now=NOON)
        self.lines: dict[tuple[int, int | None], tuple[int, Decimal]] = {}
        self.names = [self.cart.name]

    def _customer(self, changed: Cart) -> None:
        """The customer's next command on an ended cart starts with an empty one."""
        self._stand(changed)
        assert self.cart.status is CartStatus.ACTIVE
        assert self.cart.expires_at == self.cart.updated_at + LIVES

    def _stand(self, changed: Cart) -> None:
        assert changed.status in DRAWN[self.cart.status]
        self.cart = changed
        if changed.name != self.names[-1]:
            self.names.append(changed.name)

    def _before(self) -> dict[tuple[int, int | None], tuple[int, Decimal]]:
        return {} if self.cart.status in ENDED else self.lines

    @rule(line=cart_items(), merge=st.booleans())
    def put(self, line: CartItem, merge: bool) -> None:  # noqa: FBT001 - drawn
        held = self._before()
        quantity = line.quantity + (0 if merge else held.get(line.key, (0, 0))[0])
        change = self.cart.set_to if merge else self.cart.added
        if quantity > MOST_PER_LINE:
            with pytest.raises(CartRefusalError):
                change(line, now=self.now)
            return
        self.lines = {**held, line.key: (quantity, line.price_at_add)}
        self._customer(change(line, now=self.now))

    @precondition(lambda self: self.cart.status not in ENDED and self.lines)
    @rule(data=st.data(), quantity=st.integers(0, MOST_PER_LINE))
    def set_quantity(self, data: st.DataObject, quantity: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.lines, key=str)))
        price = self.lines[key][1]
        self.lines = {k: v for k, v in self.lines.items() if k != key or quantity}
        if quantity:
            self.lines[key] = (quantity, price)
        self._customer(self.cart.with_quantity(*key, quantity, now=self.now))

    @rule()
    def clear(self) -> None:
        self.lines = {}
        self._customer(self.cart.cleared(now=self.now))

    @precondition(lambda self: self.cart.status not in ENDED and self.lines)
    @rule(factor=st.sampled_from([Decimal("0.5"), Decimal(1), Decimal("1.5")]), accept=st.booleans())
    def reprice(self, factor: Decimal, accept: bool) -> None:  # noqa: FBT001 - drawn
        self.lines = {key: (quantity, price * factor) for key, (quantity, price) in self.lines.items()}
        self._customer(self.cart.priced({key: price for key, (_, price) in self.lines.items()}, now=self.now))
        if accept:
            self._customer(self.cart.prices_accepted(now=self.now))

    @rule(seconds=st.sampled_from([0, 1, 3600, 7200, 72 * 3600]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        updated = self.cart.updated_at
        for change in (self.cart.expired, self.cart.abandoned):
            try:
                self._stand(change(now=self.now))
            except TransitionError:
                continue
            break
        assert self.cart.updated_at == updated

    @rule(slot=st.sampled_from(Slot))
    def remind(self, slot: Slot) -> None:
        try:
            self._stand(self.cart.remind(slot, now=self.now))
        except SlotTakenError:
            assert self.cart.status is not CartStatus.ABANDONED or self._slots()[: [*Slot].index(slot) + 1] != (
                [True] * [*Slot].index(slot) + [False]
            )

    @precondition(lambda self: self.cart.status not in ENDED and self.lines)
    @rule(placed=st.booleans())
    def order(self, placed: bool) -> None:  # noqa: FBT001 - drawn
        if not placed:
            self._stand(self.cart.renewed(now=self.now, keep_items=True))
            return
        if self.cart.was_reminded:
            self._stand(self.cart.recovered_by(9, self.cart.total, now=self.now))
        else:
            self._stand(self.cart.renewed(now=self.now))
            self.lines = {}

    def _slots(self) -> list[bool]:
        return [getattr(self.cart, slot) is not None for slot in Slot]

    @invariant()
    def lines_are_those_of_the_model(self) -> None:
        assert {line.key: (line.quantity, line.price_at_add) for line in self.cart.items} == self.lines
        assert len({line.key for line in self.cart.items}) == len(self.cart.items)

    @invariant()
    def the_total_is_the_worth_of_the_lines(self) -> None:
        assert self.cart.total == total_of(self.cart.items) <= MOST_TOTAL

    @invariant()
    def lines_agree_in_currency_and_consent(self) -> None:
        assert len({line.currency for line in self.cart.items}) <= 1
        assert all(line.agreed_price is None or line.agreed_price < line.price_at_add for line in self.cart.items)

    @invariant()
    def names_never_return(self) -> None:
        assert self.names == sorted(set(self.names))

    @invariant()
    def what_was_recovered_says_so(self) -> None:
        told = (self.cart.recovered_order_id, self.cart.recovered_revenue, self.cart.recovered_at)
        assert all((one is not None) == self.cart.recovered for one in told)
        assert self.cart.recovered == (self.cart.status is CartStatus.RECOVERED)

    @invariant()
    def slots_fill_in_order(self) -> None:
        assert self._slots() == sorted(self._slots(), reverse=True)


TestShopping = Shopping.TestCase
