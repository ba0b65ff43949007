"""Occasions: when there is something to say to a customer who did not ask, and what."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from wch.domain.catalogue import Arrival
from wch.domain.customer import CustomerProfile
from wch.domain.moment import iso
from wch.domain.money import Money
from wch.domain.order_figures import exact_spending, known_orders, last_order_at
from wch.domain.product_facts import Entry, dropped
from wch.domain.product_view import ProductView
from wch.domain.reengagement import CampaignType, Reengagement

DAILY = (CampaignType.LOYALTY_REWARD, CampaignType.NEW_ARRIVALS, CampaignType.WE_MISS_YOU)
"""The kinds for who has gone quiet, in the order in which the first that fits is taken."""

TRIGGERED = (CampaignType.BACK_IN_STOCK, CampaignType.PRICE_DROP)
"""The kinds that something in the shop brings about, likewise."""

KINDS = (*TRIGGERED, *DAILY)

_OVER = frozenset({"cancelled", "failed", "refunded"})
_PRODUCTS_NAMED = 3


@attrs.frozen(kw_only=True)
class Occasion:
    """Something to say.

    Attributes:
        kind: what it is.
        product_id: the one product that it is about.
        old_price: what it cost when the customer looked.
        new_price: what it costs now.
        products: the names of what is new, the newest first.
    """

    kind: CampaignType
    product_id: int | None = None
    old_price: Money | None = None
    new_price: Money | None = None
    products: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Terms:
    """When there is an occasion.

    Attributes:
        inactive_for: so long since the last order.
        silent_for: so long without a message.
        view_counts_for: a look at a product counts so long.
        drop_percent: a lower price is worth telling from so much on.
        loyal_spent: who spent so much, in the shop's currency, is loyal.
        same_again: the same kind and product not within.
        kind_again: a loyalty reward, or missing somebody, not within.
        life: what could not leave for so long is dropped.
    """

    inactive_for: timedelta = timedelta(days=60)
    silent_for: timedelta = timedelta(days=7)
    view_counts_for: timedelta = timedelta(days=30)
    drop_percent: int = 10
    loyal_spent: Decimal = Decimal(500)
    same_again: timedelta = timedelta(days=30)
    kind_again: timedelta = timedelta(days=90)
    life: timedelta = timedelta(hours=24)

    def of_view(
        self,
        kind: CampaignType,
        profile: CustomerProfile,
        view: ProductView | None,
        then: Entry | None,
        current: Entry | None,
        *,
        now: datetime,
    ) -> Occasion | str:
        """What a customer's last look at a product gives occasion to; a word for why it gives none.

        Args:
            kind: back in stock, or a lower price.
            profile: whose.
            view: the last look.
            then: price and stock in force at it.
            current: those in force now.
            now: the moment that is asked about.
        """
        if view is None or view.viewed_at < now - self.view_counts_for:
            return "not_viewed"
        if then is None or current is None:
            return "unknown"
        if not current.in_stock:
            return "sold_out"
        if bought_since(profile, view.product_id, view.viewed_at):
            return "bought"
        return self._of_change(kind, view.product_id, then, current)

    def _of_change(self, kind: CampaignType, product_id: int, then: Entry, current: Entry) -> Occasion | str:
        if kind is CampaignType.BACK_IN_STOCK:
            return "was_there" if then.in_stock else Occasion(kind=kind, product_id=product_id)
        if not dropped(then.price, current.price, percent=self.drop_percent):
            return "no_drop"
        return Occasion(kind=kind, product_id=product_id, old_price=then.price, new_price=current.price)

    def of_silence(
        self, kind: CampaignType, profile: CustomerProfile, arrivals: Sequence[Arrival], *, now: datetime
    ) -> Occasion | str:
        """What a customer who has gone quiet gives occasion to; a word for why they give none."""
        bought_at = last_order_at(profile)
        if bought_at is None:
            return "no_order"
        if bought_at > now - self.inactive_for:
            return "active"
        wrote = profile.last_interaction_at
        return (
            "wrote"
            if wrote is not None and wrote > now - self.silent_for
            else self._of_kind(kind, profile, arrivals, bought_at)
        )

    def _of_kind(
        self, kind: CampaignType, profile: CustomerProfile, arrivals: Sequence[Arrival], bought_at: datetime
    ) -> Occasion | str:
        if kind is CampaignType.LOYALTY_REWARD and exact_spending(profile) < self.loyal_spent:
            return "not_loyal"
        if kind is not CampaignType.NEW_ARRIVALS:
            return Occasion(kind=kind)
        known = {int(number) for number in profile.preferences.get("stats", {}).get("categories", {})}
        new = [one for one in arrivals if one.published_at > bought_at and known & set(one.categories)]
        if not new:
            return "nothing_new"
        newest = sorted(new, key=lambda one: (one.published_at, one.id), reverse=True)[:_PRODUCTS_NAMED]
        return Occasion(kind=kind, products=tuple(one.name for one in newest))

    def repeats(self, occasion: Occasion, contacts: Iterable[Reengagement], *, now: datetime) -> bool:
        """Whether the same was said too lately, or something else still waits to be said."""
        return any(self._repeats(occasion, one, now) for one in contacts)

    def _repeats(self, occasion: Occasion, before: Reengagement, now: datetime) -> bool:
        if before.campaign_type is CampaignType.CART_REMINDER:
            return False
        if before.sent_at is None:
            return now < before.created_at + self.life
        if before.campaign_type is not occasion.kind:
            return False
        again = occasion.kind in {CampaignType.LOYALTY_REWARD, CampaignType.WE_MISS_YOU}
        if again:
            return now < before.sent_at + self.kind_again
        return before.product_id == occasion.product_id and now < before.sent_at + self.same_again


def bought_since(profile: CustomerProfile, product_id: int, moment: datetime) -> bool:
    """Whether the customer has ordered this product since then; an order of unknown goods counts as one."""
    return any(
        str(entry["at"]) >= iso(moment)
        and entry["status"] not in _OVER
        and (not entry.get("products") or product_id in entry["products"])
        for entry in known_orders(profile).values()
    )
