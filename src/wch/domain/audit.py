"""The audit log: what people did, and what accounts told us."""

from datetime import datetime

import attrs

from wch.domain.document import JsonObject, document
from wch.domain.moment import utc_seconds


@attrs.frozen(kw_only=True)
class AuditEntry:
    """One line of `audit_log`, written in the transaction of the change.

    Attributes:
        actor: an operator, `key:<prefix>`, `worker`, `whatsapp`, `host` or `cli`.
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
