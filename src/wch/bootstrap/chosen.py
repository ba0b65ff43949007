"""What the console set, laid over the settings that a hub was opened with."""

from collections.abc import Mapping, Sequence

import attrs

from wch.application.ports import UnitOfWork
from wch.application.settings_desk import SettingLine, revision_of, texts_of
from wch.bootstrap.installing import looked_up
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
    chosen = await looked_up(settings, Chosen.read)
    return settings if chosen is None else with_options(settings, chosen.texts)
