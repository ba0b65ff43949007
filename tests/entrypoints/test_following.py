"""What the console sets: refused or kept, and acted on by every process on the database."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.processes import SECRET, mariadb_store, sqlite_store
from wch import Settings
from wch.application.facts import HealthChanged
from wch.application.ports import UnitOfWork
from wch.application.settings_desk import SettingLine, SettingsRefusedError
from wch.bootstrap import LivingHub, open_hub, open_living, settled
from wch.bootstrap.chosen import Chosen
from wch.domain.audit import Actor
from wch.domain.errors import ConflictError, SettingsError
from wch.entrypoints.following import FOLLOW_SECONDS, keep_working
from wch.settings.options import OPTIONS
from wch.testing import FrozenClock, RecordingWhatsApp

MARIA, PETRA = Actor("maria", "admin"), Actor("petra", "admin")


def settings_on(tmp_path: Path, **more: Any) -> Settings:
    url = f"sqlite+aiosqlite:///{tmp_path / 'wch.db'}"
    return Settings(database_url=url, app_secret=SECRET, access_token="t", secret_key="k" * 32, **more)


@asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[LivingHub]:
    async with open_living(settings, install=True, clock=FrozenClock(), whatsapp=RecordingWhatsApp()) as living:
        yield living


async def line(living: LivingHub, name: str) -> SettingLine:
    return next(one for one in (await living.hub.settings.shown()).lines if one.name == name)


def bot_of(living: LivingHub) -> bool:
    """Whether the hub that works here has its assistant on."""
    return living.hub.replays.policy.bot_enabled


async def refused(living: LivingHub, wanted: Mapping[str, str]) -> Mapping[str, str]:
    with pytest.raises(SettingsRefusedError) as raised:
        await living.hub.settings.change(wanted, revision=0, by=MARIA)
    assert (await living.hub.settings.shown()).revision == 0
    assert await living.follow() is None
    return raised.value.faults


async def test_a_switch_is_off_in_every_process_and_after_a_restart(tmp_path: Path) -> None:
    """One process is told; the other one finds it at its next look, a third one when it is opened."""
    settings = settings_on(tmp_path)
    async with process(settings) as one, process(settings) as other:
        before = (bot_of(one), bot_of(other))
        await one.hub.settings.change({"conversation.bot_enabled": "false"}, revision=0, by=MARIA)
        for living in (one, other):
            close = await living.follow()
            assert close is not None
            await close()

        assert (before, bot_of(one), bot_of(other)) == ((True, True), False, False)
        assert await other.follow() is None
    async with process(settings) as again:
        assert not bot_of(again)
        assert (await line(again, "conversation.bot_enabled")).origin == OPTIONS


def test_a_change_acts_within_five_seconds() -> None:
    """Two looks fit into the time that is promised."""
    assert 2 * FOLLOW_SECONDS < 5


async def test_the_former_hub_still_works_until_it_is_closed(tmp_path: Path) -> None:
    """A request that began before the change ends on the store that it began on; what was counted is kept."""
    async with process(settings_on(tmp_path)) as living:
        former = living.hub
        await former.settings.change({"shop.low_stock": "9"}, revision=0, by="maria")
        close = await living.follow()

        assert close is not None
        assert living.hub is not former
        assert (await former.settings.shown()).revision == 1
        assert living.hub.tallies is former.tallies
        await close()
        assert (await living.hub.statistics.snapshot())["unconfirmed"] == 0


async def test_a_look_that_finds_nothing_new_reads_the_revision_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every process looks every two seconds, for as long as it lives: all that was ever set is not read for that."""
    loads = 0
    load = Chosen.read

    def counted(uow: UnitOfWork) -> Chosen:
        nonlocal loads
        loads += 1
        return load(uow)

    async with process(settings_on(tmp_path)) as living:
        monkeypatch.setattr(Chosen, "read", counted)
        assert [await living.follow() for _ in range(3)] == [None, None, None]
        before = loads
        await living.hub.settings.change({"shop.low_stock": "9"}, revision=0, by="maria")

        assert await living.follow() is not None
        assert (before, loads) == (0, 1)


async def test_how_the_parts_were_seen_outlives_a_change_of_settings(tmp_path: Path) -> None:
    """A trouble that stands is not told anew because somebody set something."""
    heard: list[object] = []
    settings = settings_on(tmp_path)
    given: dict[str, Any] = {"install": True, "clock": FrozenClock(), "whatsapp": RecordingWhatsApp()}
    async with open_living(settings, observers=[heard.append], **given) as living:
        await living.hub.checkup.one("workers")
        await living.hub.settings.change({"shop.low_stock": "9"}, revision=0, by="maria")
        await living.follow()
        await living.hub.checkup.one("workers")

    assert [one for one in heard if isinstance(one, HealthChanged)] == [
        HealthChanged(component="workers", before="ok", now="warning")
    ]


async def test_somebody_signed_in_stays_so_in_memory() -> None:
    """A store in memory has a key of its own, which a change of settings must not draw anew."""
    settings = Settings(database_url="memory://", access_token="t")
    async with open_living(settings, clock=FrozenClock(), whatsapp=RecordingWhatsApp()) as living:
        before = living.hub.operators.digests.of("session")
        await living.hub.settings.change({"shop.low_stock": "9"}, revision=0, by="maria")
        await living.follow()

        assert living.hub.operators.digests.of("session") == before


async def test_what_stands_above_is_refused_and_stays(tmp_path: Path) -> None:
    """An argument wins over the console, in the form and in the effect."""
    async with process(settings_on(tmp_path, language="es")) as living:
        faults = await refused(living, {"general.language": "pt_BR", "shop.low_stock": "9"})

        assert list(faults) == ["general.language"]
        assert "argument" in faults["general.language"]


async def test_an_option_below_an_argument_changes_nothing(tmp_path: Path) -> None:
    """What was set in the console before somebody set it above is shown with the upper origin."""
    async with process(settings_on(tmp_path)) as living:
        await living.hub.settings.change({"general.language": "es"}, revision=0, by="maria")
    async with process(settings_on(tmp_path, language="ar")) as living:
        shown = await line(living, "general.language")

    assert (shown.value, shown.origin) == ("ar", "argument")


@pytest.mark.parametrize(
    "name",
    [
        "whatsapp.access_token",
        "whatsapp.graph_url",
        "stripe.url",
        "database.url",
        "general.profile",
        "security.failpoints",
        "whatsapp.media_folder",
        "broadcasts.test_numbers",
        "no.setting",
    ],
)
async def test_secrets_and_what_leads_to_them_are_not_for_the_console(tmp_path: Path, name: str) -> None:
    """Neither a secret, nor where one is sent, nor what is needed before the database is read."""
    async with process(settings_on(tmp_path)) as living:
        assert list(await refused(living, {name: "x"})) == [name]


async def test_all_faults_are_told_at_once_and_nothing_is_changed(tmp_path: Path) -> None:
    """Types and ranges each at their setting; a good value beside them is not taken either."""
    async with process(settings_on(tmp_path)) as living:
        faults = await refused(
            living, {"cart.expire_hours": "0", "marketing.quiet_start": "25:00", "shop.low_stock": "9"}
        )

        assert set(faults) == {"cart.expire_hours", "marketing.quiet_start"}
        assert (await line(living, "shop.low_stock")).value == "5"


async def test_an_order_between_settings_is_held_to_as_at_the_start(tmp_path: Path) -> None:
    """The rule sees what an argument says, too."""
    async with process(settings_on(tmp_path)) as living:
        faults = await refused(living, {"segments.gold": "5000"})

    assert set(faults) == {"segments.silver", "segments.gold", "segments.platinum"}


async def test_a_way_to_pay_without_its_secrets_is_refused(tmp_path: Path) -> None:
    """Otherwise the hub would not be ready any more, and would not start again."""
    async with process(settings_on(tmp_path)) as living:
        faults = await refused(living, {"payments.enabled": "cod,stripe"})

    assert "WCH_STRIPE_SECRET_KEY" in faults["payments.enabled"]


async def test_the_default_takes_a_setting_back(tmp_path: Path) -> None:
    """What is as the default again follows a later default."""
    async with process(settings_on(tmp_path)) as living:
        await living.hub.settings.change({"shop.low_stock": "9"}, revision=0, by="maria")
        await living.hub.settings.change({"shop.low_stock": "5"}, revision=1, by="maria")

        assert (await line(living, "shop.low_stock")).origin == "default"


async def test_nobody_overwrites_what_they_did_not_see(tmp_path: Path) -> None:
    """A form names the revision that it was made from."""
    async with process(settings_on(tmp_path)) as living:
        await living.hub.settings.change({"shop.low_stock": "9"}, revision=0, by="maria")

        with pytest.raises(ConflictError):
            await living.hub.settings.change({"shop.low_stock": "7"}, revision=0, by="petra")
        assert (await line(living, "shop.low_stock")).value == "9"


async def test_the_change_has_its_line_and_what_stays_has_none(tmp_path: Path) -> None:
    """Who, what, from what to what; a form that changes nothing writes nothing."""
    async with process(settings_on(tmp_path)) as living:
        await living.hub.settings.change({"shop.low_stock": "9"}, revision=0, by=MARIA)
        unchanged = await living.hub.settings.change({"shop.low_stock": " 9"}, revision=1, by=PETRA)
        lines = await living.hub.database.read(lambda uow: uow.audit.listed(action="setting.change"))

    (told,) = lines
    assert (unchanged, told.actor, told.role, told.object) == (0, "maria", "admin", "setting:shop.low_stock")
    assert told.detail["shop.low_stock"] == {"old": "5", "new": "9"}


async def test_an_option_that_does_not_fit_any_more_refuses_the_start(tmp_path: Path) -> None:
    """The sentence names the settings; setting one above the console is the way out."""
    async with process(settings_on(tmp_path)) as living:
        await living.hub.settings.change({"checkout.min_total": "50"}, revision=0, by="maria")
    upper = settings_on(tmp_path)
    upper = upper.amended(checkout=attrs.evolve(upper.checkout, max_total=Decimal(40)))

    with pytest.raises(SettingsError, match="WCH_CHECKOUT_MIN_TOTAL"):
        async with open_hub(upper, whatsapp=RecordingWhatsApp()):
            pass


async def test_what_does_not_fit_a_running_process_leaves_it_as_it_is(tmp_path: Path) -> None:
    """Another process has other arguments; this one goes on and does not try again each time."""
    upper = settings_on(tmp_path)
    upper = upper.amended(checkout=attrs.evolve(upper.checkout, max_total=Decimal(40)))
    async with process(settings_on(tmp_path)) as one, process(upper) as other:
        former = other.hub
        await one.hub.settings.change({"checkout.min_total": "50"}, revision=0, by="maria")

        assert (await other.follow(), await other.follow()) == (None, None)
        assert other.hub is former


async def test_the_command_line_knows_what_the_console_set(tmp_path: Path) -> None:
    """`wch config show` opens no hub, and makes no database where there is none."""
    settings = settings_on(tmp_path)
    missing = await settled(settings)
    assert (missing, (tmp_path / "wch.db").exists()) == (settings, False)

    async with process(settings) as living:
        await living.hub.settings.change({"shop.low_stock": "9"}, revision=0, by="maria")
    found = await settled(settings)

    assert (found.shop.low_stock, found.origins["shop.low_stock"]) == (9, OPTIONS)


@attrs.define
class Crew:
    """Workers, each of which says when it begins and hands back when it is let."""

    begun: list[int] = attrs.field(factory=list)
    closed: int = 0
    looks: int = 0
    handed_back: asyncio.Event = attrs.field(factory=asyncio.Event)
    stop: asyncio.Event = attrs.field(factory=asyncio.Event)

    def next(self) -> "Crew":
        return self

    async def run(self, stop: asyncio.Event) -> None:
        number = len(self.begun)
        self.begun.append(number)
        await stop.wait()
        if number == 0:
            await self.handed_back.wait()

    async def close(self) -> None:
        self.closed += 1
        self.stop.set()

    async def follow(self) -> Any:
        self.looks += 1
        if self.looks == 1:
            raise RuntimeError
        if self.looks == 2:
            return self.close
        if len(self.begun) == 2:
            assert self.closed == 0
            self.handed_back.set()
        return None


async def test_the_next_worker_begins_while_the_former_hands_back() -> None:
    """No gap in the work; what the former stood on is closed after it, and an error in a look ends nothing."""
    crew = Crew()

    await asyncio.wait_for(keep_working(crew, crew.next, crew.stop, follow_seconds=0), 5)

    assert (crew.begun, crew.closed) == ([0, 1], 1)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
async def test_the_very_first_change_is_made_once(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """Before it there is no revision to lock; sixteen forms of two processes and nobody is overwritten unseen."""
    with ExitStack() as stack:
        if kind == "sqlite":
            url = sqlite_store(tmp_path).url
        else:
            name = f"settings_{os.getpid()}"
            url = stack.enter_context(mariadb_store(request.getfixturevalue("mariadb_url"), name)).url
        settings = Settings(database_url=url, access_token="t", secret_key="k" * 32)
        async with process(settings) as one, process(settings) as other:

            async def change(living: LivingHub, stock: int) -> int:
                try:
                    return await living.hub.settings.change({"shop.low_stock": f"{stock}"}, revision=0, by="maria")
                except ConflictError:
                    return 0

            made = await asyncio.gather(*(change(living, 10 + n) for n in range(8) for living in (one, other)))
            lines = await one.hub.database.read(lambda uow: uow.audit.listed(action="setting.change"))

    assert (sum(made), len(lines)) == (1, 1)
