"""What became of one attempt to send: four answers, and no fifth."""

from datetime import timedelta

import attrs

from wch.domain.send_failure import FailureClass, GraphError


@attrs.frozen(kw_only=True)
class Accepted:
    """WhatsApp took the message and gave it an id; it is not delivered yet."""

    wa_message_id: str
    wa_id: str | None = None


@attrs.frozen(kw_only=True)
class Refused:
    """WhatsApp answered that it does not take the message.

    Attributes:
        error: what it said.
        failure: the class of it: what is to be done.
        retry_after: how long it asked to wait, if it said so.
    """

    error: GraphError
    failure: FailureClass
    retry_after: timedelta | None = None


@attrs.frozen(kw_only=True)
class NotMade:
    """The request surely never left: no name, no connection, no free connection in time."""

    reason: str


@attrs.frozen(kw_only=True)
class Ambiguous:
    """The request left, or may have, and no answer told an id: only an echo can settle it."""

    reason: str


SendResult = Accepted | Refused | NotMade | Ambiguous
