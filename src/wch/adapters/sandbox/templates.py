"""Message templates that the simulated account has."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError, WchError

_VARIABLE = re.compile(r"\{\{\s*([a-z0-9_]+)\s*\}\}")


@attrs.frozen(kw_only=True)
class ApprovedTemplate:
    """A template of the account, approved unless it says otherwise.

    Attributes:
        body: its text with `{{1}}` or `{{name}}` where parameters go.
        quick_replies: the labels of its buttons.
        status: one of `STATES`.
        quality: one of `QUALITIES`.
    """

    name: str
    language: str = "en_US"
    category: str = "UTILITY"
    body: str
    header: str | None = None
    footer: str | None = None
    quick_replies: tuple[str, ...] = ()
    status: str = "APPROVED"
    quality: str = "GREEN"

    @property
    def id(self) -> str:
        """Its id, the same one every time."""
        return str(10**15 + sum(ord(letter) * 31**place for place, letter in enumerate(self.name[:9])))

    def variables(self, component: str) -> Sequence[str]:
        """The names or numbers of the parameters of `header` or `body`, each once, in order."""
        text = self.header if component == "header" else self.body
        return list(dict.fromkeys(_VARIABLE.findall(text or "")))

    def filled(self, values: Sequence[tuple[str | None, str]]) -> str:
        """The body with its parameters: by name, else by their order."""
        named = {name: value for name, value in values if name is not None}
        positional = {str(place): value for place, (_, value) in enumerate(values, start=1)}
        return _VARIABLE.sub(lambda found: named.get(found[1], positional.get(found[1], found[0])), self.body)

    def listed(self) -> JsonObject:
        """As the account's list of templates tells it."""
        named = any(not variable.isdigit() for variable in self.variables("body"))
        components: list[dict[str, Any]] = [{"type": "BODY", "text": self.body}]
        if self.header:
            components.insert(0, {"type": "HEADER", "format": "TEXT", "text": self.header})
        if self.footer:
            components.append({"type": "FOOTER", "text": self.footer})
        if self.quick_replies:
            buttons = [{"type": "QUICK_REPLY", "text": label} for label in self.quick_replies]
            components.append({"type": "BUTTONS", "buttons": buttons})
        return {
            "id": self.id,
            "name": self.name,
            "language": self.language,
            "status": self.status,
            "category": self.category,
            "parameter_format": "NAMED" if named else "POSITIONAL",
            "quality_score": {"score": self.quality},
            "components": components,
        }


STATES = ("APPROVED", "PAUSED", "REJECTED", "DISABLED")
QUALITIES = ("GREEN", "YELLOW", "RED")


class TemplateChangeError(WchError):
    """A template becomes APPROVED, PAUSED, REJECTED or DISABLED, and its quality GREEN, YELLOW or RED."""


class TemplateBook:
    """The account's templates, as they stand."""

    def __init__(self, templates: Sequence[ApprovedTemplate]) -> None:
        self._templates = {(one.name, one.language): one for one in templates}
        self._at_first = dict(self._templates)

    def __iter__(self) -> Iterator[ApprovedTemplate]:
        return iter(tuple(self._templates.values()))

    def of(self, name: str, language: str) -> ApprovedTemplate | None:
        """The template of this name and language."""
        return self._templates.get((name, language))

    def plain(self) -> list[JsonObject]:
        """All of them as the JSON interface tells them."""
        kept = ("name", "language", "category", "status", "quality")
        return [attrs.asdict(one, filter=lambda attribute, _: attribute.name in kept) for one in self]

    def change(
        self, name: str, language: str, *, status: str | None = None, quality: str | None = None
    ) -> list[tuple[str, JsonObject]]:
        """Decide about a template as WhatsApp would; the news of it: the webhook's field and its value.

        Raises:
            NotFoundError: the account has none of this name and language.
            TemplateChangeError: there is no such state or quality.
        """
        if status not in {None, *STATES} or quality not in {None, *QUALITIES}:
            raise TemplateChangeError
        before = self.of(name, language)
        if before is None:
            raise NotFoundError(kind="template", id=f"{name}.{language}")
        after = attrs.evolve(before, status=status or before.status, quality=quality or before.quality)
        self._templates[name, language] = after
        named = {
            "message_template_id": int(after.id),
            "message_template_name": name,
            "message_template_language": language,
        }
        news: list[tuple[str, JsonObject]] = []
        if after.status != before.status:
            news.append(("message_template_status_update", {"event": after.status, **named, "reason": "NONE"}))
        if after.quality != before.quality:
            scores = {"previous_quality_score": before.quality, "new_quality_score": after.quality}
            news.append(("message_template_quality_update", {**scores, **named}))
        return news

    def begin_anew(self) -> None:
        """As they were at first."""
        self._templates = dict(self._at_first)


_SAMPLES: tuple[tuple[str, str, str], ...] = (
    ("order_confirmation", "UTILITY", "Thank you, {{1}}! Order {{2}} over {{3}} ({{4}} items) is confirmed."),
    ("order_processing", "UTILITY", "Order {{1}}: {{2}}. We are packing it."),
    ("order_status_update", "UTILITY", "Order {{1}}: {{2}}. {{3}}"),
    ("order_cancelled", "UTILITY", "Order {{1}}: {{2}}. {{3}}"),
    ("shipping_update", "UTILITY", "Order {{1}} is on its way with {{2}}, parcel {{3}}: {{4}}"),
    ("shipping_update_plain", "UTILITY", "Order {{1}} is on its way with {{2}}, parcel {{3}}."),
    ("order_completed", "UTILITY", "Hello {{1}}, order {{2}} has arrived. Enjoy it!"),
    ("order_refunded", "UTILITY", "Order {{1}}: {{2}} is on its way back to you."),
    ("abandoned_cart_reminder_1", "MARKETING", "Hello {{1}}, {{2}} items wait in your cart: {{3}} and more, {{4}}."),
    (
        "abandoned_cart_reminder_2",
        "MARKETING",
        "Hello {{1}}, your {{2}} items ({{3}}, {{4}}) are still there. {{5}} takes {{6}} off until {{7}}.",
    ),
    (
        "abandoned_cart_reminder_3",
        "MARKETING",
        "Hello {{1}}, last call for your {{2}} items ({{3}}, {{4}}): {{5}} takes {{6}} off until {{7}}.",
    ),
    ("reengage_back_in_stock", "MARKETING", "Hello {{1}}, {{2}} is back."),
    ("reengage_price_drop", "MARKETING", "Hello {{1}}, {{2}} was {{3}} and is {{4}} now."),
    ("reengage_loyalty_reward", "MARKETING", "Thank you, {{1}}! {{2}} takes {{3}} off until {{4}}."),
    ("reengage_new_arrivals", "MARKETING", "Hello {{1}}, this is new: {{2}}."),
    ("reengage_we_miss_you", "MARKETING", "Hello {{1}}, it has been a while. What can we do for you?"),
    ("spring_offer", "MARKETING", "Hello {{1}}, everything is 20 % off this week."),
)
"""What a shop's account would have: a template for each notice, reminder and re-engagement, and one for a broadcast."""

LANGUAGES = ("en", "es", "pt_BR", "ar", "hi")


def samples() -> tuple[ApprovedTemplate, ...]:
    """The sample templates in every language of the hub; their words are English, for nobody real reads them."""
    return tuple(
        ApprovedTemplate(
            name=name,
            language=language,
            category=category,
            body=body,
            footer="Reply STOP to opt out" if category == "MARKETING" else None,
        )
        for name, category, body in _SAMPLES
        for language in LANGUAGES
    )
