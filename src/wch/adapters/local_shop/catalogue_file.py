"""The catalogue as a file: CSV or JSON in, CSV out; taken whole or not at all."""

import csv
import io
from decimal import Decimal

import attrs

from wch.adapters.local_shop.catalogue_rows import Applied, Fault, apply, every_row
from wch.adapters.local_shop.file_rows import COLUMNS, cells_of, rows_of
from wch.adapters.local_shop.shop import LocalShop
from wch.adapters.local_shop.till import Till
from wch.domain.money import Money

FAULTS_SHOWN = 100


@attrs.frozen(kw_only=True)
class ImportReport:
    """What an import did, or why it did nothing.

    Attributes:
        created: products and variants that are new.
        changed: those of which anything is different.
        unchanged: those that were so before.
        switched_off: those that the file does not have, when it replaces all.
        errors: the first hundred faults; with any, nothing was changed.
        dry_run: nothing was changed, whatever the figures say.
    """

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    switched_off: int = 0
    errors: tuple[Fault, ...] = ()
    dry_run: bool = False


async def import_products(
    shop: LocalShop, text: bytes, *, dry_run: bool = False, replace: bool = False
) -> ImportReport:
    """Bring the shop's products in line with a file, whole or not at all.

    Products are found by `sku`. A column that the file does not have stays as it is; a product
    that it does not have is left alone, or switched off by `replace`. A dry run does the same and
    takes it back.
    """
    currency = shop.facts.currency
    read = rows_of(text, units=lambda price: Money(Decimal(price), currency).minor())
    if read.faults:
        return ImportReport(errors=read.faults[:FAULTS_SHOWN], dry_run=dry_run)

    def work(till: Till) -> Applied:
        applied = apply(till, read.rows, replace=replace)
        if applied.faults or dry_run:
            raise _TakenBackError(applied)
        return applied

    try:
        applied = await shop.work(work, write=True)
    except _TakenBackError as taken_back:
        applied = taken_back.applied
    if applied.faults:
        return ImportReport(errors=applied.faults[:FAULTS_SHOWN], dry_run=dry_run)
    return ImportReport(
        created=applied.created,
        changed=applied.changed,
        unchanged=applied.unchanged,
        switched_off=applied.switched_off,
        dry_run=dry_run,
    )


async def export_products(shop: LocalShop) -> bytes:
    """All products as CSV in UTF-8, parents before their variants; importing it again changes nothing."""
    rows = await shop.work(every_row, write=False)
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(cells_of(row, shop.facts.currency))
    return out.getvalue().encode()


class _TakenBackError(Exception):
    """Nothing of this is to stay."""

    def __init__(self, applied: Applied) -> None:
        super().__init__()
        self.applied = applied
