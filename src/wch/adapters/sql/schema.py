"""The schema: installing, comparing, removing; alembic drives the steps, an option keeps the version."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text
from sqlalchemy.schema import DropTable

from wch.adapters.sql.database import SqlDatabase
from wch.adapters.sql.database.comparison import Difference, compare
from wch.domain.document import document
from wch.domain.errors import SchemaError

__all__ = ["VERSION", "Difference", "check", "drop", "require", "upgrade", "version"]

VERSION = "2.6.0"
"""The version of the data model; kept as option `wch_db_version`."""

KNOWN = ("2.6.0",)
"""Every version that there is a step for, the oldest first."""

MIGRATIONS = Path(__file__).parent / "migrations"

OPTION = "wch_db_version"

NEWER = (
    "The database is of version {version}, which this program does not know; "
    "install the wch that made it, or name another database."
)
OLDER = "The tables are of version {version}; bring them to this program's with `wch db upgrade`."
MISSING = "The database has no tables of the hub yet; install them with `wch db upgrade`."
FOREIGN = (
    "There are tables under this prefix that are not the hub's ({table}: {what}); "
    "choose another WCH_TABLE_PREFIX, or move them away. Nothing was changed."
)

UPGRADE_WAITS_SECONDS = 60

Extra = Sequence[Callable[[Connection, str], None]]
"""Further tables that belong to the hub: each is called with the connection and the prefix."""


async def version(database: SqlDatabase) -> str | None:
    """The version that the tables have; None when there are none.

    Raises:
        SchemaError: the database is of a version that this program does not know.
    """
    if database.is_absent:
        return None
    return await database.run(lambda connection: _version(connection, database), write=False)


async def require(database: SqlDatabase) -> str:
    """The version of the tables; refuses a database whose tables are not those of this program.

    Raises:
        SchemaError: there are none, or they are of another version; with the way out.
    """
    found = await version(database)
    if found is None:
        raise SchemaError(MISSING)
    if found != VERSION:
        raise SchemaError(OLDER.format(version=found), version=found)
    return found


async def upgrade(database: SqlDatabase, extra: Extra = ()) -> str:
    """Install all tables, or bring them to this version; may be run again at any point.

    Args:
        database: where.
        extra: makers of further tables, such as the built-in shop's, safe to run again.

    Raises:
        SchemaError: the database is of a version that this program does not know, or tables that
            are not the hub's have its names.
    """

    def work(connection: Connection) -> str:
        with _alone(connection, database):
            if _version(connection, database) is None:
                _refuse_foreign(connection, database)
            _run_steps(connection, database)
            for make in extra:
                make(connection, database.prefix)
            database.failpoint("migrate.version")
            _write_version(connection, database)
        return VERSION

    database.forget_schema()
    return await database.run(work, write=True)


async def drop(database: SqlDatabase, extra: Extra = ()) -> None:
    """Remove every table of the hub, with all that is in it, the version table too.

    Args:
        database: where.
        extra: removers of further tables.
    """
    if database.is_absent:
        return

    def work(connection: Connection) -> None:
        with _alone(connection, database):
            for remove in extra:
                remove(connection, database.prefix)
            database.tables.metadata.drop_all(connection)
            connection.execute(DropTable(Table(_version_table(database), MetaData()), if_exists=True))

    await database.run(work, write=True)
    database.forget_schema()


async def check(database: SqlDatabase, extra: Sequence[MetaData] = ()) -> tuple[Difference, ...]:
    """Compare the live tables with the data model; empty when they agree."""
    models = (database.tables.metadata, *extra)
    if database.is_absent:
        return tuple(
            Difference(table=table.name, what="the table is missing") for model in models for table in _in_order(model)
        )

    def work(connection: Connection) -> tuple[Difference, ...]:
        inspector = inspect(connection)
        return tuple(
            difference
            for model in models
            for table in _in_order(model)
            for difference in compare(inspector, connection, table)
        )

    return await database.run(work, write=False)


def _in_order(model: MetaData) -> list[Table]:
    return sorted(model.tables.values(), key=lambda table: table.name)


def _run_steps(connection: Connection, database: SqlDatabase) -> None:
    if _revision(connection, database) == VERSION:
        return
    from alembic import command  # noqa: PLC0415 - slow to load, and only installing needs it
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes.update(
        connection=connection,
        metadata=database.tables.metadata,
        version_table=_version_table(database),
        on_step=lambda: database.failpoint("migrate.step"),
    )
    command.upgrade(config, "head")


def _version_table(database: SqlDatabase) -> str:
    return f"{database.prefix}schema_version"


def _version(connection: Connection, database: SqlDatabase) -> str | None:
    """The version that alembic keeps, and the one in the option, which is written last and wins."""
    revision = _revision(connection, database)
    if revision is None:
        return None
    told = _written_version(connection, database) or revision
    for word in (revision, told):
        if word not in KNOWN:
            raise SchemaError(NEWER.format(version=word), version=word)
    return told


def _revision(connection: Connection, database: SqlDatabase) -> str | None:
    """The last step that alembic took; it names its steps by the versions that they lead to."""
    table = Table(_version_table(database), MetaData(), Column("version_num", String(32)))
    if not inspect(connection).has_table(table.name):
        return None
    revision: str | None = connection.execute(select(table.c.version_num)).scalar()
    return revision


def _written_version(connection: Connection, database: SqlDatabase) -> str | None:
    options = database.tables.options
    if not inspect(connection).has_table(options.name):
        return None
    told: Any = connection.execute(select(options.c.value).where(options.c.name == OPTION)).scalar()
    return str(told["version"]) if isinstance(told, dict) and "version" in told else None


def _write_version(connection: Connection, database: SqlDatabase) -> None:
    """Last of all, so that a version is only told when everything that belongs to it is there."""
    options = database.tables.options
    connection.execute(options.delete().where(options.c.name == OPTION))
    connection.execute(options.insert().values(name=OPTION, value=document(version=VERSION)))


def _refuse_foreign(connection: Connection, database: SqlDatabase) -> None:
    """Tables of somebody else are found before anything is made beside them."""
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    for table in _in_order(database.tables.metadata):
        if table.name not in there:
            continue
        for difference in compare(inspector, connection, table):
            # An index may be missing after an installation that was cut off; it is made anew.
            if not difference.is_index:
                raise SchemaError(FOREIGN.format(table=difference.table, what=difference.what))


@contextlib.contextmanager
def _alone(connection: Connection, database: SqlDatabase) -> Iterator[None]:
    """Nobody else installs at the same time; where DDL is no part of a transaction, a named lock sees to it."""
    if database.is_sqlite:
        yield
        return
    name = {"name": f"{database.prefix}schema", "seconds": UPGRADE_WAITS_SECONDS}
    if connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), name).scalar() != 1:
        message = "Somebody else is installing the tables at this moment; try again when they are done."
        raise SchemaError(message)
    try:
        yield
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), name)
