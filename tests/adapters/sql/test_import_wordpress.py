"""A WordPress plugin's tables are taken over row by row: nothing twice, nothing lost without a reason."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, create_engine, text

from tests.adapters.sql.wordpress import EXPECTED, PREFIX, add_rows, plugin_database
from wch.adapters.ids import SystemIds
from wch.adapters.memory import MemoryDatabase
from wch.adapters.sql.database import SqlDatabase
from wch.adapters.sql.legacy import SqlLegacySource
from wch.adapters.sql.schema import upgrade
from wch.application.digests import Digests
from wch.application.importing import Importing, ImportReport, as_json
from wch.application.ports import Database, UnitOfWork
from wch.application.tombstones import Tombstones
from wch.application.verification import Verification
from wch.domain.conversation import ConversationStatus
from wch.domain.errors import SettingsError, SourceError
from wch.domain.message import MessageStatus
from wch.domain.sync import SyncStatus
from wch.testing import FrozenClock

ANNA, BORIS = "16505551234", "4915112345678"
DIGESTS = Digests(keys=("key",))


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def plugin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """The plugin's database; on a server it is one of its own."""
    if request.param == "sqlite":
        engine = plugin_database(f"sqlite:///{tmp_path / 'wordpress.db'}")
        yield engine
        engine.dispose()
        return
    server = request.getfixturevalue("mariadb_url")
    name = f"{server.rpartition('/')[2]}_wordpress"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4"))
    engine = plugin_database(f"{server.rpartition('/')[0]}/{name}?charset=utf8mb4")
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    admin.dispose()


@pytest.fixture(params=["memory", "memory-twice", "sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """Where the rows go."""
    if request.param.startswith("memory"):
        yield MemoryDatabase(twice=request.param.endswith("twice"))
        return
    clock = FrozenClock()
    url = f"sqlite+pysqlite:///{tmp_path / 'hub.db'}"
    if request.param == "mariadb":
        url = request.getfixturevalue("mariadb_url")
    made = SqlDatabase.open(url, prefix="imp_", now=clock.now, token=SystemIds().token)
    await upgrade(made)

    def empty(connection: Any) -> None:
        for table in made.tables.metadata.sorted_tables:
            connection.execute(table.delete())

    await made.run(empty, write=True)
    yield made
    await made.aclose()


def importing(database: Database) -> Importing:
    return Importing(
        database=database,
        clock=FrozenClock(),
        digests=DIGESTS,
        tombstones=Tombstones(digests=DIGESTS),
        currency="EUR",
    )


async def imported(database: Database, plugin: Engine, *, dry_run: bool = False) -> ImportReport:
    source = SqlLegacySource.open(plugin.url.render_as_string(hide_password=False), prefix=PREFIX)
    try:
        return await importing(database).run(source, zone=UTC, dry_run=dry_run)
    finally:
        await source.aclose()


def figures(report: ImportReport) -> dict[str, tuple[int, int, int, int]]:
    return {name: (one.read, one.imported, one.already, one.refused) for name, one in report.tables.items()}


async def test_every_row_is_imported_or_refused_with_a_reason(database: Database, plugin: Engine) -> None:
    """What was read is accounted for, table by table."""
    report = await imported(database, plugin)

    assert figures(report) == EXPECTED
    why = {(one.table, one.row): one.why for one in report.refusals}
    assert len(why) == report.refused
    assert why["customer_profiles", "3"] == "phone is the same as that of row 1"
    assert why["customer_profiles", "4"] == "phone is no phone number"
    assert why["customer_profiles", "5"] == "created_at is missing"
    assert why["customer_profiles", "6"] == "preferences cannot be read: a value of kind 'O' is not read"
    assert why["conversations", "13"] == "status: 'sleeping' is not known"
    assert why["messages", "4"] == "conversation 13 was not imported"
    assert why["messages", "6"] == "status: 'exploded' is not known"
    assert why["carts", "3"] == "items: a line has no price"
    assert why["carts", "4"] == "items is neither JSON nor PHP's form"
    assert why["saga_state", "order_2"] == "it is running in the plugin: let it end there, then import again"


async def test_what_was_said_is_kept_and_nobody_answers_it(database: Database, plugin: Engine) -> None:
    """An old question is no question any more, and an old draft is never sent."""
    await imported(database, plugin)

    def look(uow: UnitOfWork) -> Any:
        thread = uow.conversations.latest_of(ANNA)
        assert thread is not None
        return thread, uow.messages.thread(thread.id, limit=50)

    thread, rows = await database.read(look)
    assert (thread.status, thread.message_count) == (ConversationStatus.RESOLVED, 0)
    assert thread.context["imported"]["context"] == {"page": 2}
    by_text = {row.content["text"]: row for row in rows}
    assert by_text["Hello, schöner Tag"].status is MessageStatus.PROCESSED
    assert by_text["Hi Anna"].delivered_at is not None
    assert by_text["Hi Anna"].read_at is None
    assert by_text["late"].status is MessageStatus.FAILED
    states = await database.read(lambda uow: uow.census.states())
    assert states["messages"].keys() == {
        "inbound:processed",
        "outbound:delivered",
        "outbound:failed",
    }


async def test_a_customer_is_taken_over_with_what_they_chose(database: Database, plugin: Engine) -> None:
    """PHP's lists, the shop's names of an address, a choice without a date, an amount of three places."""
    await imported(database, plugin)
    anna, boris = await database.read(lambda uow: (uow.customers.of(ANNA), uow.customers.of(BORIS)))

    assert anna is not None
    assert boris is not None
    assert (anna.name, anna.tags, str(anna.total_spent), anna.language) == ("Anna", ("vip", "café"), "120.51", "es")
    assert anna.opt_in_marketing
    assert anna.marketing_opted_at is not None
    assert anna.last_known_address is not None
    assert anna.last_known_address["address_1"] == "Main St 1"
    assert anna.last_known_address["postcode"] == "10115"
    assert boris.notification_opt_out


async def test_a_cart_is_counted_anew_and_its_reminders_close_ranks(database: Database, plugin: Engine) -> None:
    """Two lines of one product are one line; the second slot alone becomes the first."""
    await imported(database, plugin)
    anna, boris = await database.read(lambda uow: (uow.carts.of(ANNA), uow.carts.of(BORIS)))

    assert anna is not None
    assert boris is not None
    ((item,), total) = anna.items, str(anna.total)
    assert (item.quantity, item.currency, total) == (3, "EUR", "28.50")
    assert anna.reminder_1_sent_at is not None
    assert anna.reminder_2_sent_at is None
    assert (boris.recovered, boris.recovered_order_id, boris.recovered_at) == (True, 77, boris.updated_at)


async def test_the_person_who_had_a_thread_still_has_it(database: Database, plugin: Engine) -> None:
    """One open thread a customer: the first one, the others are over."""
    await imported(database, plugin)
    threads = await database.read(lambda uow: uow.conversations.listed(customer_phone=BORIS, limit=10))

    assert sorted(one.status.value for one in threads) == ["escalated", "resolved"]


async def test_what_failed_is_tried_anew_and_the_store_is_sound(database: Database, plugin: Engine) -> None:
    """`wch verify` finds nothing wrong with what was imported."""
    await imported(database, plugin)
    tasks = await database.read(lambda uow: uow.sync.listed())
    assert sorted((task.entity_id, task.status) for task in tasks) == [
        (5, SyncStatus.COMPLETED),
        (6, SyncStatus.PENDING),
    ]
    report = await Verification(database=database).run()

    assert report["ok"], [check for check in report["checks"] if not check["ok"]]


async def test_importing_again_imports_nothing(database: Database, plugin: Engine) -> None:
    """What is here stays as it is; what was refused is refused again, with its reason."""
    first = await imported(database, plugin)
    second = await imported(database, plugin)

    for table, one in second.tables.items():
        before = first.tables[table]
        assert (one.imported, one.already, one.refused) == (0, before.imported + before.already, before.refused), table
    assert {(one.table, one.row) for one in second.refusals} == {(one.table, one.row) for one in first.refusals}


async def test_a_mended_row_and_a_new_one_come_with_the_next_import(database: Database, plugin: Engine) -> None:
    """The messages of a thread that was refused follow it."""
    await imported(database, plugin)
    with plugin.begin() as connection:
        mended = f"UPDATE {PREFIX}conversations SET status = 'resolved' WHERE id = 13"  # noqa: S608 - a name of this module
        connection.execute(text(mended))
        add_rows(
            connection,
            "product_views",
            [{"id": 9, "customer_phone": ANNA, "product_id": 6, "viewed_at": "2025-11-05 10:00:00"}],
        )
    report = await imported(database, plugin)

    assert {table: one.imported for table, one in report.tables.items() if one.imported} == {
        "conversations": 1,
        "messages": 1,
        "product_views": 1,
    }


async def test_a_dry_run_tells_the_same_and_writes_nothing(database: Database, plugin: Engine) -> None:
    """By the same code, in transactions that are taken back."""
    report = await imported(database, plugin, dry_run=True)

    assert figures(report) == EXPECTED
    states: Any = await database.read(lambda uow: uow.census.states())
    assert not any(states.values())
    assert await database.read(lambda uow: uow.options.named("import:")) in ((), [])
    assert as_json(report)["dry_run"] is True


async def test_an_import_that_was_killed_goes_on_where_it_ended(database: Database, plugin: Engine) -> None:
    """Page by page: what is committed is marked in the same transaction."""

    class Dying(SqlLegacySource):
        async def page(self, name: str, *, after: Any, limit: int) -> Any:
            if name == "messages":
                raise SourceError
            return await super().page(name, after=after, limit=limit)

    dying = Dying.open(plugin.url.render_as_string(hide_password=False), prefix=PREFIX)
    with pytest.raises(SourceError):
        await importing(database).run(dying, zone=UTC)
    await dying.aclose()
    report = await imported(database, plugin)

    assert report.tables["conversations"].imported == 0
    assert report.tables["messages"].imported == EXPECTED["messages"][1]


async def test_an_erased_customer_stays_erased(database: Database, plugin: Engine) -> None:
    """Nothing of theirs comes back from an old copy."""
    tombstones = Tombstones(digests=DIGESTS)
    clock = FrozenClock()
    await database.transact(lambda uow: tombstones.set(uow, ANNA, None, saga_id="erase-1", now=clock.now()))
    report = await imported(database, plugin)

    assert await database.read(lambda uow: uow.customers.of(ANNA)) is None
    assert any("was erased here" in one.why for one in report.refusals)


async def test_whom_the_hub_knows_stays_and_a_refusal_there_counts_here(database: Database, plugin: Engine) -> None:
    """An opt-out is never lost, whichever side heard it."""
    clock = FrozenClock()
    await database.transact(lambda uow: uow.customers.lock(BORIS, now=clock.now()))
    report = await imported(database, plugin)
    boris = await database.read(lambda uow: uow.customers.of(BORIS))

    assert report.tables["customer_profiles"].already == 1
    assert boris is not None
    assert boris.notification_opt_out


# --- the source


async def test_times_are_read_in_the_zone_of_the_plugin(plugin: Engine) -> None:
    """WordPress may write the shop's own time."""
    database = MemoryDatabase()
    source = SqlLegacySource.open(plugin.url.render_as_string(hide_password=False), prefix=PREFIX)
    await importing(database).run(source, zone=ZoneInfo("America/Sao_Paulo"))
    await source.aclose()
    anna = await database.read(lambda uow: uow.customers.of(ANNA))

    assert anna is not None
    assert anna.created_at.isoformat() == "2025-11-03T13:15:00+00:00"


async def test_tables_that_the_plugin_never_made_are_told(tmp_path: Path) -> None:
    """Five of them it makes by hand only."""
    plugin_database(f"sqlite:///{tmp_path / 'w.db'}", without=("saga_state", "rate_limits")).dispose()
    source = SqlLegacySource.open(f"sqlite:///{tmp_path / 'w.db'}", prefix=PREFIX)
    report = await importing(MemoryDatabase()).run(source, zone=UTC)
    await source.aclose()

    assert [table for table, one in report.tables.items() if one.is_missing] == ["rate_limits", "saga_state"]


async def test_a_wrong_prefix_and_a_database_that_is_away_are_sentences(tmp_path: Path) -> None:
    """With what to look at."""
    plugin_database(f"sqlite:///{tmp_path / 'w.db'}").dispose()
    source = SqlLegacySource.open(f"sqlite:///{tmp_path / 'w.db'}", prefix="other_")
    with pytest.raises(SourceError, match="wp_wch_"):
        await source.counts()
    await source.aclose()
    away = SqlLegacySource.open("mysql+pymysql://nobody@127.0.0.1:1/x", prefix=PREFIX)
    with pytest.raises(SourceError, match="--source-url"):
        await away.counts()
    await away.aclose()


@pytest.mark.parametrize("url", ["postgresql://x/y", "nonsense", "sqlite:////nowhere/at/all.db"])
def test_an_address_that_cannot_be_is_refused(url: str) -> None:
    """And no empty file is made by looking."""
    with pytest.raises(SettingsError, match="--source-url"):
        SqlLegacySource.open(url, prefix=PREFIX)


async def test_a_long_table_is_read_page_by_page(tmp_path: Path) -> None:
    """None twice, none left out, by numbers and by keys."""
    engine = plugin_database(f"sqlite:///{tmp_path / 'w.db'}")
    with engine.begin() as connection:
        add_rows(
            connection,
            "product_views",
            [{"customer_phone": ANNA, "product_id": 5, "viewed_at": "2025-11-03 10:00:00"} for _ in range(450)],
        )
        add_rows(
            connection,
            "webhook_idempotency",
            [
                {
                    "message_id": f"m{number:04}",
                    "scope": scope,
                    "processed_at": "2025-11-03 10:00:00",
                    "expires_at": "2036-01-01 00:00:00",
                }
                for number in range(150)
                for scope in ("webhook", "order")
            ],
        )
    engine.dispose()
    seen: list[tuple[str, int, int]] = []
    source = SqlLegacySource.open(f"sqlite:///{tmp_path / 'w.db'}", prefix=PREFIX)
    report = await importing(MemoryDatabase()).run(
        source, zone=UTC, shown=lambda table, done, total: seen.append((table, done, total))
    )
    await source.aclose()

    assert report.tables["product_views"].imported == 451
    assert report.tables["webhook_idempotency"].imported == 301
    assert [one for one in seen if one[0] == "product_views"] == [
        ("product_views", 200, 452),
        ("product_views", 400, 452),
        ("product_views", 452, 452),
    ]
