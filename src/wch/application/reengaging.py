"""Re-engaging: what the verdict on an unasked word to a customer looks at, and how that word is put."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from wch.application.coupons import Offered, coupon_values
from wch.application.outreach import Outreach
from wch.application.ports import UnitOfWork
from wch.application.product_facts import in_force
from wch.application.stored_templates import fitting, languages_of, still_usable, values_of
from wch.application.texts import Texts
from wch.domain.catalogue import Arrival
from wch.domain.customer import CustomerProfile
from wch.domain.message import Message
from wch.domain.message_template import Rendering
from wch.domain.occasion import KINDS, TRIGGERED, Occasion, Terms
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.verdict import Kind, Says, Verdict, decide

REF = "reengagement"
"""How the cause of such a message is named in it: `reengagement:<id>`."""

VARIABLES: Mapping[str, tuple[str, ...]] = {
    CampaignType.BACK_IN_STOCK.value: ("customer_name", "product_name"),
    CampaignType.PRICE_DROP.value: ("customer_name", "product_name", "old_price", "new_price"),
    CampaignType.LOYALTY_REWARD.value: ("customer_name", "coupon_code", "discount_text", "coupon_ends"),
    CampaignType.NEW_ARRIVALS.value: ("customer_name", "product_list"),
    CampaignType.WE_MISS_YOU.value: ("customer_name",),
}
"""What the body of each kind's template is filled with, in this order where it counts its gaps."""


@attrs.frozen(kw_only=True)
class Reengaging:
    """Occasions, words and verdict of re-engagement.

    Attributes:
        templates: the template of each kind.
        terms: when there is an occasion.
        enabled: whether such words are said at all.
    """

    outreach: Outreach
    templates: Mapping[str, str]
    terms: Terms
    enabled: bool = False

    def occasion(
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        kind: CampaignType,
        *,
        now: datetime,
        product_id: int | None = None,
        arrivals: Sequence[Arrival] = (),
    ) -> Occasion | str:
        """What there is to say of this kind; a word for why there is nothing."""
        if kind not in TRIGGERED:
            return self.terms.of_silence(kind, profile, arrivals, now=now)
        view = None if product_id is None else uow.views.latest(profile.phone, product_id)
        then = None if view is None else in_force(uow, view.product_id, view.viewed_at)
        current = None if view is None else in_force(uow, view.product_id)
        return self.terms.of_view(kind, profile, view, then, current, now=now)

    def verdict(
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        occasion: Occasion | str,
        rendering: Rendering | None,
        *,
        now: datetime,
        row: Reengagement | None = None,
        leaves: bool = False,
    ) -> Verdict:
        """What every rule says about saying this now.

        Args:
            uow: the transaction.
            profile: the customer, locked where something is to be written.
            occasion: what there is to say, or why there is nothing.
            rendering: how it would be put; None when no template fits.
            now: the moment that is asked about.
            row: the contact that is itself being decided.
            leaves: whether it leaves this moment, through gates that are not asked about twice.
        """
        return decide(
            Kind.REENGAGEMENT,
            self.outreach.facts(
                uow,
                profile,
                now=now,
                own_contact=None if row is None else row.id,
                gates=not leaves,
                off=None if self.enabled else "disabled",
                subject=self._subject(uow, profile, occasion, row, now),
                template="template" if rendering is None else None,
                gaps=() if rendering is None else rendering.missing,
                dies_at=None if row is None else row.created_at + self.terms.life,
            ),
            now=now,
        )

    def _subject(
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        occasion: Occasion | str,
        row: Reengagement | None,
        now: datetime,
    ) -> tuple[Says, str]:
        if isinstance(occasion, str):
            return Says.REFUSE, occasion
        own = 0 if row is None else row.id
        since = now - self.terms.kind_again - self.terms.life
        earlier = [one for one in uow.reengagements.of(profile.phone, since=since, limit=500) if one.id != own]
        return (Says.REFUSE, "repeated") if self.terms.repeats(occasion, earlier, now=now) else (Says.ALLOW, "")

    def again(self, uow: UnitOfWork, row: Message, profile: CustomerProfile, *, now: datetime) -> Verdict:
        """Every rule once more when the message is taken; what is new in the shop was frozen with its words."""
        contact = contact_of(uow, row)
        usable = still_usable(uow, row)
        if contact is None:
            return self.verdict(uow, profile, "gone", usable, now=now, leaves=True)
        kind = contact.campaign_type
        # That something is new stays true; whether the customer still is quiet is asked like missing them.
        asked = CampaignType.WE_MISS_YOU if kind is CampaignType.NEW_ARRIVALS else kind
        found = self.occasion(uow, profile, asked, now=now, product_id=contact.product_id)
        occasion = found if isinstance(found, str) else attrs.evolve(found, kind=kind)
        return self.verdict(uow, profile, occasion, usable, now=now, row=contact, leaves=True)

    def rendering(
        self,
        uow: UnitOfWork,
        profile: CustomerProfile,
        occasion: Occasion,
        *,
        product_name: str | None = None,
        coupon: Offered | None = None,
    ) -> Rendering | None:
        """What this customer would get; None when no approved template fits."""
        name = self.templates.get(occasion.kind.value, f"reengage_{occasion.kind.value}")
        language = self.outreach.language_of(profile)
        template = fitting(languages_of(uow, name), language, self.outreach.manners.language)
        if template is None:
            return None
        texts = Texts(template.language)
        values = {
            "customer_name": texts.say("notice.customer"),
            **values_of(profile),
            **coupon_values(texts, coupon, self.outreach.manners.zone),
            "product_name": product_name or "",
            "product_list": ", ".join(occasion.products),
            "old_price": "" if occasion.old_price is None else texts.money(occasion.old_price),
            "new_price": "" if occasion.new_price is None else texts.money(occasion.new_price),
        }
        payload = "menu" if occasion.product_id is None else f"prod:{occasion.product_id}"
        body = [{"var": variable} for variable in VARIABLES[occasion.kind.value]]
        buttons: list[dict[str, Any]] = [
            {"index": place, "payload": payload, "var": "coupon_code"} for place in range(len(template.buttons))
        ]
        return template.rendered({"body": body, "buttons": buttons}, {k: v for k, v in values.items() if v})


def contact_of(uow: UnitOfWork, row: Message) -> Reengagement | None:
    """The contact that a message is; None where its row is gone."""
    number = contact_id_of(row)
    return None if number is None else uow.reengagements.get(number)


def contact_id_of(row: Message) -> int | None:
    """The row of `reengagement` that a message is named after; None when it is none of these messages."""
    origin: Any = row.content.get("origin")
    kind, _, number = str(origin.get("ref", "")).partition(":") if isinstance(origin, Mapping) else ("", "", "")
    return int(number) if kind == REF and number.isdigit() else None


def kinds_of(names: Sequence[str]) -> tuple[CampaignType, ...]:
    """These kinds in the order in which they count; all of them where none is named."""
    return tuple(kind for kind in KINDS if not names or kind.value in names)
