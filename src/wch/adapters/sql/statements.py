"""What is asked of a table again and again: built once, and where many rows go at once given to the driver as text.

Building costs more than the engine's answer; so does SQLAlchemy's way from values to a
cursor, when it is gone once for each row.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import Any
from weakref import ref

from sqlalchemy import Dialect, Table, and_, bindparam, select, update
from sqlalchemy.sql.elements import ColumnElement

from wch.adapters.sql.decoding import Decoder, reader_of
from wch.adapters.sql.types import MYSQL, Own, Write, letter_by_letter

Text = tuple[str, tuple[str, ...]]
"""SQL in the driver's style, and the names of its values in order."""

_NAMED = re.compile(r"%\((\w+)\)s")

MOST_ASKED = 512
"""Up to so many values one select may ask for; every engine takes as many."""

_COMPARED = frozenset({str, int, bool, datetime, Decimal})
"""What is compared before it is written again; of two objects of JSON nobody knows whether they are written alike."""


def values_at(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads these attributes of an object, all at once."""
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda one: (only(one),)
    return attrgetter(*names)


class Statements:
    """The statements of one table, and the way of its values to and from each driver.

    Attributes:
        names: its columns.
        are_numbered: whether the engine gives its rows a number, which is their first column.
        given: those that a new row brings: all but the number that the engine gives it.
        others: those beside the key.
        by_key: of a row's values in order the others, then the key, as an update asks for them.
        fits: what each value must fit into.
    """

    def __init__(self, table: Table, key: tuple[str, ...]) -> None:
        self.table = table
        self.key = key
        self.names = tuple(column.name for column in table.c)
        self.are_numbered = key == ("id",)
        self.given = self.names[1:] if self.are_numbered else self.names
        self.others = tuple(name for name in self.names if name not in key)
        self.by_key = itemgetter(*(self.names.index(name) for name in (*self.others, *key)))
        self.key_of = values_at(key)
        self._spoken: dict[str, Spoken] = {}
        self.fits = {column.name: fit for column in table.c if (fit := getattr(column.type, "fit", None)) is not None}

    @classmethod
    def of(cls, table: Table, key: tuple[str, ...]) -> "Statements":
        """The table's own; they live as long as it does."""
        known = table.info.get("statements")
        if not isinstance(known, cls):
            known = table.info["statements"] = cls(table, key)
        return known

    def spoken(self, dialect: Dialect) -> "Spoken":
        """The same as texts of this dialect."""
        known = self._spoken.get(dialect.name)
        if known is None:
            known = self._spoken[dialect.name] = Spoken(self, dialect)
        return known


class Spoken:
    """A table's statements as texts of one dialect, with what each column's values become on the way.

    Rows are of classes made with `slots=False`: a look into their fields is the shortest way to all of them.

    Attributes:
        table: whose they are.
        statements: the same for every dialect.
        readers: by column what makes a value of what the driver gives, where something has to.
        asks_a_server: whether each statement goes over a network, so that one for all rows is worth its making.
        tells_what_it_adds: whether an insert can answer with columns of its rows.
    """

    def __init__(self, statements: Statements, dialect: Dialect) -> None:
        self.statements = statements
        self.table = statements.table
        self._dialect = dialect
        self.asks_a_server = dialect.name in MYSQL
        self.tells_what_it_adds = self.asks_a_server and dialect.insert_returning
        self._mark = "%s" if self.asks_a_server else "?"
        self._texts: dict[Any, Text] = {}
        self._decoders: dict[Any, Decoder[Any]] = {}
        self.readers = {column.name: reader_of(column.type, dialect) for column in self.table.c}
        self._writers = {
            column.name: column.type.writer(dialect, column.name) if isinstance(column.type, Own) else None
            for column in self.table.c
        }
        self._values_of = _written_out(self._writers)
        self._others = [(name, self._writers[name]) for name in statements.others]
        self._remembered: dict[int, tuple[ref[Any], Mapping[str, Any]]] = {}

    def decoder(self, row: Callable[..., Any]) -> Decoder[Any]:
        """What makes aggregates of this class of the table's rows."""
        known = self._decoders.get(row)
        if known is None:
            known = self._decoders[row] = Decoder(self.table, row, self._dialect)
        return known

    def whole(self, row: Any) -> list[Any]:
        """All values of a row in the order of the columns, as the driver takes them.

        Raises:
            StoreMisusedError: one does not fit into its column.
        """
        return self._values_of(row.__dict__)

    def changed(self, before: Any, after: Any) -> dict[str, Any]:
        """The values beside the key that are not as they were, as the driver takes them; all where nobody knows how they were.

        Raises:
            StoreMisusedError: one does not fit into its column.
        """
        values = after.__dict__
        if before is None:
            return self.written({name: values[name] for name, _ in self._others})
        stood, found = before.__dict__, {}
        for name, write in self._others:
            value, was = values[name], stood[name]
            if was is value or (was.__class__ is value.__class__ and value.__class__ in _COMPARED and was == value):
                continue
            found[name] = value if value is None or write is None else write(value)
        return found

    def written(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """These values as the driver takes them.

        Raises:
            StoreMisusedError: one does not fit into its column.
        """
        writers = self._writers
        return {
            name: value if value is None or (write := writers[name]) is None else write(value)
            for name, value in values.items()
        }

    def remember(self, row: Any, written: Mapping[str, Any]) -> None:
        """Keep what a whole row is written as, for as long as somebody has the row."""
        number, kept = id(row), self._remembered
        kept[number] = ref(row, lambda _gone: kept.pop(number, None)), written

    def remembered(self, row: Any) -> Mapping[str, Any] | None:
        """What was remembered of this very row."""
        known = self._remembered.get(id(row))
        return known[1] if known is not None and known[0]() is row else None

    def asked(self, columns: Sequence[str], values: Sequence[Any]) -> tuple[Any, ...]:
        """What these columns are compared with, as the driver takes it; any other name's value goes as it is.

        Raises:
            StoreMisusedError: one does not fit into its column.
        """
        writers = self._writers
        return tuple(
            [
                value if value is None or (write := writers.get(name)) is None else write(value)
                for name, value in zip(columns, values, strict=True)
            ]
        )

    def row_by(self, columns: tuple[str, ...], *, lock: bool = False, skip: bool = False) -> str:
        """The whole row that has these values in these columns, in their order."""

        def build() -> Any:
            statement = select(self.table).where(self._fits(columns))
            return statement.with_for_update(skip_locked=skip) if lock else statement

        return self._text(("row by", columns, lock, skip), build)[0]

    def select(self, name: str, build: Callable[[], Any]) -> Text:
        """A select that is always the same; each of its parameters has the name of the column that it is compared with."""
        return self._text(("select", name), build)

    def fenced(
        self,
        names: tuple[str, ...],
        fence: tuple[str, ...],
        *,
        first: bool,
        also: Mapping[str, ColumnElement[Any]] | None = None,
    ) -> Text:
        """The update of these columns of the row that still has these values.

        Args:
            names: what is changed.
            fence: what it is found by; the last of them has no value yet when it is the `first` time.
            first: whether it is.
            also: columns that the engine itself changes, and how; always the same for one column.
        """

        def build() -> Any:
            *known, stamp = fence
            at = self.table.c[stamp].is_(None) if first else self._fits((stamp,))
            changed = {name: bindparam(f"new_{name}", type_=self.table.c[name].type) for name in names}
            return update(self.table).where(self._fits(known), at).values({**changed, **(also or {})})

        return self._text(("fenced", names, fence, first, *(also or ())), build)

    def _fits(self, columns: Sequence[str]) -> ColumnElement[bool]:
        return and_(
            *(
                letter_by_letter(self.table.c[name], self._dialect)
                == bindparam(f"key_{name}", type_=self.table.c[name].type)
                for name in columns
            )
        )

    def among(
        self, columns: Sequence[str], by: str, values: Sequence[Any], *, lock: bool = False
    ) -> tuple[str, Sequence[Any]]:
        """The select of some columns or all of the rows that have one of these values in one, in its order; and its values."""
        size = 1 << (len(values) - 1).bit_length()
        text, _ = self._text(("among", *columns, by, size, lock), lambda: self._among(columns, by, size, lock=lock))
        write = self._writers[by]
        asked = list(values) if write is None else [write(value) for value in values]
        asked += asked[-1:] * (size - len(asked))
        return text, asked

    def _among(self, columns: Sequence[str], by: str, size: int, *, lock: bool) -> Any:
        column = self.table.c[by]
        wanted = column.in_([bindparam(f"w{place}", type_=column.type) for place in range(size)])
        statement = select(*(self.table.c[name] for name in columns)) if columns else select(self.table)
        statement = statement.where(wanted).order_by(column)
        return statement.with_for_update() if lock else statement

    def change(self, names: Sequence[str]) -> str:
        """The update of these columns of the row of a key, which comes last."""

        def build() -> str:
            quote = self._dialect.identifier_preparer
            changed = ", ".join(f"{quote.quote(name)} = {self._mark}" for name in names)
            fits = " AND ".join(f"{quote.quote(name)} = {self._mark}" for name in self.statements.key)
            return f"UPDATE {quote.format_table(self.table)} SET {changed} WHERE {fits}"  # noqa: S608 - names of columns and marks

        return self._written_out(("change", *names), build)

    def counting(self, column: str) -> str:
        """The insert of a whole row that adds its value in this column to the row of the same key, if there is one."""

        def build() -> str:
            quote = self._dialect.identifier_preparer
            own, counted = quote.format_table(self.table), quote.quote(column)
            values = ", ".join([self._mark] * len(self.statements.names))
            keys = ", ".join(map(quote.quote, self.statements.key))
            taken, new = f"ON CONFLICT ({keys}) DO UPDATE SET", f"excluded.{counted}"
            if self.asks_a_server:
                taken, new = "ON DUPLICATE KEY UPDATE", f"VALUES({counted})"
            return f"INSERT INTO {own} VALUES ({values}) {taken} {counted} = {own}.{counted} + {new}"  # noqa: S608 - as above

        return self._written_out(("counting", column), build)

    def change_all(self, names: tuple[str, ...], count: int) -> str:
        """The update of these columns of so many rows at once: joined with a table of what they become, their keys last."""

        def build() -> str:
            quote = self._dialect.identifier_preparer
            own = quote.format_table(self.table)
            changed, keys = list(map(quote.quote, names)), list(map(quote.quote, self.statements.key))
            columns = [*changed, *keys]
            first = ", ".join(f"%s AS {name}" for name in columns)
            others = ", ".join(["%s"] * len(columns))
            rows = " UNION ALL SELECT ".join([first, *[others] * (count - 1)])
            fits = " AND ".join(f"{own}.{name} = changed.{name}" for name in keys)
            return (
                f"UPDATE {own} JOIN (SELECT {rows}) AS changed ON {fits} "  # noqa: S608 - names of columns and marks
                f"SET {', '.join(f'{own}.{name} = changed.{name}' for name in changed)}"
            )

        return self._written_out(("change all", *names, count), build)

    def add_all(self, names: Sequence[str], count: int = 1, *, leave: str = "", tells: Sequence[str] = ()) -> str:
        """The insert of a row or of so many at once.

        Args:
            names: their columns.
            count: how many.
            leave: a column of a unique key: a row whose key is taken is left as it is; else it fails.
            tells: what it answers of each row, where the engine can.
        """

        def build() -> str:
            quote = self._dialect.identifier_preparer
            columns = ", ".join(quote.quote(name) for name in names)
            rows = ", ".join([f"({', '.join([self._mark] * len(names))})"] * count)
            told = ", ".join(quote.quote(name) for name in tells) if self.tells_what_it_adds else ""
            left = f" ON DUPLICATE KEY UPDATE {quote.quote(leave)} = {quote.quote(leave)}" if leave else ""
            return f"INSERT INTO {quote.format_table(self.table)} ({columns}) VALUES {rows}{left}{f' RETURNING {told}' if told else ''}"  # noqa: S608 - as above

        return self._written_out(("add all", *names, count, leave, *tells), build)

    @property
    def next_id(self) -> str:
        """What the next row's id will be, for whoever holds the whole file; an id that was given never comes again."""

        def build() -> str:
            own = self._dialect.identifier_preparer.format_table(self.table)
            return (
                "SELECT 1 + max(ifnull((SELECT max(id) FROM "  # noqa: S608 - as above
                f"{own}), 0), ifnull((SELECT seq FROM sqlite_sequence WHERE name = '{self.table.name}'), 0))"
            )

        return self._written_out(("next id",), build)

    def _written_out(self, name: Any, build: Callable[[], str]) -> str:
        known = self._texts.get(name)
        if known is None:
            known = self._texts[name] = build(), ()
        return known[0]

    def _text(self, name: Any, build: Callable[[], Any]) -> Text:
        known = self._texts.get(name)
        if known is None:
            compiled = build().compile(dialect=self._dialect)
            # A driver that wants names is given places all the same: rows are written as tuples.
            order = compiled.positiontup or _NAMED.findall(str(compiled))
            known = self._texts[name] = _NAMED.sub("%s", str(compiled)), tuple(order)
        return known


def _written_out(writers: Mapping[str, Write | None]) -> Callable[[Mapping[str, Any]], list[Any]]:
    """What makes the values of a row, in order, of its fields: a loop over all columns, written out once for each table."""
    known: dict[str, Any] = {}
    values = []
    for place, (name, write) in enumerate(writers.items()):
        if write is None:
            values.append(f"fields[{name!r}]")
        else:
            known[f"write{place}"] = write
            values.append(f"None if (value := fields[{name!r}]) is None else write{place}(value)")
    written_out: Callable[[Mapping[str, Any]], list[Any]] = eval(f"lambda fields: [{', '.join(values)}]", known)  # noqa: S307 - of names of columns alone
    return written_out
