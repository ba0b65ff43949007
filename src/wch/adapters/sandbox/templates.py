"""Message templates that the simulated account has."""

import re
from collections.abc import Sequence
from typing import Any

import attrs

from wch.domain.document import JsonObject

_VARIABLE = re.compile(r"\{\{\s*([a-z0-9_]+)\s*\}\}")


@attrs.frozen(kw_only=True)
class ApprovedTemplate:
    """A template that may be sent.

    Attributes:
        body: its text with `{{1}}` or `{{name}}` where parameters go.
        quick_replies: the labels of its buttons.
    """

    name: str
    language: str = "en_US"
    category: str = "UTILITY"
    body: str
    header: str | None = None
    footer: str | None = None
    quick_replies: tuple[str, ...] = ()

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
            "id": str(10**15 + sum(ord(letter) * 31**place for place, letter in enumerate(self.name[:9]))),
            "name": self.name,
            "language": self.language,
            "status": "APPROVED",
            "category": self.category,
            "parameter_format": "NAMED" if named else "POSITIONAL",
            "quality_score": {"score": "GREEN"},
            "components": components,
        }


_SAMPLES: tuple[tuple[str, str, str], ...] = (
    ("order_confirmation", "UTILITY", "Thank you, {{1}}! Order {{2}} over {{3}} ({{4}} items) is confirmed."),
    ("order_processing", "UTILITY", "Order {{1}}: {{2}}. We are packing it."),
    ("order_status_update", "UTILITY", "Order {{1}}: {{2}}."),
    ("order_cancelled", "UTILITY", "Order {{1}}: {{2}}. Nothing will be sent."),
    ("shipping_update", "UTILITY", "Order {{1}} is on its way with {{2}}, parcel {{3}}."),
    ("order_completed", "UTILITY", "Order {{1}}: {{2}}. Enjoy it!"),
    ("order_refunded", "UTILITY", "Order {{1}}: {{2}} is on its way back to you."),
    ("spring_offer", "MARKETING", "Hello {{1}}, everything is 20 % off this week."),
)
"""What a shop's account would have: a template for each notice, and one to try a broadcast with."""

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
