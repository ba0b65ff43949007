"""One transaction on its connection: what it may do, what it has locked, what waits to be written."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, ParamSpec, TypeVar

from sqlalchemy import Connection, CursorResult, Executable, Select, Table, UpdateBase
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from wch.adapters.sql.direct import Direct, Told, direct
from wch.adapters.sql.keeping import Kept, KeptRows
from wch.adapters.sql.saving import Changes
from wch.adapters.sql.statements import Spoken
from wch.domain.errors import DuplicateError, ReadOnlyError, StoreMisusedError, WchError

P = ParamSpec("P")
R = TypeVar("R")


class Session:
    """One transaction: its connection, whether it may write, and what it has locked.

    Attributes:
        locks_rows: whether the engine locks rows; where it locks the whole file, nothing need be said.
        failed: an error after which this transaction must not be committed, whoever caught it.
        direct: takes texts that need nothing of SQLAlchemy's.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        read_only: bool,
        locks_rows: bool,
        keeps_rows: bool,
        duplicate_of: Callable[[IntegrityError], str | None],
    ) -> None:
        self.connection = connection
        self.read_only = read_only
        self.locks_rows = locks_rows
        self.duplicate_of = duplicate_of
        self.locked: defaultdict[str, set[tuple[Any, ...]]] = defaultdict(set)
        self.failed: BaseException | None = None
        self._ahead: defaultdict[str, list[dict[Any, Any]]] = defaultdict(list)
        self._later: dict[str, Changes] = {}
        self._kept = Kept.of(connection) if keeps_rows and not read_only else None
        self._has_begun = False
        self.direct: Direct = direct(connection, is_file=not locks_rows)

    def execute(
        self, statement: Executable, values: Mapping[str, Any] | None = None, *, of: Table | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement after everything that waits to be saved, or all that it can see of that.

        Args:
            statement: what to run.
            values: of its parameters.
            of: the only table that it reads, where that is known.

        Raises:
            StoreMisusedError: a value does not fit.
        """
        self.flush(of)
        if isinstance(statement, UpdateBase):
            self.moved(str(statement.entity_description["name"]))
        return self.run(statement, values)

    def moved(self, name: str) -> None:
        """Rows of this table were changed past their gateway: what is known of them is not so any more."""
        for known in self._ahead[name]:
            known.clear()
        if name in self._later:
            self._later[name].forget()
        if self._kept is not None:
            self._kept.forget(name)

    def ahead(self, table: Table) -> dict[Any, Any]:
        """For what is read of a table before it is asked for; whatever writes past the gateway empties it."""
        known: dict[Any, Any] = {}
        self._ahead[table.name].append(known)
        return known

    def kept(self, table: Table, by: str) -> KeptRows | None:
        """What the connection knows of a table's rows from before, by this column; None where it may not know, or only reads."""
        if self._kept is None:
            return None
        if not self._has_begun:
            # While this one holds the file nobody else changes it.
            self._kept.begin(int(self.ask("PRAGMA data_version", ())[0][0]))
            self._has_begun = True
        return self._kept.rows(table, by)

    def later(self, spoken: Spoken) -> Changes:
        """What waits to be written to this table: before anybody asks it, at the latest on commit."""
        name = spoken.table.name
        known = self._later.get(name)
        if known is None:
            known = self._later[name] = Changes(spoken, self.direct)
        return known

    def flush(self, of: Table | None = None) -> None:
        """Write what waits, of one table or all, a statement for all rows that change alike.

        Raises:
            DuplicateError: a unique key of a new row is taken; the transaction is lost.
            NotLockedError: a locked row is gone.
        """
        for name, changes in self._later.items():
            if not changes.are_waiting or (of is not None and of.name != name):
                continue
            try:
                self.checked(changes.write)
            except IntegrityError as error:
                # Some of the rows may be there: nobody may go on as if none were.
                self.failed = error
                raise_duplicate(self, changes.table, error)

    def run(
        self, statement: Executable, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement that does not look at what waits; a value that its column cannot keep is told as it is.

        Raises:
            StoreMisusedError: a value does not fit.
        """
        return self.checked(self.connection.execute, statement, values)

    def ask(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """All rows of a select that the driver takes as it is, with values that it takes as they are.

        Raises:
            StoreMisusedError: a value does not fit.
        """
        return self.checked(self.direct.ask, text, values)

    def tell(self, text: str, values: Sequence[Any]) -> Told:
        """Run a text that changes rows, as `ask` runs a select.

        Raises:
            StoreMisusedError: a value does not fit.
        """
        return self.checked(self.direct.tell, text, values)

    def checked(self, ask: Callable[P, R], *what: P.args, **named: P.kwargs) -> R:
        """Ask the engine this, and remember an error after which nothing may be committed.

        Raises:
            StoreMisusedError: a value does not fit.
        """
        try:
            return ask(*what, **named)
        except IntegrityError:
            raise
        except DBAPIError as error:
            self.failed = error
            raise
        except StatementError as error:
            raise _told(error) from None
        except OverflowError:
            message = "A number is larger than any column takes."
            raise StoreMisusedError(message) from None

    def must_write(self) -> None:
        """Refuse to write inside a read.

        Raises:
            ReadOnlyError: this is one.
        """
        if self.read_only:
            raise ReadOnlyError

    def locking(self, statement: Select[Any], *, skip: bool = False) -> Select[Any]:
        """The same select with a lock, where rows are what is locked."""
        self.must_write()
        return statement.with_for_update(skip_locked=skip) if self.locks_rows else statement


def _told(error: StatementError) -> WchError:
    """What our own column types said; the statement around it would show values."""
    return error.orig if isinstance(error.orig, WchError) else StoreMisusedError()


def raise_duplicate(session: Session, table: Table, error: IntegrityError) -> NoReturn:
    """Only a key that is taken is a duplicate; anything else stays what it is.

    The driver's error is not kept as the cause: it holds the key, and that a person's number.
    """
    told = session.duplicate_of(error)
    if told is None:
        session.failed = error
        raise error
    raise DuplicateError(key=_documented(table, told)) from None


def _documented(table: Table, told: str) -> str:
    """The key's documented name: engines tell either its name or its columns."""
    for constraint in table.constraints:
        name = constraint.info.get("documented")
        if name is None:
            continue
        columns = {f"{table.name}.{column.name}" for column in constraint.columns}  # type: ignore[attr-defined]  # unique
        if told == constraint.name or set(told.split(", ")) == columns:
            return str(name)
    return "PRIMARY"
