"""Stored templates: which of them fits a customer, and what its gaps are filled with."""

from collections.abc import Mapping
from typing import Any

from wch.application.ports import UnitOfWork
from wch.domain.customer import CustomerProfile
from wch.domain.message import Message
from wch.domain.message_template import MessageTemplate, Rendering, option_of

SYNCED = "templates.synced"
"""The option that says when the account's templates were last fetched, or that it was tried."""


def was_synced(uow: UnitOfWork) -> bool:
    """Whether the account's templates were ever fetched whole: only then is one that is not stored not there."""
    return "at" in (uow.options.get(SYNCED) or {})


def stored(uow: UnitOfWork, name: str, language: str) -> MessageTemplate | None:
    """The template of this name and language, as it was last seen."""
    value = uow.options.get(option_of(name, language))
    if value is None:
        return None
    return MessageTemplate.of_json({"name": name, "language": language, **value})


def still_usable(uow: UnitOfWork, row: Message) -> Rendering | None:
    """That the template which a message was written with may still go; its words were frozen then. None: it may not."""
    template: Any = row.content["body"].get("template", {})
    known = stored(uow, str(template.get("name")), str(template.get("language", {}).get("code")))
    return Rendering(template=None) if known is not None and known.may_be_sent else None


def languages_of(uow: UnitOfWork, name: str) -> Mapping[str, MessageTemplate]:
    """Every language of a template that is known, whatever its state."""
    prefix = option_of(name, "")
    found = uow.options.named(prefix, limit=200)
    return {
        option.removeprefix(prefix): MessageTemplate.of_json(
            {"name": name, "language": option.removeprefix(prefix), **value}
        )
        for option, value in found
    }


def fitting(known: Mapping[str, MessageTemplate], wanted: str, default: str) -> MessageTemplate | None:
    """The approved one that fits best: the language, its base, another form of it, then the shop's."""
    approved = {language: one for language, one in known.items() if one.may_be_sent}
    for language in (wanted, default):
        base = language.partition("_")[0]
        for candidate in (language, base):
            if candidate in approved:
                return approved[candidate]
        forms = sorted(one for one in approved if one.partition("_")[0] == base)
        if forms:
            return approved[forms[0]]
    return None


def values_of(profile: CustomerProfile) -> Mapping[str, str]:
    """What variables about a customer stand for; one without a value is absent."""
    name = (profile.name or "").strip()
    known = {"customer_name": name, "first_name": name.partition(" ")[0]}
    return {variable: value for variable, value in known.items() if value}
