"""A shop with one sale behind it, in a SQLite file of its own, and the command line in this process."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

from tests.processes import SECRET
from tests.sale.script import Sale
from wch import Settings, open_hub
from wch.adapters.clock import SystemClock
from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import document
from wch.domain.moment import iso
from wch.entrypoints.cli.commands import wch
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds

ENVIRONMENT = {
    "WCH_PROFILE": "test",
    "WCH_APP_SECRET": SECRET,
    "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough",
    "WCH_VERIFY_TOKEN": "a-token",
    "WCH_ACCESS_TOKEN": "an-access-token",
    "WCH_PHONE_NUMBER_ID": "*",
    "WCH_GRAPH_URL": "http://127.0.0.1:9",
    "WCH_CURRENCY": "EUR",
    "WCH_COUNTRY": "ES",
}


@attrs.frozen(kw_only=True)
class Line:
    """The command line in one folder."""

    folder: Path

    def run(self, *words: str) -> Result:
        """Run one command; a traceback is never an answer."""
        result = CliRunner().invoke(wch, words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return result

    def text(self, *words: str) -> str:
        """What people read when all is well."""
        result = self.run(*words)
        assert result.exit_code == 0, (words, result.output)
        return result.stdout

    def json(self, *words: str, code: int = 0) -> Any:
        """The one document on standard output."""
        result = self.run(*words, "--json")
        assert result.exit_code == code, (words, result.output)
        return json.loads(result.stdout)

    def other_customer(self, phone: str) -> None:
        """Somebody else is known too."""

        async def meet() -> None:
            url = f"sqlite+aiosqlite:///{self.folder}/wch.db"
            settings, _, _ = Settings.load({**ENVIRONMENT, "WCH_DATABASE_URL": url}, {}, None)
            async with open_hub(settings) as hub:
                await hub.database.transact(lambda uow: uow.customers.lock(phone, now=hub.clock.now()))

        asyncio.run(meet())

    def worker_beats(self, name: str = "worker.one") -> None:
        """A worker in some process showed a moment ago that it is alive."""

        async def beat() -> None:
            url = f"sqlite+aiosqlite:///{self.folder}/wch.db"
            settings, _, _ = Settings.load({**ENVIRONMENT, "WCH_DATABASE_URL": url}, {}, None)
            async with open_hub(settings) as hub:
                now = hub.clock.now()
                await hub.database.transact(lambda uow: uow.options.put(name, document(at=iso(now))))

        asyncio.run(beat())

    def refused(self, *words: str, code: int = 1) -> str:
        """The sentence on standard error of a command that would not."""
        result = self.run(*words)
        assert result.exit_code == code, (words, result.output)
        assert result.stdout == ""
        return result.stderr


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    """A folder with nothing in it, not even tables."""
    monkeypatch.chdir(tmp_path)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WCH_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/wch.db")
    return Line(folder=tmp_path)


@pytest.fixture(scope="session")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sale and one dead letter, made once; each test gets a copy of the file."""
    path = tmp_path_factory.mktemp("sold") / "wch.db"
    asyncio.run(_sell(path))
    return path


@pytest.fixture
def line(bare: Line, sold: Path) -> Line:
    """The command line of a shop that has sold something."""
    shutil.copy(sold, bare.folder / "wch.db")
    return bare


async def _sell(path: Path) -> None:
    environment = {**ENVIRONMENT, "WCH_DATABASE_URL": f"sqlite+aiosqlite:///{path}"}
    settings, _, _ = Settings.load(environment, {}, None)
    clock, whatsapp = FrozenClock(SystemClock().now()), RecordingWhatsApp()
    async with open_hub(settings, clock=clock, ids=SequentialIds(), whatsapp=whatsapp, install=True) as hub:
        await Sale(hub=hub, clock=clock, whatsapp=whatsapp).run()
        await _dead_letter(hub)


async def _dead_letter(hub: Hub) -> None:
    def work(uow: UnitOfWork) -> None:
        (thread,) = uow.conversations.listed()
        message = uow.messages.thread(thread.id, limit=1)[0]
        uow.dead_letters.add(
            DeadLetter.of_row(
                Hook.OUTBOUND,
                "messages",
                message.id,
                Reason.MAX_RETRIES_EXCEEDED,
                error="it [did] not go",
                attempts=5,
                now=hub.clock.now(),
            )
        )

    await hub.database.transact(work)
