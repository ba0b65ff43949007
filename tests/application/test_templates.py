"""Templates are kept as the account has them, chosen by language, filled by name or place, and checked in use."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.campaigning import EVERYONE, OFFER, Campaigning, campaigning
from wch.adapters.sandbox.templates import samples
from wch.application.known_templates import note
from wch.application.noticing import TEMPLATES, variables_of
from wch.application.ports import TemplatePage
from wch.application.stored_templates import fitting, languages_of
from wch.application.templates import Templates
from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError
from wch.domain.message_template import MessageTemplate, TemplatesUnavailableError, option_of


def listed(name: str, language: str = "en", **more: Any) -> JsonObject:
    """A template as Graph lists it."""
    given = {
        "status": "APPROVED",
        "category": "UTILITY",
        "parameter_format": "POSITIONAL",
        "components": [{"type": "BODY", "text": "Order {{1}} is {{2}}."}],
        "quality_score": {"score": "GREEN"},
    }
    return {"id": "1", "name": name, "language": language, **given, **more}


class Account:
    """An account whose pages were laid out; None in their place breaks off."""

    def __init__(self, *pages: list[JsonObject] | None) -> None:
        self.pages = list(pages)

    async def message_templates(self, account: str, *, after: str | None = None) -> TemplatePage:
        assert account == "77"
        place = int(after or 0)
        page = self.pages[place]
        if page is None:
            raise TemplatesUnavailableError(why="http_500")
        return TemplatePage(templates=page, next=str(place + 1) if place + 1 < len(self.pages) else None)


@pytest.fixture
def shop() -> Campaigning:
    return campaigning()


def templates(shop: Campaigning, account: Account | None, **more: Any) -> Templates:
    given: dict[str, Any] = {
        "source": account,
        "account": "77",
        "uses": {},
        "variables": {},
        "every": timedelta(hours=24),
        "language": "en",
        "written": list,
    }
    return Templates(database=shop.hub.database, clock=shop.hub.clock, **{**given, **more})


async def test_every_page_is_kept_and_what_is_gone_is_deleted(shop: Campaigning) -> None:
    """The row stays: what was sent with it names it."""
    account = Account([listed("a"), listed("a", "pt_BR")], [listed("b")])
    room = templates(shop, account)

    assert await room.sync() == {"seen": 3, "changed": 3, "deleted": 0}
    account.pages = [[listed("a"), listed("a", "pt_BR")]]
    assert await room.sync() == {"seen": 2, "changed": 0, "deleted": 1}

    assert {(one.name, one.language): one.status for one in await room.listed()} == {
        ("a", "en"): "APPROVED",
        ("a", "pt_BR"): "APPROVED",
        ("b", "en"): "DELETED",
    }


async def test_a_fetch_that_breaks_off_deletes_nothing(shop: Campaigning) -> None:
    """It changes only what it saw."""
    account = Account([listed("a")], [listed("b")])
    room = templates(shop, account)
    await room.sync()
    account.pages = [[listed("a", status="PAUSED")], None]

    with pytest.raises(TemplatesUnavailableError):
        await room.sync()

    assert {one.name: one.status for one in await room.listed()} == {"a": "PAUSED", "b": "APPROVED"}


async def test_they_are_fetched_daily_and_when_whatsapp_told_of_a_change(shop: Campaigning) -> None:
    """Not on every pass."""
    room = templates(shop, Account([listed("a")]))

    assert [await room.work(), await room.work()] == [1, 0]
    await shop.hub.do(lambda uow: note(uow, "a", "en", now=shop.hub.clock.now(), drift="2026-03-02T12:00:00Z"))
    assert [await room.work(), await room.work()] == [1, 0]
    (one,) = await room.listed()
    assert one.drift is None
    shop.hub.clock.advance(timedelta(hours=24))
    assert await room.work() == 1


async def test_a_category_that_became_marketing_is_an_alarm(shop: Campaigning) -> None:
    """It changes price and consent of every notice that uses it."""
    account = Account([listed("a")])
    room = templates(shop, account)
    await room.sync()
    account.pages = [[listed("a", category="MARKETING")]]
    await room.sync()

    lines = await shop.hub.see(lambda uow: uow.audit.listed())
    assert [line.action for line in lines] == ["alarm.template_became_marketing"]


@pytest.mark.parametrize(
    ("wanted", "gets"), [("en", "en"), ("pt_PT", "pt_BR"), ("pt_BR", "pt_BR"), ("de", "es"), ("es_MX", "es")]
)
async def test_the_language_that_fits_best_is_taken(shop: Campaigning, wanted: str, gets: str) -> None:
    """Exact, then the base, then another form of it, then the shop's; only approved ones."""
    for language in ("en", "es", "pt_BR"):
        await shop.template(attrs.evolve(OFFER, language=language))
    await shop.template(attrs.evolve(OFFER, language="de", status="PAUSED"))

    known = await shop.hub.see(lambda uow: languages_of(uow, "offer"))
    found = fitting(known, wanted, "es")

    assert found is not None
    assert found.language == gets


def test_a_long_name_stands_under_its_digest() -> None:
    """The option's name has room for 191 characters; `-` and `_` are one language."""
    assert option_of("offer", "en-US") == "template.offer.en_US"
    assert len(option_of("x" * 400, "en")) < 100


def test_gaps_are_filled_by_name_or_by_place() -> None:
    """Each form gets its own; what has no value and no fallback is missing, and nothing is sent."""
    params = {"body": [{"var": "customer_name"}, {"var": "order_number", "name": "number", "else": {"es": "?"}}]}
    values = {"customer_name": "Ana \n Maria"}
    body = ({"type": "BODY", "text": "{{number}} for {{customer_name}}"},)
    named = MessageTemplate(name="n", language="es", parameter_format="NAMED", components=body)
    placed = attrs.evolve(named, parameter_format="POSITIONAL", components=({"type": "BODY", "text": "{{1}}: {{2}}"},))

    by_name = named.rendered(params, values)
    by_place = placed.rendered(params, values)
    missing = attrs.evolve(named, language="en").rendered(params, values)

    assert by_name.shown["body"] == "? for Ana Maria"
    assert by_name.fallbacks == ("order_number",)
    assert by_place.shown["body"] == "Ana Maria: ?"
    assert by_name.template is not None
    assert {one.name: one.text for one in by_name.template.body} == {"number": "?", "customer_name": "Ana Maria"}  # type: ignore[union-attr]  # all are texts
    assert missing.template is None
    assert missing.missing == ("order_number",)


def test_header_and_buttons_are_filled_too() -> None:
    """A picture by its link, a reply by its payload, the end of an address, a code."""
    components = (
        {"type": "HEADER", "format": "IMAGE"},
        {"type": "BODY", "text": "Look!"},
        {
            "type": "BUTTONS",
            "buttons": [
                {"type": "QUICK_REPLY", "text": "Show"},
                {"type": "URL", "text": "Open", "url": "https://example.org/{{1}}"},
                {"type": "COPY_CODE", "text": "Copy"},
            ],
        },
    )
    template = MessageTemplate(name="n", language="en", components=components)
    params = {
        "header": {"media": "https://example.org/a.jpg"},
        "buttons": [{"index": 0, "payload": "cat:15"}, {"index": 1, "text": "sale"}, {"index": 2, "text": "SPRING"}],
    }

    made = template.rendered(params, {})

    assert made.template is not None
    assert len(made.template.buttons) == 3
    assert made.shown["buttons"] == ["Show", "Open", "Copy"]
    assert template.rendered({}, {}).missing == ("header", "button_1", "button_2")


async def test_lint_finds_what_is_wrong_without_a_network(shop: Campaigning) -> None:
    """Not known, not approved, of the wrong category, with other gaps; a plan whose gap nothing fills."""
    room = templates(
        shop,
        None,
        uses={"shipped": "ship", "delivered": "done", "refunded": "gone", "status_failed": "good"},
        variables={"shipped": ("order_number",), "status_failed": ("order_number", "status_text")},
    )
    for told in (
        listed("ship"),
        listed("done", category="MARKETING"),
        listed("good"),
        listed("offer", category="MARKETING"),
    ):
        template = MessageTemplate.of_graph(told, seen_at="2026-03-02T12:00:00Z")
        await shop.hub.do(
            lambda uow, one=template: uow.options.put(option_of(one.name, one.language), one.to_json())  # type: ignore[misc]  # bound early
        )
    await shop.broadcasts.draft({**EVERYONE, "params": {"body": [{"var": "customer_name"}]}}, by="ana")

    found = [(one.use.partition(":")[0], one.level, one.what) for one in await room.lint()]

    assert found == [
        ("shipped", "error", "its body has the gaps 1, 2, the use fills order_number"),
        ("delivered", "error", "it is MARKETING, and the use is a notice"),
        ("refunded", "error", "it is not known"),
        ("campaign", "warning", "it has no footer and no button to opt out by"),
        ("campaign", "error", "nothing fills 2"),
        ("campaign", "warning", "customer_name has no fallback"),
    ]


async def test_a_preview_shows_what_a_customer_would_read(shop: Campaigning) -> None:
    """Samples, or the customer's own values."""
    await shop.template()
    (phone,) = await shop.people(1)
    room = templates(shop, None)
    params = EVERYONE["params"]

    _, sampled = await room.preview("offer", params={})
    _, own = await room.preview("offer", params=params, phone=phone)

    assert sampled.shown["body"] == "Hello [1], [2] off!"
    assert own.shown["body"] == "Hello Ana, 20 % off!"
    with pytest.raises(NotFoundError, match="templates sync"):
        await room.preview("unknown", params={})


async def test_without_an_account_nothing_is_fetched(shop: Campaigning) -> None:
    """And the sentence says what to set."""
    with pytest.raises(TemplatesUnavailableError, match="WCH_WABA_ID"):
        await templates(shop, None).sync()
    assert await templates(shop, None).work() == 0


async def test_an_account_that_did_not_answer_is_asked_again_soon(shop: Campaigning) -> None:
    """Not a day later."""
    account = Account(None)
    room = templates(shop, account)
    assert [await room.work(), await room.work()] == [0, 0]
    account.pages = [[listed("a")]]

    shop.hub.clock.advance(timedelta(minutes=5))

    assert await room.work() == 1


async def test_the_sandboxs_templates_fit_every_notice(shop: Campaigning) -> None:
    """Whoever tries the hub must not begin with errors."""
    account = Account([one.listed() for one in samples()])
    variables = {use: variables_of(use) for use in TEMPLATES}
    room = templates(shop, account, uses=TEMPLATES, variables=variables)
    await room.sync()

    assert await room.lint() == []
    assert len(await room.listed()) == 85


async def test_what_the_shop_has_written_down_is_compared_with_the_account(shop: Campaigning) -> None:
    """Both are shown; what is not written is not compared, and an entry that says nothing is told as such."""
    await shop.template(
        MessageTemplate(
            name="offer",
            language="en",
            category="UTILITY",
            components=(
                {"type": "BODY", "text": "Hello {{1}}"},
                {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Stop"}]},
            ),
        )
    )
    written = [
        {"name": "offer", "language": "en", "body": "Hello {{1}}", "buttons": ["Stop"]},
        {"name": "offer", "language": "en", "category": "MARKETING", "body": "Hi {{1}}", "buttons": ["Stop", "Buy"]},
        {"name": "offer", "language": "es", "body": "Hola"},
        {"name": "offer"},
        {"name": "offer", "language": "en", "text": "?"},
    ]
    found = [(one.use, one.language, one.what) for one in await templates(shop, None, written=lambda: written).lint()]

    assert found == [
        ("templates.toml", "en", "its category is 'UTILITY' in the account, and 'MARKETING' in templates.toml"),
        ("templates.toml", "en", "its body is 'Hello {{1}}' in the account, and 'Hi {{1}}' in templates.toml"),
        ("templates.toml", "en", "its buttons is ['Stop'] in the account, and ['Stop', 'Buy'] in templates.toml"),
        ("templates.toml", "es", "it is written down, and not in the account"),
        ("templates.toml", "*", "an entry has no name and language"),
        ("templates.toml", "en", "an entry has no text"),
    ]


async def test_three_findings_and_no_network(shop: Campaigning) -> None:
    """A gap that nothing fills, marketing for a notice, a name that the row cannot hold."""
    long = "x" * 101
    room = templates(
        shop,
        None,
        uses={"shipped": "ship", "delivered": "done", "refunded": long},
        variables={"shipped": ("order_number",)},
    )
    for told in (listed("ship"), listed("done", category="MARKETING"), listed(long, category="UTILITY")):
        await shop.template(MessageTemplate.of_graph(told, seen_at="2026-03-02T12:00:00Z"))

    found = [(one.use, one.level, one.what) for one in await room.lint()]

    assert found == [
        ("shipped", "error", "its body has the gaps 1, 2, the use fills order_number"),
        ("delivered", "error", "it is MARKETING, and the use is a notice"),
        ("refunded", "error", "the name has 101 characters"),
    ]


async def test_no_form_that_fits_the_shops_language_is_told(shop: Campaigning) -> None:
    """Customers who speak none of the others would hear nothing."""
    await shop.template(MessageTemplate(name="ship", language="fr", category="UTILITY"))

    (found,) = await templates(shop, None, uses={"shipped": "ship"}).lint()

    assert (found.language, found.what) == ("en", "no approved form fits the shop's language")
