"""Why WhatsApp did not take a message, and what follows: the code decides, not the HTTP status.

Source: the Cloud API's page "Error codes"; throttling comes with HTTP 400 there.
"""

from collections.abc import Mapping
from enum import StrEnum

import attrs


class FailureClass(StrEnum):
    """What follows from a code."""

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


_CODES: Mapping[FailureClass, tuple[int, ...]] = {
    FailureClass.RETRY: (1, 2, 131000, 131016, 133004),
    FailureClass.WAIT_NUMBER: (4, 80007, 130429, 131057),
    FailureClass.WAIT_PAIR: (131056,),
    FailureClass.SPAM: (131048, 131064),
    FailureClass.MARKETING_CAP: (131049, 130472),
    FailureClass.SIGN_IN: (0, 3, 10, 190, *range(200, 300), 131005),
    FailureClass.ACCOUNT: (33, 368, 130497, 131031, 131037, 131042, 131045, 133010, 134011),
    FailureClass.WINDOW: (131047,),
    FailureClass.CONSENT: (131050,),
    FailureClass.TEMPLATE: (
        132000,
        132001,
        132005,
        132007,
        132008,
        132012,
        132015,
        132016,
        132068,
        132069,
    ),
    FailureClass.RECIPIENT: (131021, 131026, 131030, 131036, 131062, 137000),
    FailureClass.MEDIA: (131053,),
    FailureClass.REQUEST: (100, 131008, 131009, 131051, 131055, 135000),
}
_CLASS_OF: Mapping[int, FailureClass] = {code: name for name, codes in _CODES.items() for code in codes}

TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500


@attrs.frozen(kw_only=True)
class GraphError:
    """An error as Graph words it; `title` and `details` name no customer."""

    code: int | None
    title: str = ""
    details: str = ""
    http_status: int | None = None
    is_transient: bool = False

    @property
    def text(self) -> str:
        """`<code> <title>: <details>`, as it stands in `error_message`."""
        head = " ".join(part for part in ("" if self.code is None else str(self.code), self.title) if part)
        return f"{head}: {self.details}" if self.details else head


def classify(code: int | None, *, http_status: int | None = None, is_transient: bool = False) -> FailureClass:
    """What follows from this answer; the same for synchronous answers and for `failed` statuses."""
    known = None if code is None else _CLASS_OF.get(code)
    if known is not None:
        return known
    if http_status == TOO_MANY_REQUESTS:
        return FailureClass.WAIT_NUMBER
    if is_transient or (http_status is not None and http_status >= SERVER_ERROR):
        return FailureClass.RETRY
    return FailureClass.UNKNOWN
