"""What the console sets: options that stand below arguments, environment and file, and above the defaults."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.document import JsonObject, document
from wch.domain.errors import ConflictError, WchError

PREFIX = "setting."
"""How the options begin; `<section>.<key>` follows, and the document has the text as the environment would."""

REVISION = "settings.revision"
"""Counts the changes: a form names the one that it was made from."""

TAG = "hub.tag"
"""The option that every hub has since it was first opened: the lock of a change, since before the first one there is
no revision to lock."""

MOST = 1_000


class SettingsRefusedError(WchError):
    """These settings cannot be so; nothing was changed."""

    faults: Mapping[str, str]


@attrs.frozen(kw_only=True)
class SettingLine:
    """One setting as people see it; a secret's value is masked.

    Attributes:
        value: as it is given, and so written into a form.
        default: the same of its default.
        type: the word for its type.
        choices: all values, where there are only a few.
        locked: why the console may not change it; empty when it may.
    """

    name: str
    value: str
    default: str
    origin: str
    meaning: str
    type: str
    choices: tuple[str, ...] = ()
    locked: str = ""


class SettingRules(Protocol):
    """What settings are and may be; the texts that are handed over are those which the console set, by name."""

    def lines(self, texts: Mapping[str, str]) -> Sequence[SettingLine]:
        """Every setting in its order, with these."""
        ...

    def faults(self, texts: Mapping[str, str]) -> Mapping[str, str]:
        """What would be wrong with these: for each setting the end of a sentence that begins with its name."""
        ...

    def same(self, name: str, one: str, other: str) -> bool:
        """Whether two texts mean the same value of this setting."""
        ...


@attrs.frozen(kw_only=True)
class ShownSettings:
    """All settings as they stand in the database now.

    Attributes:
        revision: what a change must name, so that nobody undoes what they did not see.
    """

    lines: Sequence[SettingLine]
    revision: int


@attrs.frozen(kw_only=True)
class SettingsDesk:
    """Shows the settings and changes those that nobody set above the console."""

    database: Database
    clock: Clock
    rules: SettingRules

    async def shown(self) -> ShownSettings:
        """Every setting with what is in the options now."""
        revision, texts = await self.database.read(lambda uow: (revision_of(uow), texts_of(uow)))
        return ShownSettings(lines=self.rules.lines(texts), revision=revision)

    async def change(self, wanted: Mapping[str, str], *, revision: int, by: str) -> int:
        """Set these, all or none; a value that is the default's gives the setting back to its default.

        What stands as it is stays as it is. The change and its line in the audit log are one
        transaction; every process acts on it when it looks next.

        Args:
            wanted: text by `section.key`.
            revision: which settings were looked at.
            by: who changes them.

        Returns:
            How many were changed.

        Raises:
            SettingsRefusedError: `faults` says what is wrong, by setting.
            ConflictError: somebody changed settings since.
        """

        def work(uow: UnitOfWork) -> int:
            uow.options.get(TAG, lock=True)
            if revision_of(uow, lock=True) != revision:
                raise ConflictError(settings=revision)
            before = texts_of(uow)
            lines = {line.name: line for line in self.rules.lines(before)}
            refused = {
                name: "is not a setting" if line is None else line.locked
                for name in wanted
                if (line := lines.get(name)) is None or line.locked
            }
            if refused:
                raise SettingsRefusedError(faults=refused)
            changed = {
                name: text.strip()
                for name, text in wanted.items()
                if not self.rules.same(name, text, lines[name].value)
            }
            if faults := self.rules.faults({**before, **changed}):
                raise SettingsRefusedError(faults=faults)
            if changed:
                self._write(uow, changed, lines, revision=revision, by=by)
            return len(changed)

        return await self.database.transact(work)

    def _write(
        self,
        uow: UnitOfWork,
        changed: Mapping[str, str],
        lines: Mapping[str, SettingLine],
        *,
        revision: int,
        by: str,
    ) -> None:
        uow.options.put(REVISION, document(revision=revision + 1))
        for name, text in changed.items():
            if self.rules.same(name, text, lines[name].default):
                uow.options.remove(PREFIX + name)
            else:
                uow.options.put(PREFIX + name, document(text=text))
        told: JsonObject = {name: {"old": lines[name].value, "new": text} for name, text in changed.items()}
        about = f"setting:{next(iter(changed))}" if len(changed) == 1 else f"setting:{len(changed)}"
        uow.audit.add(
            AuditEntry(at=self.clock.now(), actor=by, action="setting.change", object=about, detail=document(**told))
        )


def revision_of(uow: UnitOfWork, *, lock: bool = False) -> int:
    """How often settings were changed."""
    kept = uow.options.get(REVISION, lock=lock)
    return 0 if kept is None else int(kept["revision"])


def texts_of(uow: UnitOfWork) -> Mapping[str, str]:
    """What the console set, as text by `section.key`."""
    return {name.removeprefix(PREFIX): str(kept["text"]) for name, kept in uow.options.named(PREFIX, limit=MOST)}
