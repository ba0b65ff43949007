"""Every page that can be reached by links, of a shop that holds everything: nobody's secret, and nothing that runs."""

import html
import re
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from tests.application.campaigning import EVERYONE, OFFER
from tests.entrypoints.http.consoles import ANNA, Browser, Shop, shop
from tests.entrypoints.http.test_console import letter, parked
from wch.adapters.memory.work import MemoryAuditRepository
from wch.application.emptying import SWEPT
from wch.application.ports import UnitOfWork
from wch.domain.operator import Role
from wch.domain.reengagement import CampaignType, Reengagement

HOSTILE = "<script>alert(1)</script>\u202egnp.exe\x07 =HYPERLINK(1)"
NAME, MAIL, STREET, WORDS, NOTE = (
    "Annabella Garciaz",
    "annabella@example.org",
    "Calle Secreta 7",
    "my quiet wish",
    "sees a doctor",
)


@pytest.fixture
async def town() -> AsyncIterator[Shop]:
    async with shop() as made:
        yield made


async def full(town: Shop, *, name: str, mail: str, street: str, words: str, note: str) -> int:
    """One customer with something in every table; the number of the broadcast that reached them."""
    hub = town.hub
    await hub.database.transact(lambda uow: uow.options.put("template.offer.en", OFFER.to_json()))
    card = (await hub.shop.search(limit=30)).items[0]
    await town.hears("hi", name=name)
    await town.hears(words)
    await town.hears(f"add {card.name}")
    await hub.customers.consent(ANNA, purpose="marketing", to="in", reason=words, by="cli")
    await hub.customers.note(ANNA, note, by="cli")
    await hub.customers.tag(ANNA, add=["vip"], by="cli")
    now = hub.clock.now()

    def more(uow: UnitOfWork) -> None:
        profile = uow.customers.lock(ANNA, now=now).living_at({"address_1": street, "city": "Madrid"}, now=now)
        uow.customers.save(attrs.evolve(profile, name=name, email=mail))
        kind = CampaignType.WE_MISS_YOU
        uow.reengagements.add(Reengagement(customer_phone=ANNA, campaign_type=kind, created_at=now))

    await hub.database.transact(more)
    plan, _ = await hub.broadcasts.draft({**EVERYONE, "name": "Spring"}, by="ana")
    await hub.broadcasts.start(plan.id, by="ana")
    await hub.worker.drain()
    await letter(town, f'{{"object":"whatsapp_business_account","entry":[],"t":"{ANNA}"}}'.encode())
    await parked(town)
    return plan.id


async def crawled(browser: Browser, *, most: int = 300) -> dict[str, str]:
    """Every page by its address, from home along all links."""
    waiting, seen = ["/console"], dict[str, str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        assert len(seen) < most
        shown = await browser.web.get(path)
        seen[path] = shown.text
        for found in re.findall(r'href="(/console[^"#]*)"', shown.text):
            to = html.unescape(found)
            if "/static/" not in to and "days=" not in to:
                waiting.append(to)
    return seen


async def test_a_viewer_finds_nobody_on_any_page_or_sheet_or_stream(town: Shop) -> None:
    """Number, name, e-mail, address, words and notes are nowhere, however a viewer clicks."""
    campaign = await full(town, name=NAME, mail=MAIL, street=STREET, words=WORDS, note=NOTE)
    viewer = await town.signed_in("vera", Role.VIEWER)
    admin = await town.signed_in("maria", Role.ADMIN)

    pages = await crawled(viewer)
    sheets = [
        (await viewer.post(path, page=page, **fields)).text
        for path, page, fields in (
            ("/analytics/csv", "/analytics", {"what": "products"}),
            (f"/broadcasts/{campaign}/csv", f"/broadcasts/{campaign}", {}),
        )
    ]
    marks = await town.hub.watching.marks(("inbox", "letters", "conversation:1", "campaign:1"))
    everything = "".join([*pages, *pages.values(), *sheets, *map(str, marks.items())])

    assert len(pages) > 25
    assert not any("<html" in sheet for sheet in sheets)
    for secret in (ANNA, ANNA[2:], NAME, "Garciaz", MAIL, "annabella", STREET, WORDS, NOTE):
        assert secret not in everything, secret
    known = "".join((await crawled(admin)).values())
    for shown in (ANNA, NAME, MAIL, STREET, WORDS, NOTE):
        assert shown in known, f"{shown} is not there for an admin: the search proves nothing"


async def test_what_customers_write_runs_nowhere(town: Shop) -> None:
    """Scripts are words, what turns the direction of writing or rings is marked, formulas are texts."""
    campaign = await full(
        town, name=HOSTILE, mail=f"a{HOSTILE}@example.org", street=HOSTILE, words=HOSTILE, note=HOSTILE
    )
    admin = await town.signed_in("maria", Role.ADMIN)

    pages = await crawled(admin)
    sheet = await admin.post(f"/broadcasts/{campaign}/csv", page=f"/broadcasts/{campaign}")
    audit = await admin.post("/audit/csv", page="/audit")

    for path, shown in pages.items():
        assert "<script>alert" not in shown, path
        assert "\u202e" not in shown, path
        assert "\x07" not in shown, path
    assert "&lt;script&gt;alert(1)" in "".join(pages.values())
    for rows in (sheet.text, audit.text):
        assert rows.count("\r\n") > 1
        assert not re.search(r"(^|,)\"?=", rows, re.MULTILINE)


class KilledError(Exception):
    """The process died here."""


CHANGES: dict[str, tuple[str, str, dict[str, str]]] = {
    "take over": ("/inbox/1/take-over", "/inbox/1", {}),
    "reply": ("/inbox/1/reply", "/inbox/1", {"text": "hello"}),
    "note": ("/inbox/1/note", "/inbox/1", {"text": "likes blue"}),
    "mark read": ("/inbox/1/seen", "/inbox/1", {}),
    "resolve": ("/inbox/1/resolve", "/inbox/1", {}),
    "tag": ("/customers/1/tag", "/customers/1", {"add": "gold"}),
    "block": ("/customers/1/block", "/customers/1", {"reason": "rude"}),
    "consent": ("/customers/1/consent", "/customers/1", {"purpose": "all", "to": "out", "reason": "said so"}),
    "erase": ("/customers/1/erase", "/customers/1", {"reason": "asked"}),
    "end a cart": ("/carts/1/expire", "/carts/1", {}),
    "duplicate a broadcast": ("/broadcasts/1/duplicate", "/broadcasts/1", {}),
    "cancel a broadcast": ("/broadcasts/1/cancel", "/broadcasts/1", {}),
    "replay a letter": ("/letters/1/replay", "/letters/1", {}),
    "dismiss a letter": ("/letters/1/dismiss", "/letters/1", {"because": "old"}),
    "resume a saga": ("/sagas/order-9-1700000000/act", "/sagas", {"action": "resume", "reason": "mended"}),
    "open a breaker": ("/guards/open", "/guards", {"service": "shop"}),
    "enqueue": ("/sync/enqueue", "/sync", {"entity": "product", "number": "1", "action": "update"}),
    "let somebody in": ("/people/add", "/people", {"name": "olga", "role": "viewer", "password": "long enough 1"}),
    "make a key": ("/people/key", "/people", {"scope.read": "yes", "days": "30"}),
}


async def _rows(town: Shop) -> dict[str, Any]:
    """Everything that the store holds, but who was counted how often."""

    def look(uow: UnitOfWork) -> dict[str, Any]:
        return {
            table: [dict(held.values) for held in uow.holdings.page(table, limit=10_000)]
            for table in SWEPT
            if table != "rate_limits"
        }

    return await town.hub.database.read(look)


async def test_a_change_without_its_line_in_the_audit_log_is_no_change(
    town: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed where the line is written, neither line nor change is there: they are one transaction."""
    await full(town, name=NAME, mail=MAIL, street=STREET, words=WORDS, note=NOTE)
    admin = await town.signed_in("maria", Role.ADMIN)
    before = await _rows(town)

    def killed(_self: MemoryAuditRepository, _entry: Any) -> Any:
        raise KilledError

    for what, (path, page, fields) in CHANGES.items():
        town.clock.advance(5)
        with monkeypatch.context() as here:
            here.setattr(MemoryAuditRepository, "add", killed)
            answered = await admin.post(path, page=page, **fields)
        assert answered.status_code >= 400, what
        assert await _rows(town) == before, what
    for what in ("take over", "reply", "tag", "block", "end a cart", "dismiss a letter"):
        path, page, fields = CHANGES[what]
        town.clock.advance(5)
        lines = len(await town.actions())
        assert (await admin.post(path, page=page, **fields)).status_code == 303, what
        assert len(await town.actions()) > lines, what
