"""Every setting there is, in one list: all else is read off it."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from wch.settings import growing, running, selling
from wch.settings.declaring import kind_of, variable_of
from wch.settings.kinds import Kind

SECTIONS: Mapping[str, type[Any]] = MappingProxyType(
    {
        section.__name__.lower(): section
        for section in (
            *(running.General, running.Database, running.Security, running.Whatsapp, running.Ingress, running.Worker),
            *(selling.Conversation, selling.Assistant, selling.Cart, selling.Checkout, selling.Shop),
            *(selling.Woocommerce, selling.Payments, selling.Cod, selling.Stripe, selling.Razorpay),
            *(selling.Mercadopago, selling.Catalog, selling.Notifications),
            *(growing.Marketing, growing.Recovery, growing.Reengagement, growing.Broadcasts, growing.Segments),
            *(growing.Customers, growing.Templates, growing.Pricing),
            *(running.Limits, running.Breakers, running.Retention, running.Console, running.Health, running.Log),
        )
    }
)


@attrs.frozen
class Entry:
    """One setting, wherever it is given."""

    section: str
    key: str
    variable: str
    kind: Kind
    default: Any
    meaning: str

    @property
    def name(self) -> str:
        """Its name in files and arguments, such as `general.currency`."""
        return f"{self.section}.{self.key}"

    @property
    def alias(self) -> str:
        """Its name as one word, such as `currency`: the variable's in small letters."""
        return self.variable.removeprefix("WCH_").lower()

    @property
    def file_variable(self) -> str | None:
        """The variable that names a file with the value; secrets alone have one."""
        return f"{self.variable}_FILE" if self.kind.is_secret else None


def _entries() -> Iterator[Entry]:
    for section, kept in SECTIONS.items():
        defaults = kept()
        for field in attrs.fields(kept):
            yield Entry(
                section=section,
                key=field.name,
                variable=variable_of(section, field),
                kind=kind_of(field),
                default=getattr(defaults, field.name),
                meaning=field.metadata["meaning"],
            )


ENTRIES: tuple[Entry, ...] = tuple(_entries())
BY_NAME: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in ENTRIES})
BY_ALIAS: Mapping[str, Entry] = MappingProxyType({entry.alias: entry for entry in ENTRIES})
