"""Killed in an order, its notice, its sync rows, a dead letter's replay: another process brings it to its one end."""

from collections import Counter
from datetime import timedelta

import pytest

from tests.crash.nursery import Nursery
from tests.crash.test_kills import _resent as resent
from tests.processes import GraphApi, Installed, Store, signature_of, until
from tests.sale.script import ADDRESS, Sale
from wch import Settings, open_hub
from wch.adapters.clock import SystemClock
from wch.testing import FrozenClock, RecordingWhatsApp

pytestmark = pytest.mark.crash

SELLS = {"WCH_CURRENCY": "EUR", "WCH_COUNTRY": "ES"}
ORDER = (
    *("saga.taken", "saga.started", "saga.after_call", "saga.done", "saga.closed"),
    *("notice.before_commit", "sync.taken", "sync.after_call", "sync.finished"),
)
SHORT = {"saga.after_call", "notice.before_commit", "sync.after_call"}
LETTER = ("letter.before_commit", "letter.replayed")


@pytest.mark.whole("mariadb")
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "place", [one if one in SHORT else pytest.param(one, marks=pytest.mark.whole) for one in ORDER]
)
async def test_an_order_that_was_killed_there_is_one_order(
    installed: Installed, graph: GraphApi, nursery: Nursery, place: str
) -> None:
    """One order, one notice, every sync row at its end; whoever died, and wherever."""
    installed.more = SELLS
    assert installed.wch("db", "upgrade").returncode == 0
    await confirmed(installed)

    armed = {"WCH_TESTING": "1", "WCH_FAILPOINTS": f"{place}=kill"}
    mortal = nursery.start("worker", environment={**installed.environment, **armed})
    await until(lambda: mortal.ended)
    assert mortal.wait() == -9
    let_everything_run_out(installed.store)
    healthy = nursery.start("worker", environment=installed.environment)
    await until(lambda: is_over(installed.store))
    assert healthy.kill() == -9

    store = installed.store
    assert store.rows("SELECT state FROM wch_saga_state") == [("completed",)]
    assert store.one("SELECT COUNT(*) FROM wch_shop_orders") == 1
    assert {status for (status,) in store.rows("SELECT status FROM wch_sync_queue")} <= {"completed"}
    notices = Counter(store.rows("SELECT order_id, notification_type FROM wch_notification_log"))
    assert notices
    assert set(notices.values()) == {1}
    assert graph.sent_twice() - resent(store) == Counter()
    assert installed.json("verify")["ok"] is True


@pytest.mark.timeout(120)
@pytest.mark.whole("mariadb")
@pytest.mark.parametrize("place", LETTER)
async def test_a_replay_that_was_killed_there_happens_once(installed: Installed, nursery: Nursery, place: str) -> None:
    """Before its commit it did not happen and may be asked for again; after it, it happened and is refused."""
    assert installed.wch("db", "upgrade").returncode == 0
    settings, _, _ = Settings.load(installed.environment, {}, None)
    async with open_hub(settings) as hub:
        await hub.inbox.receive_raw(b"unreadable", signature=signature_of(b"unreadable"))

    armed = {"WCH_TESTING": "1", "WCH_FAILPOINTS": f"{place}=kill"}
    arguments = ("dead-letters", "replay", "1", "--reason", "mended")
    mortal = nursery.start(*arguments, environment={**installed.environment, **armed})
    assert mortal.wait() == -9
    again = installed.wch(*arguments)

    assert (again.returncode == 0) is (place == "letter.before_commit"), again.stderr
    assert installed.store.rows("SELECT status FROM wch_dead_letter_queue WHERE id = 1") == [("replayed",)]
    assert installed.store.one("SELECT COUNT(*) FROM wch_audit_log WHERE action LIKE '%replay%'") == 1


class Confirmed(Sale):
    """A sale that stops when the order is confirmed; nobody has begun to carry it out."""

    async def wait(self, span: timedelta) -> None:
        self.clock.advance(span)
        await self.hub.worker.only(frozenset({"inbound", "outbound"})).drain()

    async def confirm(self) -> None:
        for word in ("hi", "lamp"):
            await self.text(word)
        await self.tap("product_")
        await self.tap("add_to_cart_", "variant_")
        await self.text("cart")
        await self.tap("checkout")
        await self.text(ADDRESS)
        await self.tap("use_address")
        for prefix in ("shipping_", "payment_"):
            if self.offers(prefix):
                await self.tap(prefix)
        await self.tap("confirm_order")


async def confirmed(installed: Installed) -> None:
    """A customer has bought something, some minutes ago."""
    settings, _, _ = Settings.load(installed.environment, {}, None)
    clock, whatsapp = FrozenClock(SystemClock().now() - timedelta(minutes=10)), RecordingWhatsApp()
    async with open_hub(settings, clock=clock, whatsapp=whatsapp) as hub:
        await Confirmed(hub=hub, clock=clock, whatsapp=whatsapp).confirm()


def let_everything_run_out(store: Store) -> None:
    """Move the leases of whoever died into the past."""
    past = (SystemClock().now() - timedelta(minutes=5)).strftime("%Y-%m-%d %H:%M:%S")
    for statement in (
        "UPDATE wch_saga_state SET updated_at = :past WHERE state IN ('running', 'compensating')",
        "UPDATE wch_sync_queue SET processed_at = :past WHERE status = 'processing'",
        "UPDATE wch_messages SET updated_at = :past WHERE status IN ('processing', 'sending', 'unconfirmed')",
    ):
        store.change(statement, past=past)


def is_over(store: Store) -> bool:
    """Whether the order, its notice, its message and its sync rows are at their end."""
    waits = (
        "SELECT COUNT(*) FROM wch_saga_state WHERE state IN ('running', 'compensating')",
        "SELECT COUNT(*) FROM wch_sync_queue WHERE status <> 'completed'",
        "SELECT COUNT(*) FROM wch_notification_log WHERE status = 'pending'",
        "SELECT COUNT(*) FROM wch_messages WHERE status = 'unconfirmed'",
    )
    there = store.one("SELECT COUNT(*) FROM wch_notification_log")
    return bool(there) and not store.unfinished() and not any(store.one(one) for one in waits)
