"""What makes a hub unsafe or silent, looked for in settings, database, account and work; and what is mended at once."""

import contextlib
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy.engine import make_url

from wch.adapters.clock import SystemClock
from wch.adapters.memory import MemoryDatabase
from wch.adapters.sql import SqlDatabase, schema, soundness
from wch.application.checkup import Checkup
from wch.application.doctor import Complaint
from wch.application.ports import UnitOfWork
from wch.application.readings import Severity
from wch.application.worker import alive
from wch.bootstrap.installing import Installation
from wch.bootstrap.resources import MEMORY
from wch.bootstrap.rules import missing_for_serving
from wch.bootstrap.woocommerce import open_woocommerce
from wch.domain.errors import SchemaError, SettingsError, StoreMisusedError, StoreUnavailableError
from wch.domain.shop_error import ShopError
from wch.settings import Settings, ShopKind

CLOCK_SECONDS = timedelta(seconds=2)
_GONE_ELSEWHERE = frozenset({"database", "schema", "clock", "disk"})
"""Parts of the check-up that were looked at closer already."""


async def examine(settings: Settings, *, checkup: Checkup | None = None, fix: bool = False) -> tuple[Complaint, ...]:
    """Look at settings, database, account and, with a check-up, at the work; what is found, the worst first.

    Args:
        settings: of the hub that is examined.
        checkup: the hub's own, when it could be opened.
        fix: set right what a statement or a call can set right.
    """
    found = [
        Complaint(severity="critical", what=fault, way_out="Set it in the environment or in wch.toml.")
        for fault in missing_for_serving(settings)
    ]
    if settings.database.url.startswith(MEMORY):
        found.append(
            Complaint(
                severity="warning", what="The store is in memory.", way_out="Set WCH_DATABASE_URL to keep anything."
            )
        )
    else:
        found += [one async for one in _database(settings, fix=fix)]
    found += await _account(settings, fix=fix)
    found += await _shop(settings)
    remedies = {one.way_out for one in found}
    if checkup is not None:
        found += [
            Complaint(
                severity=one.severity.word,
                what=f"{one.name}: {one.value} (limit: {one.limit}).",
                way_out=one.what_to_do,
            )
            for one in await checkup.run()
            if one.severity >= Severity.WARNING and one.name not in _GONE_ELSEWHERE and one.what_to_do not in remedies
        ]
    return tuple(sorted(found, key=lambda one: -Severity[one.severity.upper()]))


async def _database(settings: Settings, *, fix: bool) -> AsyncIterator[Complaint]:
    async with Installation.open(settings) as installation:
        database = installation.database
        try:
            await schema.require(database)
            for difference in await installation.check():
                yield Complaint(
                    severity="degraded",
                    what=f"{difference.table}: {difference.what}.",
                    way_out="Compare with `wch db check`; `wch db upgrade` brings tables to this version.",
                )
            offset = await database.clock_offset()
            processes = await database.read(_processes)
            found = await database.run(
                lambda connection: soundness.flaws(connection, url=settings.database.url, processes=processes),
                write=False,
            )
        except (SchemaError, StoreUnavailableError) as error:
            yield Complaint(severity="critical", what=str(error), way_out="Until then nothing can be stored.")
            return
        if abs(offset) > CLOCK_SECONDS:
            yield Complaint(
                severity="warning",
                what=f"The database's clock is {offset.total_seconds():.0f} s off.",
                way_out="Let both hosts follow a time server.",
            )
        for flaw in found:
            mended = fix and await _mended(database, flaw)
            yield Complaint(severity=flaw.severity, what=flaw.what, way_out=flaw.way_out, mended=mended)
    for complaint in _disk(settings):
        yield complaint


def _processes(uow: UnitOfWork) -> int:
    """How many processes worked on the database within the last minute, as their heartbeats tell."""
    return len(alive(uow, SystemClock().now()))


async def _mended(database: SqlDatabase, flaw: soundness.Flaw) -> bool:
    """Run the cure; whether it took. A server lets only some users set what is global."""
    cure = flaw.cure
    if cure is None:
        return False
    with contextlib.suppress(StoreMisusedError, StoreUnavailableError):
        await database.run(lambda connection: connection.exec_driver_sql(cure), write=False)
        return True
    return False


async def _shop(settings: Settings) -> list[Complaint]:
    """What a WooCommerce shop says to its key, its currency, its cart and its webhooks; the built-in one needs nothing."""
    if settings.shop.kind is not ShopKind.WOOCOMMERCE or not settings.woocommerce.url:
        return []
    async with contextlib.AsyncExitStack() as stack:
        try:
            shop = open_woocommerce(settings, MemoryDatabase(), SystemClock(), stack)
            found = await shop.complaints()
        except SettingsError as error:
            return [Complaint(severity="critical", what=str(error), way_out="Nothing can be sold until then.")]
        except ShopError:
            return [
                Complaint(
                    severity="critical",
                    what="The WooCommerce shop does not answer as a shop.",
                    way_out="Open WCH_WOOCOMMERCE_URL in a browser: maintenance, a firewall, or another address?",
                )
            ]
    return [Complaint(severity=severity, what=what, way_out=way_out) for severity, what, way_out in found]


async def _account(settings: Settings, *, fix: bool) -> list[Complaint]:
    """What Meta tells of the token, the account and the numbers; nothing without a token."""
    if not settings.whatsapp.access_token:
        return []
    try:
        import httpx2  # noqa: PLC0415 - needs the extra `http`

        from wch.adapters.whatsapp.account import CloudApiAccount  # noqa: PLC0415 - as above
    except ModuleNotFoundError as missing:
        way_out = "Without it nothing can be sent: pip install 'wch[http]'."
        return [Complaint(severity="critical", what=f"The package {missing.name} is not installed.", way_out=way_out)]
    ours = settings.whatsapp
    async with httpx2.AsyncClient(trust_env=False) as http:
        account = CloudApiAccount(
            graph_url=ours.graph_url, version=ours.graph_version, access_token=ours.access_token, http=http
        )
        return await account.complaints(
            account=ours.waba_id,
            numbers=[number for number in ours.phone_number_id if number != "*"],
            now=SystemClock().now(),
            soon=timedelta(days=settings.health.token_days),
            fix=fix,
        )


def free_percent(settings: Settings) -> int | None:
    """The least share of a disk that is free where the database or customers' files lie; None when neither does."""
    url, folder = make_url(settings.database.url), settings.whatsapp.media_folder
    kept = [folder] if folder else []
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        kept.append(str(Path(url.database).resolve().parent))
    usages = [shutil.disk_usage(one) for one in kept if Path(one).exists()]
    return min((usage.free * 100 // usage.total for usage in usages), default=None)


def _disk(settings: Settings) -> list[Complaint]:
    free = free_percent(settings)
    if free is None or free >= settings.health.disk_percent[0]:
        return []
    return [Complaint(severity="warning", what=f"{free} % of the disk is free.", way_out="Make room on the disk.")]
