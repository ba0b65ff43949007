"""The figures are those of the rows."""

import pytest

from tests.application.rooms import Rooms, rooms

TABLES = {
    "conversations",
    "messages",
    "carts",
    "customer_profiles",
    "broadcast_recipients",
    "sync_queue",
    "notification_log",
    "product_views",
    "reengagement",
    "dead_letter_queue",
    "webhook_idempotency",
    "rate_limits",
    "circuit_breakers",
    "saga_state",
}


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def test_all_fourteen_tables_with_every_state(hub: Rooms) -> None:
    """A state without rows says 0, so that nobody has to guess its word."""
    figures = await hub.statistics.snapshot()

    assert set(figures["tables"]) == TABLES
    assert figures["tables"]["messages"]["inbound"] == {"received": 0, "processing": 0, "processed": 0, "dead": 0}
    assert set(figures["tables"]["messages"]["outbound"]) == {
        "pending",
        "sending",
        "unconfirmed",
        "sent",
        "failed",
        "delivered",
        "read",
    }
    assert figures["tables"]["carts"] == {"active": 0, "abandoned": 0, "recovered": 0, "expired": 0}
    assert (figures["oldest_waiting_s"], figures["leases_taken_over"]) == (0, 0)
    assert (figures["unconfirmed"], figures["dead_letters_pending"]) == (0, 0)


async def test_the_oldest_waiting_is_the_oldest_of_all(hub: Rooms) -> None:
    """Whatever kind of work it is; never below zero."""
    await hub.hear("one")
    hub.clock.advance(90)
    await hub.hear("two", sender="4915")

    figures = await hub.statistics.snapshot()

    assert figures["tables"]["messages"]["inbound"]["received"] == 2
    assert (figures["oldest_waiting_s"], figures["oldest_waiting_by_kind_s"]) == (90, {"inbound": 90})
