"""Why a send failed: one table for WhatsApp's answers at once and its failed statuses later."""

from collections.abc import Mapping
from enum import StrEnum

import attrs


class FailureClass(StrEnum):
    """What is to be done about a failure; the code decides, not the HTTP status."""

    RETRY = "retry"
    WAIT_NUMBER = "wait_number"
    WAIT_PAIR = "wait_pair"
    SPAM = "spam"
    MARKETING_CAP = "marketing_cap"
    SIGN_IN = "sign_in"
    ACCOUNT = "account"
    WINDOW = "window"
    CONSENT = "consent"
    TEMPLATE = "template"
    RECIPIENT = "recipient"
    MEDIA = "media"
    REQUEST = "request"
    UNKNOWN = "unknown"

    @property
    def uses_attempt(self) -> bool:
        """Whether a send that failed so counts as one of its row's attempts."""
        return self not in _HELD

    @property
    def is_final(self) -> bool:
        """Whether sending the same row again cannot help."""
        return self is not FailureClass.RETRY and self not in _HELD

    @property
    def blames_service(self) -> bool:
        """Whether a circuit breaker counts it: a fault of the service, never of the caller."""
        return self is FailureClass.RETRY


_HELD = frozenset(
    {
        FailureClass.WAIT_NUMBER,
        FailureClass.WAIT_PAIR,
        FailureClass.SPAM,
        FailureClass.SIGN_IN,
        FailureClass.ACCOUNT,
    },
)
"""The row stays as it is until somebody or something lets sending go on."""

_TABLE: Mapping[FailureClass, tuple[int, ...]] = {
    FailureClass.RETRY: (1, 2, 131000, 131016, 133004),
    FailureClass.WAIT_NUMBER: (4, 80007, 130429, 131057),
    FailureClass.WAIT_PAIR: (131056,),
    FailureClass.SPAM: (131048, 131064),
    FailureClass.MARKETING_CAP: (131049, 130472),
    FailureClass.SIGN_IN: (0, 3, 10, 190, *range(200, 300), 131005),
    FailureClass.ACCOUNT: (368, 131031, 131042, 130497, 33, 131037, 131045, 133010, 134011),
    FailureClass.WINDOW: (131047,),
    FailureClass.CONSENT: (131050,),
    FailureClass.TEMPLATE: (
        *(132000, 132001, 132005, 132007, 132008, 132012),
        *(132015, 132016),
        *(132068, 132069),
    ),
    FailureClass.RECIPIENT: (131021, 131026, 131030, 131036, 131062, 137000),
    FailureClass.MEDIA: (131053,),
    FailureClass.REQUEST: (100, 131008, 131009, 131051, 131055, 135000),
}

CLASS_OF: Mapping[int, FailureClass] = {code: failure for failure, codes in _TABLE.items() for code in codes}
"""Each known code of WhatsApp's, and its class."""

_TOO_MANY = 429
_SERVER_FAULT = 500


def classify(code: int | None, *, http_status: int | None = None, is_transient: bool = False) -> FailureClass:
    """The class of a failure.

    A known code decides alone, since throttling comes as HTTP 400 and a refused request may
    come as 500. Only without one do WhatsApp's `is_transient` and then the HTTP status say.
    """
    if code is not None and code in CLASS_OF:
        return CLASS_OF[code]
    if is_transient:
        return FailureClass.RETRY
    if http_status == _TOO_MANY:
        return FailureClass.WAIT_NUMBER
    if http_status is not None and http_status >= _SERVER_FAULT:
        return FailureClass.RETRY
    return FailureClass.UNKNOWN


@attrs.frozen(kw_only=True)
class GraphError:
    """An error as Graph tells it, in an answer or in a status.

    Attributes:
        code: the number that decides; None when there was none.
        title: its short name, such as `Rate limit hit`.
        details: WhatsApp's explanation. It may name a person: for the row, never for a log.
        subcode: Graph's finer number, if any.
        is_transient: Graph's own word that the same request may succeed later.
        fbtrace_id: what Meta's support asks for.
    """

    code: int | None = None
    title: str = ""
    details: str = ""
    subcode: int | None = None
    is_transient: bool = False
    fbtrace_id: str | None = None

    @property
    def line(self) -> str:
        """`<code> <title>: <details>`, as a row's `error_message` keeps it."""
        head = " ".join(part for part in (str(self.code) if self.code is not None else "", self.title) if part)
        return f"{head}: {self.details}" if self.details and head else head or self.details
