"""What a shop cannot do, told with facts."""

from datetime import timedelta

from wch.domain.errors import WchError
from wch.domain.quote import Line, ShortLine
from wch.domain.shop_error import OutOfStockError, ShopRefusedError, ShopUnavailableError

LINE = Line(product_id=5, quantity=2)


def test_errors_carry_facts_and_nothing_personal() -> None:
    assert ShopUnavailableError(timedelta(seconds=5)).retry_after == timedelta(seconds=5)
    assert ShopRefusedError("shipped").code == "shipped"
    assert OutOfStockError([ShortLine(line=LINE, available=1)]).lines[0].available == 1
    assert all(issubclass(error, WchError) for error in (ShopUnavailableError, ShopRefusedError, OutOfStockError))
