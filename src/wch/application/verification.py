"""Verification: whether everything that was accepted is accounted for, on a live system."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from wch.application.ports import Database, Finding, UnitOfWork
from wch.application.statistics import INBOUND, OUTBOUND, WORDS
from wch.domain.broadcast import RecipientStatus
from wch.domain.cart import CartStatus, total_of
from wch.domain.ledger import Ledger
from wch.domain.notification import NotificationStatus
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga, SagaState

PAGE = 500
QUOTED = ("subtotal", "discount", "shipping", "tax", "fee", "rounding", "total")
SHOWN = 20
"""So many findings of a check are listed; its counts tell how many there are."""

STANDS: Mapping[str, Mapping[str, str]] = {
    "messages": {
        "inbound:received": "waiting",
        "inbound:processing": "leased",
        "inbound:processed": "done",
        "inbound:dead": "dead",
        "outbound:pending": "waiting",
        "outbound:sending": "leased",
        "outbound:unconfirmed": "waiting",
        "outbound:sent": "done",
        "outbound:delivered": "done",
        "outbound:read": "done",
        "outbound:failed": "done",
    },
    "broadcast_recipients": {
        **{word.value: "done" for word in RecipientStatus},
        "pending": "waiting",
        "queued": "waiting",
        "unconfirmed": "waiting",
    },
    "notification_log": {
        **{word.value: "done" for word in NotificationStatus},
        "pending": "waiting",
        "queued": "waiting",
        "unconfirmed": "waiting",
    },
    "sync_queue": {"pending": "waiting", "processing": "leased", "completed": "done", "failed": "dead"},
    "saga_state": {"running": "waiting", "compensating": "waiting", "completed": "done", "failed": "done"},
    "dead_letter_queue": {"pending": "dead", "replayed": "done", "dismissed": "done"},
}
"""Where each state of each kind of work stands in the conservation law."""


@attrs.frozen(kw_only=True)
class Verification:
    """Counts in one snapshot, so that what moves meanwhile cannot look broken."""

    database: Database

    async def run(self) -> Mapping[str, Any]:
        """`{"ok", "checks": [{"name", "ok", "detail", "counts"}]}`."""

        def work(uow: UnitOfWork) -> list[dict[str, Any]]:
            states = uow.census.states()
            return [
                self._conservation(states),
                self._words(uow, states),
                self._found("counters", uow.census.miscounted(), "every conversation counts its own messages"),
                self._found("dangling", uow.census.dangling(), "every row points to something that is there"),
                self._carts(uow),
                self._placements(uow),
            ]

        checks = await self.database.read(work)
        return {"ok": all(check["ok"] for check in checks), "checks": checks}

    def _conservation(self, states: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
        """Accepted = done + waiting + leased + dead-lettered, for every message there ever was.

        The other kinds of work are counted beside it, under `<table>.<where>`.
        """
        counts: dict[str, int] = {}
        lost: list[str] = []
        for table, stands in STANDS.items():
            prefix = "" if table == "messages" else f"{table}."
            counts |= {f"{prefix}{where}": 0 for where in ("accepted", "done", "waiting", "leased", "dead")}
            for word, rows in states.get(table, {}).items():
                counts[f"{prefix}accepted"] += rows
                if word in stands:
                    counts[f"{prefix}{stands[word]}"] += rows
                else:
                    lost.append(f"{rows} rows of {table} are in no known state")
        detail = "; ".join(lost) or "accepted = done + waiting + leased + dead"
        return {"name": "conservation", "ok": not lost, "detail": detail, "counts": counts}

    def _words(self, uow: UnitOfWork, states: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
        """Every state is a word that somebody reads."""
        findings = list(uow.census.unknown_words())
        known = {f"inbound:{word}" for word in INBOUND} | {f"outbound:{word}" for word in OUTBOUND}
        for table, words in states.items():
            expected = known if table == "messages" else set(WORDS.get(table, ()))
            findings += [
                Finding(table=table, row="-", what=f"{rows} rows say {word}")
                for word, rows in words.items()
                if word not in expected
            ]
        return self._found("states", findings, "every state is a word of the data model")

    def _carts(self, uow: UnitOfWork) -> dict[str, Any]:
        """A cart's total is the worth of its lines, in one currency; its lines are distinct."""
        findings: list[Finding] = []
        after = seen = 0
        while page := uow.carts.listed(after=after, limit=PAGE):
            for cart in page:
                after, seen = cart.id, seen + 1
                if cart.total != total_of(cart.items):
                    findings.append(Finding(table="carts", row=str(cart.id), what="its total is not that of its lines"))
                if len({item.key for item in cart.items}) != len(cart.items):
                    findings.append(Finding(table="carts", row=str(cart.id), what="a line is there twice"))
                if cart.recovered != (cart.status is CartStatus.RECOVERED):
                    findings.append(Finding(table="carts", row=str(cart.id), what="recovered and status disagree"))
        return self._found("carts", findings, "every cart adds up", checked=seen)

    def _placements(self, uow: UnitOfWork) -> dict[str, Any]:
        """Shown total = order total = amount due, for every placement that went through."""
        findings: list[Finding] = []
        after, seen = "", 0
        while page := uow.sagas.listed(saga_type=PLACEMENT, after=after, limit=PAGE):
            for saga in page:
                after, seen = saga.saga_id, seen + 1
                findings += _money(saga)
                if saga.is_open and saga.updated_at < saga.created_at:
                    findings.append(Finding(table="saga_state", row=saga.saga_id, what="it has no next look"))
        return self._found("money", findings, "every order came to what was shown", checked=seen)

    def _found(
        self, name: str, findings: Sequence[Finding], promise: str, *, checked: int | None = None
    ) -> dict[str, Any]:
        counts = {"findings": len(findings)} | ({} if checked is None else {"checked": checked})
        shown = "; ".join(f"{one.table} {one.row}: {one.what}" for one in findings[:SHOWN])
        return {"name": name, "ok": not findings, "detail": shown or promise, "counts": counts}


def _money(saga: Saga) -> list[Finding]:
    """The identities of one placement."""
    quote = saga.context.get("quote", {})
    amounts = {part: Decimal(quote[part]["amount"]) for part in QUOTED if part in quote}
    findings = []
    if len(amounts) == len(QUOTED):
        tax = Decimal(0) if quote.get("tax_included") else amounts["tax"]
        parts = amounts["subtotal"] - amounts["discount"] + amounts["shipping"] + amounts["fee"] + amounts["rounding"]
        if parts + tax != amounts["total"]:
            findings.append(Finding(table="saga_state", row=saga.saga_id, what="the parts do not make the total"))
    due = saga.context.get("money", {}).get("due")
    made = saga.results.get("create_order", {}).get("total")
    if saga.state is SagaState.COMPLETED and made != due:
        findings.append(Finding(table="saga_state", row=saga.saga_id, what="the order came to another total"))
    if due is not None and not Ledger.of(saga.context).is_lawful:
        findings.append(Finding(table="saga_state", row=saga.saga_id, what="more went back than came"))
    paid = saga.results.get("await_payment", {})
    if "amount" in paid and paid["amount"] != due and "accepted_by" not in paid:
        findings.append(Finding(table="saga_state", row=saga.saga_id, what="another amount was taken than was due"))
    return findings
