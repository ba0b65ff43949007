"""The account: what WhatsApp tells of templates, limits, restrictions and the phone app's contacts, and what follows."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from wch.application import known_templates
from wch.application.alarms import alarm
from wch.application.ports import UnitOfWork
from wch.application.stops import stop_campaigns
from wch.domain.document import JsonObject, amended, document
from wch.domain.evolution import evolve
from wch.domain.inbound import AccountEvent
from wch.domain.message_template import APPROVED
from wch.domain.moment import iso
from wch.domain.phone import key_of

LIMITS = "whatsapp.limits"
"""The option that holds what the portfolio and its numbers may send."""

UNLIMITED = -1
"""A tier without bound, as WhatsApp writes it."""

TIERS: Mapping[str, int] = {
    "TIER_50": 50,
    "TIER_250": 250,
    "TIER_1K": 1_000,
    "TIER_2K": 2_000,
    "TIER_10K": 10_000,
    "TIER_100K": 100_000,
    "TIER_UNLIMITED": UNLIMITED,
    "TIER_NOT_SET": 250,
}
"""WhatsApp's words for how many customers may be written to in a day."""

UPGRADED_THROUGHPUT = 1_000
"""Messages a second after an upgrade."""

CRITICAL = frozenset({"CRITICAL", "HIGH"})
"""Severities of account alerts that a person must hear of."""

LANGUAGE_UNKNOWN = "en_US"


@attrs.frozen(kw_only=True)
class Accounts:
    """Applies what an account's events mean; the line in the audit log is written besides.

    Attributes:
        waba_id: the account that is ours; empty: every account that deliveries are signed for.
    """

    waba_id: str

    def phones(self, uow: UnitOfWork, event: AccountEvent) -> Iterable[str]:
        """Whose locks the event will take: customers that are there."""
        if event.field == "smb_app_state_sync":
            yield from (key for key, _ in _contacts(event.value) if uow.customers.of(key) is not None)

    def apply(self, uow: UnitOfWork, event: AccountEvent, *, now: datetime) -> None:
        """Do what follows from an event of our own account; of another's nothing does."""
        follow = _EFFECTS.get(event.field)
        if follow is not None and self._is_ours(event):
            follow(uow, event, now)

    def _is_ours(self, event: AccountEvent) -> bool:
        told: Any = event.value.get("waba_info")
        inner = told.get("waba_id") if isinstance(told, Mapping) else None
        return not self.waba_id or self.waba_id in {event.entry_id, str(inner)}


# --- templates


def _template(value: JsonObject) -> tuple[str, str] | None:
    name, language = value.get("message_template_name"), value.get("message_template_language")
    return (name, str(language or LANGUAGE_UNKNOWN)) if isinstance(name, str) and name else None


def _about(template: tuple[str, str]) -> str:
    return f"template:{template[0]}.{template[1]}"[:255]


def _template_status(uow: UnitOfWork, event: AccountEvent, now: datetime) -> None:
    """Banned ones are no fallback any more and hold their campaigns; an approval lifts that."""
    template, word = _template(event.value), event.value.get("event")
    if template is None or not isinstance(word, str):
        return
    status = word.upper()
    reason = event.value.get("reason")
    facts: dict[str, Any] = {"status": status, "reason": reason if reason not in {None, "", "NONE"} else None}
    if event.value.get("message_template_id") is not None:
        facts["id"] = str(event.value["message_template_id"])
    category = event.value.get("message_template_category")
    if isinstance(category, str):
        facts["category"] = category.upper()
    if status in APPROVED:
        facts["faulty"] = None
    known_templates.note(uow, *template, now=now, **facts)
    if status in known_templates.BANNED:
        alarm(uow, "template_banned", now=now, about=_about(template), status=status)


def _template_quality(uow: UnitOfWork, event: AccountEvent, now: datetime) -> None:
    template, word = _template(event.value), event.value.get("new_quality_score")
    if template is None or not isinstance(word, str):
        return
    known_templates.note(uow, *template, now=now, quality=word.upper())
    if word.upper() == "RED":
        alarm(uow, "template_quality", now=now, about=_about(template), quality="RED")


def _template_components(uow: UnitOfWork, event: AccountEvent, now: datetime) -> None:
    """The text is another one: what was made for the old one must be looked at again."""
    template = _template(event.value)
    if template is not None:
        known_templates.note(uow, *template, now=now, drift=iso(now))


def _template_category(uow: UnitOfWork, event: AccountEvent, now: datetime) -> None:
    """A category decides price and consent; an impending change names the coming one as `correct_category`."""
    template = _template(event.value)
    if template is None:
        return
    present, coming = event.value.get("new_category"), event.value.get("correct_category")
    facts: dict[str, Any] = {}
    if isinstance(present, str):
        facts["category"] = present.upper()
    facts["category_coming"] = coming.upper() if isinstance(coming, str) and coming != present else None
    before = known_templates.note(uow, *template, now=now, **facts)
    becomes = facts["category_coming"] or facts.get("category")
    if becomes == "MARKETING" and before.get("category") != "MARKETING":
        alarm(uow, "template_became_marketing", now=now, about=_about(template))


# --- limits


def _limits(uow: UnitOfWork, now: datetime, **facts: Any) -> None:
    before = uow.options.get(LIMITS, lock=True) or document()
    uow.options.put(LIMITS, amended(before, **facts, told_at=iso(now)))


def tier_of(word: object) -> int | None:
    """How many customers a day a tier allows; None when it says nothing."""
    if isinstance(word, bool):
        return None
    if isinstance(word, int):
        return word if word >= 0 else UNLIMITED
    if isinstance(word, str):
        return TIERS.get(word.upper()) or (int(word) if word.isdigit() else None)
    return None


def _capability(uow: UnitOfWork, event: AccountEvent, now: datetime) -> None:
    """The portfolio's tier; older deliveries name it by number."""
    for name in ("max_daily_conversations_per_business", "max_daily_conversation_per_phone"):
        tier = tier_of(event.value.get(name))
        if tier is not None:
            _limits(uow, now, tier=tier)
            return


def _number_quality(uow: UnitOfWork, event: AccountEvent, now: datetime) -> None:
    """In spite of its name: throughput and tier changes of a number."""
    value = event.value
    tier = tier_of(value.get("max_daily_conversations_per_business") or value.get("current_limit"))
    known = uow.options.get(LIMITS) or {}
    throughput: dict[str, Any] = dict(known.get("throughput", {}))
    word, shown = str(value.get("event", "")).upper(), str(value.get("display_phone_number", ""))
    number = "".join(letter for letter in shown if letter.isdigit())
    if word == "THROUGHPUT_UPGRADE" and number:
        throughput[number] = UPGRADED_THROUGHPUT
    facts = {} if word == "THROUGHPUT_UPGRADE" or tier is None else {"tier": tier}
    _limits(uow, now, throughput=throughput or None, **facts)
    if word in {"FLAGGED", "DOWNGRADE"}:
        alarm(uow, "number_quality", now=now, event=word, tier=tier)


# --- the account itself


def _account(uow: UnitOfWork, event: AccountEvent, now: datetime) -> None:
    word = str(event.value.get("event", "")).upper()
    alarm(uow, "account", now=now, about=f"account:{event.entry_id}" if event.entry_id else None, event=word)
    if word == "ACCOUNT_DELETED" or _is_banned(word, event.value) or _may_not_write(word, event.value):
        stop_campaigns(uow, word.lower(), None, now=now)


def _is_banned(word: str, value: JsonObject) -> bool:
    told: Any = value.get("ban_info")
    state = told.get("waba_ban_state") if isinstance(told, Mapping) else None
    states = state if isinstance(state, list) else [state]
    return word == "DISABLED_UPDATE" and "DISABLE" in states


def _may_not_write(word: str, value: JsonObject) -> bool:
    told: Any = value.get("restriction_info")
    kinds = [one.get("restriction_type") for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []
    return word == "ACCOUNT_RESTRICTION" and any(isinstance(kind, str) and "MESSAGING" in kind for kind in kinds)


def _alert(uow: UnitOfWork, event: AccountEvent, now: datetime) -> None:
    told: Any = event.value.get("alert_info")
    alert: JsonObject = told if isinstance(told, Mapping) else event.value
    severity = str(alert.get("alert_severity", "")).upper()
    if severity in CRITICAL:
        alarm(uow, "account_alert", now=now, severity=severity, type=str(alert.get("alert_type", ""))[:100])


def _error(uow: UnitOfWork, event: AccountEvent, now: datetime) -> None:
    code = event.value.get("code")
    alarm(uow, "webhook_error", now=now, code=code if isinstance(code, int) else None)


def _security(uow: UnitOfWork, event: AccountEvent, now: datetime) -> None:
    alarm(uow, "security", now=now, event=str(event.value.get("event", ""))[:100])


# --- the phone app


def _contacts(value: JsonObject) -> Iterable[tuple[str, str]]:
    """Keys and names in the phone app's contact book, as far as they are told and not taken away."""
    told: Any = value.get("state_sync")
    for one in told if isinstance(told, list) else []:
        contact: Any = one.get("contact") if isinstance(one, Mapping) else None
        if not isinstance(contact, Mapping) or one.get("action") == "remove":
            continue
        name = contact.get("full_name") or contact.get("first_name")
        try:
            key = key_of(str(contact.get("phone_number") or ""))
        except ValueError:
            continue
        if isinstance(name, str) and name:
            yield key, name[:255]


def _contact_book(uow: UnitOfWork, event: AccountEvent, now: datetime) -> None:
    """A customer without a name gets the contact book's; nobody becomes a customer by standing in it."""
    for key, name in _contacts(event.value):
        seen = uow.customers.of(key)
        if seen is None or seen.name:
            continue
        profile = uow.customers.lock(key, now=now)
        if not profile.name:
            uow.customers.save(evolve(profile, name=name, updated_at=max(profile.updated_at, now)))


Effect = Callable[[UnitOfWork, AccountEvent, datetime], None]

_EFFECTS: Mapping[str, Effect] = {
    "message_template_status_update": _template_status,
    "message_template_quality_update": _template_quality,
    "message_template_components_update": _template_components,
    "template_category_update": _template_category,
    "business_capability_update": _capability,
    "phone_number_quality_update": _number_quality,
    "account_update": _account,
    "account_alerts": _alert,
    "errors": _error,
    "security": _security,
    "smb_app_state_sync": _contact_book,
}
"""What follows, by the webhook's field; of all others only the line in the audit log."""

UNDERSTOOD = frozenset({*_EFFECTS, "user_id_update"})
"""Fields from which something follows besides their line in the audit log."""
