"""Findings about templates, and what differs from what the shop has written down of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from wch.application.ports import UnitOfWork
from wch.application.stored_templates import stored
from wch.domain.document import JsonObject
from wch.domain.message_template import MessageTemplate

WRITTEN = "templates.toml"
"""Who is said to use a template that the shop has only written down."""

PARTS = ("category", "header", "body", "footer", "buttons")


@attrs.frozen(kw_only=True)
class Lint:
    """One thing that is wrong with a template.

    Attributes:
        use: who sends it.
        level: `error`, or `warning` for what is only unwise.
        what: what is wrong.
        way_out: what to do about it.
    """

    use: str
    template: str
    language: str
    level: str
    what: str
    way_out: str


class Saying:
    """Findings about one use."""

    def __init__(self, *, use: str, template: str) -> None:
        self.use = use
        self.template = template
        self.found: list[Lint] = []

    def error(self, language: str, what: str, way_out: str) -> None:
        """What must be mended."""
        self._add(language, "error", what, way_out)

    def warning(self, language: str, what: str, way_out: str) -> None:
        """What is only unwise."""
        self._add(language, "warning", what, way_out)

    def _add(self, language: str, level: str, what: str, way_out: str) -> None:
        self.found.append(
            Lint(use=self.use, template=self.template, language=language, level=level, what=what, way_out=way_out)
        )


def drift(uow: UnitOfWork, written: Sequence[JsonObject]) -> list[Lint]:
    """Where the account's templates are not what the shop has written down: both are shown.

    Args:
        uow: the transaction.
        written: `{"name", "language"}` with what is to be compared of `category`, `header`, `body`,
            `footer` and `buttons`; what is not written is not compared.
    """
    found: list[Lint] = []
    for told in written:
        name, language = str(told.get("name", "")), str(told.get("language", ""))
        say = Saying(use=WRITTEN, template=name)
        unknown = sorted(set(told) - {"name", "language", *PARTS})
        if unknown or not name or not language:
            say.error(
                language or "*",
                f"an entry has no {' or '.join(unknown) or 'name and language'}",
                f"an entry has name, language and any of {', '.join(PARTS)}",
            )
        else:
            _compare(say, told, language, stored(uow, name, language))
        found += say.found
    return found


def _compare(say: Saying, told: JsonObject, language: str, there: MessageTemplate | None) -> None:
    if there is None:
        say.error(language, "it is written down, and not in the account", "submit it, then run `wch templates sync`")
        return
    for part, in_account in _parts(there).items():
        wanted: Any = told.get(part)
        if wanted is not None and _plain(wanted) != in_account:
            say.error(
                language,
                f"its {part} is {in_account!r} in the account, and {_plain(wanted)!r} in {WRITTEN}",
                f"submit the change, or correct {WRITTEN}",
            )


def _parts(template: MessageTemplate) -> Mapping[str, Any]:
    """What may be written down of a template, as the account has it."""
    texts = {kind.lower(): str(template.component(kind).get("text", "")) for kind in ("HEADER", "BODY", "FOOTER")}
    return {"category": template.category, **texts, "buttons": [str(one.get("text", "")) for one in template.buttons]}


def _plain(wanted: Any) -> Any:
    return [str(one) for one in wanted] if isinstance(wanted, (list, tuple)) else str(wanted)
