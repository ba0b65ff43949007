"""Noticing: what an order notice says, and whether it may be said, when it is planned, when it leaves, and when explained."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import attrs

from wch.application.announcing import known_order, refunds_of
from wch.application.outreach import Outreach
from wch.application.ports import UnitOfWork, WhatsAppCodec
from wch.application.stored_templates import fitting, languages_of, was_synced
from wch.application.texts import Texts, spoken
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.message import Message
from wch.domain.message_template import MessageTemplate, Rendering
from wch.domain.money import Money
from wch.domain.notification import (
    CONFIRMED,
    DELIVERED,
    LONGEST_TEMPLATE_NAME,
    REFUNDED,
    SHIPPED,
    STATUS_PREFIX,
    Notification,
)
from wch.domain.order import Order, Tracking
from wch.domain.outgoing import Button, Buttons, OrderStatus, Outgoing, Text
from wch.domain.verdict import Facts, Kind, Says, Verdict, decide

PLAIN = "shipped_plain"
"""The use of a parcel that has no address to follow it by."""

OTHER_STATUS = "status_on_hold"
"""The use whose template tells any status that has none of its own."""

TEMPLATES: Mapping[str, str] = {
    CONFIRMED: "order_confirmation",
    "status_processing": "order_processing",
    "status_cancelled": "order_cancelled",
    SHIPPED: "shipping_update",
    PLAIN: "shipping_update_plain",
    DELIVERED: "order_completed",
    REFUNDED: "order_refunded",
}
"""The template of a use; any other goes out as `order_status_update`."""

VARIABLES: Mapping[str, tuple[str, ...]] = {
    CONFIRMED: ("customer_name", "order_number", "order_total", "item_count", "estimated_delivery"),
    SHIPPED: ("order_number", "carrier_name", "tracking_number", "tracking_url"),
    PLAIN: ("order_number", "carrier_name", "tracking_number"),
    DELIVERED: ("customer_name", "order_number", "review_url"),
    REFUNDED: ("order_number", "refund_amount", "status_text"),
}
"""What a use fills a template with, in the order of its numbered gaps."""

BILL_STATUSES: Mapping[str, str] = {CONFIRMED: "processing", SHIPPED: "shipped", DELIVERED: "completed"}
"""What a notice is on the bill inside WhatsApp; one that was paid cannot be called off there."""

_OF_A_STATUS = ("order_number", "status_text", "action_needed")
_OPTIONAL = frozenset({"review_url", "tracking_url"})
_Values = Callable[[Texts], dict[str, str]]


def variables_of(use: str) -> tuple[str, ...]:
    """What a use fills a template with, in order."""
    return VARIABLES.get(use, _OF_A_STATUS)


@attrs.frozen(kw_only=True)
class Telling:
    """What would be said, and what every rule says about it.

    Attributes:
        message: the words, or the template; None where neither can be made.
        plain: the words that go instead of a template that WhatsApp refuses, if the window is open then.
        fallback: what goes out instead of words when the window has closed.
        template_name: the template that stands for it.
    """

    verdict: Verdict
    message: Outgoing | None
    plain: Outgoing | None
    fallback: JsonObject | None
    template_name: str


@attrs.frozen(kw_only=True)
class Noticing:
    """Facts, words and verdict of an order notice.

    Attributes:
        templates: the template of each use, from the settings.
        enabled: whether customers are told at all.
        off: types that are not told.
        prefers_text: whether words go inside an open window; else the template always.
        awake: who wrote so lately is not asleep.
        estimated_delivery: said when the shop knows no date; empty for a sentence of ours.
        review_url: where a delivered order may be reviewed; empty for nowhere.
        carriers: address patterns with `{number}`, by the carrier's name.
    """

    outreach: Outreach
    codec: WhatsAppCodec
    templates: Mapping[str, str]
    carriers: Mapping[str, str]
    enabled: bool = True
    off: frozenset[str] = frozenset()
    prefers_text: bool = True
    awake: timedelta = timedelta(minutes=30)
    estimated_delivery: str = ""
    review_url: str = ""

    def telling(
        self, uow: UnitOfWork, notice: Notification, order: Order, profile: CustomerProfile, *, now: datetime
    ) -> Telling:
        """What this notice would say now, and whether it may.

        Args:
            uow: the transaction.
            notice: whose turn it is.
            order: as the shop has it.
            profile: the customer, locked where something is to be written.
            now: the moment that is asked about.
        """
        facts = self._facts(uow, notice, profile, order.status_word, now=now)
        state = known_order(uow, order.id) or {}
        language = str(profile.language or state.get("language") or self.outreach.manners.language)
        parcel = parcel_of(notice, order)
        url = self._address(parcel)
        use = self._use(notice, url)
        name = self.templates.get(use) or TEMPLATES.get(use, "order_status_update")
        values = self._values(notice, order, profile, state, parcel=parcel, url=url)
        rendering = self._rendering(uow, use, name, language, values, order)
        template = None if rendering is None else rendering.template
        is_open = facts.window_until is not None and now < facts.window_until
        texts = Texts(spoken(language))
        said, gaps = self._words(notice, texts, values(texts), order)
        if is_open and self.prefers_text:
            body = None if template is None else self.codec.encode(template)
            facts = attrs.evolve(facts, takes_text=True, gaps=gaps)
            return Telling(
                verdict=decide(Kind.NOTICE, facts, now=now),
                message=_on_the_bill(notice, state, said),
                plain=None,
                fallback=None if body is None else _fallback(body),
                template_name=name[:LONGEST_TEMPLATE_NAME],
            )
        facts = attrs.evolve(
            facts,
            template="template" if rendering is None else None,
            gaps=() if rendering is None else rendering.missing,
        )
        return Telling(
            verdict=decide(Kind.NOTICE, facts, now=now),
            message=template,
            plain=said,
            fallback=None,
            template_name=name,
        )

    def again(
        self, uow: UnitOfWork, row: Message, notice: Notification, profile: CustomerProfile, *, now: datetime
    ) -> Verdict:
        """Every rule once more, when the message is taken, by what is known of the order; its words were frozen."""
        is_text = row.content.get("kind") != "template"
        return self.without_order(uow, notice, profile, now=now, takes_text=is_text)

    def without_order(
        self,
        uow: UnitOfWork,
        notice: Notification,
        profile: CustomerProfile,
        *,
        now: datetime,
        takes_text: bool | None = None,
    ) -> Verdict:
        """Every rule that can be asked without the shop: the order is as it was last seen."""
        state = known_order(uow, notice.order_id) or {}
        facts = self._facts(uow, notice, profile, state.get("status"), now=now, gates=takes_text is None)
        if takes_text is not None:
            # Where all sending is stopped the outbox tries one row a minute: that is not held here too.
            facts = attrs.evolve(facts, stopped=None)
        is_text = self.prefers_text if takes_text is None else takes_text
        return decide(Kind.NOTICE, attrs.evolve(facts, takes_text=is_text), now=now)

    def nobody(self, notice: Notification, *, now: datetime) -> Verdict:
        """What is said where there is no customer any more."""
        return decide(Kind.NOTICE, Facts(missing="erased", dies_at=notice.dies_at), now=now)

    def _facts(
        self,
        uow: UnitOfWork,
        notice: Notification,
        profile: CustomerProfile,
        status: str | None,
        *,
        now: datetime,
        gates: bool = True,
    ) -> Facts:
        is_off = not self.enabled or notice.kind in self.off
        facts = self.outreach.facts(
            uow,
            profile,
            now=now,
            off="disabled" if is_off else None,
            subject=self._subject(uow, notice, status),
            dies_at=notice.dies_at,
            gates=gates,
        )
        wrote = profile.last_interaction_at
        is_awake = wrote is not None and now < wrote + self.awake
        return facts if notice.waits_for_morning and not is_awake else attrs.evolve(facts, quiet=None)

    def _subject(self, uow: UnitOfWork, notice: Notification, status: str | None) -> tuple[Says, str]:
        """Whether it is still true, and nobody has said it yet."""
        if status is not None and notice.is_superseded(status):
            return Says.REFUSE, "superseded"
        confirmed = uow.notifications.of_order(notice.order_id, CONFIRMED)
        return (Says.REFUSE, "covered") if any(map(notice.is_covered_by, confirmed)) else (Says.ALLOW, "")

    # --- words

    def _use(self, notice: Notification, url: str | None) -> str:
        """The entry of the settings' table of templates that this notice takes."""
        if notice.kind == SHIPPED:
            return SHIPPED if url else PLAIN
        known = {**TEMPLATES, **self.templates}
        return OTHER_STATUS if notice.kind.startswith(STATUS_PREFIX) and notice.kind not in known else notice.kind

    def _address(self, parcel: Tracking | None) -> str | None:
        """Where a parcel can be followed: the shop's own https address, else the carrier's; None when neither is known."""
        if parcel is None:
            return None
        if parcel.url and parcel.url.startswith("https://"):
            return parcel.url
        carriers = {name.casefold(): pattern for name, pattern in self.carriers.items()}
        pattern = carriers.get(parcel.carrier.strip().casefold())
        return None if pattern is None else pattern.replace("{number}", quote(parcel.number, safe=""))

    def _values(
        self,
        notice: Notification,
        order: Order,
        profile: CustomerProfile,
        state: JsonObject,
        *,
        parcel: Tracking | None,
        url: str | None,
    ) -> _Values:
        refunds = refunds_of(state)
        refunded = order.refunded
        if notice.kind == REFUNDED and notice.number <= len(refunds):
            refunded = Money.rounded(Decimal(refunds[notice.number - 1]), order.currency)

        def values(texts: Texts) -> dict[str, str]:
            word = order.status_word
            told = {
                "customer_name": (profile.name or "").strip() or texts.say("notice.customer"),
                "order_number": order.number,
                "order_total": texts.money(order.total),
                "item_count": str(sum(line.quantity for line in order.lines)),
                "estimated_delivery": self.estimated_delivery or texts.say("notice.estimated_delivery"),
                "status_text": texts.say(f"status.{word}") if texts.knows(f"status.{word}") else _as_words(word),
                "action_needed": texts.say(f"action.{word}" if texts.knows(f"action.{word}") else "action.none"),
                "carrier_name": (parcel.carrier if parcel else "") or texts.say("notice.carrier"),
                "tracking_number": (parcel.number if parcel else "") or texts.say("notice.no_number"),
                "tracking_url": url or "",
                "refund_amount": texts.money(refunded),
                "review_url": self.review_url,
            }
            return {name: value for name, value in told.items() if value.strip()}

        return values

    def _rendering(  # noqa: PLR0917 - private: what a template is chosen and filled by
        self, uow: UnitOfWork, use: str, name: str, language: str, values: _Values, order: Order
    ) -> Rendering | None:
        """The template with its gaps filled; None when no approved one fits the customer."""
        if len(name) > LONGEST_TEMPLATE_NAME:
            return None
        template = fitting(languages_of(uow, name), language, self.outreach.manners.language)
        if template is None and not was_synced(uow):
            template = assumed(use, name, language, has_review=bool(self.review_url))
        if template is None:
            return None
        return template.rendered(_params(template, use, order), values(Texts(spoken(template.language))))

    def _words(
        self, notice: Notification, texts: Texts, values: Mapping[str, str], order: Order
    ) -> tuple[Buttons | Text, tuple[str, ...]]:
        """What is said inside the window, and what there is no value for; the confirmation carries its buttons."""
        kind = notice.kind
        needed = [name for name in variables_of(self._use(notice, values.get("tracking_url"))) if name not in _OPTIONAL]
        gaps = tuple(name for name in needed if name not in values)
        lines = "\n".join(f"{line.quantity} x {line.name}" for line in order.lines)
        known = {"lines": lines, **dict.fromkeys(needed, ""), **values}
        if kind == CONFIRMED:
            body = Buttons(
                body=texts.say("notice.order_confirmed", **known),
                buttons=(
                    Button(id=f"order_{order.id}", title=texts.say("button.track")),
                    Button(id="menu", title=texts.say("button.menu")),
                ),
            )
            return body, gaps
        return Text(body=texts.say(self._sentence(kind, order, values), **known)), gaps

    def _sentence(self, kind: str, order: Order, values: Mapping[str, str]) -> str:
        """The catalogue's text for a kind."""
        if kind == SHIPPED and not order.tracking:
            return "notice.status"
        if kind == SHIPPED and "tracking_url" not in values:
            return "notice.shipped_plain"
        if kind == DELIVERED and "review_url" in values:
            return "notice.delivered_review"
        known = {SHIPPED: "notice.shipped", DELIVERED: "notice.delivered", REFUNDED: "notice.refunded"}
        return known.get(kind, "notice.status")


def parcel_of(notice: Notification, order: Order) -> Tracking | None:
    """The parcel that a notice is about: `shipped_2` is about the second; the latest where that one is not there."""
    parcels = order.tracking[: notice.number]
    return parcels[-1] if parcels else None


def assumed(use: str, name: str, language: str, *, has_review: bool) -> MessageTemplate:
    """The template as our documentation describes it: what an account that nobody could ask may have."""
    count = sum(has_review or name != "review_url" for name in variables_of(use))
    gaps = " ".join(f"{{{{{place}}}}}" for place in range(1, count + 1))
    body = {"type": "BODY", "text": gaps}
    return MessageTemplate(name=name, language=language, category="UTILITY", components=(body,))


def _on_the_bill(notice: Notification, state: JsonObject, words: Buttons | Text) -> Outgoing:
    """The words; of an order that was paid inside WhatsApp they move the bill there along its allowed ways."""
    bill, status = state.get("bill"), BILL_STATUSES.get(notice.notification_type)
    if not isinstance(bill, str) or status is None:
        return words
    return OrderStatus(body=words.body, reference_id=bill, status=status)


def _as_words(slug: str) -> str:
    """A status that only the shop has, as people read it."""
    return slug.replace("-", " ").replace("_", " ")


def _params(template: MessageTemplate, use: str, order: Order) -> JsonObject:
    """How a template's gaps are filled: by name, else in the declared order."""
    header = template.gaps("HEADER")
    is_named = template.parameter_format == "NAMED"
    suffix = "tracking_number" if use in {SHIPPED, PLAIN} else "order_number"
    buttons = [
        {"index": place, "payload": f"order_{order.id}", "var": suffix} for place in range(len(template.buttons))
    ]
    params: dict[str, Any] = {"body": [{"var": name} for name in variables_of(use)], "buttons": buttons}
    if header:
        params["header"] = {"var": header[0] if is_named else "order_number"}
    return params


def _fallback(body: JsonObject) -> JsonObject:
    """The declared template: the words of its body, and all of its parts as they would be sent."""
    template: Any = body["template"]
    parts: Any = template.get("components", [])
    words = [one.get("text") for part in parts if part["type"] == "body" for one in part["parameters"]]
    return {
        "template": template["name"],
        "language": template["language"]["code"],
        "parameters": words,
        "components": parts,
    }
