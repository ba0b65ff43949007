"""What customers looked at, and how they were won back."""

from collections.abc import Callable, Sequence

from wch.application.ports import Database, UnitOfWork
from wch.domain.product_view import ProductView, ViewTally
from wch.domain.reengagement import CampaignType, Reengagement
from wch.testing.contract.samples import OTHER, PHONE, contact, later, view, write
from wch.testing.doubles import NOON


class TestViews:
    """`ProductViewRepository`."""

    async def test_the_latest_view_is_of_customer_and_product(self, database: Database) -> None:
        """By time; of two at once the one written last."""
        views = await database.transact(
            write(
                ProductView(customer_phone=PHONE, product_id=1, viewed_at=later(5)),
                ProductView(customer_phone=PHONE, product_id=1, viewed_at=later(5)),
                ProductView(customer_phone=PHONE, product_id=1, viewed_at=later(1)),
                ProductView(customer_phone=PHONE, product_id=2, viewed_at=later(9)),
                ProductView(customer_phone=OTHER, product_id=1, viewed_at=later(9)),
            )
        )

        assert await database.read(lambda uow: uow.views.latest(PHONE, 1)) == views[1]
        assert await database.read(lambda uow: uow.views.latest(PHONE, 3)) is None

    async def test_views_since_a_moment_come_newest_first(self, database: Database) -> None:
        """At or after it, so many, of one customer."""
        _, b, c, _ = await database.transact(
            write(
                ProductView(customer_phone=PHONE, product_id=1, viewed_at=later(-1)),
                ProductView(customer_phone=PHONE, product_id=2, viewed_at=NOON),
                ProductView(customer_phone=PHONE, product_id=3, viewed_at=later(1)),
                ProductView(customer_phone=OTHER, product_id=3, viewed_at=later(1)),
            )
        )

        assert list(await database.read(lambda uow: uow.views.of(PHONE, since=NOON))) == [c, b]
        assert list(await database.read(lambda uow: uow.views.of(PHONE, since=NOON, limit=1))) == [c]

    async def test_a_product_is_known_by_who_looked_at_it(self, database: Database) -> None:
        """At or after the moment, by id, in pages."""
        a, _, b, _, c = await database.transact(
            write(
                view(viewed_at=later(5)),
                view(viewed_at=later(-1)),
                view(OTHER, viewed_at=NOON),
                view(product_id=2, viewed_at=later(9)),
                view(viewed_at=later(1)),
            )
        )

        assert list(await database.read(lambda uow: uow.views.of_product(1, since=NOON))) == [a, b, c]
        assert list(await database.read(lambda uow: uow.views.of_product(1, since=NOON, after=a.id, limit=1))) == [b]

    async def test_views_are_listed_the_latest_first(self, database: Database) -> None:
        """All, or those of a customer, a product, a time; in pages below an id."""
        a, b, c = await database.transact(
            write(view(viewed_at=later(5)), view(OTHER, viewed_at=NOON), view(product_id=2, viewed_at=later(-1)))
        )

        def listed(**asked: object) -> Callable[[UnitOfWork], Sequence[ProductView]]:
            return lambda uow: uow.views.listed(**asked)  # type: ignore[arg-type]  # as asked

        assert list(await database.read(listed())) == [c, b, a]
        assert list(await database.read(listed(before=c.id, limit=1))) == [b]
        assert list(await database.read(listed(customer_phone=PHONE))) == [c, a]
        assert list(await database.read(listed(product_id=1))) == [b, a]
        assert list(await database.read(listed(since=NOON, customer_phone=PHONE))) == [a]

    async def test_products_are_tallied_by_their_views(self, database: Database) -> None:
        """Views, people and the latest look; the most seen first, of one customer where asked."""
        await database.transact(
            write(
                view(viewed_at=later(-1)),
                view(viewed_at=later(1)),
                view(OTHER, viewed_at=later(5)),
                view(product_id=2, viewed_at=NOON),
                view(product_id=3, viewed_at=NOON),
            )
        )

        first, second, third = await database.read(lambda uow: uow.views.tallied(since=NOON))
        assert first == ViewTally(product_id=1, views=2, customers=2, last_at=later(5))
        assert (second.product_id, third.product_id) == (2, 3)
        (mine,) = await database.read(lambda uow: uow.views.tallied(since=NOON, customer_phone=OTHER))
        assert mine == ViewTally(product_id=1, views=1, customers=1, last_at=later(5))
        assert len(await database.read(lambda uow: uow.views.tallied(since=NOON, limit=1))) == 1


class TestReengagements:
    """`ReengagementRepository`."""

    async def test_the_newest_contact_is_by_id(self, database: Database) -> None:
        """Of this customer and type, whatever its time."""
        _, newest, *_ = await database.transact(
            write(
                contact(created_at=later(9)),
                contact(created_at=later(1)),
                contact(campaign_type=CampaignType.PRICE_DROP),
                contact(OTHER),
            )
        )

        found = await database.read(lambda uow: uow.reengagements.newest_of(PHONE, CampaignType.CART_REMINDER))
        assert found == newest
        assert await database.read(lambda uow: uow.reengagements.newest_of(PHONE, CampaignType.WE_MISS_YOU)) is None

    async def test_contacts_since_a_moment_come_by_id(self, database: Database) -> None:
        """Made at or after it, of every type."""
        _, b, c, _ = await database.transact(
            write(
                contact(created_at=later(-1)),
                contact(created_at=later(5), campaign_type=CampaignType.PRICE_DROP),
                contact(created_at=NOON),
                contact(OTHER),
            )
        )

        assert list(await database.read(lambda uow: uow.reengagements.of(PHONE, since=NOON))) == [b, c]
        assert list(await database.read(lambda uow: uow.reengagements.of(PHONE, since=NOON, limit=1))) == [b]

    async def test_contacts_that_have_not_left_are_waiting(self, database: Database) -> None:
        """Young enough, and no reminders of carts, which wait in the carts; by id, in pages."""
        miss = CampaignType.WE_MISS_YOU
        _, a, _, _, b = await database.transact(
            write(
                contact(created_at=later(-1), campaign_type=miss),
                contact(created_at=NOON, campaign_type=miss),
                contact(created_at=later(1)),
                contact(created_at=later(1), campaign_type=miss, sent_at=later(2)),
                contact(OTHER, created_at=later(1), campaign_type=CampaignType.PRICE_DROP),
            )
        )

        assert list(await database.read(lambda uow: uow.reengagements.waiting(since=NOON))) == [a, b]
        assert list(await database.read(lambda uow: uow.reengagements.waiting(since=NOON, after=a.id))) == [b]
        assert list(await database.read(lambda uow: uow.reengagements.waiting(since=NOON, limit=1))) == [a]

    async def test_contacts_are_listed_by_id(self, database: Database) -> None:
        """Of every customer; of one type and since a moment where asked."""
        a, b, c = await database.transact(
            write(contact(created_at=later(-1)), contact(OTHER), contact(campaign_type=CampaignType.PRICE_DROP))
        )

        reminders = CampaignType.CART_REMINDER
        assert list(await database.read(lambda uow: uow.reengagements.listed())) == [a, b, c]
        assert list(await database.read(lambda uow: uow.reengagements.listed(after=a.id, limit=1))) == [b]
        assert list(await database.read(lambda uow: uow.reengagements.listed(campaign_type=reminders))) == [a, b]
        assert list(await database.read(lambda uow: uow.reengagements.listed(since=NOON))) == [b, c]

    async def test_contacts_of_a_time_are_known_by_when_they_left(self, database: Database) -> None:
        """After the first moment, at or before the second; by id, in pages."""
        _, _, a, b, _ = await database.transact(
            write(contact(), *(contact(sent_at=later(seconds)) for seconds in (0, 1, 2, 3)))
        )

        def between(**paged: int) -> Callable[[UnitOfWork], Sequence[Reengagement]]:
            return lambda uow: uow.reengagements.sent_between(NOON, later(2), **paged)

        assert list(await database.read(between())) == [a, b]
        assert list(await database.read(between(after=a.id))) == [b]
        assert list(await database.read(between(limit=1))) == [a]
