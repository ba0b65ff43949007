"""The check-up tells each part's state once, by what is known of it, and never hangs over the question."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from wch import Settings, open_hub
from wch.application import checkup as module
from wch.application.account_watch import AccountWatch
from wch.application.checkup import Component
from wch.application.facts import HealthChanged
from wch.application.health import STOPPED
from wch.application.hub import Hub
from wch.application.known_templates import note
from wch.application.ports import AccountStanding, UnitOfWork
from wch.application.readings import Reading, Severity
from wch.application.templates import Templates
from wch.bootstrap.rules import unsigned
from wch.domain.circuit_breaker import Permit
from wch.domain.document import document
from wch.domain.errors import AccountUnavailableError, StoreUnavailableError
from wch.domain.moment import iso
from wch.domain.shop_error import ShopUnavailableError
from wch.testing import NOON, FrozenClock, RecordingWhatsApp, memory_hub

NUMBER = "106540352242922"


@attrs.define
class Account:
    """Says what it is told to say; nothing, when that is nothing."""

    told: AccountStanding | None = None
    asked: int = 0

    async def standing(self, numbers: Sequence[str]) -> AccountStanding:
        self.asked += 1
        if self.told is None:
            raise AccountUnavailableError(why="ConnectError")
        return attrs.evolve(self.told, quality={one: self.told.quality.get(one, "GREEN") for one in numbers})


def standing(*, good: bool = True, ends: datetime | None = None, quality: str = "GREEN") -> AccountStanding:
    return AccountStanding(is_token_good=good, token_ends_at=ends, quality={NUMBER: quality})


async def part(hub: Hub, name: str) -> Component:
    return await hub.checkup.one(name)


def watch_of(hub: Hub, account: Account, *, token: str = "one") -> AccountWatch:  # noqa: S107 - a digest's stand-in
    return AccountWatch(
        database=hub.database,
        clock=hub.clock,
        source=account,
        numbers=(NUMBER,),
        token=token,
        days=7,
        rest=lambda: False,
    )


def with_account(hub: Hub, watch: AccountWatch) -> Hub:
    return attrs.evolve(hub, checkup=attrs.evolve(hub.checkup, account=watch))


# --- WhatsApp's token and numbers


@pytest.mark.parametrize(
    ("told", "severity", "words"),
    [
        (standing(), "ok", "sending"),
        (standing(ends=NOON + timedelta(days=8)), "ok", "sending"),
        (standing(ends=NOON + timedelta(days=6)), "warning", "the token ends at 2026-03-08"),
        (standing(ends=NOON - timedelta(days=1)), "warning", "the token ends"),
        (standing(quality="YELLOW"), "warning", "YELLOW"),
        (standing(quality="RED", ends=NOON + timedelta(days=1)), "degraded", "RED"),
        (standing(good=False), "critical", "does not take the token"),
    ],
)
async def test_what_the_account_tells_is_part_of_whatsapp(told: AccountStanding, severity: str, words: str) -> None:
    """Nobody is told of a token's end by a webhook: it is asked once an hour."""
    async with memory_hub() as hub:
        watch = watch_of(hub, Account(told))
        await watch.work()

        found = await part(with_account(hub, watch), "whatsapp")

        assert (found.severity.word, words in found.value) == (severity, True)


async def test_an_account_is_asked_once_an_hour_by_one_process_of_all() -> None:
    """A thousand workers are one caller; where nobody answers, what is known stays."""
    clock = FrozenClock()
    async with memory_hub(clock=clock) as hub:
        account = Account(standing(quality="RED"))
        one, other = watch_of(hub, account), watch_of(hub, account)
        await one.work()
        await other.work()
        account.told = None
        clock.advance(timedelta(hours=1))
        await other.work()

        found = await part(with_account(hub, one), "whatsapp")

        assert account.asked == 2
        assert "RED" in found.value


async def test_a_new_token_is_asked_about_at_once() -> None:
    """What was told of the former one is not held against it."""
    async with memory_hub() as hub:
        await watch_of(hub, Account(standing(good=False))).work()
        newer = watch_of(hub, Account(standing()), token="two")
        before = await part(with_account(hub, newer), "whatsapp")
        await newer.work()

        after = await part(with_account(hub, newer), "whatsapp")

        assert [before.severity.word, after.severity.word] == ["ok", "ok"]


async def test_the_worst_of_whatsapp_is_told() -> None:
    """A stop weighs more than a token that ends soon."""
    async with memory_hub() as hub:
        watch = watch_of(hub, Account(standing(ends=NOON)))
        await watch.work()
        await hub.database.transact(lambda uow: uow.options.put(STOPPED, document(since=iso(NOON))))

        found = await part(with_account(hub, watch), "whatsapp")

        assert (found.severity.word, found.value) == ("critical", "sending is stopped")


# --- templates


def told(hub: Hub, name: str, language: str = "en", **facts: Any) -> Awaitable[object]:
    given = {"status": "APPROVED", **facts}
    return hub.database.transact(lambda uow: note(uow, name, language, now=NOON, **given))


def a_use(hub: Hub) -> str:
    return next(iter(hub.templates.uses.values()))


@pytest.mark.parametrize(
    ("facts", "severity", "words"),
    [
        ({}, "ok", "as they should be"),
        ({"quality": "YELLOW"}, "warning", "is YELLOW"),
        ({"quality": "RED"}, "degraded", "is RED"),
        ({"status": "PAUSED"}, "degraded", "is PAUSED"),
        ({"status": "DELETED"}, "degraded", "is DELETED"),
        ({"drift": iso(NOON)}, "degraded", "was changed in the account"),
        ({"faulty": {"code": 132000}}, "degraded", "was refused when it was sent"),
    ],
)
async def test_a_template_in_use_that_may_not_go_is_told(facts: dict[str, Any], severity: str, words: str) -> None:
    """Notices and reminders would stay behind without a word."""
    async with memory_hub() as hub:
        await told(hub, a_use(hub), **facts)

        found = await part(hub, "templates")

        assert (found.severity.word, words in found.value) == (severity, True)


async def test_templates_that_nothing_uses_are_nobody_s_worry() -> None:
    """An account holds trials and leftovers; a language taken away while others are there is one of them."""
    async with memory_hub() as hub:
        await told(hub, "an_old_trial", status="REJECTED")
        await told(hub, a_use(hub), "en")
        await told(hub, a_use(hub), "de", status="DELETED")

        assert (await part(hub, "templates")).severity.word == "ok"


async def test_what_is_not_as_written_down_is_drift() -> None:
    """The shop's own file says what a template is to say."""
    written = [{"name": "order_paid", "language": "en", "body": "Paid."}]
    async with memory_hub() as hub:
        await told(hub, "order_paid", components=[{"type": "BODY", "text": "Thanks!"}])
        templates: Templates = attrs.evolve(hub.templates, written=lambda: written)

        found = await attrs.evolve(hub.checkup, templates=templates).one("templates")

        assert (found.severity.word, found.value) == ("degraded", "order_paid.en is not as written down")


async def test_many_templates_are_told_the_worst_first_and_the_rest_counted() -> None:
    """A sentence stays a sentence."""
    async with memory_hub() as hub:
        names = sorted(set(hub.templates.uses.values()))[:7]
        for name in names:
            await told(hub, name, quality="YELLOW")
        await told(hub, names[-1], status="DISABLED", quality="YELLOW")

        found = await part(hub, "templates")

        assert found.severity.word == "degraded"
        assert found.value.startswith(f"{names[-1]}.en is DISABLED, ")
        assert found.value.endswith(" and 3 more")


# --- shop and payments


async def fail(hub: Hub, service: str) -> None:
    await hub.breakers.tell(Permit(service=service), well=False)


@pytest.mark.parametrize("service", ["shop", "payments"])
async def test_a_partner_that_is_asked_in_vain_is_told(service: str) -> None:
    """Five minutes are a warning, fifteen are degraded; one answer ends it."""
    clock = FrozenClock()
    found = []
    async with memory_hub(clock=clock) as hub:
        for minutes in (0, 5, 1, 9, 1):
            clock.advance(timedelta(minutes=minutes))
            await fail(hub, service)
            found.append((await part(hub, service)).severity.word)
        await hub.breakers.close(service, by="maria")
        found.append((await part(hub, service)).severity.word)

    assert found == ["ok", "ok", "warning", "warning", "degraded", "ok"]


async def test_one_answer_ends_it() -> None:
    """Through a breaker that had counted failures."""
    clock = FrozenClock()
    async with memory_hub(clock=clock) as hub:
        await fail(hub, "shop")
        clock.advance(timedelta(minutes=20))
        await fail(hub, "shop")
        before = await part(hub, "shop")
        await hub.breakers.tell(Permit(service="shop"), well=True)

        assert (before.severity.word, before.value) == ("degraded", "asked in vain for 20 min")
        assert (await part(hub, "shop")).severity.word == "ok"


async def test_a_partner_whom_nobody_asks_is_not_missed() -> None:
    """Two hours after the last call nobody knows how it is, and nothing depends on it."""
    clock = FrozenClock()
    async with memory_hub(clock=clock) as hub:
        await fail(hub, "payments")
        clock.advance(timedelta(minutes=20))
        await fail(hub, "payments")
        clock.advance(timedelta(hours=2, seconds=1))

        assert (await part(hub, "payments")).severity.word == "ok"


async def test_a_guarded_call_that_fails_is_noted() -> None:
    """What guards the shop's calls tells; nobody has to think of it."""
    clock = FrozenClock()

    async def down() -> None:
        raise ShopUnavailableError

    async with memory_hub(clock=clock) as hub:
        for _ in range(2):
            with pytest.raises(ShopUnavailableError):
                await hub.breakers.guard("shop", down, down=ShopUnavailableError, errors=ShopUnavailableError)
            clock.advance(timedelta(minutes=16))

        assert (await part(hub, "shop")).severity.word == "degraded"


async def test_a_partner_whose_deliveries_prove_nothing_is_critical() -> None:
    """Whoever knows the address could tell of payments that nobody made."""
    environment = {"WCH_SHOP": "woocommerce", "WCH_WOOCOMMERCE_URL": "https://shop.test", "WCH_PAYMENTS": "cod,stripe"}
    missing = unsigned(Settings.load({**environment, "WCH_STRIPE_SECRET_KEY": "sk"}, {}, None)[0])
    async with memory_hub() as hub:
        found = [await attrs.evolve(hub.checkup, unsigned=missing).one(name) for name in ("shop", "payments")]

    assert [(one.severity.word, one.value) for one in found] == [
        ("critical", "WCH_WOOCOMMERCE_WEBHOOK_SECRET not set"),
        ("critical", "WCH_STRIPE_WEBHOOK_SECRET not set"),
    ]


# --- changes


async def _seen(hub: Hub, clock: FrozenClock, moments: Sequence[tuple[int, bool]]) -> list[tuple[int, str]]:
    """Look at `whatsapp` so many seconds later each, stopped or not; what was told, and at which second."""
    heard: list[tuple[int, str]] = []
    begun = clock.now()

    def tell(fact: object) -> None:
        assert isinstance(fact, HealthChanged)
        heard.append((int((clock.now() - begun).total_seconds()), fact.now))

    hub = attrs.evolve(hub, checkup=attrs.evolve(hub.checkup, tell=tell))
    for second, is_stopped in moments:
        clock.advance(begun + timedelta(seconds=second) - clock.now())

        def work(uow: UnitOfWork, *, stop: bool = is_stopped) -> None:
            if stop:
                uow.options.put(STOPPED, document(since=iso(NOON)))
            else:
                uow.options.remove(STOPPED)

        await hub.database.transact(work)
        await hub.checkup.one("whatsapp")
    return heard


@pytest.mark.parametrize(
    ("moments", "heard"),
    [
        ([(0, False), (10, True), (20, True), (200, True)], [(10, "critical")]),
        ([(0, True), (30, True)], [(0, "critical")]),
        ([(0, False), (10, True), (90, False), (100, False)], [(10, "critical"), (90, "ok")]),
        ([(0, False), (10, True), (20, False), (30, True), (40, False), (50, True), (80, True)], [(10, "critical")]),
        ([(0, False), (10, True), (20, False), (60, False), (70, False)], [(10, "critical"), (70, "ok")]),
        ([(0, False), (10, True), (20, False), (30, True), (31, False), (75, False)], [(10, "critical"), (75, "ok")]),
    ],
)
async def test_flapping_within_a_minute_is_one_change(
    moments: Sequence[tuple[int, bool]], heard: list[tuple[int, str]]
) -> None:
    """A change is told at once, then nothing for a minute; how it is after that is never left untold."""
    clock = FrozenClock()
    async with memory_hub(clock=clock) as hub:
        assert await _seen(hub, clock, moments) == heard


# --- a database that is away


@pytest.mark.parametrize("hanging", [False, True])
async def test_a_database_that_is_away_costs_one_wait(monkeypatch: pytest.MonkeyPatch, *, hanging: bool) -> None:
    """Nineteen parts that wait two seconds each would be longer than anybody asks for."""
    reads = 0

    async def away(_: object, __: Callable[[UnitOfWork], object]) -> object:
        nonlocal reads
        reads += 1
        if hanging:
            await asyncio.Event().wait()
        raise StoreUnavailableError

    async with memory_hub() as hub:
        monkeypatch.setattr(module, "ANSWERS_WITHIN", 0.5)
        monkeypatch.setattr(type(hub.database), "read", away)
        found = {one.name: one.severity.word for one in await hub.checkup.run()}

    assert reads == 1
    assert found.pop("database") == "critical"
    assert found.pop("disk") == "ok"
    assert set(found.values()) == {"unknown"}


# --- a host's own


def reading(severity: Severity) -> Reading:
    return Reading(severity=severity, value="2 sheets", limit="10 sheets", what_to_do="Put paper in.")


async def test_a_host_s_own_part_is_told_beside_ours() -> None:
    """It makes the whole as bad as it is; a name of ours stays ours."""

    async def printer() -> Reading:
        return reading(Severity.DEGRADED)

    settings = Settings(database_url="memory://", access_token="t")
    given: dict[str, Any] = {"clock": FrozenClock(), "whatsapp": RecordingWhatsApp()}
    async with open_hub(settings, checks={"printer": printer, "disk": printer}, **given) as hub:
        found = {one.name: one for one in await hub.checkup.run()}

    assert (found["printer"].severity.word, found["printer"].what_to_do) == ("degraded", "Put paper in.")
    assert found["disk"].severity.word == "ok"


@pytest.mark.parametrize("hanging", [False, True])
async def test_a_host_s_check_that_fails_is_unknown(monkeypatch: pytest.MonkeyPatch, *, hanging: bool) -> None:
    """Nor do its words go anywhere: they may hold anything. The others are told as ever."""

    async def printer() -> Reading:
        if hanging:
            await asyncio.Event().wait()
        message = "no route to 34600111222"
        raise OSError(message)

    monkeypatch.setattr(module, "ANSWERS_WITHIN", 0.5)
    async with memory_hub() as hub:
        found = {one.name: one for one in await attrs.evolve(hub.checkup, more={"printer": printer}).run()}

    assert found["printer"].severity.word == "unknown"
    assert "34600111222" not in repr(found["printer"])
    assert found["disk"].severity.word == "ok"
