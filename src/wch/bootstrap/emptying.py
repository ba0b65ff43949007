"""The sandbox's database begun anew: every row that customers made goes, what the hub stands on stays."""

from wch.application.accounts import LIMITS
from wch.application.hub import Hub
from wch.application.importing import TABLES
from wch.application.keys import OPTION as KEYS
from wch.application.operators import NUMBERS
from wch.application.operators import PREFIX as OPERATORS
from wch.application.ports import UnitOfWork
from wch.application.worker import HEARTBEAT
from wch.bootstrap.clocks import SANDBOX_ADDRESS, SANDBOX_CLOCK
from wch.domain.audit import AuditEntry

PAGE = 500

KEPT = (
    "wch_db_version",
    "hub.",
    SANDBOX_ADDRESS,
    SANDBOX_CLOCK,
    LIMITS,
    KEYS,
    OPERATORS,
    NUMBERS,
    HEARTBEAT,
    "setting",
    "shop",
    "text.",
)
"""Beginnings of options that stay: the schema, the clock, the address, people and keys, settings, texts, what is known of the shop."""


async def begin_anew(hub: Hub) -> int:
    """Delete every row of the 14 tables and every option that is not kept, page by page; how many there were.

    The audit log stays and has a line of it; so do the built-in shop's goods and orders.
    """
    dropped = 0
    for table in (*TABLES, "options"):
        after = None
        while True:

            def work(
                uow: UnitOfWork, table: str = table, after: tuple[object, ...] | None = after
            ) -> tuple[int, tuple[object, ...] | None]:
                page = uow.holdings.page(table, after=after, limit=PAGE)
                gone = [held for held in page if table != "options" or not str(held.key[0]).startswith(KEPT)]
                return sum(uow.holdings.drop(held) for held in gone), page[-1].key if page else None

            count, after = await hub.database.transact(work)
            dropped += count
            if after is None:
                break
    line = AuditEntry(at=hub.clock.now(), actor="host", action="sandbox.begin_anew", object="sandbox:all")
    await hub.database.transact(lambda uow: uow.audit.add(line))
    return dropped
