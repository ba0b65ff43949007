"""The same sale, driven by one script, leaves the same rows on every store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import mariadb_store
from tests.sale.script import Sale, export, settings_of
from wch import open_hub
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds

MEMORY = "memory://"


@pytest.fixture(params=["sqlite+aiosqlite", "sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store that keeps what it is given."""
    if request.param != "mariadb":
        yield f"{request.param}:///{tmp_path}/sale.db"
        return
    with mariadb_store(request.getfixturevalue("mariadb_url"), "sale") as made:
        yield made.url


async def test_a_sale_leaves_the_same_rows_on_every_store(url: str) -> None:
    """A store that rounds, orders or forgets differently would show here, wherever in the house it is hidden."""
    expected, said = await _sell(MEMORY)

    found, also_said = await _sell(url)

    assert also_said == said
    assert {table for table in expected if found[table] != expected[table]} == set()
    assert found == expected


async def test_the_sale_goes_through_every_state(tmp_path: Path) -> None:
    """What is compared above must be worth comparing: an order, its stock, its notices, everything read."""
    rows, said = await _sell(f"sqlite+aiosqlite:///{tmp_path}/sale.db")

    (thread,) = rows["messages"]
    assert {one["status"] for one in thread} == {"processed", "read"}
    assert [cart["items"] for cart in rows["carts"]] == [[]]
    assert [saga["state"] for saga in rows["saga_state"]] == ["completed"]
    assert len(rows["notification_log"]) >= 2
    assert rows["dead_letter_queue"] == []
    assert any("JD014600003" in words for words in said)


async def _sell(url: str) -> tuple[dict[str, Any], list[str]]:
    settings = settings_of(url)
    clock, whatsapp = FrozenClock(), RecordingWhatsApp()
    async with open_hub(settings, clock=clock, ids=SequentialIds(), whatsapp=whatsapp, install=True) as hub:
        sale = Sale(hub=hub, clock=clock, whatsapp=whatsapp)
        await sale.run()
        report = await hub.verification.run()
        assert report["ok"], report
        return await export(hub), whatsapp.texts
