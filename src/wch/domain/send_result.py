"""What became of one call that sends: every outcome is a value."""

from datetime import timedelta

import attrs

from wch.domain.send_failure import FailureClass, GraphError


@attrs.frozen(kw_only=True)
class Accepted:
    """WhatsApp took it; `wa_id` is the number as WhatsApp knows it."""

    wa_message_id: str
    wa_id: str | None = None


@attrs.frozen(kw_only=True)
class Refused:
    """WhatsApp answered with an error of its own."""

    error: GraphError
    failure: FailureClass
    retry_after: timedelta | None = None


@attrs.frozen(kw_only=True)
class NotMade:
    """The request surely never left: no route, refused, no free connection."""

    reason: str


@attrs.frozen(kw_only=True)
class Ambiguous:
    """The request may have left, and no answer with an id came."""

    reason: str


SendResult = Accepted | Refused | NotMade | Ambiguous
