"""The money of a placement: a payment counts once, and no more goes back than came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.errors import NotFoundError
from wch.domain.ledger import Ledger, RefundRefusalError, RefundWord
from wch.domain.moment import of_unix
from wch.domain.money import Money

AT = of_unix(1_790_000_000)


def euros(cents: int, currency: str = "EUR") -> Money:
    return Money.from_minor(cents, currency)


def paid(*ids: str, cents: int = 1_000) -> Ledger:
    ledger = Ledger(due=euros(cents))
    for one in ids:
        ledger = ledger.with_capture(gateway="stripe", payment_id=one, reference="r", amount=euros(cents), at=AT)
    return ledger


def test_one_payment_counts_once_whatever_tells_of_it() -> None:
    assert paid("p", "p") == paid("p")
    assert paid("p", "p").is_lawful
    assert len(paid("p", "q").captured) == 2


def test_what_is_left_is_asked_of_payments_that_came() -> None:
    with pytest.raises(NotFoundError):
        paid("p").left("q")


def test_each_payment_gives_back_its_own() -> None:
    ledger, _ = paid("p", "q").with_refund("1", euros(700), payment_id="p")

    assert (ledger.left("p"), ledger.left("q")) == (euros(300), euros(1_000))
    assert ledger.back_with(1) == euros(700)


@pytest.mark.parametrize(
    ("amount", "payment_id", "code"),
    [
        (euros(301), "p", "too_much"),
        (euros(301), None, "too_much"),
        (euros(1, "USD"), "p", "currency"),
        (euros(0), "p", "not_positive"),
        (euros(-1), "p", "not_positive"),
    ],
)
def test_what_cannot_go_back_is_refused(amount: Money, payment_id: str | None, code: str) -> None:
    ledger, _ = paid("p").with_refund("1", euros(700), payment_id=payment_id)
    with pytest.raises(RefundRefusalError) as refused:
        ledger.with_refund("2", amount, payment_id=payment_id)

    assert refused.value.code == code


def test_a_refund_that_failed_leaves_its_money_to_the_next() -> None:
    ledger, first = paid("p").with_refund("1", euros(1_000), payment_id="p")
    ledger = ledger.moved(first.n, RefundWord.FAILED, now=AT)
    ledger, second = ledger.with_refund("2", euros(1_000), payment_id="p")

    assert (second.n, ledger.left("p"), ledger.back_with(2)) == (2, euros(0), euros(1_000))


@given(wishes=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-5, 900), st.booleans()), max_size=12))
def test_whatever_is_asked_no_more_goes_back_than_came(wishes: list[tuple[str, int, bool]]) -> None:
    """Keys that come again, sums that are too much, refunds that fail: the law holds, and JSON keeps all of it."""
    ledger = paid("p")
    for key, cents, fails in wishes:
        try:
            ledger, entry = ledger.with_refund(key, euros(cents), payment_id="p")
        except RefundRefusalError:
            continue
        ledger = ledger.moved(entry.n, RefundWord.FAILED, now=AT) if fails else ledger

    assert ledger.is_lawful
    assert ledger.left("p").amount >= 0
    assert Ledger.of(ledger.into({"money": {}})) == ledger
