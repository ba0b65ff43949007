"""With a linked catalogue WhatsApp shows its own product cards, as far as the hub has put products into it."""

from tests.application.dialogue.chat import Chat, chatting
from wch.adapters.memory import MemoryDatabase
from wch.application.dialogue.listing import Listing
from wch.application.dialogue.policy import Policy
from wch.domain.document import document
from wch.domain.outgoing import Buttons, ProductList, ProductMessage

CATALOGUE = "194836987003835"


def listing() -> Listing:
    return Listing(database=MemoryDatabase(), catalog_id=CATALOGUE)


async def put(catalogue: Listing, product: int, *items: str) -> None:
    """The product stands in the catalogue under these ids."""
    told = document(items={item: {"hash": "x", "sent_at": "2026-03-02T12:00:00Z"} for item in items})
    await catalogue.database.transact(lambda uow: uow.options.put(f"catalog:{CATALOGUE}:{product}", told))


async def variants_of(chat: Chat, name: str) -> list[int]:
    product = await chat.shop.product(product_id=await chat.id_of(name))
    return [one.id for one in product.variants]


async def test_a_listed_product_is_shown_by_whatsapp_itself() -> None:
    """With our words, and without our buttons: the card has its own."""
    catalogue = listing()
    async with chatting(listing=catalogue) as chat:
        lamp = await chat.id_of("Blue Lamp")
        await put(catalogue, lamp, str(lamp))

        await chat.tap(f"product_{lamp}")

        (card,) = chat.said
        assert isinstance(card, ProductMessage)
        assert (card.catalog_id, card.retailer_id) == (CATALOGUE, str(lamp))
        assert "20.00" in str(card.body)
        assert chat.answers[-1].viewed == (lamp,)


async def test_a_product_may_be_listed_by_its_number_in_the_shop() -> None:
    """`catalog.id` may be the SKU."""
    catalogue = listing()
    async with chatting(listing=catalogue) as chat:
        lamp = await chat.id_of("Blue Lamp")
        await put(catalogue, lamp, "LAMP")

        await chat.write("blue lamp")

        (card,) = chat.said
        assert isinstance(card, ProductMessage)
        assert card.retailer_id == "LAMP"


async def test_what_is_not_listed_is_a_page_of_ours() -> None:
    """A product that the catalogue does not know cannot be shown by it."""
    catalogue = listing()
    async with chatting(listing=catalogue) as chat:
        await chat.tap(f"product_{await chat.id_of('Blue Lamp')}")
        assert isinstance(chat.said[0], Buttons)

        shirt = await chat.id_of("Shirt")
        await put(catalogue, shirt, "nothing of it")
        await chat.tap(f"product_{shirt}")
        assert isinstance(chat.said[0], Buttons)


async def test_variants_come_as_a_list_of_cards() -> None:
    """Those that can be bought; one alone is one card."""
    catalogue = listing()
    async with chatting(listing=catalogue) as chat:
        shirt = await chat.id_of("Shirt")
        small, medium, large = await variants_of(chat, "Shirt")
        await put(catalogue, shirt, str(small), str(medium), str(large))

        await chat.tap(f"product_{shirt}")
        (cards,) = chat.said
        assert isinstance(cards, ProductList)
        assert cards.sections[0].retailer_ids == (str(small), str(medium))

        await chat.tap(f"variant_{shirt}_{medium}")
        (card,) = chat.said
        assert isinstance(card, ProductMessage)
        assert card.retailer_id == str(medium)


async def test_how_few_are_the_last_ones_is_the_shops_word() -> None:
    """`shop.low_stock`: of so many and fewer the number is said."""
    for few, words in ((5, "3 left"), (2, "In stock")):
        async with chatting(policy=Policy(few=few)) as chat:
            await chat.tap(f"product_{await chat.id_of('Blue Lamp')}")
            assert words.lower() in chat.shown.lower()
