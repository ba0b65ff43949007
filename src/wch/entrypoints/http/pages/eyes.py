"""What somebody may see of people: it is decided where the answer is made, not on the page."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from wch.application.masks import masked_document, masked_email, masked_name, masked_number, masked_text
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.errors import NotFoundError
from wch.domain.message import Message
from wch.domain.operator import Operator, Right

# Control characters and overrides of direction could hide what stands there.
_HIDDEN = dict.fromkeys(
    [
        *(one for one in range(32) if chr(one) not in "\t\n"),
        *range(0x7F, 0xA0),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    ],
    "\N{REPLACEMENT CHARACTER}",
)


def clean(said: object) -> str:
    """A text as it is shown: what cannot be seen is marked."""
    return str(said).translate(_HIDDEN)


@attrs.frozen
class Eyes:
    """An operator's eyes."""

    operator: Operator

    @property
    def sees_everybody(self) -> bool:
        """Whether every person is known to this operator."""
        return self.operator.may(Right.ALL_PEOPLE)

    def may_know(self, talk: Conversation | None) -> bool:
        """Whether the people of this thread are known: to agents in threads that are theirs or nobody's."""
        if self.sees_everybody:
            return True
        if not self.operator.may(Right.PEOPLE) or talk is None:
            return False
        return talk.assigned_agent_id in {None, self.operator.number}

    def finds(self, talk: Conversation) -> bool:
        """Whether this thread is there at all: another agent's is not."""
        return not self.operator.may(Right.PEOPLE) or self.may_know(talk)

    def demand(self, talk: Conversation) -> None:
        """Go no further when this thread is not there for this operator.

        Raises:
            NotFoundError: it is another agent's.
        """
        if not self.finds(talk):
            raise NotFoundError(kind="conversation", id=talk.id)

    def person(self, phone: str, profile: CustomerProfile | None, *, known: bool) -> str:
        """Who it is, in a line."""
        name = None if profile is None else profile.name
        if known:
            return clean(name or self.number(phone, known=True))
        return clean(masked_name(name) or masked_number(phone))

    def number(self, phone: str, *, known: bool) -> str:
        """The number."""
        if not known:
            return masked_number(phone)
        return f"+{phone}" if phone.isdecimal() else clean(phone)

    def email(self, address: str | None, *, known: bool) -> str | None:
        """The address for letters."""
        shown = address if known else masked_email(address)
        return None if shown is None else clean(shown)

    def words(self, said: str | None, *, known: bool) -> str:
        """What was said, or how much of it."""
        return clean(said if known else masked_text(said)) if said else ""

    def document(self, kept: Any) -> str:
        """A document of a row, readable; whoever does not see everybody sees its shape alone."""
        shown = kept if self.sees_everybody else masked_document(kept)
        return clean(json.dumps(shown, ensure_ascii=False, indent=2, default=str))


def offers_of(message: Message) -> list[str]:
    """What could be tapped below a message."""
    body = message.content.get("body")
    inner = body.get("interactive") if isinstance(body, Mapping) else None
    action = inner.get("action") if isinstance(inner, Mapping) else None
    if not isinstance(action, Mapping):
        return []
    found = [one.get("reply", {}).get("title") for one in action.get("buttons") or ()]
    if action.get("sections"):
        found.append(action.get("button"))
    return [clean(one) for one in found if isinstance(one, str)]
