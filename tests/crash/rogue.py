"""A process of somebody else's on the same database, which takes locks as no hub does; how often is up to its starter."""

import sqlite3
import sys
import time
from typing import Any
from urllib.parse import urlsplit

HELD, EVERY = 3.0, 10.0
TOO_LONG = 6.5
"""Longer than a lock is waited for, which is 5 s."""

DEADLOCKS = 4
PAUSE = 0.8
"""In which whoever was given up gets through: it waits the longer the more often it was."""

WEIGHT = 200
"""Rows that a transaction has changed; of two that wait for each other, the server gives up the lighter one."""


def hold_the_file(path: str, rounds: int) -> None:
    """Hold SQLite's one lock 3 s of every 10, and in the end for longer than anybody waits."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    for held in [HELD] * rounds + [TOO_LONG]:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(held)
        connection.execute("ROLLBACK")
        if held == HELD:
            time.sleep(EVERY - HELD)
    connection.close()


def _is_locked(cursor: Any, phone: str) -> bool:
    """Whether the lock was had; of two that wait for each other it may be us that are given up."""
    import pymysql  # noqa: PLC0415 - as below

    try:
        cursor.execute("SELECT phone FROM wch_customer_profiles WHERE phone = %s FOR UPDATE", (phone,))
    except pymysql.err.OperationalError:
        return False
    return True


def lock_customers(url: str, phones: list[str], rounds: int) -> None:
    """Lock two customers in the order that nobody else does, then one of them for longer than anybody waits."""
    import pymysql  # noqa: PLC0415 - an extra, there where a server is

    to = urlsplit(url)
    connection = pymysql.connect(
        host=to.hostname or "127.0.0.1", port=to.port or 3306, user=to.username, password=to.password or "",
        database=to.path[1:], autocommit=False,
    )  # fmt: skip
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS rogue (n INT PRIMARY KEY)")
        for _ in range(rounds):
            for _ in range(DEADLOCKS):
                connection.begin()
                cursor.executemany("INSERT INTO rogue VALUES (%s)", [(n,) for n in range(WEIGHT)])
                for phone in sorted(phones, reverse=True):
                    _is_locked(cursor, phone)
                    time.sleep(0.2)
                connection.rollback()
                time.sleep(PAUSE)
            connection.begin()
            while not _is_locked(cursor, phones[0]):
                connection.begin()
            time.sleep(TOO_LONG)
            connection.rollback()
        cursor.execute("DROP TABLE rogue")


if __name__ == "__main__":
    kind, where, times, *people = sys.argv[1:]
    if kind == "sqlite":
        hold_the_file(where, int(times))
    else:
        lock_customers(where, people, int(times))
