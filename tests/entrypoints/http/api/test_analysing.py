"""Figures over the API: one sale and what a program reads of it."""

import attrs
import httpx2

from tests.entrypoints.http.api.conftest import Desk
from tests.sale.script import ANNA
from wch.application.ports import UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.document import document
from wch.domain.moment import of_iso

V1 = "/api/v1"


async def test_one_sale_is_one_customer_one_order_and_its_revenue(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """Figures are those of the rows; a ratio carries what it was made of, and nothing of nothing is null."""
    (placed,) = await desk.hub.orders.placements()
    told = (await caller.get(f"{V1}/analytics/summary")).json()

    assert told["money"]["revenue"] == placed.context["quote"]["total"]
    assert told["customers"]["conversion"] == {"value": 1.0, "numerator": 1, "denominator": 1}
    assert told["customers"]["returning"] == {"value": 0.0, "numerator": 0, "denominator": 1}
    assert (told["customers"]["active"], told["customers"]["new"]) == (1, 1)
    assert told["answer_time_s"]["unanswered"]["numerator"] == 0
    assert told["answer_time_s"]["all"]["answered"] > 0
    assert told["reliability"]["dead_letters"]["entered"] == 2


async def test_the_funnel_of_one_sale_has_one_customer_in_each_stage(caller: httpx2.AsyncClient) -> None:
    """Whoever paid was everywhere before."""
    stages = (await caller.get(f"{V1}/analytics/funnel")).json()["stages"]

    assert [(one["stage"], one["customers"]) for one in stages] == [
        (name, 1) for name in ("wrote", "viewed", "added", "checkout", "confirmed", "paid")
    ]
    assert [one["of_first"]["value"] for one in stages] == [1.0] * 6


async def test_a_time_without_traffic_is_told_as_nothing(caller: httpx2.AsyncClient) -> None:
    """No share of nothing, and no fault."""
    asked = {"from": "2020-01-01", "to": "2020-01-07"}
    summary = (await caller.get(f"{V1}/analytics/summary", params=asked)).json()
    carts = (await caller.get(f"{V1}/analytics/carts", params=asked)).json()
    campaigns = (await caller.get(f"{V1}/analytics/broadcasts", params=asked)).json()

    assert summary["customers"]["conversion"]["value"] is None
    assert summary["conversations"]["handoff_rate"]["value"] is None
    assert summary["money"]["average_order"] is None
    assert carts["abandonment"] == {"value": None, "numerator": 0, "denominator": 0}
    assert campaigns["campaigns"] == []


async def test_a_period_is_one_to_366_days(caller: httpx2.AsyncClient) -> None:
    """What is empty or longer is refused with a sentence."""
    for asked in ({"from": "2026-01-02", "to": "2026-01-02"}, {"from": "2020-01-01", "to": "2026-01-01"}):
        answer = await caller.get(f"{V1}/analytics/summary", params=asked)

        assert answer.status_code == 422
        assert "366" in answer.json()["detail"]


async def test_an_export_is_safe_audited_and_limited(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """A product named as a formula stays text; the fourth export within the hour is refused."""

    def work(uow: UnitOfWork) -> None:
        (placed,) = uow.sagas.listed(limit=1)
        locked = uow.sagas.get(placed.saga_id, lock=True)
        assert locked is not None
        context = {**locked.context, "names": ["=1+1" for _ in locked.context["names"]]}
        uow.sagas.save(attrs.evolve(locked, context=context))

    await desk.hub.database.transact(work)

    first, *others = [
        await caller.get(f"{V1}/analytics/export", params={"what": what}) for what in ("products", "days", "funnel")
    ]
    fourth = await caller.get(f"{V1}/analytics/export", params={"what": "notices"})
    lines = await desk.row(lambda uow: uow.audit.listed(action="analytics.export"))
    (shown, *_) = (await caller.get("/api/v1/audit", params={"action": "analytics.export"})).json()["data"]
    assert shown["role"] == "13 scopes"

    assert first.headers["content-type"].startswith("text/csv")
    assert ",'=1+1," in first.text
    assert ANNA not in first.text + "".join(one.text for one in others)
    assert [one.status_code for one in others] == [200, 200]
    assert others[0].text.count("\r\n") == 31
    assert (fourth.status_code, len(lines)) == (429, 3)
    assert int(fourth.headers["retry-after"]) > 0


async def test_the_audit_log_is_filtered_and_taken_away(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """By what was done to and when, in a list and as a table alike; wrong days are told what days look like."""
    reason = f"=1+1 of {ANNA}"
    lines = [
        AuditEntry(at=of_iso(f"2026-01-0{day}T10:00:00Z"), actor="maria", action="saga.resume", object="saga:a", reason=reason)
        for day in (1, 2, 3)
    ]  # fmt: skip
    await desk.hub.database.transact(lambda uow: [uow.audit.add(line) for line in lines])
    asked = {"object": "saga:a", "from": "2026-01-02", "until": "2026-01-02"}

    listed = (await caller.get(f"{V1}/audit", params=asked)).json()["data"]
    table = await caller.get(f"{V1}/audit/export", params=asked)
    wrong = await caller.get(f"{V1}/audit", params={"from": "2026-01-02", "until": "2026-01-01"})
    unreadable = await caller.get(f"{V1}/audit", params={"from": "yesterday"})

    assert [one["at"] for one in listed] == ["2026-01-02T10:00:00Z"]
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.count("\r\n") == 2
    assert f",'{reason}," in table.text
    assert (wrong.status_code, unreadable.status_code) == (422, 400)
    assert "2026-03-02" in wrong.text
    (line,) = await desk.row(lambda uow: uow.audit.listed(action="audit.export"))
    assert line.actor.startswith("key:")


async def test_who_may_not_know_people_reads_no_words_of_the_audit_log(desk: Desk) -> None:
    """A reason is written by a person about a person; what was done, to what and when is told to every reader."""
    line = AuditEntry(
        at=of_iso("2026-01-01T10:00:00Z"),
        actor="maria",
        action="saga.resume",
        object="saga:a",
        reason=f"{ANNA} rang",
        detail=document(order=1042, note=f"call {ANNA}"),
    )
    await desk.hub.database.transact(lambda uow: uow.audit.add(line))
    asked = {"object": "saga:a"}

    async with desk.client(await desk.key("read")) as reader, desk.client(await desk.key("read", "pii")) as knower:
        (masked,) = (await reader.get(f"{V1}/audit", params=asked)).json()["data"]
        (whole,) = (await knower.get(f"{V1}/audit", params=asked)).json()["data"]

    assert (masked["action"], masked["object"], masked["detail"]["order"]) == ("saga.resume", "saga:a", 1042)
    assert ANNA not in str(masked)
    assert whole["reason"] == line.reason
    assert whole["detail"]["note"] == f"call {ANNA}"
