"""A shop says it in its own words, and its advertisements lead where it wants."""

import pytest

from tests.application.rooms import Rooms, rooms
from wch.application.texts import Texts
from wch.application.wording import Ad, OwnText, UnfitWordsError, Wording
from wch.domain.errors import NotFoundError


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


@pytest.fixture
def wording(hub: Rooms) -> Wording:
    return Wording(database=hub.database, clock=hub.clock)


async def test_a_text_is_replaced_and_restored(hub: Rooms, wording: Wording) -> None:
    """In one language, from the next message on, and noted in the log."""
    await wording.replace("welcome.plain", "en", "  Hello from {shop}!  ", by="ana")
    assert await wording.texts() == [OwnText(id="welcome.plain", language="en", text="Hello from {shop}!")]

    await hub.hear("hi")
    await hub.handling.work()
    seen = hub.assistant.scenes[-1].texts
    assert Texts("en", replaced=seen).say("welcome.plain", shop="Lamps") == "Hello from Lamps!"
    assert Texts("es", replaced=seen).say("welcome.plain", shop="Lamps") != "Hello from Lamps!"

    await wording.restore("welcome.plain", "en", by="ana")
    assert await wording.texts() == []
    told = [(one.actor, one.action) for one in await hub.see(lambda uow: uow.audit.listed())]
    assert sorted(told) == [("ana", "text.replace"), ("ana", "text.restore")]


@pytest.mark.parametrize(
    ("id_", "text"),
    [
        ("welcome.plain", "Hello from {store}!"),
        ("welcome.plain", "   "),
        ("welcome.plain", "x" * 1_001),
        ("button.menu", "x" * 21),
        ("row.cart", "x" * 25),
        ("row.cart.description", "x" * 73),
    ],
)
async def test_words_that_cannot_be_said_are_refused_when_they_are_saved(wording: Wording, id_: str, text: str) -> None:
    """Not when a customer waits for them: an unknown placeholder, nothing, or more than a button takes."""
    with pytest.raises(UnfitWordsError):
        await wording.replace(id_, "en", text, by="ana")

    assert await wording.texts() == []


async def test_what_is_not_there_is_said_so(wording: Wording) -> None:
    """An id, a language, a text of one's own, an advertisement."""
    with pytest.raises(NotFoundError, match="no text nonsense"):
        await wording.replace("nonsense", "en", "hi", by="ana")
    with pytest.raises(NotFoundError, match="tlh"):
        await wording.replace("welcome.plain", "tlh", "nuqneH", by="ana")
    with pytest.raises(NotFoundError, match="tlh"):
        wording.ours("tlh")
    with pytest.raises(NotFoundError):
        await wording.restore("welcome.plain", "en", by="ana")
    with pytest.raises(NotFoundError):
        await wording.forget("120", by="ana")


async def test_an_advertisement_leads_to_its_page(hub: Rooms, wording: Wording) -> None:
    """Whoever comes from it; then to the menu again."""
    await wording.lead("120", "product_5", by="ana")
    await wording.lead("120", "category_3", by="ana")
    assert await wording.ads() == [Ad(source_id="120", page="category_3")]

    referral = {"source_id": "120", "source_type": "ad"}
    await hub.post({"messages": [{**_said(), "referral": referral}]})
    await hub.handling.work()
    assert hub.assistant.scenes[-1].ads == {"120": "category_3"}

    await wording.forget("120", by="ana")
    assert await wording.ads() == []


def _said() -> dict[str, object]:
    return {"from": "16505551234", "id": "wamid.ad", "timestamp": "1772452800", "type": "text", "text": {"body": "hi"}}


@pytest.mark.parametrize(
    ("source_id", "page"), [("120", "menu"), ("120", "product_0"), ("", "product_5"), ("x" * 190, "product_5")]
)
async def test_a_page_is_a_product_or_a_category(wording: Wording, source_id: str, page: str) -> None:
    """Anything else would be found out by a customer."""
    with pytest.raises(UnfitWordsError):
        await wording.lead(source_id, page, by="ana")


def test_our_own_texts_are_shown_by_their_ids(wording: Wording) -> None:
    """What can be replaced must be found first."""
    assert wording.ours("es")["button.menu"] == "Menú"
