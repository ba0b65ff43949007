"""Orders and the drafts they are made of."""

from typing import Any

import attrs
import pytest

from wch.domain.address import Address
from wch.domain.money import Money
from wch.domain.order import OrderDraft, OrderStatus
from wch.domain.quote import Buyer, Line

DRAFT = OrderDraft(
    customer=Buyer(phones=("4915112345678",), name="Ada"),
    address=Address(city="Berlin"),
    lines=(Line(product_id=5, quantity=2),),
    payment_method="cod",
    expected_total=Money(40, "EUR"),
)


@pytest.mark.parametrize(
    "change",
    [
        {"customer": Buyer(phones=("1",), name="Ada")},
        {"address": None},
        {"lines": (Line(product_id=5, quantity=3),)},
        {"coupon": "SAVE10"},
        {"shipping": "standard"},
        {"fee": Money(2, "EUR")},
        {"payment_method": "stripe"},
        {"note": "ring twice"},
        {"language": "de"},
        {"expected_total": Money(41, "EUR")},
    ],
)
def test_another_draft_has_another_fingerprint(change: dict[str, Any]) -> None:
    """It tells a repeated call from a key that was used for something else."""
    assert attrs.evolve(DRAFT).fingerprint() == DRAFT.fingerprint()
    assert attrs.evolve(DRAFT, **change).fingerprint() != DRAFT.fingerprint()


def test_an_order_has_at_least_one_line() -> None:
    with pytest.raises(ValueError, match="lines"):
        attrs.evolve(DRAFT, lines=())


def test_some_orders_are_over() -> None:
    assert {status for status in OrderStatus if status.is_over} == {
        OrderStatus.COMPLETED,
        OrderStatus.CANCELLED,
        OrderStatus.REFUNDED,
        OrderStatus.FAILED,
    }
