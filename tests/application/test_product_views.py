"""A look at a product is a view, once an hour, and its price of that moment is kept."""

from datetime import timedelta
from decimal import Decimal

import attrs

from tests.application.rooms import ANNA, answering, rooms
from wch.application.dialogue.scene import Answer, Scene
from wch.application.ports import UnitOfWork
from wch.application.product_facts import categories_of, in_force, known, note, note_product, products_of
from wch.application.product_views import ProductViews
from wch.application.resting import LONGEST, UNKNOWN, Resting
from wch.domain.catalogue import Category, Product, Variant
from wch.domain.money import Money
from wch.testing import NOON

LAMP = Product(
    id=5,
    name="Lamp",
    price=Money(Decimal(50), "EUR"),
    regular_price=Money(Decimal(50), "EUR"),
    stock=3,
    categories=(Category(id=15, name="Lamps", count=1),),
    updated_at=NOON,
)


async def test_five_looks_in_an_hour_are_one_view() -> None:
    """At 59 minutes it is the same look still, at 61 it is another; the price of the first look is kept."""
    hub = rooms()
    price = 50

    async def shows(scene: Scene) -> Answer:
        product = attrs.evolve(LAMP, price=Money(Decimal(price), "EUR"))
        return answering(scene, "look", viewed=(product.id,), sightings=(product,))

    hub.assistant.script = shows
    for minutes in (0, 10, 20, 40, 59, 61):
        hub.clock.advance(NOON + timedelta(minutes=minutes) - hub.clock.now())
        await hub.hear("show me the lamp")
        await hub.handling.work()
        price -= 1

    views = ProductViews(database=hub.database, clock=hub.clock)
    looks = await views.listed(customer=ANNA)
    (tally,) = await views.tallied(within=timedelta(hours=2), customer=ANNA)
    assert [one.viewed_at for one in reversed(looks)] == [NOON, NOON + timedelta(minutes=61)]
    assert (tally.views, tally.customers) == (2, 1)
    assert await views.listed(product_id=6) == []
    seen = await hub.see(lambda uow: in_force(uow, 5, NOON))
    assert seen is not None
    assert seen.price == Money(Decimal(50), "EUR")


async def test_variants_lead_to_their_product() -> None:
    """What is told of one variant is known of the product; what is unknown leads nowhere."""
    hub = rooms()
    small = Variant(id=51, product_id=5, attributes={}, price=LAMP.price, regular_price=LAMP.price, stock=0)
    large = attrs.evolve(small, id=52, price=Money(Decimal(40), "EUR"), stock=2)
    shirt = attrs.evolve(LAMP, variants=(small, large))

    def noted(uow: UnitOfWork) -> None:
        note_product(uow, shirt, now=NOON)
        note(uow, 52, large.price, in_stock=False, quantity=0, now=NOON + timedelta(hours=2))

    await hub.do(noted)

    def look(uow: UnitOfWork) -> None:
        then, now = in_force(uow, 5, NOON), in_force(uow, 5)
        assert then is not None
        assert now is not None
        assert (then.price, then.in_stock, now.in_stock) == (large.price, True, False)
        assert products_of(uow, [52, 51, 99]) == [5]
        assert categories_of(uow, [51, 99]) == (15,)
        assert (known(uow, 99), in_force(uow, 99)) == (None, None)

    await hub.see(look)


def test_what_was_looked_at_in_vain_rests() -> None:
    """Until the end of its hold, but never for longer than an hour; without a known end for a while."""
    resting = Resting()
    resting.add("a", until=NOON + timedelta(minutes=5), now=NOON)
    resting.add("b", until=None, now=NOON)
    resting.add("c", until=NOON + timedelta(days=1), now=NOON)

    assert ("a", NOON + timedelta(minutes=4)) in resting
    assert ("a", NOON + timedelta(minutes=5)) not in resting
    assert ("b", NOON + UNKNOWN - timedelta(seconds=1)) in resting
    assert ("b", NOON + UNKNOWN) not in resting
    assert ("c", NOON + LONGEST) not in resting
    assert ("d", NOON) not in resting
