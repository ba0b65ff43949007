"""Template news: what WhatsApp tells of templates and limits, kept where whoever sends looks."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from wch.application.campaigns import sound_the_alarm
from wch.application.ports import UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.document import JsonObject, amended, document
from wch.domain.message_template import option_of
from wch.domain.moment import iso

LIMITS = "whatsapp.limits"
WANTED = "templates.wanted"
"""The option that asks for the templates to be fetched again soon."""

TEMPLATE_FIELDS = frozenset(
    {
        "message_template_status_update",
        "message_template_quality_update",
        "message_template_components_update",
        "template_category_update",
    }
)
_STOPPED = frozenset({"DISABLE", "ACCOUNT_DELETED", "ACCOUNT_RESTRICTION"})
_TIER = re.compile(r"TIER_(?:(\d+)(K?)|(UNLIMITED))\Z")


@attrs.frozen(kw_only=True)
class TemplateNews:
    """Applies account events to options, in the transaction of their delivery.

    Attributes:
        account: whose events count; empty: of any.
    """

    account: str

    def note(self, uow: UnitOfWork, field: str, value: JsonObject, *, entry_id: str | None, now: datetime) -> None:
        """Keep what this event changes; events of another account, and all others, change nothing."""
        if self.account and entry_id not in {None, self.account}:
            return
        if field in TEMPLATE_FIELDS:
            self._template(uow, field, value, now)
        elif field in {"business_capability_update", "phone_number_quality_update"}:
            self._limits(uow, value, now)
        elif field == "account_update":
            ban: Any = value.get("ban_info", {})
            words = {value.get("event"), ban.get("waba_ban_state") if isinstance(ban, Mapping) else None}
            if words & _STOPPED:
                sound_the_alarm(uow, "account", now)

    def _template(self, uow: UnitOfWork, field: str, value: JsonObject, now: datetime) -> None:
        name = value.get("message_template_name")
        language = value.get("message_template_language")
        if not isinstance(name, str) or not isinstance(language, str):
            return
        option = option_of(name, language.replace("-", "_"))
        before = uow.options.get(option, lock=True) or document(name=name, language=language.replace("-", "_"))
        changes = _changes(field, value, before)
        if changes.get("category") == "MARKETING" and before.get("category") not in {None, "MARKETING"}:
            detail = document(template=name, language=language, was=before.get("category"))
            uow.audit.add(AuditEntry(at=now, actor="whatsapp", action="alarm.template_category", detail=detail))
        uow.options.put(option, amended(before, told_at=iso(now), **changes))
        uow.options.put(WANTED, document(at=iso(now)))

    def _limits(self, uow: UnitOfWork, value: JsonObject, now: datetime) -> None:
        """The portfolio's tier; -1 is unlimited."""
        told: Any = value.get("max_daily_conversations_per_business", value.get("max_daily_conversation_per_phone"))
        if not isinstance(told, int):
            found = _TIER.match(str(told or value.get("current_limit", "")))
            if found is None:
                return
            told = -1 if found[3] else int(found[1]) * (1000 if found[2] else 1)
        before = uow.options.get(LIMITS, lock=True) or document()
        uow.options.put(LIMITS, amended(before, tier=told, told_at=iso(now)))


def _changes(field: str, value: JsonObject, before: JsonObject) -> dict[str, Any]:
    if field == "message_template_status_update":
        reason = value.get("reason")
        return {"status": str(value.get("event")), "reason": None if reason in {None, "NONE"} else str(reason)}
    if field == "message_template_quality_update":
        return {"quality": str(value.get("new_quality_score"))}
    if field == "template_category_update":
        told = value.get("new_category")
        return {"category": str(told)} if told else {}
    text = value.get("message_template_element")
    components = [
        {**one, "text": text} if str(one.get("type", "")).upper() == "BODY" and isinstance(text, str) else one
        for one in before.get("components", ())
    ]
    return {"components": components}
