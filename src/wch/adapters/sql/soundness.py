"""What a database must be for the hub's promises to hold on it, and what can be set right at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from wch.adapters.sql.database.engines import is_in_memory

SYNCHRONOUS_FULL = 2
PACKET_BYTES = 16 * 1024 * 1024

_FIXED_SQLITE = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
_FIRST_AFFECTED = (3, 7, 0)
_OLDEST_MARIADB = (10, 6)
_OLDEST_MYSQL = (8, 0, 17)
_FAR = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs", "lustre"})
_MOUNTS = Path("/proc/self/mounts")


@attrs.frozen(kw_only=True)
class Flaw:
    """One thing that makes the database lose, mix up or refuse what it should keep.

    Attributes:
        severity: `warning`, `degraded` or `critical`.
        what: one sentence.
        way_out: what a person does about it.
        cure: the statement that sets it right until the server starts anew; None when no statement can.
    """

    severity: str
    what: str
    way_out: str
    cure: str | None = None


def flaws(connection: Connection, *, url: str, processes: int = 1) -> list[Flaw]:
    """Everything that is not as it must be, as one connection of the hub sees it.

    Args:
        connection: one of the hub's own.
        url: the address of the database.
        processes: how many processes work on it, as far as is known.
    """
    if connection.dialect.name == "sqlite":
        return list(_of_sqlite(connection, url, processes))
    return list(_of_server(connection))


def corrupts_shared_wal(version: tuple[int, ...]) -> bool:
    """Whether this SQLite can damage a write-ahead log that several processes share.

    Source: https://sqlite.org/wal.html#walresetbug ; fixed in 3.51.3, and in 3.50.7 and 3.44.6 for older lines.
    """
    if not _FIRST_AFFECTED <= version < _FIXED_SQLITE[0]:
        return False
    return not any(version[:2] == fixed[:2] and version >= fixed for fixed in _FIXED_SQLITE)


def is_far(file: Path, mounts: str) -> bool:
    """Whether a file lies on a drive of the network.

    Args:
        file: an absolute path.
        mounts: a table in the form of `/proc/self/mounts`.
    """
    kinds: dict[str, str] = {}
    for line in mounts.splitlines():
        _, place, kind, *_ = (*line.split(" "), "", "", "")
        kinds[place.replace("\\040", " ")] = kind
    under = [place for place in kinds if place and file.is_relative_to(place)]
    return bool(under) and kinds[max(under, key=len)] in _FAR


# --- SQLite


def _of_sqlite(connection: Connection, url: str, processes: int) -> Iterator[Flaw]:
    parsed = make_url(url)
    if is_in_memory(parsed):
        yield Flaw(
            severity="critical",
            what="The SQLite database is in memory: everything is lost with the process.",
            way_out="Name a file: WCH_DATABASE_URL=sqlite+aiosqlite:///wch.db.",
        )
        return
    journal = str(_pragma(connection, "journal_mode")).lower()
    if journal not in {"wal", "truncate"}:
        yield Flaw(
            severity="degraded",
            what=f"journal_mode is {journal}: readers wait for the writer.",
            way_out="The hub asks for WAL with every connection: let nobody else hold the file, and start again.",
        )
    if int(_pragma(connection, "synchronous")) < SYNCHRONOUS_FULL:
        yield Flaw(
            severity="critical",
            what="synchronous is below FULL: a power cut loses what was acknowledged.",
            way_out="Let the hub make its own engine, or set PRAGMA synchronous = FULL on every connection.",
        )
    for name, what in (
        ("foreign_keys", "rows may point at rows that are gone"),
        ("secure_delete", "what was erased stays readable in the file"),
    ):
        if not int(_pragma(connection, name)):
            yield Flaw(
                severity="degraded",
                what=f"{name} is off: {what}.",
                way_out=f"Let the hub make its own engine, or set PRAGMA {name} = ON on every connection.",
            )
    version = str(connection.exec_driver_sql("SELECT sqlite_version()").scalar())
    if journal == "wal" and processes > 1 and corrupts_shared_wal(_numbers(version)):
        yield Flaw(
            severity="critical",
            what=f"{processes} processes share a write-ahead log, which SQLite {version} can damage.",
            way_out=(
                "Run one process (`wch serve`, which works too), or install SQLite 3.51.3 or newer, or add "
                "?journal=truncate to WCH_DATABASE_URL, at a quarter of the speed; or take MariaDB."
            ),
        )
    mounts = _MOUNTS.read_text() if _MOUNTS.exists() else ""
    if parsed.database and is_far(Path(parsed.database).resolve(), mounts):
        yield Flaw(
            severity="critical",
            what="The database lies on a network drive, where locks of files can't be trusted.",
            way_out="Move it to a local disk, or take MariaDB.",
        )


def _pragma(connection: Connection, name: str) -> Any:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


# --- MariaDB and MySQL


def _of_server(connection: Connection) -> Iterator[Flaw]:
    told = str(connection.exec_driver_sql("SELECT VERSION()").scalar())
    is_maria = "mariadb" in told.lower()
    name, oldest = ("MariaDB", _OLDEST_MARIADB) if is_maria else ("MySQL", _OLDEST_MYSQL)
    if _numbers(told) < oldest:
        wanted = ".".join(map(str, oldest))
        yield Flaw(
            severity="critical",
            what=f"{name} {told} is too old: it can't pass over rows that others hold.",
            way_out=f"Install {name} {wanted} or newer.",
        )
    yield from _durable(connection)
    packet = int(_variable(connection, "max_allowed_packet") or 0)
    if packet < PACKET_BYTES:
        yield Flaw(
            severity="warning",
            what=f"max_allowed_packet is {packet // 1024} KiB: a large delivery is refused.",
            way_out="Write max_allowed_packet = 16M under [mysqld] in the server's configuration.",
            cure=f"SET GLOBAL max_allowed_packet = {PACKET_BYTES}",
        )
    if str(_variable(connection, "wsrep_on")).upper() in {"ON", "1"}:
        yield Flaw(
            severity="critical",
            what="The server is part of a Galera cluster, where a lock holds on one node only.",
            way_out="Take a server of its own, with a replica if you need one.",
        )
    mode = str(connection.exec_driver_sql("SELECT @@SESSION.sql_mode").scalar())
    if "STRICT_ALL_TABLES" not in mode and "STRICT_TRANS_TABLES" not in mode:
        yield Flaw(
            severity="critical",
            what="Strict mode is off: values that are too long are cut without a word.",
            way_out="Let nothing between hub and server change sql_mode.",
        )
    isolation = str(
        connection.exec_driver_sql(
            f"SELECT @@SESSION.{'tx_isolation' if is_maria else 'transaction_isolation'}"
        ).scalar()
    )
    if isolation.upper().replace(" ", "-") not in {"READ-COMMITTED", "REPEATABLE-READ"}:
        yield Flaw(
            severity="degraded",
            what=f"Transactions are isolated as {isolation}; the hub asks for READ COMMITTED.",
            way_out="Let nothing between hub and server change the isolation of a session.",
        )


def _durable(connection: Connection) -> Iterator[Flaw]:
    wanted = ["innodb_flush_log_at_trx_commit"]
    if str(_variable(connection, "log_bin")).upper() in {"ON", "1"}:
        wanted.append("sync_binlog")
    for name in wanted:
        value = str(_variable(connection, name))
        if value != "1":
            yield Flaw(
                severity="critical",
                what=f"{name} is {value}: a crash of the server loses what was acknowledged.",
                way_out=f"Write {name} = 1 under [mysqld] in the server's configuration.",
                cure=f"SET GLOBAL {name} = 1",
            )


def _variable(connection: Connection, name: str) -> Any:
    row = connection.exec_driver_sql("SHOW GLOBAL VARIABLES LIKE %s", (name,)).first()
    return None if row is None else row[1]


def _numbers(version: str) -> tuple[int, ...]:
    """`10.11.19-MariaDB` as numbers; what is no number ends it."""
    found = []
    for part in version.split("-", maxsplit=1)[0].split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)
