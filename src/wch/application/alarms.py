"""Alarms: what a person should look at soon, as a line of the audit log and of the program's own log."""

import logging
from datetime import datetime
from typing import Any

from wch.application.ports import UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.document import document

log = logging.getLogger(__name__)

ALARM = "alarm."
"""How the action of an alarm begins."""


def alarm(uow: UnitOfWork, what: str, *, now: datetime, about: str | None = None, **facts: Any) -> None:
    """Raise an alarm in the transaction of its cause; `facts` hold nothing personal."""
    log.error("alarm: %s", what)
    uow.audit.add(AuditEntry(at=now, actor="worker", action=f"{ALARM}{what}", object=about, detail=document(**facts)))
