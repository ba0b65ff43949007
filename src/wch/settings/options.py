"""What the console sets: a layer of its own, below everything that was given otherwise and above the defaults."""

from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import attrs

from wch.domain.errors import SettingsError
from wch.settings import DEFAULT, Settings, rules
from wch.settings.kinds import Address, WrongValueError
from wch.settings.sections import BY_NAME, ENTRIES, SECTIONS, Entry

OPTIONS = "options"
"""The origin of what the console set."""

_KEEPS_SECRETS = frozenset(entry.section for entry in ENTRIES if entry.kind.is_secret)
_EARLY = frozenset(
    {
        "general.profile",
        "security.trusted_proxies",
        "security.testing",
        "security.failpoints",
        "worker.stop_seconds",
        "whatsapp.phone_number_id",
    }
)
_FILES = frozenset({"whatsapp.media_folder", "templates.file"})
_PERSONAL = frozenset({"broadcasts.test_numbers", "mercadopago.payer_email"})
_CHOSEN_PARTNERS = ("payments.enabled", "shop.kind")


def kept_out(entry: Entry) -> str | None:
    """Why the console may not set this at all; None when it may.

    An address that a secret is sent to counts with the secrets: whoever could change it
    would be told them.
    """
    if entry.kind.is_secret:
        return "is a secret, which no page takes"
    if isinstance(entry.kind, Address) and entry.section in _KEEPS_SECRETS:
        return "is where a secret is sent"
    if entry.name in _EARLY or entry.section in {"database", "log"}:
        return "is needed before the database can be read"
    if entry.name in _FILES:
        return "names files of the machine"
    if entry.name in _PERSONAL:
        return "names people, whom an erasure must find in tables alone"
    return None


def locked(settings: Settings, name: str) -> str | None:
    """Why the console may not set this setting of these; None when it may.

    Args:
        settings: as they are without what the console set.
        name: `section.key`.
    """
    entry = BY_NAME.get(name)
    if entry is None:
        return "is not a setting"
    if why := kept_out(entry):
        return why
    origin = settings.origins.get(name, DEFAULT)
    return None if origin in {DEFAULT, OPTIONS} else f"is set by {origin}, which stands above the console"


def with_options(settings: Settings, texts: Mapping[str, str]) -> Settings:
    """The same with what the console set, as text by `section.key`; what stands above it stays, what is unknown too.

    Raises:
        SettingsError: it does not fit; every fault is listed.
    """
    sections, origins, wrong = _read(settings, texts)
    if wrong:
        listed = tuple(f"{BY_NAME[name].variable} ({name} in {OPTIONS}): {fault}." for name, fault in wrong.items())
        raise SettingsError(" ".join(listed), faults=listed)
    return settings.amended(**cast("Any", sections), origins=origins) if origins else settings


def faults_of(settings: Settings, texts: Mapping[str, str]) -> Mapping[str, str]:
    """What would be wrong if the console had set these, by `section.key`: types, ranges, orders, missing secrets."""
    sections, _, wrong = _read(settings, texts)
    found = dict(wrong)
    whole = cast("Settings", SimpleNamespace(**{**{name: getattr(settings, name) for name in SECTIONS}, **sections}))
    for names, sentence in rules.broken(whole):
        if not any(name in wrong for name in names):
            found |= dict.fromkeys(names, sentence)
    if found:
        return found
    lacks = _lacking(with_options(settings, texts)) - _lacking(settings)
    if lacks:
        variables = ", ".join(sorted(one.partition(":")[0] for one in lacks))
        found |= {name: f"{variables} must be set for it first" for name in _CHOSEN_PARTNERS if name in texts}
    return found


def same(name: str, one: str, other: str) -> bool:
    """Whether two texts mean the same value of this setting; what cannot be read means nothing but itself."""
    kind = BY_NAME[name].kind
    try:
        return bool(kind.read(one) == kind.read(other))
    except WrongValueError:
        return one == other


def _lacking(settings: Settings) -> frozenset[str]:
    try:
        settings.require_for_serving()
    except SettingsError as error:
        return frozenset(error.facts["faults"])
    return frozenset()


def _read(
    settings: Settings, texts: Mapping[str, str]
) -> tuple[Mapping[str, Any], Mapping[str, str], Mapping[str, str]]:
    """The sections with these values, whose values they are, and what cannot be read."""
    values: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for name, text in texts.items():
        if locked(settings, name) is not None:
            continue
        entry = BY_NAME[name]
        try:
            values.setdefault(entry.section, {})[entry.key] = entry.kind.read(text)
            origins[name] = OPTIONS
        except WrongValueError as error:
            wrong[name] = str(error)
    sections = {name: attrs.evolve(getattr(settings, name), **some) for name, some in values.items()}
    return MappingProxyType(sections), origins, wrong
