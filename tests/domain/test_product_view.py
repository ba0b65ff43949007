"""Looking twice within an hour is looking once."""

from datetime import timedelta

import pytest

from wch.domain.product_view import COUNTED_ONCE_IN, ProductView
from wch.testing import NOON


def test_a_view_covers_its_hour() -> None:
    """To the second."""
    view = ProductView(customer_phone="1", product_id=7, viewed_at=NOON)

    assert view.covers(NOON)
    assert view.covers(NOON + COUNTED_ONCE_IN - timedelta(seconds=1))
    assert not view.covers(NOON + COUNTED_ONCE_IN)


@pytest.mark.parametrize("product_id", [0, -1])
def test_a_product_has_a_number(product_id: int) -> None:
    """Shops count from one."""
    with pytest.raises(ValueError, match="product_id"):
        ProductView(customer_phone="1", product_id=product_id, viewed_at=NOON)
