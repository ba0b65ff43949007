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
