"""Message templates as the hub knows them: what WhatsApp told of each, by name and language."""

from datetime import datetime
from typing import Any

from wch.application.ports import UnitOfWork
from wch.domain.document import JsonObject, amended, document
from wch.domain.message_template import APPROVED, option_of
from wch.domain.moment import iso

WANTED = "templates.wanted"
"""The option that asks for the templates to be fetched again soon."""

BANNED = frozenset({"PAUSED", "DISABLED", "REJECTED", "DELETED", "PENDING_DELETION", "ARCHIVED"})
"""What WhatsApp calls one that may not."""


def known(uow: UnitOfWork, name: str, language: str) -> JsonObject | None:
    """What is known of a template; None when WhatsApp never spoke of it."""
    return uow.options.get(option_of(name, language))


def note(uow: UnitOfWork, name: str, language: str, *, now: datetime, **facts: Any) -> JsonObject:
    """Write down what was told of a template; what is known besides stays. What was known before."""
    option = option_of(name, language)
    before = uow.options.get(option, lock=True) or document(name=name, language=language.replace("-", "_"))
    uow.options.put(option, amended(before, **facts, told_at=iso(now)))
    uow.options.put(WANTED, document(at=iso(now)))
    return before


def is_usable(template: JsonObject | None) -> bool:
    """Whether it may be sent: approved or never spoken of, not of bad quality, and not found faulty."""
    if template is None:
        return True
    is_approved = str(template.get("status", "APPROVED")).upper() in APPROVED
    is_good = str(template.get("quality", "")).upper() != "RED"
    return is_approved and is_good and not template.get("faulty")
