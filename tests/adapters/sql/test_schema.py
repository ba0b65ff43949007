"""Installing, comparing and removing; what is in the way is said, and nothing is changed."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, MetaData, Table, inspect, text

from tests.adapters.sql.conftest import Opened
from wch.adapters.sql import SqlDatabase, schema
from wch.adapters.sql.types import Key, row_id
from wch.domain.errors import SchemaError, StoreUnavailableError

# The data model, table by table: columns, then indexes as `name(columns)`, `!` in front of a unique one.
DOCUMENTED = {
    "conversations": (
        (
            "id customer_phone wa_conversation_id status state assigned_agent_id context message_count unread_count "
            "last_message_at created_at updated_at"
        ),
        (
            "customer_phone(customer_phone) last_message_at(last_message_at) status(status) state(state) "
            "unread_count(unread_count)"
        ),
    ),
    "messages": (
        (
            "id conversation_id direction type wa_message_id content raw_payload status retry_count error_message "
            "created_at updated_at sent_at delivered_at read_at"
        ),
        "!wa_message_id(wa_message_id) conversation_id(conversation_id) created_at(created_at) status(status)",
    ),
    "carts": (
        (
            "id customer_phone items total coupon_code shipping_address status reminder_1_sent_at reminder_2_sent_at "
            "reminder_3_sent_at abandoned_at recovery_coupon_code recovered recovered_order_id recovered_revenue "
            "recovered_at expires_at created_at updated_at"
        ),
        (
            "!customer_phone(customer_phone) status(status) updated_at(updated_at) expires_at(expires_at) "
            "recovered(recovered)"
        ),
    ),
    "customer_profiles": (
        (
            "id phone wc_customer_id name email last_known_address saved_addresses preferences tags total_orders "
            "total_spent opt_in_marketing notification_opt_out last_interaction_at marketing_opted_at created_at "
            "updated_at"
        ),
        "!phone(phone) wc_customer_id(wc_customer_id) total_orders(total_orders) total_spent(total_spent)",
    ),
    "broadcast_recipients": (
        "id campaign_id phone wa_message_id status sent_at created_at",
        "!campaign_phone(campaign_id,phone) phone(phone) sent_at(sent_at) campaign_id(campaign_id)",
    ),
    "sync_queue": (
        "id entity_type entity_id action status attempts error_message created_at processed_at",
        "!entity_type_id(entity_type,entity_id,action) status(status) created_at(created_at)",
    ),
    "notification_log": (
        (
            "id order_id notification_type customer_phone template_name wa_message_id status retry_count sent_at "
            "delivered_at read_at error_message created_at updated_at"
        ),
        (
            "order_id(order_id) customer_phone(customer_phone) notification_type(notification_type) status(status) "
            "created_at(created_at)"
        ),
    ),
    "product_views": (
        "id customer_phone product_id viewed_at",
        "customer_phone(customer_phone) product_id(product_id) viewed_at(viewed_at)",
    ),
    "reengagement": (
        (
            "id customer_phone campaign_type product_id sent_at converted conversion_order_id conversion_revenue "
            "converted_at created_at"
        ),
        "customer_phone(customer_phone) campaign_type(campaign_type) sent_at(sent_at) converted(converted)",
    ),
    "dead_letter_queue": (
        "id hook args reason error_message attempts priority metadata status created_at replayed_at dismissed_at",
        "idx_status_reason(status,reason) idx_hook(hook) idx_created_at(created_at)",
    ),
    "webhook_idempotency": ("message_id scope processed_at expires_at", "!message_id(message_id,scope)"),
    "rate_limits": ("identifier_hash limit_type request_count window_start", "idx_window(window_start)"),
    "circuit_breakers": ("service state failures successes opened_at updated_at", "idx_state(state)"),
    "saga_state": (
        "saga_id saga_type state context log created_at updated_at",
        "idx_state(state) idx_saga_type(saga_type) idx_updated(updated_at)",
    ),
}
KEYS = {
    "rate_limits": "identifier_hash limit_type window_start",
    "circuit_breakers": "service",
    "saga_state": "saga_id",
}

# The types that a server must show, by column; what has no line here follows from its kind.
TYPES = {
    "messages.direction": "enum('inbound','outbound')",
    "messages.type": "varchar(50)",
    "messages.wa_message_id": "varchar(255)",
    "messages.content": "longtext",
    "messages.error_message": "text",
    "messages.retry_count": "int(11)",
    "messages.conversation_id": "bigint(20)",
    "messages.created_at": "datetime",
    "conversations.state": "varchar(50)",
    "carts.total": "decimal(10,2)",
    "carts.recovered": "tinyint(1)",
    "dead_letter_queue.error_message": "longtext",
    "dead_letter_queue.hook": "varchar(255)",
    "webhook_idempotency.message_id": "varchar(255)",
    "rate_limits.identifier_hash": "char(64)",
    "rate_limits.request_count": "bigint(20) unsigned",
    "circuit_breakers.failures": "bigint(20) unsigned",
    "saga_state.saga_id": "varchar(100)",
}


def _names(connection: Connection) -> set[str]:
    return {name for name in inspect(connection).get_table_names() if name.startswith("t_")}


async def _do(database: SqlDatabase, *statements: str) -> None:
    def work(connection: Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    await database.run(work, write=True)


@pytest.fixture
async def database(url: str, opened: Opened) -> AsyncIterator[SqlDatabase]:
    """Tables that may be spoilt."""
    database = opened(url)
    await schema.upgrade(database)
    yield database
    await schema.drop(database)


@pytest.fixture
async def server(scratch_url: str, opened: Opened) -> AsyncIterator[SqlDatabase]:
    """Tables that may be spoilt, on the server."""
    database = opened(scratch_url)
    await schema.upgrade(database)
    yield database
    await schema.drop(database)


async def test_the_tables_are_the_documented_ones(database: SqlDatabase) -> None:
    """Every column and index of the data model, no more and no fewer; two tables beside them."""

    def look(connection: Connection) -> dict[str, Any]:
        inspector = inspect(connection)
        found: dict[str, Any] = {}
        for name in sorted(_names(connection)):
            indexes = {(tuple(one["column_names"]), bool(one["unique"])) for one in inspector.get_indexes(name)}
            indexes |= {(tuple(one["column_names"]), True) for one in inspector.get_unique_constraints(name)}
            columns = [column["name"] for column in inspector.get_columns(name)]
            found[name] = (columns, indexes, inspector.get_pk_constraint(name)["constrained_columns"])
        return found

    found = await database.run(look, write=False)

    assert set(found) == {f"t_{name}" for name in (*DOCUMENTED, "options", "audit_log", "schema_version")}
    for name, (columns, indexes) in DOCUMENTED.items():
        wanted = set()
        for index in indexes.split():
            over = index.partition("(")[2].rstrip(")").split(",")
            wanted.add((tuple(over), index.startswith("!")))
        key = [] if name == "webhook_idempotency" else KEYS.get(name, "id").split()
        assert found[f"t_{name}"] == (columns.split(), wanted, key)


@pytest.mark.mariadb
async def test_a_server_has_the_documented_names_and_types(server: SqlDatabase) -> None:
    """Index names belong to their table there, so they can be the documented ones."""

    def look(connection: Connection) -> tuple[dict[str, set[str]], dict[str, str], set[str]]:
        indexes: dict[str, set[str]] = {}
        asked = "SELECT table_name, index_name FROM information_schema.statistics WHERE table_schema = DATABASE()"
        for table, index in connection.execute(text(asked)):
            indexes.setdefault(table, set()).add(index)
        asked = (
            "SELECT table_name, column_name, column_type, collation_name FROM information_schema.columns "
            "WHERE table_schema = DATABASE()"
        )
        rows = connection.execute(text(asked)).all()
        keys = {f"{row[0]}.{row[1]}" for row in rows if row[3] in {"utf8mb4_nopad_bin", "utf8mb4_0900_bin"}}
        return indexes, {f"{row[0]}.{row[1]}": row[2] for row in rows}, keys

    indexes, types, keys = await server.run(look, write=False)

    for name, (_, documented) in DOCUMENTED.items():
        wanted = {index.lstrip("!").partition("(")[0] for index in documented.split()}
        assert indexes[f"t_{name}"] - {"PRIMARY"} == wanted
    for column, kind in TYPES.items():
        assert types[f"t_{column}"] == kind, column
    assert {"t_messages.wa_message_id", "t_customer_profiles.phone", "t_options.name", "t_saga_state.saga_id"} <= keys


async def test_upgrading_twice_changes_nothing(database: SqlDatabase) -> None:
    """Every start of the hub may ask for it."""
    await database.transact(lambda uow: uow.options.put("kept", {"v": 1}))

    assert await schema.upgrade(database) == schema.VERSION == "2.6.0"

    assert await database.read(lambda uow: uow.options.get("kept")) == {"v": 1}
    assert await database.read(lambda uow: uow.options.get("wch_db_version")) == {"v": 1, "version": "2.6.0"}
    assert await schema.version(database) == "2.6.0"
    assert await schema.check(database) == ()
    await schema.require(database)


async def test_a_start_on_tables_that_are_there_does_without_alembic(
    database: SqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a tenth of a start to load, and nobody answers meanwhile."""
    monkeypatch.setitem(sys.modules, "alembic", None)
    made: list[str] = []

    assert await schema.upgrade(database, [lambda _connection, prefix: made.append(prefix)]) == schema.VERSION

    assert made == [database.prefix]


async def test_two_that_install_at_once_do_not_meet(url: str, opened: Opened) -> None:
    """The server and the worker start together."""
    databases = [opened(url) for _ in range(2)]

    await asyncio.gather(*(schema.upgrade(database) for database in databases))

    assert await schema.check(databases[0]) == ()
    await schema.drop(databases[1])


async def test_an_installation_that_was_cut_off_is_finished(url: str, opened: Opened) -> None:
    """On a server a table may be there without its indexes, and the version is written last."""
    database = opened(url)
    await database.run(
        lambda connection: database.tables.metadata.create_all(
            connection, tables=[database.tables.messages, database.tables.sagas]
        ),
        write=True,
    )
    index = next(index for index in database.tables.messages.indexes if "status" in str(index.name))
    await database.run(index.drop, write=True)
    assert await schema.version(database) is None

    await schema.upgrade(database)

    assert await schema.check(database) == ()
    await schema.drop(database)


async def test_dropping_leaves_nothing(url: str, opened: Opened) -> None:
    """All of the hub's tables go, the version table and those of its built-in parts too; others stay."""
    database = opened(url)
    beside = MetaData()
    Table("t_shop_things", beside, Column("id", row_id(), primary_key=True))
    Table("other_things", beside, Column("id", row_id(), primary_key=True))
    make = [lambda connection, _prefix: beside.create_all(connection)]
    remove = [lambda connection, prefix: beside.tables[f"{prefix}shop_things"].drop(connection)]

    await schema.upgrade(database, make)
    await schema.upgrade(database, make)
    await schema.drop(database, remove)

    names = await database.run(lambda connection: set(inspect(connection).get_table_names()), write=False)
    assert {name for name in names if name.startswith("t_")} == set()
    assert "other_things" in names
    await _do(database, "DROP TABLE other_things")
    assert await schema.version(database) is None


BY_HAND = [
    (
        "ALTER TABLE t_carts RENAME COLUMN coupon_code TO code",
        {"coupon_code is missing", "code is not in"},
        "ALTER TABLE t_carts RENAME COLUMN code TO coupon_code",
    ),
    (
        "ALTER TABLE t_carts ADD COLUMN colour VARCHAR(20)",
        {"colour is not in the data model"},
        "ALTER TABLE t_carts DROP COLUMN colour",
    ),
    (
        "CREATE INDEX more ON t_carts (expires_at, total)",
        {"the index over expires_at, total more is not in the data model"},
        "DROP INDEX more{on}",
    ),
    ("ALTER TABLE t_carts DROP COLUMN coupon_code", {"coupon_code is missing"}, None),
    ("DROP TABLE t_carts", {"the table is missing"}, None),
]


async def test_what_was_changed_by_hand_is_found(database: SqlDatabase) -> None:
    """A column that is called otherwise would be an error in the middle of a sale."""
    for spoil, found, back in BY_HAND:
        await _do(database, spoil)

        told = [difference.what for difference in await schema.check(database)]

        assert len(told) == len(found), told
        assert all(any(words in what for what in told) for words in found), told
        if back is not None:
            await _do(database, back.format(on="" if database.is_sqlite else " ON t_carts"))
            assert await schema.check(database) == ()


ON_A_SERVER = [
    ("MODIFY wa_message_id VARCHAR(255)", "column wa_message_id is compared by the table's collation"),
    ("MODIFY wa_message_id VARCHAR(255) COLLATE utf8mb4_bin", "column wa_message_id is compared by utf8mb4_bin"),
    ("MODIFY wa_message_id VARCHAR(100) COLLATE utf8mb4_nopad_bin", "column wa_message_id is VARCHAR(100)"),
    ("MODIFY wa_message_id VARCHAR(255) COLLATE utf8mb4_nopad_bin", None),
    ("MODIFY retry_count INT NULL DEFAULT 0", "column retry_count may be NULL"),
    ("MODIFY retry_count INT NOT NULL DEFAULT 3", "column retry_count has another default"),
    ("MODIFY retry_count BIGINT NOT NULL DEFAULT 0", "column retry_count is BIGINT"),
    ("MODIFY retry_count INT NOT NULL DEFAULT 0", None),
    ("RENAME INDEX status TO state", "the index over status is called state, not status"),
    ("DROP INDEX state", "the index over status status is missing"),
]


@pytest.mark.mariadb
async def test_a_server_is_compared_down_to_its_collations(server: SqlDatabase) -> None:
    """A collation that folds makes two ids one, and loses a message."""
    for change, found in ON_A_SERVER:
        await _do(server, f"ALTER TABLE t_messages {change}")

        told = [difference.what for difference in await schema.check(server)]

        assert len(told) == (found is not None), (change, told)
        assert found is None or found in told[0]


async def test_a_file_whose_index_folds_case_is_found(file: SqlDatabase) -> None:
    """SQLite says a column's collation nowhere but in its indexes."""
    await _do(
        file,
        "DROP INDEX kept_saga_state_idx_saga_type",
        "CREATE INDEX kept_saga_state_idx_saga_type ON kept_saga_state (saga_type COLLATE NOCASE)",
    )

    (difference,) = await schema.check(file)

    assert "NOCASE" in difference.what


async def test_tables_of_a_built_in_part_are_compared_too(database: SqlDatabase) -> None:
    """The shop's tables drift like any other."""
    beside = MetaData()
    Table("t_shop_things", beside, Column("id", row_id(), primary_key=True), Column("name", Key(10), nullable=False))
    (missing,) = await schema.check(database, [beside])
    await database.run(beside.create_all, write=True)
    in_step = await schema.check(database, [beside])
    await _do(database, "ALTER TABLE t_shop_things RENAME COLUMN name TO title")
    renamed = await schema.check(database, [beside])
    await database.run(beside.drop_all, write=True)

    assert (missing.what, in_step, len(renamed)) == ("the table is missing", (), 2)


async def test_a_database_of_another_version_is_refused(database: SqlDatabase) -> None:
    """Its rows may mean something that this program does not know; nothing is changed."""
    for newer, back in (
        ("UPDATE t_schema_version SET version_num = '3.0.0'", "UPDATE t_schema_version SET version_num = '2.6.0'"),
        ('UPDATE t_options SET value = \'{"v":1,"version":"2.7.0"}\' WHERE name = \'wch_db_version\'', None),
    ):
        await _do(database, newer)

        for ask in (schema.version, schema.require, schema.upgrade):
            with pytest.raises(SchemaError, match="install the wch that made it"):
                await ask(database)

        assert await schema.check(database) == ()
        if back is not None:
            await _do(database, back)


async def test_somebody_elses_tables_are_refused_before_anything_is_made(url: str, opened: Opened) -> None:
    """A table of this name with other columns is no table of the hub's."""
    database = opened(url)
    await _do(database, "CREATE TABLE t_carts (id BIGINT PRIMARY KEY, owner VARCHAR(10))")

    with pytest.raises(SchemaError, match="choose another WCH_TABLE_PREFIX"):
        await schema.upgrade(database)

    assert await database.run(_names, write=False) == {"t_carts"}
    await _do(database, "DROP TABLE t_carts")


def test_every_step_is_known() -> None:
    """The steps are not looked through at every start."""
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    steps = list(ScriptDirectory.from_config(config).walk_revisions())

    assert tuple(step.revision for step in reversed(steps)) == schema.KNOWN
    assert schema.KNOWN[-1] == schema.VERSION


async def test_looking_makes_no_file(tmp_path: Path, opened: Opened) -> None:
    """A mistyped path is told, and leaves nothing behind."""
    path = tmp_path / "mistyped.db"
    database = opened(f"sqlite+aiosqlite:///{path}")

    assert await schema.version(database) is None
    assert len(await schema.check(database)) == len(DOCUMENTED) + 2
    await schema.drop(database)
    with pytest.raises(SchemaError, match="wch db upgrade"):
        await schema.require(database)
    for ask in (database.read, database.transact):
        with pytest.raises(StoreUnavailableError, match="wch db upgrade"):
            await ask(lambda uow: uow.census.taken_over())
    assert not path.exists()


async def test_two_prefixes_share_a_database(url: str, opened: Opened) -> None:
    """Many businesses in one database, each under its own names."""
    one, other = opened(url, prefix="t_one_"), opened(url, prefix="t_other_")
    await schema.upgrade(one)
    await schema.upgrade(other)
    await one.transact(lambda uow: uow.options.put("name", {"v": 1}))

    await schema.drop(one)

    assert await schema.check(other) == ()
    assert await other.read(lambda uow: uow.options.get("name")) is None
    await schema.drop(other)
