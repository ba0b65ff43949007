"""The doctor: what is not as it should be."""

from collections.abc import Awaitable, Callable, Sequence

import attrs


@attrs.frozen(kw_only=True)
class Complaint:
    """One thing that is not as it should be, and the way out.

    Attributes:
        severity: `unknown`, `warning`, `degraded` or `critical`.
        mended: it was set right just now.
    """

    severity: str
    what: str
    way_out: str
    mended: bool = False


@attrs.frozen(kw_only=True)
class Doctor:
    """What a doctor would say.

    Attributes:
        examine: looks at settings, database, account and work; the worst first.
    """

    examine: Callable[[], Awaitable[Sequence[Complaint]]]
