"""What the console set, laid over the settings that a hub was opened with."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from sqlalchemy.engine import make_url

from wch.application.ports import UnitOfWork
from wch.application.settings_desk import SettingLine, revision_of, texts_of
from wch.bootstrap.installing import Installation
from wch.bootstrap.resources import MEMORY
from wch.domain.errors import SchemaError, StoreMisusedError, StoreUnavailableError
from wch.settings import Settings
from wch.settings.kinds import Flag, OneOf
from wch.settings.options import faults_of, locked, same, with_options
from wch.settings.sections import BY_NAME


@attrs.frozen(kw_only=True)
class OptionRules:
    """The rules of the settings, for those that the console sets.

    Attributes:
        given: the settings without them.
    """

    given: Settings

    def lines(self, texts: Mapping[str, str]) -> Sequence[SettingLine]:
        """Every setting in its order."""
        rows = with_options(self.given, texts).describe()
        return [
            SettingLine(
                name=name,
                value=row.value,
                default=row.default,
                origin=row.origin,
                meaning=row.meaning,
                type=row.type,
                choices=_choices(name),
                locked=locked(self.given, name) or "",
            )
            for row in rows
            for name in (f"{row.section}.{row.key}",)
        ]

    def faults(self, texts: Mapping[str, str]) -> Mapping[str, str]:
        """What would be wrong, by setting."""
        return faults_of(self.given, texts)

    def same(self, name: str, one: str, other: str) -> bool:
        """Whether two texts mean one value."""
        return same(name, one, other)


def _choices(name: str) -> tuple[str, ...]:
    kind = BY_NAME[name].kind
    if isinstance(kind, Flag):
        return ("true", "false")
    return tuple(word.value for word in kind.words) if isinstance(kind, OneOf) else ()


@attrs.frozen(kw_only=True)
class Chosen:
    """What the console had set at a moment."""

    revision: int
    texts: Mapping[str, str]

    @classmethod
    def read(cls, uow: UnitOfWork) -> "Chosen":
        """As it stands now."""
        return cls(revision=revision_of(uow), texts=texts_of(uow))


async def settled(settings: Settings) -> Settings:
    """The settings with what the console set in their database; as they are where there is no such database yet.

    Raises:
        SettingsError: they do not go together.
    """
    if not _is_there(settings.database.url):
        return settings
    async with Installation.open(settings) as installation:
        try:
            if await installation.version() is None:
                return settings
            chosen = await installation.database.read(Chosen.read)
        except (SchemaError, StoreMisusedError, StoreUnavailableError):
            return settings
    return with_options(settings, chosen.texts)


def _is_there(url: str) -> bool:
    """Whether there is a database to look into; looking into a missing file would make it."""
    if url.startswith(MEMORY):
        return False
    parts = make_url(url)
    return parts.get_backend_name() != "sqlite" or Path(parts.database or "").is_file()
