"""A customer with a whole life behind them is exported, erased, and does not come back by what is old."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.processes import delivery, mariadb_store
from tests.sale.lived import BORIS, decoded, dump, life, needles, status_of
from tests.sale.script import ANNA
from wch.application.exports import ExportRefusedError
from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.domain.errors import NotFoundError
from wch.domain.moment import unix


@pytest.fixture(params=["memory", "sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Every kind of store."""
    if request.param == "memory":
        yield "memory://"
    elif request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/hub.db"
    else:
        with mariadb_store(request.getfixturevalue("mariadb_url"), "privacy") as made:
            yield made.url


@pytest.fixture
def quick() -> str:
    """The store for what no store does differently."""
    return "memory://"


async def test_nothing_of_an_erased_person_is_left(url: str) -> None:
    """In no table, spelling, base64 or file; other people's rows stay as they were but for the card."""
    async with life(url) as lived:
        before = await dump(lived.hub)
        assert all(needle.decode() in decoded(str(before)) for needle in [*needles()][:4:3])

        receipt = await lived.erase()

        after = await dump(lived.hub)
        for table, rows in after.items():
            text = decoded(str(rows)).casefold()
            for needle in needles():
                assert needle.decode().casefold() not in text, (table, needle)
        assert len(receipt["tables"]) == 14
        assert receipt["sha256"]
        assert not any(needle.decode() in json.dumps(receipt) for needle in needles())
        assert "kept words" in decoded(str(after))
        report = await lived.hub.verification.run()
        assert report["ok"], report
    if url.startswith("sqlite"):
        for file in Path(url.partition("///")[2]).parent.iterdir():
            content = file.read_bytes()
            assert [needle for needle in needles() if needle in content] == [], file.name


async def test_an_erasure_keeps_what_figures_are_made_of(quick: str) -> None:
    """Rows of broadcasts, notices and re-engagement stay, under a number that leads to nobody."""
    async with life(quick) as lived:
        hub = lived.hub
        before = await hub.database.read(lambda uow: dict(uow.census.states()))

        await lived.erase()

        after = await hub.database.read(lambda uow: dict(uow.census.states()))
        assert after["messages"].get("inbound:processed") == before["messages"].get("inbound:processed")
        assert after["notification_log"] == {"read": 2, "skipped": 1}
        assert after["broadcast_recipients"] == {"skipped_erased": 1, "sent": 1}
        assert after["reengagement"] == before["reengagement"]
        assert "product_views" not in after or not after["product_views"]
        assert after["customer_profiles"] == {"rows": 1}
        assert after["dead_letter_queue"] == {"dismissed": 1, "pending": 1}


async def test_old_deliveries_do_not_bring_them_back(quick: str) -> None:
    """They are answered and kept nowhere; a new word makes a new customer, still out of marketing."""
    async with life(quick) as lived:
        hub = lived.hub
        await lived.erase()
        before = await dump(hub)

        for body in lived.old:
            await lived.post(body)

        assert {
            name: rows for name, rows in (await dump(hub)).items() if rows != before[name] and "idempot" not in name
        } == {}
        assert await hub.customers.found(ANNA) == ()

        lived.clock.advance(timedelta(days=1))
        stamp = str(unix(lived.clock.now()))
        await lived.post(
            delivery({"from": ANNA, "id": "wamid.new", "timestamp": stamp, "type": "text", "text": {"body": "hi"}})
        )

        (back,) = await hub.customers.found(ANNA)
        assert back.is_out
        assert back.preferences["consent"]["log"][0]["source"] == "erasure"

        for body in lived.old:
            await lived.post(body)
        assert len(await _messages(hub)) == 1


async def _messages(hub: Hub) -> list[Any]:
    def look(uow: UnitOfWork) -> list[Any]:
        thread = uow.conversations.latest_of(ANNA)
        return [] if thread is None else [one for one in uow.messages.thread(thread.id) if one.direction == "inbound"]

    return await hub.database.read(look)


async def test_a_late_status_still_moves_the_row_of_an_erased_person(quick: str) -> None:
    """Its id is kept as a digest; what WhatsApp tells later finds it, and says no new id."""
    async with life(quick) as lived:
        hub = lived.hub
        await lived.erase()
        stamp = str(unix(lived.clock.now()) + 10)
        before = await hub.database.read(lambda uow: dict(uow.census.states()["messages"]))

        await lived.post(status_of("wamid.sent.1", stamp))

        assert await hub.database.read(lambda uow: dict(uow.census.states()["messages"])) == before
        assert "'wamid.sent.1'" not in str((await dump(hub))["messages"])


async def test_asking_twice_is_one_erasure(quick: str) -> None:
    """While it runs, the same one answers; when it is done there is nobody left to ask about."""
    async with life(quick) as lived:
        first = await lived.hub.erasures.ask(ANNA, reason="", by="ana")
        again = await lived.hub.erasures.ask(f"+{ANNA}", reason="", by="ana")

        assert first.saga_id == again.saga_id
        await lived.erase()
        with pytest.raises(NotFoundError):
            await lived.hub.erasures.ask(ANNA, reason="", by="ana")


async def test_a_rehearsal_counts_and_changes_nothing(quick: str) -> None:
    """The same code, taken back."""
    async with life(quick) as lived:
        before = await dump(lived.hub)

        counts = await lived.hub.erasures.rehearse(ANNA)

        assert counts["customer_profiles"]["deleted"] == 1
        assert await dump(lived.hub) == before
        receipt = await lived.erase()
        assert receipt["tables"]["messages"]["changed"] == counts["messages"]["changed"]


async def test_an_export_has_every_table(quick: str) -> None:
    """All 14 names, each row of the customer's, and what lies beside the tables; three in an hour."""
    async with life(quick) as lived:
        export = await lived.hub.exports.export("+34 600 111 222", by="ana")

        tables = export["tables"]
        assert len(tables) == 14
        for table in (
            "conversations",
            "messages",
            "customer_profiles",
            "broadcast_recipients",
            "notification_log",
            "product_views",
            "reengagement",
            "dead_letter_queue",
            "saga_state",
            "carts",
        ):
            assert tables[table], table
        assert {row["phone"] for row in tables["customer_profiles"]} == {ANNA}
        assert BORIS not in json.dumps(tables["messages"])
        assert export["beyond"]["local_shop"]["orders"]
        assert export["beyond"]["options"]
        assert export["subject"]["aliases"][-1] == "34600999888"

        for _ in range(2):
            await lived.hub.exports.export(ANNA, by="ana")
        with pytest.raises(ExportRefusedError):
            await lived.hub.exports.export(ANNA, by="ana")
        with pytest.raises(NotFoundError):
            await lived.hub.exports.export("34699999999", by="ben")


async def test_an_erasure_that_breaks_in_a_table_goes_on_where_it_was(url: str) -> None:
    """The page that was not committed is walked again; what is left of the person in the end is nothing."""
    async with life(url, WCH_TESTING="1", WCH_FAILPOINTS="erase.table=raise@5") as lived:
        receipt = await lived.erase()

        assert receipt["passes"] >= 2
        left = decoded(str(await dump(lived.hub))).casefold()
        assert [needle for needle in needles() if needle.decode().casefold() in left] == []
