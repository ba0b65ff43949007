"""The schema: installing, comparing, removing; alembic drives the steps, the option keeps the version."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, UniqueConstraint, inspect, select
from sqlalchemy.engine.reflection import Inspector

from wch.adapters.sql.database import SqlDatabase
from wch.domain.errors import SchemaError

VERSION = "2.6.0"
"""The version of the data model; kept as option `wch_db_version`."""

OPTION = "wch_db_version"


@attrs.frozen(kw_only=True)
class Difference:
    """Something in the database that is not as the data model has it."""

    table: str
    what: str


Extra = Sequence[Callable[[Connection, str], None]]


def _config(connection: Connection, database: SqlDatabase) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes.update(
        connection=connection,
        prefix=database.prefix,
        metadata=database.tables.metadata,
        version_table=_version_table(database),
    )
    return config


def _version_table(database: SqlDatabase) -> str:
    return f"{database.prefix}schema_version"


def _revision(connection: Connection, database: SqlDatabase) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": _version_table(database)})
    return context.get_current_revision()


async def version(database: SqlDatabase) -> str | None:
    """The version that the tables have; None when there are none.

    Raises:
        SchemaError: the database is of a version that this program does not know.
    """
    return await database.run(lambda connection: _version(connection, database), write=False)


def _version(connection: Connection, database: SqlDatabase) -> str | None:
    revision = _revision(connection, database)
    if revision is None:
        return None
    known = {script.revision for script in ScriptDirectory.from_config(_config(connection, database)).walk_revisions()}
    if revision not in known:
        raise SchemaError(
            "The database is of a newer version than this program; install the newer wch, or use another database.",
            version=revision,
        )
    options = database.tables.options
    told: Any = connection.execute(select(options.c.value).where(options.c.name == OPTION)).scalar()
    return str(told["version"]) if isinstance(told, dict) and "version" in told else revision


async def upgrade(database: SqlDatabase, extra: Extra = ()) -> str:
    """Install all tables, or bring them to this version; safe to run again at any point.

    Args:
        database: where.
        extra: further tables that belong to the hub, such as the built-in shop's.

    Raises:
        SchemaError: the database is of a newer version.
    """

    def work(connection: Connection) -> str:
        _version(connection, database)
        command.upgrade(_config(connection, database), "head")
        for create in extra:
            create(connection, database.prefix)
        options = database.tables.options
        connection.execute(options.delete().where(options.c.name == OPTION))
        connection.execute(options.insert().values(name=OPTION, value={"v": 1, "version": VERSION}))
        return VERSION

    database.forget_schema()
    done = await database.run(work, write=True)
    database.forget_schema()
    return done


async def drop(database: SqlDatabase, extra: Extra = ()) -> None:
    """Remove every table of the hub, the version table too."""

    def work(connection: Connection) -> None:
        for remove in extra:
            remove(connection, database.prefix)
        database.tables.metadata.drop_all(connection)
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_version_table(database)}")

    await database.run(work, write=True)
    database.forget_schema()


async def require(database: SqlDatabase) -> None:
    """Refuse a database whose tables are not those of this program.

    Raises:
        SchemaError: there are none, or they are of another version; with the way out.
    """
    found = await version(database)
    if found is None:
        raise SchemaError("The database has no tables of the hub yet; install them with `wch db upgrade`.")
    if found != VERSION:
        raise SchemaError(
            "The tables are not of this program's version; bring them up to date with `wch db upgrade`.",
            version=found,
        )


async def check(database: SqlDatabase, extra: Sequence[MetaData] = ()) -> tuple[Difference, ...]:
    """Compare the live tables with the data model: tables, columns, their types, indexes, collations."""

    def work(connection: Connection) -> tuple[Difference, ...]:
        inspector = inspect(connection)
        found: list[Difference] = []
        for metadata in (database.tables.metadata, *extra):
            for table in metadata.sorted_tables:
                found += _table(inspector, connection, table, strict=metadata is database.tables.metadata)
        return tuple(found)

    return await database.run(work, write=False)


def _table(inspector: Inspector, connection: Connection, table: Table, *, strict: bool) -> list[Difference]:
    if not inspector.has_table(table.name):
        return [Difference(table=table.name, what="the table is missing")]
    live = {column["name"]: column for column in inspector.get_columns(table.name)}
    found = [
        Difference(table=table.name, what=f"column {name} is missing") for name in table.c.keys() if name not in live
    ]
    found += [
        Difference(table=table.name, what=f"column {name} is not in the data model")
        for name in live
        if name not in table.c
    ]
    if not strict:
        return found
    for name, column in table.c.items():
        if name in live:
            found += _column(connection, table, column, live[name])
    return found + _indexes(inspector, table)


def _column(connection: Connection, table: Table, column: Any, live: Any) -> list[Difference]:
    wanted = _type_words(column.type.dialect_impl(connection.dialect), connection)
    there = _type_words(live["type"], connection)
    found = []
    if wanted != there:
        found.append(Difference(table=table.name, what=f"column {column.name} is {there}, not {wanted}"))
    nullable = bool(column.nullable) and not column.primary_key
    if bool(live["nullable"]) != nullable and not (column.primary_key and connection.dialect.name == "sqlite"):
        words = "may be NULL" if live["nullable"] else "may not be NULL"
        found.append(Difference(table=table.name, what=f"column {column.name} {words}"))
    collation = getattr(column.type.dialect_impl(connection.dialect), "collation", None)
    if collation is not None and getattr(live["type"], "collation", None) != collation:
        found.append(Difference(table=table.name, what=f"column {column.name} is not compared by {collation}"))
    return found


_SAME = {
    "INTEGER": "INT",
    "INT(11)": "INT",
    "INTEGER(11)": "INT",
    "DECIMAL(10, 2)": "DECIMAL(10,2)",
    "NUMERIC(10, 2)": "DECIMAL(10,2)",
}


def _type_words(kind: Any, connection: Connection) -> str:
    """A type in one spelling, without its collation."""
    words = str(kind.compile(dialect=connection.dialect)).upper()
    words = words.partition(" CHARACTER SET")[0].partition(" COLLATE")[0]
    words = words.replace("BIGINT(20)", "BIGINT").replace("BIGINT(20) UNSIGNED", "BIGINT UNSIGNED")
    return _SAME.get(words, words)


def _indexes(inspector: Inspector, table: Table) -> list[Difference]:
    """What is indexed, uniquely or not, whatever the index is called."""
    wanted = {
        (tuple(column.name for column in index.columns), False): index.info["documented"] for index in table.indexes
    }
    wanted |= {
        (tuple(column.name for column in constraint.columns), True): constraint.info["documented"]
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint)
    }
    live: set[tuple[tuple[str, ...], bool]] = {
        (tuple(str(name) for name in index["column_names"]), bool(index["unique"]))
        for index in inspector.get_indexes(table.name)
    }
    live |= {(tuple(constraint["column_names"]), True) for constraint in inspector.get_unique_constraints(table.name)}
    found = [
        Difference(table=table.name, what=f"index {name} over {', '.join(columns)} is missing")
        for (columns, unique), name in wanted.items()
        if (columns, unique) not in live
    ]
    return found + [
        Difference(table=table.name, what=f"an index over {', '.join(columns)} is not in the data model")
        for columns, unique in sorted(live)
        if (columns, unique) not in wanted
    ]
