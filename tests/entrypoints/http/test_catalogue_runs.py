"""The page of the sync queue shows the latest full runs of the catalogue."""

from tests.entrypoints.http.consoles import shop
from wch.application.full_runs import PREFIX
from wch.domain.document import document
from wch.domain.operator import Role


async def test_the_latest_runs_are_on_the_page() -> None:
    """With what became of the products; before the first one it is said how to begin one."""
    async with shop() as town:
        browser = await town.signed_in("maria", Role.ADMIN)
        assert "wch sync run" in await browser.text("/sync")
        run = document(
            started="2026-03-02T12:00:00Z", by="cli", state="done", total=4321, done=4300, failed=21, sent=17, deleted=2,
            ended="2026-03-02T12:05:00Z",
        )  # fmt: skip
        await town.hub.database.transact(lambda uow: uow.options.put(f"{PREFIX}{run['started']}", run))

        assert "4321" in await browser.text("/sync")
