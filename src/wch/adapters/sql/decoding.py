"""Rows as the driver gives them, made into the aggregates that they are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs
from sqlalchemy import Dialect, Table
from sqlalchemy.types import TypeEngine

from wch.adapters.sql.types import Own, Read, UtcSeconds
from wch.domain.errors import UndecodableError
from wch.domain.evolution import made_of
from wch.domain.moment import utc_seconds

T = TypeVar("T")

Column = tuple[str, Read | None]
"""Its name, and what makes a value of what the driver gives, where something has to."""

Check = tuple[str, Callable[[Any, Any, Any], Any], Any]

NEVER_ABSENT: Mapping[str, Callable[[], Any]] = {
    **dict.fromkeys(("content", "context", "preferences", "args", "metadata", "detail", "value"), lambda: {"v": 1}),
    **dict.fromkeys(("items", "saved_addresses", "tags", "log"), tuple),
}
"""NULL in a column where the aggregate always has a value, as imported rows have it."""

_HOOKS = ("__attrs_pre_init__", "__attrs_post_init__", "__attrs_init__")


class Decoder(Generic[T]):
    """Makes aggregates of the rows of one table.

    An aggregate is filled field by field: its own way to be made asks once more what the type of a
    column has just seen to. What that cannot see to, its class's validators are asked here too.

    Attributes:
        is_filled: whether the class allows that; else every row goes the general way.
    """

    def __init__(self, table: Table, row: Callable[..., T], dialect: Dialect) -> None:
        self._table = table.name
        self._row = row
        self._columns = [(column.name, reader_of(column.type, dialect)) for column in table.c]
        self.is_filled = _is_plain(row, [name for name, _ in self._columns])
        if self.is_filled:
            self._fields_of = _written_out(self._columns)
            self._checks = list(_checks(row, table))

    def read(self, raw: Sequence[Any]) -> T:
        """The aggregate of a whole row.

        Raises:
            UndecodableError: something in it cannot be read.
        """
        if self.is_filled:
            try:
                fields = self._fields_of(*raw)
                made: T = made_of(self._row, fields)  # type: ignore[arg-type]  # a class, if it is filled
                for name, check, field in self._checks:
                    check(made, field, fields[name])
            except Exception:  # noqa: BLE001, S110 - the other way tells what is wrong
                pass
            else:
                return made
        return self.read_by_name(raw)

    def read_by_name(self, raw: Sequence[Any]) -> T:
        """The same in the general way, which knows what is wrong and where."""
        values: dict[str, Any] = {}
        for (name, read), value in zip(self._columns, raw, strict=True):
            try:
                known = value if value is None or read is None else read(value)
            except Exception:  # noqa: BLE001 - whatever is wrong with a stored value, it is one thing
                raise UndecodableError(table=self._table, column=name, row=raw[0]) from None
            values[name] = NEVER_ABSENT[name]() if known is None and name in NEVER_ABSENT else known
        try:
            return self._row(**values)
        except (TypeError, ValueError) as error:
            raise UndecodableError(table=self._table, row=raw[0]) from error


def reader_of(kind: TypeEngine[Any], dialect: Dialect) -> Read | None:
    """What makes a value of what the driver gives for a column of this type; None: nothing has to."""
    if isinstance(kind, Own):
        return kind.reader(dialect)
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _written_out(columns: Sequence[Column]) -> Callable[..., dict[str, Any]]:
    """What makes the fields of an aggregate of the values of a row: the loop of `read_by_name`, written out.

    Each row that is read goes through it; what is the same for all of them is not to be found out for each.
    """
    known: dict[str, Any] = {}
    fields = []
    for place, (name, read) in enumerate(columns):
        value, absent = f"v{place}", "None"
        if read is not None:
            known[f"read{place}"], value = read, f"read{place}({value})"
        if name in NEVER_ABSENT:
            known[f"absent{place}"], absent = NEVER_ABSENT[name], f"absent{place}()"
        fields.append(f"{name!r}: {absent} if v{place} is None else {value}")
    given = ", ".join(f"v{place}" for place in range(len(columns)))
    written_out: Callable[..., dict[str, Any]] = eval(f"lambda {given}: {{{', '.join(fields)}}}", known)  # noqa: S307 - of names of columns alone
    return written_out


def _is_plain(row: Any, names: Sequence[str]) -> bool:
    """Whether to make one of this class is nothing but to set its fields and to ask their validators."""
    if not attrs.has(row) or hasattr(row, "__slots__") or any(hasattr(row, hook) for hook in _HOOKS):
        return False
    fields = attrs.fields(row)
    return {field.name for field in fields} == set(names) and all(
        field.init and field.converter is None for field in fields
    )


def _checks(row: Any, table: Table) -> Iterator[Check]:
    """The validators that say more than the type of the column does, each with its field and that one's name."""
    for field in attrs.fields(row):
        is_seen_to = field.validator is utc_seconds and isinstance(table.c[field.name].type, UtcSeconds)
        if field.validator is not None and not is_seen_to:
            yield field.name, field.validator, field
