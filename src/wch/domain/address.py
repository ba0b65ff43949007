"""Addresses: what a delivery needs, in the form that each country writes it."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

import attrs

from wch.domain.country import country_of
from wch.domain.errors import WchError
from wch.domain.region import has_states, state_of

LONGEST_FIELD = 100

WITHOUT_POSTCODE = frozenset({"AE", "HK", "QA"})

# A city that is its own country need not be asked for.
CITY_STATES = {"SG": "Singapore", "HK": "Hong Kong"}


@attrs.frozen
class PostcodeForm:
    """How a country writes its postcodes: a pattern over the text in capitals, and the standard form."""

    pattern: str
    written: str


def _countries(form: PostcodeForm, *codes: str) -> dict[str, PostcodeForm]:
    return dict.fromkeys(codes, form)


POSTCODES: Mapping[str, PostcodeForm] = {
    "US": PostcodeForm(r"([0-9]{5})(?:[ -]?([0-9]{4}))?", "{0}-{1}"),
    "CA": PostcodeForm(r"([A-Z][0-9][A-Z])[ -]?([0-9][A-Z][0-9])", "{0} {1}"),
    "GB": PostcodeForm(r"([A-Z]{1,2}[0-9][A-Z0-9]?) ?([0-9][A-Z]{2})", "{0} {1}"),
    "IN": PostcodeForm(r"([1-9][0-9]{2}) ?([0-9]{3})", "{0}{1}"),
    "BR": PostcodeForm(r"([0-9]{5})[ -]?([0-9]{3})", "{0}-{1}"),
    "JP": PostcodeForm(r"〒?([0-9]{3})[ -]?([0-9]{4})", "{0}-{1}"),
    "NL": PostcodeForm(r"([0-9]{4}) ?([A-Z]{2})", "{0} {1}"),
    "PT": PostcodeForm(r"([0-9]{4})[ -]?([0-9]{3})", "{0}-{1}"),
    "PL": PostcodeForm(r"([0-9]{2})[ -]?([0-9]{3})", "{0}-{1}"),
    "SG": PostcodeForm(r"([0-9]{6})", "{0}"),
    "SE": PostcodeForm(r"([0-9]{3}) ?([0-9]{2})", "{0} {1}"),
    "AR": PostcodeForm(r"([A-Z]?[0-9]{4}(?:[A-Z]{3})?)", "{0}"),
    **_countries(PostcodeForm(r"([0-9]{5})", "{0}"), "DE", "FR", "ES", "IT", "MX", "MY", "ID", "TR"),
    **_countries(PostcodeForm(r"([0-9]{4})", "{0}"), "AU", "ZA", "AT", "CH", "BE", "DK", "NO"),
}

_ARGENTINA = re.compile(r"[0-9]{4}|[A-Z][0-9]{4}[A-Z]{3}")
_ELSEWHERE = re.compile(r"[A-Z0-9][A-Z0-9 -]{0,8}[A-Z0-9]")
_SPACES = re.compile(r"\s+")


class AddressFault(StrEnum):
    """Why an address cannot be used."""

    INCOMPLETE = "address_incomplete"
    TOO_LONG = "too_long"
    COUNTRY = "country_not_served"
    POSTCODE = "postcode"
    PHONE = "phone"


class AddressRefusedError(WchError):
    """The address cannot be used; `code` says why, `fields` names what to ask for again."""

    code: AddressFault
    fields: tuple[str, ...]

    def __init__(self, code: AddressFault, *fields: str) -> None:
        super().__init__(code=code, fields=fields)


def _tidy(text: str) -> str:
    """Without control characters, and with single spaces."""
    visible = "".join(" " if unicodedata.category(sign) == "Cc" else sign for sign in text)
    return _SPACES.sub(" ", visible).strip()


@attrs.frozen(kw_only=True)
class Address:
    """Where to deliver, under the names that shops use.

    Attributes:
        first_name: all of the name but its last word.
        last_name: the last word of a name of several.
        address_1: street and number.
        address_2: what else helps to find it.
        city: town.
        state: its code, where the country has states.
        postcode: in the country's standard form.
        country: two letters.
        phone: for the delivery, E.164.
        latitude: degrees north, if a location was sent.
        longitude: degrees east.
        note: for the one who delivers.
    """

    first_name: str = attrs.field(default="", converter=_tidy)
    last_name: str = attrs.field(default="", converter=_tidy)
    address_1: str = attrs.field(default="", converter=_tidy)
    address_2: str = attrs.field(default="", converter=_tidy)
    city: str = attrs.field(default="", converter=_tidy)
    state: str = attrs.field(default="", converter=_tidy)
    postcode: str = attrs.field(default="", converter=_tidy)
    country: str = attrs.field(default="", converter=_tidy)
    phone: str = attrs.field(default="", converter=_tidy)
    latitude: float | None = attrs.field(default=None, converter=attrs.converters.optional(float))
    longitude: float | None = attrs.field(default=None, converter=attrs.converters.optional(float))
    note: str = attrs.field(default="", converter=_tidy)

    @property
    def name(self) -> str:
        """First and last name as one."""
        return f"{self.first_name} {self.last_name}".strip()

    def named(self, name: str) -> "Address":
        """The same place for this person."""
        first, last = split_name(name)
        return attrs.evolve(self, first_name=first, last_name=last)

    def one_line(self) -> str:
        """As people read it."""
        town = " ".join(part for part in (self.city, self.state, self.postcode) if part)
        return ", ".join(part for part in (self.name, self.address_1, self.address_2, town, self.country) if part)


def split_name(name: str) -> tuple[str, str]:
    """First names, and the last word of a name of several."""
    words = _tidy(name).split(" ")
    return (" ".join(words[:-1]), words[-1]) if len(words) > 1 else (words[0], "")


def standard_postcode(country: str, text: str) -> str | None:
    """The postcode in the country's standard form; None if it is none there, "" where there are none."""
    if country in WITHOUT_POSTCODE:
        return ""
    given = _tidy(text).upper()
    form = POSTCODES.get(country)
    if form is None:
        return given if _ELSEWHERE.fullmatch(given) else None
    found = re.fullmatch(form.pattern, given) or re.fullmatch(form.pattern, given.replace(" ", ""))
    if found is None or (country == "AR" and not _ARGENTINA.fullmatch(found[0])):
        return None
    groups = [group for group in found.groups() if group is not None]
    return form.written.format(*groups) if len(groups) == found.re.groups else groups[0]


def missing(address: Address) -> tuple[str, ...]:
    """What a delivery needs and the address has not, in the order in which it is asked for."""
    needed = {
        "name": address.name,
        "address_1": address.address_1,
        "city": address.city,
        "state": address.state if has_states(address.country) else "-",
        "postcode": "-" if address.country in WITHOUT_POSTCODE else address.postcode,
        "country": address.country,
    }
    return tuple(field for field, value in needed.items() if not value)


def checked(address: Address, *, served: Collection[str] | None = None) -> Address:
    """The address in standard form: country and state by code, the postcode as its country writes it.

    Whether the phone number is possible is asked of a library, where the address is taken.

    Raises:
        AddressRefusedError: `address_incomplete`, `too_long`, `country_not_served`, `postcode`.
    """
    country = country_of(address.country) or address.country.upper()
    address = attrs.evolve(address, country=country)
    if country and (re.fullmatch("[A-Z]{2}", country) is None or (served is not None and country not in served)):
        raise AddressRefusedError(AddressFault.COUNTRY, "country")
    if has_states(country) and address.state:
        address = attrs.evolve(address, state=state_of(country, address.state) or "")
    if absent := missing(address):
        raise AddressRefusedError(AddressFault.INCOMPLETE, *absent)
    if long := _too_long(address):
        raise AddressRefusedError(AddressFault.TOO_LONG, *long)
    postcode = standard_postcode(country, address.postcode)
    if postcode is None:
        raise AddressRefusedError(AddressFault.POSTCODE, "postcode")
    return attrs.evolve(address, postcode=postcode)


def _too_long(address: Address) -> tuple[str, ...]:
    texts = attrs.asdict(address)
    return tuple(field for field, text in texts.items() if isinstance(text, str) and len(text) > LONGEST_FIELD)


def address_to_json(address: Address) -> dict[str, Any]:
    """The fields that have a value, under the names that shops use."""
    return {field: value for field, value in attrs.asdict(address).items() if value not in ("", None)}


def address_from_json(value: Mapping[str, Any]) -> Address:
    """The address in a JSON object, whichever of the two sets of names it uses; what it does not know is passed over."""
    first, last = value.get("first_name"), value.get("last_name")
    if first is None and last is None:
        first, last = split_name(str(value.get("name") or ""))
    return Address(
        first_name=str(first or ""),
        last_name=str(last or ""),
        address_1=_text(value, "address_1", "street"),
        address_2=_text(value, "address_2", "street_2"),
        city=_text(value, "city"),
        state=_text(value, "state"),
        postcode=_text(value, "postcode", "postal_code"),
        country=_text(value, "country"),
        phone=_text(value, "phone"),
        latitude=value.get("latitude"),
        longitude=value.get("longitude"),
        note=_text(value, "note"),
    )


def _text(value: Mapping[str, Any], *names: str) -> str:
    return next((str(value[name]) for name in names if value.get(name)), "")
