"""People: who is meant by a key or a number, and everything by which they are found."""

from collections.abc import Iterable

import phonenumbers

from wch.application.ports import UnitOfWork
from wch.domain.customer import CustomerProfile
from wch.domain.erasure import Person, erasure_number, is_erased
from wch.domain.phone import is_number, surrogate, variants

ALIAS = "customer.alias."
"""Options that lead from a key that is no customer's own any more to the customer's."""

_LENGTH = range(1, 20)


def spellings(text: str, *, country: str) -> tuple[str, ...]:
    """The keys that a text typed by a person, or read from a shop, may mean: the exact form first.

    A `00` or `+` in front is dropped. Without either the country is put in front only where
    the digits are no valid international number.
    """
    text = text.strip()
    if text.startswith("u"):
        return (text,)
    digits = "".join(letter for letter in text if letter.isascii() and letter.isdigit())
    international = text.startswith(("+", "00"))
    digits = digits.removeprefix("00") if text.startswith("00") else digits
    if len(digits) not in _LENGTH:
        return ()
    found = [digits]
    if not international and not _is_valid(f"+{digits}", None):
        number = _parsed(digits, country)
        if number is not None:
            found = [f"{number.country_code}{number.national_number}", digits]
    return tuple(dict.fromkeys(form for one in found for form in variants(one)))


def _parsed(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _is_valid(text: str, country: str | None) -> bool:
    return _parsed(text, country) is not None


def found(uow: UnitOfWork, text: str, *, country: str) -> tuple[CustomerProfile, ...]:
    """Everybody whom a key, a number in any spelling or a business-scoped id may mean; never a pick."""
    keys: Iterable[str] = spellings(text, country=country)
    if not keys and text.strip():
        keys = (surrogate(text.strip()),)
    people: dict[int, CustomerProfile] = {}
    for key in keys:
        profile = uow.customers.of(key) or _by_alias(uow, key)
        if profile is not None:
            people.setdefault(profile.id, profile)
    if not people and not is_number(text):
        profile = uow.customers.of(surrogate(text.strip()))
        if profile is not None:
            people[profile.id] = profile
    return tuple(people.values())


def _by_alias(uow: UnitOfWork, key: str) -> CustomerProfile | None:
    pointed = uow.options.get(f"{ALIAS}{key}")
    return None if pointed is None else uow.customers.of(str(pointed.get("to", "")))


def keys_of(uow: UnitOfWork, profile: CustomerProfile) -> tuple[str, ...]:
    """The customer's key and all others that lead to it."""
    identity = profile.preferences.get("identity", {})
    told = [str(key) for key in identity.get("aliases", ())]
    for bsuid in (identity.get("bsuid"), identity.get("parent_bsuid")):
        told += [surrogate(str(bsuid))] if bsuid else []
    after = ALIAS
    while page := uow.options.named(ALIAS, after=after, limit=500):
        told += [name.removeprefix(ALIAS) for name, value in page if value.get("to") == profile.phone]
        after = page[-1][0]
    return tuple(dict.fromkeys([profile.phone, *(key for key in told if key and not is_erased(key))]))


def person(uow: UnitOfWork, profile: CustomerProfile, *, token: str) -> Person:
    """Everything by which this customer is found; erasure numbers are made of `token`, one for each key."""
    identity = profile.preferences.get("identity", {})
    keys = keys_of(uow, profile)
    nationals: dict[str, str] = {}
    for key in keys:
        number = _parsed(f"+{key}", None) if is_number(key) else None
        if number is not None:
            plain = str(number.national_number)
            nationals |= {plain: key, f"0{plain}": key}
    words = [identity.get("bsuid"), identity.get("parent_bsuid"), profile.email]
    return Person(
        keys={key: erasure_number(f"{int(token, 16) + place:032x}"[-32:]) for place, key in enumerate(keys)},
        nationals=nationals,
        words=tuple(str(word) for word in words if word),
        names=tuple(str(name) for name in (identity.get("username"),) if name),
    )
