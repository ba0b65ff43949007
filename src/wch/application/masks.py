"""Masks: people as those see them who may not know them; the same in pages, answers, files and streams."""

from collections.abc import Mapping
from typing import Any

import phonenumbers

from wch.domain.phone import is_number

SHOWN_DIGITS = 2


def masked_name(name: str | None) -> str | None:
    """The initials, at most three."""
    if name is None:
        return None
    return "".join(f"{word[0].upper()}." for word in name.split()[:3])


def masked_number(key: str) -> str:
    """The country code and the last two digits; of a key that is no number nothing."""
    if not is_number(key):
        return "***"
    try:
        code = phonenumbers.parse(f"+{key}").country_code
    except phonenumbers.NumberParseException:
        code = None
    return f"{f'+{code} ' if code else ''}***{key[-SHOWN_DIGITS:]}"


def masked_email(address: str | None) -> str | None:
    """The first letter and the domain."""
    if address is None:
        return None
    name, _, domain = address.partition("@")
    return f"{name[:1]}***@{domain}"


def masked_text(text: str | None) -> str | None:
    """How much was said, not what."""
    return None if text is None else f"[{len(text)} characters]"


def masked_document(kept: Any) -> Any:
    """A document's shape: every text in it told by its length alone."""
    if isinstance(kept, Mapping):
        return {key: masked_document(value) for key, value in kept.items()}
    if isinstance(kept, list | tuple):
        return [masked_document(value) for value in kept]
    return masked_text(kept) if isinstance(kept, str) else kept
