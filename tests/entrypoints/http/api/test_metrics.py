"""Every name that operations promise is in `/metrics`, and tells what a sale did."""

import re
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.entrypoints.http.api.conftest import Desk
from tests.entrypoints.http.doubles import BODY
from tests.processes import SECRET
from wch.adapters.whatsapp.signature import sign
from wch.application.ports import UnitOfWork
from wch.domain.dead_letter import DeadLetter, Hook, Reason

PROMISED = {
    "wch_build_info": ("version", "schema"),
    "wch_webhooks_total": ("kind", "result"),
    "wch_webhook_seconds": (),
    "wch_events_total": ("type", "result"),
    "wch_bad_signatures_total": (),
    "wch_last_webhook_timestamp_seconds": (),
    "wch_waiting": ("work",),
    "wch_leased": ("work",),
    "wch_oldest_waiting_seconds": ("work",),
    "wch_attempts_total": ("work", "result"),
    "wch_lease_takeovers_total": ("work",),
    "wch_fenced_writes_total": ("work",),
    "wch_handling_seconds": ("intent",),
    "wch_messages_total": ("direction", "class", "status"),
    "wch_send_seconds": ("class", "result"),
    "wch_send_errors_total": ("code",),
    "wch_unconfirmed": (),
    "wch_unconfirmed_resolved_total": ("how",),
    "wch_policy_total": ("kind", "rule", "verdict"),
    "wch_window_closed_total": ("class",),
    "wch_opt_outs_total": ("source",),
    "wch_carts_abandoned_total": (),
    "wch_reminders_total": ("n", "result"),
    "wch_recovered_total": (),
    "wch_recovered_revenue_total": ("currency",),
    "wch_campaign_recipients": ("campaign", "status"),
    "wch_campaign_pauses_total": ("reason",),
    "wch_notices_total": ("type", "result"),
    "wch_reengagement_total": ("kind", "result"),
    "wch_sagas": ("type", "state"),
    "wch_sagas_parked": ("reason",),
    "wch_saga_step_seconds": ("type", "step", "result"),
    "wch_dead_letters": ("reason", "status"),
    "wch_payments_total": ("gateway", "result"),
    "wch_breaker_state": ("service",),
    "wch_breaker_refused_total": ("service",),
    "wch_limit_total": ("limit", "result"),
    "wch_tier_used_ratio": (),
    "wch_sync_total": ("entity", "action", "result"),
    "wch_shop_seconds": ("operation", "result"),
    "wch_transaction_seconds": ("work",),
    "wch_transaction_retries_total": ("reason",),
    "wch_clock_offset_seconds": (),
    "wch_health": ("component",),
    "wch_worker_heartbeat_timestamp_seconds": (),
    "wch_http_requests_total": ("route", "method", "code"),
    "wch_erasures_total": ("result",),
    "wch_retention_rows_total": ("data", "result"),
}
"""What operations promise, name by name, with the labels."""

QUIET_AFTER_A_SALE = {
    "wch_lease_takeovers_total", "wch_fenced_writes_total", "wch_send_errors_total", "wch_unconfirmed_resolved_total",
    "wch_window_closed_total", "wch_opt_outs_total", "wch_reminders_total", "wch_campaign_recipients",
    "wch_recovered_revenue_total", "wch_campaign_pauses_total", "wch_reengagement_total", "wch_sagas_parked",
    "wch_payments_total", "wch_breaker_state", "wch_breaker_refused_total", "wch_sync_total", "wch_erasures_total",
    "wch_retention_rows_total", "wch_transaction_retries_total", "wch_oldest_waiting_seconds",
    "wch_worker_heartbeat_timestamp_seconds",
}  # fmt: skip
"""What has no sample after one sale on a store that never retries: the name is there all the same."""

SUFFIXES = ("_bucket", "_count", "_sum", "_created")


@pytest.fixture
async def told(caller: httpx2.AsyncClient) -> str:
    """The metrics after a sale and a few deliveries."""
    await caller.post("/webhooks/whatsapp", content=BODY, headers={"X-Hub-Signature-256": sign(BODY, SECRET)})
    await caller.post("/webhooks/whatsapp", content=BODY)
    return (await caller.get("/metrics")).text


def _named(told: str) -> set[str]:
    return {line.split()[2] for line in told.splitlines() if line.startswith("# TYPE ")}


def _samples(told: str) -> list[Any]:
    return [one for family in text_string_to_metric_families(told) for one in family.samples]


def _stem(name: str) -> str:
    return next((name.removesuffix(one) for one in SUFFIXES if name.endswith(one)), name)


def test_every_promised_name_is_there(told: str) -> None:
    """A figure that is missing is never alarmed about."""
    assert PROMISED.keys() - _named(told) == set()
    silent = PROMISED.keys() - {_stem(one.name) for one in _samples(told)}
    assert silent - QUIET_AFTER_A_SALE == set()


def test_labels_are_the_promised_ones_and_name_nobody(told: str) -> None:
    """No number, key or id is a label; a campaign's number is the exception."""
    for one in _samples(told):
        name = _stem(one.name)
        labels = set(one.labels) - {"le"}
        assert name not in PROMISED or labels == set(PROMISED[name]), name
        assert not [word for key, word in one.labels.items() if key != "campaign" and re.search(r"\d{7}", word)], name


async def test_an_answer_is_counted_once_however_often_it_is_looked(caller: httpx2.AsyncClient) -> None:
    """What was told at one look is not told again at the next, and what came between is added."""
    looks = []
    for _ in range(3):
        await caller.post("/webhooks/whatsapp", content=BODY)
        looks.append((await caller.get("/metrics")).text)
        looks.append((await caller.get("/metrics")).text)

    found = [{(one.name, *sorted(one.labels.values())): one.value for one in _samples(look)} for look in looks]

    assert [one["wch_webhooks_total", "bad_signature", "whatsapp"] for one in found] == [1, 1, 2, 2, 3, 3]
    assert [one["wch_http_requests_total", "/webhooks/whatsapp", "401", "POST"] for one in found] == [1, 1, 2, 2, 3, 3]


def test_a_sale_is_counted(told: str) -> None:
    """What the customer and the hub did, as often as they did it."""
    found = {(one.name, *sorted(one.labels.values())): one.value for one in _samples(told)}

    assert found["wch_events_total", "message", "new"] >= 1
    assert found["wch_messages_total", "customer", "inbound", "received"] >= 1
    assert (
        found["wch_messages_total", "customer", "inbound", "processed"]
        == found["wch_attempts_total", "done", "inbound"]
    )
    assert (
        found["wch_messages_total", "outbound", "reply", "sent"] == found["wch_send_seconds_count", "accepted", "reply"]
    )
    assert found["wch_saga_step_seconds_count", "OrderPlacement", "close", "done"] == 1
    assert found["wch_sagas", "OrderPlacement", "completed"] == 1
    assert found["wch_notices_total", "order_confirmed", "queued"] == 1
    assert found["wch_policy_total", "none", "notice", "send"] == 2
    assert found["wch_limit_total", "admitted", "message_send"] >= 1
    assert found["wch_shop_seconds_count", "create_order", "done"] == 1
    assert found["wch_transaction_seconds_count", "outbox"] >= 1
    assert found["wch_tier_used_ratio",] == 0


def _letters(told: str) -> Any:
    return sum(one.value for one in _samples(told) if one.name == "wch_dead_letters")


async def test_the_tables_are_read_once_in_five_seconds(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """However often it is scraped; what the process itself counts is of the moment."""

    def bury(uow: UnitOfWork) -> None:
        now = desk.clock.now()
        uow.dead_letters.add(
            DeadLetter.of_row(
                Hook.NOTIFICATION, "notification_log", 2, Reason.EXCEPTION, error="x", attempts=5, now=now
            )
        )

    before = (await caller.get("/metrics")).text
    await desk.hub.database.transact(bury)
    desk.clock.advance(4.5)
    soon = (await caller.get("/metrics")).text
    desk.clock.advance(0.5)
    later = (await caller.get("/metrics")).text

    assert (_letters(soon), _letters(later)) == (_letters(before), _letters(before) + 1)
    scrapes = [
        next(
            one.value for one in _samples(told) if one.labels.get("route") == "/metrics" and one.name.endswith("_total")
        )
        for told in (soon, later)
    ]
    assert scrapes[1] == scrapes[0] + 1
