"""A database that could lose, mix up or refuse what it should keep is found out."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.adapters.sql.conftest import Opened
from wch.adapters.sql import SqlDatabase, schema, soundness
from wch.adapters.sql.soundness import Flaw
from wch.domain.errors import SettingsError

LOCAL = "/dev/sda1 / ext4 rw 0 0\nproc /proc proc rw 0 0\n"
REMOTE = LOCAL + "server:/shop /srv/the\\040shop nfs4 rw 0 0\n/dev/sdb1 /srv/the\\040shop/fast xfs rw 0 0\n"


async def _flaws(database: SqlDatabase, url: str, *, before: str = "", processes: int = 1) -> list[Flaw]:
    def look(connection: Connection) -> list[Flaw]:
        if before:
            connection.exec_driver_sql(before)
        return soundness.flaws(connection, url=url, processes=processes)

    return await database.run(look, write=False)


async def test_the_hubs_own_connections_are_sound(opened: Opened, url: str) -> None:
    """On every engine and driver, as the hub opens it."""
    database = opened(url)
    await schema.upgrade(database)

    durable = [one for one in await _flaws(database, url) if one.cure is None]

    assert durable == []


@pytest.mark.parametrize(
    ("weakened", "found"),
    [
        ("PRAGMA synchronous = NORMAL", "synchronous"),
        ("PRAGMA synchronous = OFF", "synchronous"),
        ("PRAGMA secure_delete = OFF", "secure_delete"),
    ],
)
async def test_a_weak_connection_is_found(opened: Opened, tmp_path: Path, weakened: str, found: str) -> None:
    """What a host's own engine may have set otherwise."""
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    database = opened(url)
    await schema.upgrade(database)
    # Within a transaction SQLite keeps `synchronous` as it was; the next look sees it changed.
    await _outside(database, weakened)

    (flaw,) = await _flaws(database, url)

    assert flaw.what.startswith(found)
    assert flaw.severity in {"critical", "degraded"}


async def _outside(database: SqlDatabase, statement: str) -> None:
    def work(connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql(statement)
        connection.exec_driver_sql("BEGIN")

    await database.run(work, write=False)


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_versions_that_can_damage_a_shared_log(version: tuple[int, ...], affected: bool) -> None:  # noqa: FBT001 - a parameter
    """3.7.0 to 3.51.2, but for two older lines that were mended too."""
    assert soundness.corrupts_shared_wal(version) is affected


async def test_processes_that_share_a_log(opened: Opened, tmp_path: Path) -> None:
    """One process is safe on any version; several are on a mended one, or without the log."""
    affected = soundness.corrupts_shared_wal(sqlite3.sqlite_version_info)
    wal, plain = f"sqlite:///{tmp_path / 'wal.db'}", f"sqlite:///{tmp_path / 'plain.db'}?journal=truncate"
    for url, wanted in ((wal, affected), (plain, False)):
        database = opened(url)
        await schema.upgrade(database)

        assert bool(await _flaws(database, url, processes=2)) is wanted
        assert await _flaws(database, url, processes=1) == []


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+aiosqlite"])
async def test_a_hub_without_a_write_ahead_log(opened: Opened, tmp_path: Path, driver: str) -> None:
    """It keeps what it is given, and no other file lies beside it afterwards."""
    database = opened(f"{driver}:///{tmp_path / 'hub.db'}?journal=truncate")
    await schema.upgrade(database)
    await database.transact(lambda uow: uow.options.put("kept", {"v": 1}))

    assert await database.read(lambda uow: uow.options.get("kept")) == {"v": 1}
    assert not (tmp_path / "hub.db-wal").exists()


@pytest.mark.parametrize("url", ["sqlite:///x.db?journal=off", "mysql+pymysql://root@localhost/x?journal=wal"])
def test_no_other_journal_is_taken(opened: Opened, url: str) -> None:
    """`off` would lose what was acknowledged, and a server has none."""
    with pytest.raises(SettingsError):
        opened(url)


@pytest.mark.parametrize(
    ("file", "far"),
    [("/srv/the shop/hub.db", True), ("/srv/the shop/fast/hub.db", False), ("/srv/hub.db", False)],
)
def test_a_network_drive_is_known_by_its_mount(file: str, far: bool) -> None:  # noqa: FBT001 - a parameter
    """The innermost mount decides, also when its name has a blank."""
    assert soundness.is_far(Path(file), REMOTE) is far


def test_without_mounts_nothing_is_far() -> None:
    """Systems that have no such table."""
    assert not soundness.is_far(Path("/srv/hub.db"), "")


@pytest.mark.mariadb
@pytest.mark.parametrize(
    ("name", "weak"), [("innodb_flush_log_at_trx_commit", "2"), ("max_allowed_packet", str(2 * 1024 * 1024))]
)
async def test_a_weak_server_is_found_and_mended(opened: Opened, scratch_url: str, name: str, weak: str) -> None:
    """The cure is a statement that takes."""
    database = opened(scratch_url)
    before = await _run(database, f"SELECT @@GLOBAL.{name}")
    try:
        await _run(database, f"SET GLOBAL {name} = {weak}")
        (flaw,) = [one for one in await _flaws(database, scratch_url) if name in one.what]
        assert flaw.cure is not None
        await _run(database, flaw.cure)

        assert [one for one in await _flaws(database, scratch_url) if name in one.what] == []
    finally:
        await _run(database, f"SET GLOBAL {name} = {before}")


async def _run(database: SqlDatabase, statement: str) -> Any:
    def work(connection: Connection) -> Any:
        result = connection.exec_driver_sql(statement)
        return result.scalar() if result.returns_rows else None

    return await database.run(work, write=False)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"VERSION()": "10.5.9-MariaDB"}, "too old"),
        ({"VERSION()": "8.0.16"}, "too old"),
        ({"wsrep_on": "ON"}, "Galera"),
        ({"log_bin": "ON", "sync_binlog": "0"}, "sync_binlog"),
        ({"sql_mode": "NO_ENGINE_SUBSTITUTION"}, "Strict mode"),
        ({"isolation": "READ-UNCOMMITTED"}, "READ-UNCOMMITTED"),
    ],
)
def test_what_a_server_tells_of_itself(told: dict[str, str], found: str) -> None:
    """Servers that were not at hand, as their answers would be."""
    (flaw,) = soundness.flaws(_Server(told), url="mysql+pymysql://localhost/x")  # type: ignore[arg-type]  # answers as a connection

    assert found in flaw.what


class _Server:
    """Answers questions about itself; a sound MariaDB but for what is told otherwise."""

    class dialect:  # noqa: N801 - as SQLAlchemy has it
        name = "mysql"

    def __init__(self, told: dict[str, str]) -> None:
        self.told = {
            "VERSION()": "10.11.2-MariaDB-log",
            "innodb_flush_log_at_trx_commit": "1",
            "log_bin": "OFF",
            "max_allowed_packet": str(16 * 1024 * 1024),
            "sql_mode": "STRICT_ALL_TABLES",
            "isolation": "READ-COMMITTED",
            **told,
        }

    def exec_driver_sql(self, statement: str, parameters: tuple[str, ...] = ()) -> "_Answer":
        if parameters:
            name = parameters[0]
            return _Answer((name, self.told[name]) if name in self.told else None)
        return _Answer(next(value for name, value in self.told.items() if name in statement))


class _Answer:
    def __init__(self, value: Any) -> None:
        self.first: Callable[[], Any] = lambda: value
        self.scalar: Callable[[], Any] = lambda: value
