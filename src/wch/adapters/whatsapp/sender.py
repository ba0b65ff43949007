"""Who an event is from: the number, the id that stands for one, and the contact block beside it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs

from wch.adapters.whatsapp import lookup
from wch.domain.document import JsonObject
from wch.domain.phone import surrogate

NAME_LENGTH = 255


@attrs.frozen(kw_only=True)
class Sender:
    """A person as one event and its contact block tell them.

    Attributes:
        key: what stands in the tables: digits, or a surrogate.
        wa_id: the contact block's number.
    """

    key: str
    user_id: str | None = None
    parent_user_id: str | None = None
    wa_id: str | None = None
    name: str | None = None
    username: str | None = None


def ids_of(number: Any, own_user_id: Any, contact: JsonObject) -> tuple[str | None, str | None]:
    """The key of the person behind these ids, and the id by which the business knows them; None for what is not told.

    The number comes first, then the id told with the event, then the contact block's number
    and id. An empty text is the same as none.
    """
    told = lookup.user_id(own_user_id)
    known = told or lookup.user_id(contact.get("user_id"))
    key = lookup.digits(number) or (surrogate(told) if told else lookup.digits(contact.get("wa_id")))
    return key or (surrogate(known) if known else None), known


def sender(number: Any, own_user_id: Any, contact: JsonObject, *, parent_user_id: Any = None) -> Sender | None:
    """The person behind these ids; None when none of them is usable."""
    key, known = ids_of(number, own_user_id, contact)
    if key is None:
        return None
    profile = lookup.mapping(contact.get("profile"))
    name = lookup.text(profile.get("name"))
    return Sender(
        key=key,
        user_id=known,
        parent_user_id=lookup.user_id(parent_user_id) or lookup.user_id(contact.get("parent_user_id")),
        wa_id=lookup.digits(contact.get("wa_id")),
        name=name[:NAME_LENGTH] if name else None,
        username=lookup.text(profile.get("username")),
    )


@attrs.frozen
class ContactBlocks:
    """The contact blocks of one value, found by number or id without looking through them again."""

    _blocks: Sequence[JsonObject]

    @classmethod
    def of(cls, value: Any) -> "ContactBlocks":
        """The blocks in this list; what is no object is left aside."""
        return cls([block for block in lookup.sequence(value) if isinstance(block, dict)])

    @property
    def is_one(self) -> bool:
        """Whether there is one block: only then it matters who else speaks."""
        return len(self._blocks) == 1

    def matching(self, number: Any, own_user_id: Any, *, alone: bool) -> JsonObject:
        """The block of this person, of two alike the first; an empty object when there is none.

        The only block counts as theirs although its number differs, for that is how WhatsApp
        tells an alias; but not when several people (not `alone`) speak in one value.
        """
        if not self._blocks:
            return lookup.NOTHING
        if alone and self.is_one:
            return self._blocks[0]
        by_number, by_user_id = self._found
        return (
            by_number.get(lookup.digits(number) or "")
            or by_user_id.get(lookup.user_id(own_user_id) or "")
            or lookup.NOTHING
        )

    @cached_property
    def _found(self) -> tuple[Mapping[str, JsonObject], Mapping[str, JsonObject]]:
        by_number: dict[str, JsonObject] = {}
        by_user_id: dict[str, JsonObject] = {}
        for block in self._blocks:
            if number := lookup.digits(block.get("wa_id")):
                by_number.setdefault(number, block)
            if told := lookup.user_id(block.get("user_id")):
                by_user_id.setdefault(told, block)
        return by_number, by_user_id
