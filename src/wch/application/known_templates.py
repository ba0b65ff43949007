"""Message templates as the hub knows them: what WhatsApp told of each, by name and language."""

import hashlib
from datetime import datetime
from typing import Any

from wch.application.ports import UnitOfWork
from wch.domain.document import JsonObject, amended, document
from wch.domain.moment import iso

TEMPLATE = "template."
"""How the names of their options begin."""

APPROVED = frozenset({"APPROVED", "REINSTATED"})
"""What WhatsApp calls a template that may be sent."""

BANNED = frozenset({"PAUSED", "DISABLED", "REJECTED", "DELETED", "PENDING_DELETION", "ARCHIVED"})
"""What WhatsApp calls one that may not."""

LONGEST_NAME = 150
"""A longer name stands under its digest."""


def option_of(name: str, language: str) -> str:
    """The option of a template; `en-US` and `en_US` are one language."""
    short = name if len(name) <= LONGEST_NAME else hashlib.sha256(name.encode()).hexdigest()
    return f"{TEMPLATE}{short}.{language.replace('-', '_')}"


def known(uow: UnitOfWork, name: str, language: str) -> JsonObject | None:
    """What is known of a template; None when WhatsApp never spoke of it."""
    return uow.options.get(option_of(name, language))


def note(uow: UnitOfWork, name: str, language: str, *, now: datetime, **facts: Any) -> JsonObject:
    """Write down what was told of a template; what is known besides stays. What was known before."""
    option = option_of(name, language)
    before = uow.options.get(option, lock=True) or document(name=name, language=language.replace("-", "_"))
    uow.options.put(option, amended(before, **facts, told_at=iso(now)))
    return before


def is_usable(template: JsonObject | None) -> bool:
    """Whether it may be sent: approved or never spoken of, not of bad quality, and not found faulty."""
    if template is None:
        return True
    is_approved = str(template.get("status", "APPROVED")).upper() in APPROVED
    is_good = str(template.get("quality", "")).upper() != "RED"
    return is_approved and is_good and not template.get("faulty")
