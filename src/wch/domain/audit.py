"""The audit log: what people did, and what accounts told us."""

from datetime import datetime
from typing import Self

import attrs

from wch.domain.document import JsonObject, document
from wch.domain.moment import utc_seconds

LONGEST_ROLE = 50


class Actor(str):
    """Who acts, by name, and as what; a plain `str` is somebody whose role nobody told.

    It goes wherever a name goes, so that whoever writes a line of the audit log need not
    be told the role besides.

    Attributes:
        role: at most `LONGEST_ROLE` characters.
    """

    __slots__ = ("role",)
    role: str

    def __new__(cls, name: str, role: str) -> Self:
        """This name, in this role."""
        made = super().__new__(cls, name)
        made.role = role
        return made

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override] # a name alone makes no copy of this
        """What a copy is made of."""
        return str(self), self.role


@attrs.frozen(kw_only=True, slots=False)
class AuditEntry:
    """One line of `audit_log`, written in the transaction of the change.

    Attributes:
        actor: an operator, `key:<prefix>`, `worker`, `whatsapp`, `host` or `cli`.
        role: an operator's, a key's scopes, `admin` for the command line, the actor's own if it says so; None for
            what nobody signed in for.
        action: a verb of the trade, such as `dead_letter.replay`.
        object: `type:id`.
        detail: names of changed fields; values only where they are not personal.
    """

    id: int = 0
    at: datetime = attrs.field(validator=utc_seconds)
    actor: str
    role: str | None = None
    action: str
    object: str | None = None
    reason: str | None = None
    detail: JsonObject = attrs.field(factory=document)
    request_id: str | None = None
    address_hash: str | None = None

    def __attrs_post_init__(self) -> None:
        """An actor who says their role is kept as name and role."""
        if isinstance(self.actor, Actor):
            object.__setattr__(self, "role", self.role or self.actor.role)
            object.__setattr__(self, "actor", str(self.actor))
