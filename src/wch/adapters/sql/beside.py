"""The repositories beside the tables of work and people: options, the audit log."""

# ruff: noqa: D102 - what each method promises stands in the port

from collections.abc import Collection, Sequence
from datetime import datetime

import attrs
from sqlalchemy import func

from wch.adapters.sql.json_text import clean
from wch.adapters.sql.rows import Rows
from wch.adapters.sql.session import Session
from wch.adapters.sql.tables import Tables
from wch.adapters.sql.types import Words
from wch.domain.audit import AuditEntry
from wch.domain.document import JsonObject


@attrs.frozen(kw_only=True, slots=False)
class _Option:
    """One row of `options`."""

    name: str
    value: JsonObject


class SqlOptionRepository:
    """See `wch.application.ports.OptionRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.options, _Option, key=("name",))
        self._c = tables.options.c
        self._ahead = session.ahead(tables.options)

    def look_ahead(self, names: Collection[str]) -> None:
        wanted = names if self._session.locks_rows else [name for name in names if name not in self._ahead]
        if wanted:
            self._ahead.update(self._rows.look("name", wanted))

    def get(self, name: str, *, lock: bool = False) -> JsonObject | None:
        row = self._ahead[name] if name in self._ahead and not lock else self._rows.get(name, lock=lock)
        return None if row is None else row.value

    def put(self, name: str, value: JsonObject) -> None:
        self._rows.put(_Option(name=name, value=value))

    def remove(self, name: str) -> bool:
        if self._ahead.get(name, self) is None:
            return False
        return self._rows.forget(self._c.name == name) > 0

    def named(self, prefix: str, *, after: str = "", limit: int = 100) -> Sequence[tuple[str, JsonObject]]:
        # A range and not LIKE, which folds case on one engine and would need escaping on both.
        prefix = clean(prefix)
        where = [self._c.name > after]
        if prefix:
            where.append(self._c.name >= prefix)
        if beyond := _beyond(prefix):
            where.append(self._c.name < beyond)
        return [(row.name, row.value) for row in self._rows.many(*where, limit=limit)]


def _beyond(prefix: str) -> str:
    """The first name after all that begin so; empty when there is none."""
    rest, last = prefix[:-1], prefix[-1:]
    if not last:
        return ""
    if last == "\U0010ffff":
        return _beyond(rest)
    following = chr(ord(last) + 1)
    return rest + ("\ue000" if "\ud800" <= following <= "\udfff" else following)


_OBJECT = Words(255)


class SqlAuditRepository:
    """See `wch.application.ports.AuditRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.audit, AuditEntry)
        self._c = tables.audit.c

    def add(self, entry: AuditEntry) -> AuditEntry:
        return self._rows.add(entry)

    def listed(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        object: str | None = None,  # noqa: A002 - as the line calls it
        since: datetime | None = None,
        before: datetime | None = None,
        after: int = 0,
        newest_first: bool = False,
        limit: int = 50,
    ) -> Sequence[AuditEntry]:
        by_id = self._c.id
        where = [by_id < after if newest_first and after else by_id > after]
        if actor is not None:
            where.append(self._c.actor == actor)
        if action is not None:
            where.append(self._c.action == action)
        if object is not None:
            # The column is one for people: some engines would fold case and pad.
            where.append(func.hex(self._c.object) == str(_OBJECT.fit(object, "object")).encode().hex().upper())
        if since is not None:
            where.append(self._c.at >= since)
        if before is not None:
            where.append(self._c.at < before)
        return self._rows.many(*where, order=[by_id.desc()] if newest_first else None, limit=limit)
