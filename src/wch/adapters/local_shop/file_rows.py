"""One row of a catalogue file: read from what people type, and written so that it reads the same."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import attrs

from wch.adapters.local_shop.catalogue_rows import Fault, ProductRow
from wch.domain.money import Money

COLUMNS = (
    "sku",
    "name",
    "type",
    "parent_sku",
    "price",
    "regular_price",
    "stock",
    "backorders",
    "categories",
    "description",
    "image_urls",
    "url",
    "brand",
    "tax_class",
    "needs_shipping",
    "active",
    "attributes",
)
TYPES = ("simple", "variable", "variant")
_WIDTHS = {"sku": 100, "name": 255, "url": 500, "brand": 100, "tax_class": 40}
_YES = frozenset({"yes", "true", "1", "y"})
_NO = frozenset({"no", "false", "0", "n"})

# A spreadsheet runs what begins so; a quote in front of it, and of what has such a quote already.
_RUNS = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")


@attrs.frozen(kw_only=True)
class ReadFile:
    """The rows of a file, and what is wrong with it."""

    rows: tuple[ProductRow, ...] = ()
    faults: tuple[Fault, ...] = ()


def rows_of(text: bytes, *, units: Callable[[str], int]) -> ReadFile:
    """The rows of a CSV or JSON file; `units` turns a price into smallest units, or raises ValueError."""
    try:
        plain = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        return ReadFile(faults=(Fault(line=line, message="the file is not UTF-8; save it as CSV UTF-8."),))
    try:
        records = list(_json_records(plain) if plain.lstrip()[:1] in ("[", "{") else _csv_records(plain))
    except _UnreadableError as error:
        return ReadFile(faults=(error.fault,))
    rows: list[ProductRow] = []
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for line, record in records:
        try:
            row = _row(line, record, units)
        except _CellError as error:
            faults.extend(Fault(line=line, message=message) for message in error.messages)
            continue
        if row.sku in seen:
            faults.append(Fault(line=line, message=f"sku {row.sku} is in line {seen[row.sku]} already."))
        seen[row.sku] = line
        rows.append(row)
    if not records:
        faults.append(Fault(line=1, message="the file has no products."))
    return ReadFile(rows=tuple(rows), faults=tuple(faults))


class _UnreadableError(Exception):
    """The file as a whole cannot be read."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(line=line, message=message)


class _CellError(Exception):
    """Cells of one row cannot be taken."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__()
        self.messages = messages


def _csv_records(plain: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    header = plain.split("\n", 1)[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.reader(io.StringIO(plain, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    line = 1
    try:
        for cells in reader:
            begins, line = line, reader.line_num + 1
            if not names:
                names = _names([cell.strip().casefold() for cell in cells])
            elif len(cells) > len(names):
                raise _UnreadableError(begins, f"more cells than the {len(names)} columns of the first line.")
            elif any(cell.strip() for cell in cells):
                yield begins, dict(zip(names, (_unquoted(cell) for cell in cells), strict=False))
    except csv.Error as error:
        raise _UnreadableError(line, f"this is no CSV: {error}.") from None


def _json_records(plain: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    try:
        read = json.loads(plain, parse_float=Decimal)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise _UnreadableError(line, "this is no JSON.") from None
    products = read.get("products") if isinstance(read, dict) else read
    if not isinstance(products, list) or not all(isinstance(each, dict) for each in products):
        raise _UnreadableError(1, 'a list of objects is expected, or {"products": [...]}.')
    for number, record in enumerate(products, start=1):
        _names(list(record))
        yield number, record


def _names(names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise _UnreadableError(1, f"unknown column {unknown[0]!r}; there are {', '.join(COLUMNS)}.")
    if "sku" not in names:
        raise _UnreadableError(1, "there is no column sku.")
    if len(set(names)) < len(names):
        raise _UnreadableError(1, "a column is there twice.")
    return names


def _row(line: int, record: Mapping[str, Any], units: Callable[[str], int]) -> ProductRow:
    faults: list[str] = []

    def read(name: str, of: Callable[[Any], Any]) -> None:
        if name in record and name != "sku":
            try:
                columns[name] = of(record[name])
            except ValueError as error:
                faults.append(f"{name}: {error}.")

    columns: dict[str, Any] = {}
    sku = _text(record.get("sku")).strip()
    if not 0 < len(sku) <= _WIDTHS["sku"]:
        faults.append("sku: 1 to 100 characters are needed.")
    for name in ("name", "url", "brand", "tax_class"):
        read(name, partial(_short, width=_WIDTHS[name]))
    read("type", _type)
    read("parent_sku", lambda value: _text(value).strip())
    read("description", _text)
    read("price", lambda value: _price(value, units))
    read("regular_price", lambda value: _price(value, units))
    read("stock", _stock)
    read("backorders", lambda value: _flag(value, default=False))
    read("needs_shipping", lambda value: _flag(value, default=True))
    read("active", lambda value: _flag(value, default=True))
    read("categories", _categories)
    read("image_urls", _addresses)
    read("attributes", _attributes)
    if faults:
        raise _CellError(faults)
    return ProductRow(line=line, sku=sku, columns=columns)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _short(value: Any, *, width: int) -> str:
    text = _text(value).strip()
    if len(text) > width:
        message = f"at most {width} characters"
        raise ValueError(message)
    return text


def _type(value: Any) -> str:
    text = _text(value).strip().casefold() or "simple"
    if text not in TYPES:
        message = f"{text!r} is none of {', '.join(TYPES)}"
        raise ValueError(message)
    return text


def _price(value: Any, units: Callable[[str], int]) -> int | None:
    text = _text(value).strip()
    if not text:
        return None
    if isinstance(value, float) or re.fullmatch(r"[0-9]{1,15}(\.[0-9]+)?", text) is None:
        message = f"{text!r} is no price; write 12.50"
        raise ValueError(message)
    try:
        return units(text)
    except ValueError:
        message = f"{text!r} has more places than the currency"
        raise ValueError(message) from None


def _stock(value: Any) -> int | None:
    text = _text(value).strip()
    if not text:
        return None
    if isinstance(value, bool) or re.fullmatch(r"-?[0-9]{1,15}", text) is None:
        message = f"{text!r} is no whole number; leave it empty when pieces are not counted"
        raise ValueError(message)
    return int(text)


def _flag(value: Any, *, default: bool) -> bool:
    text = _text(value).strip().casefold()
    if not text:
        return default
    if text not in _YES | _NO:
        message = f"{text!r} is neither yes nor no"
        raise ValueError(message)
    return text in _YES


def _categories(value: Any) -> tuple[tuple[str, ...], ...]:
    paths = _split(value, "|") if isinstance(value, str | None) else [_text(path) for path in value]
    found = tuple(
        tuple(name for part in _split(path, ">") if (name := _plain(part).strip())) for path in paths if path.strip()
    )
    if any(len(name) > 150 for path in found for name in path):  # noqa: PLR2004 - the column's width
        message = "a category's name has at most 150 characters"
        raise ValueError(message)
    return tuple(sorted({path for path in found if path}))


def _addresses(value: Any) -> tuple[str, ...]:
    parts = [_plain(part) for part in _split(value, "|")] if isinstance(value, str | None) else list(value)
    addresses = tuple(address for part in parts if (address := _text(part).strip()))
    if any(re.match(r"https?://\S+\Z", address) is None for address in addresses):
        message = "an image's address begins with https://"
        raise ValueError(message)
    return addresses


def _attributes(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {str(name).strip(): str(text).strip() for name, text in value.items()}
    found = {}
    for part in _split(value, "|"):
        if not part.strip():
            continue
        name, *rest = _split(part, "=")
        if not rest or not name.strip():
            message = f"{part!r} is not like Size=M"
            raise ValueError(message)
        found[_plain(name).strip()] = _plain("=".join(rest)).strip()
    return found


def _split(value: Any, border: str) -> list[str]:
    """The parts between borders; a backslash makes a letter of the border behind it, and stays for `_plain`."""
    parts = [""]
    marked = False
    for sign in _text(value):
        if sign == border and not marked:
            parts.append("")
            continue
        parts[-1] += sign
        marked = sign == "\\" and not marked
    return parts


def _plain(part: str) -> str:
    """The part without the backslashes that made letters of borders."""
    return re.sub(r"\\([\\|>=])", r"\1", part)


def _marked(text: str, borders: str) -> str:
    """The text with a backslash before each border in it, and before each backslash."""
    return "".join(f"\\{sign}" if sign in borders or sign == "\\" else sign for sign in text)


def cells_of(row: ProductRow, currency: str) -> dict[str, str]:
    """The row as text, safe to open in a spreadsheet."""
    columns = row.columns

    def price(units: int | None) -> str:
        return "" if units is None else f"{Money.from_minor(units, currency).amount:f}"

    variable = columns["type"] == "variable"
    cells = {
        "sku": row.sku,
        "name": columns["name"],
        "type": columns["type"],
        "parent_sku": columns["parent_sku"],
        "price": "" if variable else price(columns["price"]),
        "regular_price": "" if variable else price(columns["regular_price"]),
        "stock": "" if columns["stock"] is None else str(columns["stock"]),
        "backorders": _yes(columns["backorders"]),
        "categories": "|".join(" > ".join(_marked(name, "|>") for name in path) for path in columns["categories"]),
        "description": columns["description"],
        "image_urls": "|".join(_marked(address, "|") for address in columns["image_urls"]),
        "url": columns["url"],
        "brand": columns["brand"],
        "tax_class": columns["tax_class"],
        "needs_shipping": _yes(columns["needs_shipping"]),
        "active": _yes(columns["active"]),
        "attributes": "|".join(
            f"{_marked(name, '|=')}={_marked(text, '|=')}" for name, text in columns["attributes"].items()
        ),
    }
    return {name: _quoted(cell) for name, cell in cells.items()}


def _yes(flag: bool) -> str:  # noqa: FBT001 - it is what is written
    return "yes" if flag else "no"


def _quoted(cell: str) -> str:
    return f"'{cell}" if _RUNS.match(cell) else cell


def _unquoted(cell: str) -> str:
    return cell[1:] if _QUOTED.match(cell) else cell
