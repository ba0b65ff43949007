"""The doctor: every setting with where it came from, and what is not as it should be."""

from collections.abc import Awaitable, Callable, Sequence

import attrs


@attrs.frozen(kw_only=True)
class SettingLine:
    """One setting as people see it; a secret's value is masked."""

    name: str
    value: str
    origin: str
    meaning: str


@attrs.frozen(kw_only=True)
class Complaint:
    """One thing that is not as it should be, and the way out."""

    severity: str
    what: str
    way_out: str


@attrs.frozen(kw_only=True)
class Doctor:
    """What the settings are, and what a doctor would say.

    Attributes:
        settings: reads the settings.
        examine: looks at settings, database and worker; the worst first.
    """

    settings: Callable[[], Sequence[SettingLine]]
    examine: Callable[[], Awaitable[Sequence[Complaint]]]
