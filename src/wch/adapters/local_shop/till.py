"""One transaction in this shop."""

from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import Connection

from wch.adapters.local_shop.tables import ShopTables
from wch.domain.money import Money


@attrs.frozen(kw_only=True)
class Till:
    """What every piece of work in the shop is done with.

    Attributes:
        connection: of the running transaction.
        tables: the shop's.
        currency: the one it sells in.
        prices_include_tax: whether the prices shown hold the tax.
        country: whose tax counts while no address is known.
        now: the moment of the transaction.
    """

    connection: Connection
    tables: ShopTables
    currency: str
    prices_include_tax: bool
    country: str
    now: datetime

    def money(self, units: int) -> Money:
        """So many smallest units of the shop's currency."""
        return Money.from_minor(units, self.currency)

    def rows(self, statement: Any) -> list[Any]:
        """All rows of a query."""
        return list(self.connection.execute(statement).all())

    def row(self, statement: Any) -> Any:
        """The first row of a query, or None."""
        return self.connection.execute(statement).first()

    def change(self, statement: Any) -> int:
        """How many rows a statement changed."""
        return int(self.connection.execute(statement).rowcount)
