"""What is asked of a table again and again: built once, and where many rows go at once given to the driver as text.

Building costs more than the engine's answer; so does SQLAlchemy's way from values to a
cursor, when it is gone once for each row.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Dialect, Table, and_, bindparam, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from wch.adapters.sql.types import MYSQL, Json, MoneyColumn, letter_by_letter

Read = Callable[[Any], Any]
Text = tuple[str, tuple[str, ...]]
"""SQL in the driver's style, and the names of its values in order."""

_NAMED = re.compile(r"%\((\w+)\)s")

MOST_ASKED = 512
"""Up to so many values one select may ask for; every engine takes as many."""


def values_at(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads these attributes of an object, all at once."""
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda one: (only(one),)
    return attrgetter(*names)


class Statements:
    """The statements of one table, and the way of its values to and from each driver."""

    def __init__(self, table: Table, key: tuple[str, ...]) -> None:
        self.table = table
        self.key = key
        self.names = tuple(column.name for column in table.c)
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

    Attributes:
        asks_a_server: whether each statement goes over a network, so that one for all rows is worth its making.
        tells_what_it_adds: whether an insert can answer with columns of its rows.
        readers: of each column in order its name and what makes a value of the driver's; None: nothing has to.
    """

    def __init__(self, statements: Statements, dialect: Dialect) -> None:
        self._statements = statements
        self._table = statements.table
        self._dialect = dialect
        self.asks_a_server = dialect.name in MYSQL
        self.tells_what_it_adds = self.asks_a_server and dialect.insert_returning
        self._texts: dict[Any, Text] = {}
        self.readers = tuple((column.name, self._reader(column.type)) for column in self._table.c)
        self._writers = {column.name: self._writer(column.name, column.type) for column in self._table.c}

    def _reader(self, kind: Any) -> Read | None:
        own = getattr(kind, "reader", None)
        if own is not None and (short := own(self._dialect)) is not None:
            return short  # type: ignore[no-any-return]  # of our own types
        known: Read | None = kind.dialect_impl(self._dialect).result_processor(self._dialect, None)
        return known

    def _writer(self, name: str, kind: Any) -> Callable[[Any], Any] | None:
        """What makes the driver's value; a value that does not fit its column is refused by the column's name."""
        fit, bind, dialect = getattr(kind, "fit", None), getattr(kind, "process_bind_param", None), self._dialect
        own = getattr(kind, "writer", None)
        if own is not None and (short := own(dialect)) is not None:
            return short  # type: ignore[no-any-return]  # of our own types
        if bind is None:
            return None
        if fit is None:
            return lambda value: bind(value, dialect)
        if isinstance(kind, MoneyColumn):
            return lambda value: bind(fit(value, name), dialect)
        known = kind.text_of if isinstance(kind, Json) else fit
        return lambda value: known(value, name)

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
            statement = select(self._table).where(self._fits(columns))
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
            at = self._table.c[stamp].is_(None) if first else self._fits((stamp,))
            changed = {name: bindparam(f"new_{name}", type_=self._table.c[name].type) for name in names}
            return update(self._table).where(self._fits(known), at).values({**changed, **(also or {})})

        return self._text(("fenced", names, fence, first, *(also or ())), build)

    def _fits(self, columns: Sequence[str]) -> ColumnElement[bool]:
        return and_(
            *(
                letter_by_letter(self._table.c[name], self._dialect)
                == bindparam(f"key_{name}", type_=self._table.c[name].type)
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
        column = self._table.c[by]
        wanted = column.in_([bindparam(f"w{place}", type_=column.type) for place in range(size)])
        statement = select(*(self._table.c[name] for name in columns)) if columns else select(self._table)
        statement = statement.where(wanted).order_by(column)
        return statement.with_for_update() if lock else statement

    def change(self, names: tuple[str, ...]) -> Text:
        """The update of these columns of the row of a key."""

        def build() -> Any:
            changed: dict[str, ColumnElement[Any]] = {
                name: bindparam(f"new_{name}", type_=self._table.c[name].type) for name in names
            }
            return update(self._table).where(self._fits(self._statements.key)).values(changed)

        return self._text(("change", *names), build)

    def add(self, names: tuple[str, ...]) -> Text:
        """The insert of a row with these columns."""
        return self._text(
            ("add", *names),
            lambda: insert(self._table).values(
                {name: bindparam(f"new_{name}", type_=self._table.c[name].type) for name in names}
            ),
        )

    def counting(self, column: str) -> str:
        """The insert of a whole row that adds its value in this column to the row of the same key, if there is one."""

        def build() -> str:
            quote = self._dialect.identifier_preparer
            own, counted = quote.format_table(self._table), quote.quote(column)
            mark = "%s" if self.asks_a_server else "?"
            values = ", ".join([mark] * len(self._statements.names))
            keys = ", ".join(map(quote.quote, self._statements.key))
            taken, new = f"ON CONFLICT ({keys}) DO UPDATE SET", f"excluded.{counted}"
            if self.asks_a_server:
                taken, new = "ON DUPLICATE KEY UPDATE", f"VALUES({counted})"
            return f"INSERT INTO {own} VALUES ({values}) {taken} {counted} = {own}.{counted} + {new}"  # noqa: S608 - as above

        return self._written_out(("counting", column), build)

    def change_all(self, names: tuple[str, ...], count: int) -> str:
        """The update of these columns of so many rows at once: joined with a table of what they become."""

        def build() -> str:
            quote = self._dialect.identifier_preparer
            own, columns = (
                quote.format_table(self._table),
                [quote.quote(name) for name in (*self._statements.key, *names)],
            )
            first = ", ".join(f"%s AS {name}" for name in columns)
            others = ", ".join(["%s"] * len(columns))
            rows = " UNION ALL SELECT ".join([first, *[others] * (count - 1)])
            keys, changed = columns[: len(self._statements.key)], columns[len(self._statements.key) :]
            fits = " AND ".join(f"{own}.{name} = changed.{name}" for name in keys)
            return (
                f"UPDATE {own} JOIN (SELECT {rows}) AS changed ON {fits} "  # noqa: S608 - names of columns and marks
                f"SET {', '.join(f'{own}.{name} = changed.{name}' for name in changed)}"
            )

        return self._written_out(("change all", *names, count), build)

    def add_all(self, names: tuple[str, ...], count: int, *, leave: str = "", tells: Sequence[str] = ()) -> str:
        """The insert of so many rows at once.

        Args:
            names: their columns.
            count: how many.
            leave: a column of a unique key: a row whose key is taken is left as it is; else it fails.
            tells: what it answers of each row, where the engine can.
        """

        def build() -> str:
            quote = self._dialect.identifier_preparer
            columns = ", ".join(quote.quote(name) for name in names)
            rows = ", ".join([f"({', '.join(['%s'] * len(names))})"] * count)
            told = ", ".join(quote.quote(name) for name in tells) if self.tells_what_it_adds else ""
            left = f" ON DUPLICATE KEY UPDATE {quote.quote(leave)} = {quote.quote(leave)}" if leave else ""
            return f"INSERT INTO {quote.format_table(self._table)} ({columns}) VALUES {rows}{left}{f' RETURNING {told}' if told else ''}"  # noqa: S608 - as above

        return self._written_out(("add all", *names, count, leave, *tells), build)

    @property
    def next_id(self) -> str:
        """What the next row's id will be, for whoever holds the whole file; an id that was given never comes again."""

        def build() -> str:
            own = self._dialect.identifier_preparer.format_table(self._table)
            return (
                "SELECT 1 + max(ifnull((SELECT max(id) FROM "  # noqa: S608 - as above
                f"{own}), 0), ifnull((SELECT seq FROM sqlite_sequence WHERE name = '{self._table.name}'), 0))"
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
