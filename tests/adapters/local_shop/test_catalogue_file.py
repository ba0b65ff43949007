"""The catalogue as a file: whole or not at all, and the same again after a round trip."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from wch.adapters.local_shop import LocalShop
from wch.adapters.local_shop.catalogue_file import export_products, import_products
from wch.adapters.local_shop.catalogue_rows import ProductRow
from wch.adapters.local_shop.file_rows import COLUMNS, cells_of, rows_of
from wch.domain.catalogue import ChangeKind
from wch.domain.money import Money
from wch.testing.strategies import texts

HEADER = "sku,name,type,parent_sku,price,stock,categories,attributes\n"
LAMP = "L1,Lamp,simple,,20.00,3,Home > Lamps,\n"


async def _cursor(shop: LocalShop) -> str:
    cursor = None
    while True:
        page = await shop.changed_since(cursor=cursor)
        cursor = page.cursor
        if not page.items:
            return cursor


async def test_exporting_and_importing_changes_nothing(shop: LocalShop) -> None:
    """A shop's owner opens the file in a spreadsheet, looks, and saves it: no row moves, nobody is told."""
    cursor = await _cursor(shop)
    before = await export_products(shop)
    report = await import_products(shop, before)

    assert (report.created, report.changed, report.unchanged, report.errors) == (0, 0, 18, ())
    assert await export_products(shop) == before
    assert (await shop.changed_since(cursor=cursor)).items == ()


async def test_bad_lines_are_numbered_and_nothing_changes(shop: LocalShop) -> None:
    """Three bad lines of five hundred: the other 497 wait until they are mended."""
    lines = [f"P{n},Product {n},simple,,1.00,5,,\n" for n in range(2, 502)]
    lines[10] = "P12,Product 12,simple,,1.005,5,,\n"
    lines[99] = "P101,,simple,,1.00,five,,\n"
    lines[498] = "P500,Variant,variant,NONE,1.00,5,,Size=M\n"
    before = await export_products(shop)
    report = await import_products(shop, (HEADER + "".join(lines)).encode())

    assert [fault.line for fault in report.errors] == [12, 101]
    assert "places" in report.errors[0].message
    assert await export_products(shop) == before
    lines[10], lines[99] = "P12,Product 12,simple,,1.00,5,,\n", "P101,,simple,,1.00,5,,\n"
    report = await import_products(shop, (HEADER + "".join(lines)).encode())
    assert [(fault.line, fault.message) for fault in report.errors] == [
        (101, "name: a name is needed."),
        (500, "parent_sku: there is no product NONE."),
    ]
    assert await export_products(shop) == before


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "no products"),
        ("name\nLamp\n", 1, "no column sku"),
        ("sku,price,colour\n", 1, "unknown column 'colour'"),
        ("sku,sku\n", 1, "twice"),
        ("sku,name,price\n", 1, "no products"),
        ("sku,name,price\nA,Lamp,1,2\n", 2, "more cells"),
        ('sku,name,price\nA,"Lamp\n', 2, "no CSV"),
        ("sku,name,price\nA,Lamp,1\nA,Lamp,1\n", 3, "line 2 already"),
        ("sku,name,price\n,Lamp,1\n", 2, "sku: 1 to 100"),
        ("sku,name,price\nA,Lamp,\n", 2, "price is needed"),
        ("sku,name,price\nA,Lamp,-1\n", 2, "no price"),
        ('sku,name,price\nA,Lamp,"1,50"\n', 2, "write 12.50"),
        ("sku,name,price,regular_price\nA,Lamp,2,1\n", 2, "below the price"),
        ("sku,name,price,stock\nA,Lamp,2,1.5\n", 2, "no whole number"),
        ("sku,name,price,active\nA,Lamp,2,perhaps\n", 2, "neither yes nor no"),
        ("sku,name,price,type\nA,Lamp,2,bundle\n", 2, "is none of"),
        ("sku,name,price,image_urls\nA,Lamp,2,lamp.png\n", 2, "https://"),
        ("sku,name,price,attributes\nA,Lamp,2,Red\n", 2, "Size=M"),
        (f"sku,name,price\nA,{'x' * 256},2\n", 2, "at most 255"),
        (f"sku,name,price,categories\nA,Lamp,2,{'x' * 151}\n", 2, "at most 150"),
        ("sku,name,price,type,parent_sku\nA,Lamp,2,variant,\n", 2, "needs the sku"),
        ("sku,name,price,type,parent_sku\nA,Lamp,2,variant,MUG\n", 2, "not variable"),
        ("sku,name,price,type,parent_sku\nA,Lamp,2,variant,SHIRT\n", 2, "differs in"),
        ("sku,name,price,type,parent_sku\nA,Lamp,2,simple,SHIRT\n", 2, "has none"),
        ('[{"sku": "A", "name": "Lamp", "price": 2},]', 1, "no JSON"),
        ('{"sku": "A"}', 1, "list of objects"),
        ('[{"sku": "A", "colour": "red"}]', 1, "unknown column"),
        ('[{"sku": "A", "name": "Lamp", "price": true}]', 1, "no price"),
    ],
)
async def test_what_cannot_be_read_is_said_with_its_line(shop: LocalShop, text: str, line: int, words: str) -> None:
    """Whoever typed it learns where, what, and how it is written."""
    report = await import_products(shop, text.encode())

    assert report.errors[0].line == line
    assert words in report.errors[0].message
    assert len((await export_products(shop)).splitlines()) == 19


async def test_a_file_of_another_encoding_is_refused(shop: LocalShop) -> None:
    report = await import_products(shop, "sku,name,price\nA,Lamp,1\nB,Lámpara,1\n".encode("latin-1"))

    assert (report.errors[0].line, "UTF-8" in report.errors[0].message) == (3, True)


async def test_at_most_a_hundred_faults_are_listed(shop: LocalShop) -> None:
    report = await import_products(shop, ("sku,name,price\n" + "A,Lamp,\n" * 300).encode())

    assert len(report.errors) == 100


@pytest.mark.parametrize("form", ["csv", "semicolons and a mark", "json", "json object"])
async def test_every_form_says_the_same(shop: LocalShop, form: str) -> None:
    """Spreadsheets of half the world write semicolons; services send JSON with numbers as numbers."""
    product: dict[str, Any] = {"sku": "L1", "name": "Lamp", "price": 20.10, "stock": 3, "categories": "Home > Lamps"}
    text = {
        "csv": "sku,name,price,stock,categories\nL1,Lamp,20.10,3,Home > Lamps\n",
        "semicolons and a mark": "\ufeffSKU;Name;price;stock;categories\r\nL1;Lamp;20.10;3;Home > Lamps\r\n",
        "json": json.dumps([{**product, "categories": ["Home > Lamps"]}]),
        "json object": json.dumps({"products": [product]}),
    }[form]
    report = await import_products(shop, text.encode())

    assert (report.created, report.errors) == (1, ())
    product_id = (await shop.resolve(retailer_ids=["L1"]))["L1"].product_id
    found = await shop.product(product_id=product_id)
    assert (found.price, found.stock) == (Money.from_minor(2010, "USD"), 3)
    assert [category.name for category in found.categories] == ["Lamps"]


async def test_a_dry_run_says_what_would_be_and_changes_nothing(shop: LocalShop) -> None:
    """It runs the same code in the same transaction, and takes it back."""
    text = (HEADER + LAMP).encode()
    before = await export_products(shop)
    dry = await import_products(shop, text, dry_run=True, replace=True)

    assert (dry.created, dry.switched_off, dry.dry_run) == (1, 18, True)
    assert await export_products(shop) == before


async def test_replacing_switches_off_what_the_file_does_not_have(shop: LocalShop) -> None:
    """Nothing is deleted: orders still name it, and it can be switched on again."""
    await import_products(shop, (HEADER + LAMP).encode())
    assert len((await shop.search(limit=30)).items) == 13
    report = await import_products(shop, (HEADER + LAMP).encode(), replace=True)

    assert (report.unchanged, report.switched_off) == (1, 18)
    assert [card.name for card in (await shop.search(limit=30)).items] == ["Lamp"]
    again = await import_products(shop, (HEADER + LAMP).encode(), replace=True)
    assert (again.unchanged, again.switched_off) == (1, 0)


async def test_only_what_the_file_says_is_changed(shop: LocalShop) -> None:
    """A price list of two columns leaves stock, texts and categories alone, and the feed names just these."""
    cursor = await _cursor(shop)
    before = await shop.product(product_id=5)
    report = await import_products(shop, b"sku,price\nLAMP-BLUE,19.00\nMUG,9.50\n")
    after = await shop.product(product_id=5)

    assert (report.changed, report.unchanged) == (1, 1)
    assert (after.price, after.regular_price) == (Money(19, "USD"), Money(20, "USD"))
    assert (after.stock, after.categories, after.description) == (before.stock, before.categories, before.description)
    assert [(change.kind, change.id) for change in (await shop.changed_since(cursor=cursor)).items] == [
        (ChangeKind.PRODUCT, 5)
    ]


async def test_a_price_above_the_regular_one_is_the_regular_one(shop: LocalShop) -> None:
    """A sale that ended by raising the price leaves no old price below the new."""
    await import_products(shop, b"sku,price\nLAMP-DESK,40.00\n")
    lamp = await shop.product(product_id=4)

    assert (lamp.price, lamp.regular_price) == (Money(40, "USD"), Money(40, "USD"))


async def test_a_product_moves_between_categories(shop: LocalShop) -> None:
    """A category that nobody is in is not shown; a path is made where it is missing."""
    await import_products(shop, b"sku,categories\nMUG,Gifts|Home > Table > Cups\nBOWL,Gifts\nTOWEL,\n")
    tops = {category.name: category for category in (await shop.categories()).items}
    tables = (await shop.categories(parent_id=tops["Home"].id)).items

    assert {name: category.count for name, category in tops.items()} == {"Clothing": 3, "Gifts": 5, "Home": 5}
    assert [(category.name, category.count) for category in tables] == [("Lamps", 3), ("Table", 1)]


async def test_a_new_variant_is_found_by_what_it_is(shop: LocalShop) -> None:
    """Searching its colour finds the product; its size stands behind the sizes that were there."""
    await import_products(
        shop, b"sku,type,parent_sku,price,stock,attributes\nSHIRT-XL,variant,SHIRT,19.00,2,Size=XL|Colour=Emerald\n"
    )
    (found,) = (await shop.search(text="emerald shirts")).items
    product = await shop.product(product_id=found.id)

    assert product.attributes[0].options == ("S", "M", "L", "XL")
    assert found.stock == 35


def _written(cells: dict[str, str]) -> bytes:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    return (",".join(cells) + "\r\n" + ",".join(quoted(cell) for cell in cells.values()) + "\r\n").encode()


plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
names = plain.map(str.strip).filter(bool)


@given(
    name=names,
    description=plain,
    categories=st.sets(st.lists(names, min_size=1, max_size=3).map(tuple), max_size=3),
    attributes=st.dictionaries(names, plain.map(str.strip), max_size=3),
)
def test_any_text_survives_the_file(
    name: str, description: str, categories: set[tuple[str, ...]], attributes: dict[str, str]
) -> None:
    """Borders, quotes, line ends and backslashes in a name are its letters."""
    columns: dict[str, Any] = {
        "name": name,
        "type": "simple",
        "parent_sku": "",
        "price": 150,
        "regular_price": 150,
        "stock": -2,
        "backorders": True,
        "categories": tuple(sorted(categories)),
        "description": description,
        "image_urls": ("https://example.org/a|b.png",),
        "url": "",
        "brand": "",
        "tax_class": "",
        "needs_shipping": False,
        "active": True,
        "attributes": attributes,
    }
    row = ProductRow(line=2, sku="A", columns=columns)
    read = rows_of(_written(cells_of(row, "EUR")), units=lambda price: round(float(price) * 100))

    assert read.faults == ()
    assert read.rows == (row,)


@given(texts(20))
def test_a_spreadsheet_runs_nothing_of_it(text: str) -> None:
    """A cell that begins like a formula gets a quote in front, and loses it again when it is read."""
    columns: dict[str, Any] = {
        **dict.fromkeys(COLUMNS, ""),
        "description": text,
        "price": 1,
        "regular_price": 1,
        "stock": None,
        "categories": (),
        "image_urls": (),
        "attributes": {},
        **dict.fromkeys(("backorders", "needs_shipping", "active"), True),
    }
    cells = cells_of(ProductRow(line=2, sku="A", columns=columns), "EUR")

    assert cells["description"][:1] not in {"=", "+", "-", "@", "\t", "\r"}
    assert cells["stock"] == ""


async def test_ten_thousand_rows_are_one_transaction(shop: LocalShop) -> None:
    """The figures add up, and every row is there."""
    lines = "".join(f"P{n},Product {n},simple,,{n % 90}.50,5,Big > C{n % 20},\n" for n in range(10_000))
    report = await import_products(shop, (HEADER + lines).encode())
    table = (await shop.work(lambda till: till, write=False)).tables.products
    count = await shop.work(lambda till: till.connection.scalar(select(func.count()).select_from(table)), write=False)

    assert (report.created, count) == (10_000, 10_018)
