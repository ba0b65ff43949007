"""Reminding: what the verdict on a cart's reminder looks at, when it is planned, when it leaves, and when it is explained."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

import attrs

from wch.application.coupons import Offered, coupon_values
from wch.application.order_notes import last_reminder
from wch.application.outreach import Outreach
from wch.application.ports import UnitOfWork
from wch.application.stored_templates import fitting, languages_of, still_usable, values_of
from wch.application.texts import Texts
from wch.domain.cart import Cart, CartItem, CartStatus
from wch.domain.customer import CustomerProfile
from wch.domain.message import Message
from wch.domain.message_template import Rendering
from wch.domain.moment import iso, of_iso
from wch.domain.money import Money
from wch.domain.order_figures import known_orders
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.verdict import Facts, Kind, Says, Verdict, decide

REF = "reminder"
"""How the cause of a reminder is named in its message: `reminder:<reengagement id>:<number>`."""

_BODY: Mapping[int, tuple[str, ...]] = {
    1: ("customer_name", "item_count", "first_item", "cart_total"),
    2: ("customer_name", "item_count", "first_item", "cart_total", "coupon_code", "discount_text", "coupon_ends"),
    3: ("customer_name", "item_count", "first_item", "cart_total", "coupon_code", "discount_text", "coupon_ends"),
}
_NOT_COUNTED = frozenset({"cancelled", "failed", "refunded"})


def contact_of(row: Message) -> int | None:
    """The row of `reengagement` whose reminder this message is; None when it is none."""
    origin: Any = row.content.get("origin")
    ref = str(origin.get("ref", "")) if isinstance(origin, Mapping) else ""
    kind, _, rest = ref.partition(":")
    number = rest.partition(":")[0]
    return int(number) if kind == REF and number.isdigit() else None


@attrs.frozen(kw_only=True)
class Reminding:
    """Facts, words and verdict of a reminder.

    Attributes:
        templates: the template of each use, such as `reminder_1`.
        enabled: whether carts are reminded of at all.
        idle: how long a customer who just wrote is left alone.
        require_opt_in: whether silence is no consent.
    """

    outreach: Outreach
    templates: Mapping[str, str]
    enabled: bool = True
    idle: timedelta = timedelta(hours=1)
    require_opt_in: bool = False

    def by_hand(self) -> Self:
        """The same where a person asks for it: who just wrote is not left alone."""
        return attrs.evolve(self, idle=timedelta(0))

    def row_of(self, uow: UnitOfWork, cart: Cart, *, lock: bool = False) -> Reengagement | None:
        """The row that counts this cart's whole sequence."""
        newest = uow.reengagements.newest_of(cart.customer_phone, CampaignType.CART_REMINDER)
        if newest is None or newest.created_at < cart.created_at:
            return None
        return uow.reengagements.get(newest.id, lock=True) if lock else newest

    def verdict(
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        cart: Cart,
        rendering: Rendering | None,
        *,
        now: datetime,
        dies_at: datetime | None,
        buyable: bool = True,
        wrote_by: datetime | None = None,
        leaves: bool = False,
    ) -> Verdict:
        """What every rule says about reminding of this cart now.

        Args:
            uow: the transaction.
            profile: the customer, locked where something is to be written.
            cart: as it stands.
            rendering: what would be said; None when no template fits.
            now: the moment that is asked about.
            dies_at: when this reminder has nothing to say any more.
            buyable: whether anything in the cart can still be bought.
            wrote_by: words of the customer up to then are no answer to a reminder; the slot before if not given.
            leaves: whether it leaves this moment, through gates that are not asked about twice.
        """
        facts = self._facts(uow, profile, cart, rendering, now, dies_at, buyable, wrote_by, leaves)
        return decide(Kind.REMINDER, facts, now=now)

    def _facts(  # noqa: PLR0917 - private: what `verdict` was asked with
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        cart: Cart,
        rendering: Rendering | None,
        now: datetime,
        dies_at: datetime | None,
        buyable: bool,  # noqa: FBT001 - private
        wrote_by: datetime | None,
        leaves: bool,  # noqa: FBT001 - private
    ) -> Facts:
        subject, until = self._subject(uow, profile, cart, now, buyable=buyable, wrote_by=wrote_by)
        mine = self.row_of(uow, cart)
        return self.outreach.facts(
            uow,
            profile,
            now=now,
            # A sequence is one contact: its second and third reminder are not stopped by its own first.
            own_contact=None if mine is None else mine.id,
            gates=not leaves,
            off=None if self.enabled else "disabled",
            needs_opt_in=self.require_opt_in,
            template="template" if rendering is None else None,
            gaps=() if rendering is None else rendering.missing,
            dies_at=dies_at,
            subject=subject,
            subject_until=until,
        )

    def _subject(
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        cart: Cart,
        now: datetime,
        *,
        buyable: bool,
        wrote_by: datetime | None,
    ) -> tuple[tuple[Says, str], datetime | None]:
        """Whether the cause is still true, and until when a customer who just wrote is left alone."""
        if cart.status is not CartStatus.ABANDONED or cart.abandoned_at is None:
            return (Says.REFUSE, "not_abandoned"), None
        placement = uow.sagas.get(cart.saga_id)
        if placement is not None and placement.is_open:
            return (Says.REFUSE, "placement"), None
        if any(
            entry["at"] >= iso(cart.abandoned_at) and entry["status"] not in _NOT_COUNTED
            for entry in known_orders(profile).values()
        ):
            return (Says.REFUSE, "ordered"), None
        if not buyable:
            return (Says.REFUSE, "sold_out"), None
        return self._since_writing(uow, profile, cart, now, wrote_by=wrote_by)

    def _last_left(self, uow: UnitOfWork, cart: Cart, now: datetime) -> datetime | None:
        """When the last reminder of this cart left that did leave."""
        mine = self.row_of(uow, cart) if cart.was_reminded else None
        last = None if mine is None else last_reminder(uow, mine, before=now)
        return None if last is None else last.sent_at

    def _since_writing(
        self, uow: UnitOfWork, profile: CustomerProfile, cart: Cart, now: datetime, *, wrote_by: datetime | None
    ) -> tuple[tuple[Says, str], datetime | None]:
        """Who answered a reminder is not reminded again; who just wrote is left alone for a while."""
        wrote = profile.last_interaction_at
        latest = wrote_by or self._last_left(uow, cart, now)
        if wrote is not None and latest is not None and wrote > latest:
            return (Says.REFUSE, "answered"), None
        if wrote is not None and now < wrote + self.idle:
            return (Says.HOLD, "just_wrote"), wrote + self.idle
        return (Says.ALLOW, ""), None

    # --- words

    def rendering(
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        cart: Cart,
        number: int,
        *,
        left: Sequence[CartItem],
        coupon: Offered | None,
    ) -> Rendering | None:
        """What this customer would get; None when no approved template fits."""
        name = self.templates.get(f"reminder_{number}", f"abandoned_cart_reminder_{number}")
        if coupon is None:
            name = self.templates.get(f"reminder_{number}_plain", name)
        language = self.outreach.language_of(profile)
        template = fitting(languages_of(uow, name), language, self.outreach.manners.language)
        if template is None:
            return None
        texts = Texts(template.language)
        values = {
            **values_of(profile),
            **_values(texts, cart, left),
            **coupon_values(texts, coupon, self.outreach.manners.zone),
        }
        values.setdefault("customer_name", texts.say("notice.customer"))
        body = [{"var": variable} for variable in _BODY[number]]
        buttons: list[dict[str, Any]] = [
            {"index": place, "payload": "cart", "var": "coupon_code"} for place in range(len(template.buttons))
        ]
        return template.rendered({"body": body, "buttons": buttons}, values)

    # --- the second look

    def again(self, uow: UnitOfWork, row: Message, profile: CustomerProfile, *, now: datetime) -> Verdict:
        """Every rule once more, when the message is taken; the template was frozen, so it is only asked whether it may go."""
        origin: Any = row.content["origin"]
        asked = self.by_hand() if origin.get("by_hand") else self
        cart = uow.carts.of(profile.phone)
        usable = still_usable(uow, row)
        opened = of_iso(str(origin["cart"]))
        if cart is None or cart.created_at != opened:
            gone = Cart.opened(profile.phone, now=opened)
            return asked.verdict(uow, profile, gone, usable, now=now, dies_at=row.expires_at, leaves=True)
        before = of_iso(str(origin["wrote_by"])) if origin.get("wrote_by") else row.created_at
        return asked.verdict(uow, profile, cart, usable, now=now, dies_at=row.expires_at, wrote_by=before, leaves=True)


def _values(texts: Texts, cart: Cart, left: Sequence[CartItem]) -> dict[str, str]:
    """What the cart's variables stand for: lines that cannot be bought are left out of count and total."""
    if not left:
        return {}
    total = Money.rounded(sum((item.worth for item in left), Decimal(0)), cart.currency or left[0].currency)
    return {
        "item_count": str(sum(item.quantity for item in left)),
        "first_item": left[0].product_name,
        "cart_total": texts.money(total),
    }
