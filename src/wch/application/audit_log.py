"""The audit log as people read it: filtered, and taken away as a table."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import attrs

from wch.application.exports import admit
from wch.application.limits import Limits
from wch.application.masks import masked_text
from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.errors import WchError
from wch.domain.figures import start_of
from wch.domain.moment import iso

PAGE = 500


class AuditDaysError(WchError):
    """Write days like 2026-03-02, the last one not before the first."""


@attrs.frozen(kw_only=True)
class AuditFilter:
    """Which lines are meant; what is None leaves none out.

    Attributes:
        object: `type:id`, letter for letter.
        first: the first day, in the shop's zone.
        last: the last day.
    """

    actor: str | None = None
    action: str | None = None
    object: str | None = None
    first: date | None = None
    last: date | None = None


@attrs.frozen(kw_only=True)
class AuditLog:
    """Reads the audit log.

    Attributes:
        zone: the shop's, which its days are of.
    """

    database: Database
    clock: Clock
    limits: Limits
    zone: str

    async def listed(
        self, which: AuditFilter, *, after: int = 0, newest_first: bool = False, limit: int = 50
    ) -> Sequence[AuditEntry]:
        """The lines that are meant, by id or the other way round, strictly after this one in that order; 0: from its beginning.

        Raises:
            AuditDaysError: the last day is before the first, or one is beyond all calendars.
        """
        asked = self._asked(which)
        return await self.database.read(
            lambda uow: uow.audit.listed(**asked, after=after, newest_first=newest_first, limit=limit)
        )

    async def exported(self, which: AuditFilter, *, by: str, sees: bool) -> list[dict[str, Any]]:
        """All lines that are meant, one row each, for somebody who takes them away; that is a line itself.

        Args:
            which: the lines.
            by: who takes them away.
            sees: whether they see people; if not, what somebody wrote is told by its length alone.

        Raises:
            AuditDaysError: as for `listed`.
            ExportRefusedError: there were three exports within the hour.
        """
        asked = self._asked(which)

        def count(uow: UnitOfWork) -> None:
            admit(uow, self.limits, by)
            uow.audit.add(AuditEntry(at=self.clock.now(), actor=by, action="audit.export"))

        await self.database.transact(count)
        return await self.database.read(lambda uow: [_row(one, sees=sees) for one in _every(uow, asked)])

    def _asked(self, which: AuditFilter) -> dict[str, Any]:
        """As the store is asked."""
        if which.first is not None and which.last is not None and which.last < which.first:
            raise AuditDaysError
        return {
            "actor": which.actor,
            "action": which.action,
            "object": which.object,
            "since": self._start(which.first),
            "before": self._start(which.last, days=1),
        }

    def _start(self, day: date | None, *, days: int = 0) -> datetime | None:
        try:
            return None if day is None else start_of(day + timedelta(days=days), self.zone)
        except (ValueError, OverflowError) as error:
            raise AuditDaysError from error


def _every(uow: UnitOfWork, asked: dict[str, Any]) -> Iterator[AuditEntry]:
    after = 0
    while page := uow.audit.listed(**asked, after=after, limit=PAGE):
        yield from page
        after = page[-1].id


def _row(line: AuditEntry, *, sees: bool) -> dict[str, Any]:
    """A line as a table has it."""
    detail = json.dumps({name: one for name, one in line.detail.items() if name != "v"}, ensure_ascii=False)
    return {
        "id": line.id,
        "at": iso(line.at),
        "actor": line.actor,
        "role": line.role,
        "action": line.action,
        "object": line.object,
        "reason": line.reason if sees or line.reason is None else masked_text(line.reason),
        "detail": detail if sees else masked_text(detail),
        "request_id": line.request_id,
    }
