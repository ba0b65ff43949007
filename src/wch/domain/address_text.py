"""Reading an address that somebody typed: parts, from the end to the beginning."""

import re
import unicodedata

import attrs

from wch.domain.address import (
    CITY_STATES,
    POSTCODES,
    WITHOUT_POSTCODE,
    Address,
    AddressRefusedError,
    checked,
    missing,
    split_name,
    standard_postcode,
)
from wch.domain.country import country_of
from wch.domain.region import has_states, state_of

_BORDERS = re.compile(r"[\n\r,،;؛、]+")
_EDGES = " -–.:/|"  # noqa: RUF001 - the dash that people type
_LONGEST_NAME = 4
_COUNTRY_WORDS = 4

# There a house number of the postcode's length begins the street, so a postcode only ends a part.
_NUMBER_FIRST = frozenset({"US", "AU", "ZA", "NZ"})
_LOOKS_LIKE_A_POSTCODE = re.compile(r"(?:^|\s)([0-9]{3,10})$")
_MIXED = r"(?=[A-Z]*[0-9])[A-Z0-9]"
_ELSEWHERE = rf"{_MIXED}{{3,4}} {_MIXED}{{3,4}}|{_MIXED}{{3,8}}(?:-[0-9]{{2,4}})?"


@attrs.frozen(kw_only=True)
class AddressDraft:
    """What was understood of a typed address.

    Attributes:
        address: the fields that were found, in standard form where they could be.
        missing: what still has to be asked for.
        wrong: what was given and cannot be taken.
    """

    address: Address
    missing: tuple[str, ...]
    wrong: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether it can be shown for acceptance."""
        return not self.missing and not self.wrong


def parse_address(text: str, default_country: str) -> AddressDraft:
    """The address in a text, read as its writer most likely meant it; never raises.

    Lines and commas part it. From the end come the country (else `default_country`), the postcode
    by the country's pattern, the state where there are states, the city; the first part with a
    letter is the street, unless it is a name of two to four words before it.
    """
    parts = _parts(text)
    country = _take_country(parts, default_country)
    postcode = _take_postcode(parts, country)
    state, city = _take_state(parts, country)
    parts = [part for part in parts if any(sign.isalnum() for sign in part)]
    name = parts.pop(0) if _begins_with_name(parts) else ""
    first = next((index for index, part in enumerate(parts) if any(sign.isalpha() for sign in part)), None)
    street = "" if first is None else parts.pop(first)
    if parts:
        city = parts.pop()
    first_name, last_name = split_name(name)
    return _judged(
        Address(
            first_name=first_name,
            last_name=last_name,
            address_1=street,
            address_2=", ".join(parts),
            city=city or CITY_STATES.get(country, ""),
            state=state,
            postcode=postcode,
            country=country,
        )
    )


def _judged(address: Address) -> AddressDraft:
    absent = missing(address)
    wrong: tuple[str, ...] = ()
    if address.postcode and standard_postcode(address.country, address.postcode) is None:
        wrong = ("postcode",)
    elif not absent:
        try:
            address = checked(address)
        except AddressRefusedError as refusal:
            wrong = refusal.fields
    return AddressDraft(address=address, missing=absent, wrong=wrong)


def _parts(text: str) -> list[str]:
    ascii_digits = "".join(
        str(unicodedata.decimal(sign)) if unicodedata.category(sign) == "Nd" else sign for sign in text
    )
    parts = (" ".join(part.split()).strip(_EDGES.replace(".", "")) for part in _BORDERS.split(ascii_digits))
    return [part for part in parts if part]


def _take_country(parts: list[str], default: str) -> str:
    """The country at the end of the parts, which lose it."""
    if not parts:
        return default
    last = parts[-1]
    # "Mountain View, CA": two letters that are a state at home are not a country abroad, unless a
    # postcode says so: "London NW1 6XE, UK" is not in Uttarakhand.
    if (found := country_of(last)) and (
        not (len(last) == 2 and state_of(default, last)) or _speaks_for(parts[:-1], found, default)  # noqa: PLR2004 - a code
    ):
        parts.pop()
        return found
    words = last.split(" ")
    for count in range(min(_COUNTRY_WORDS, len(words) - 1), 0, -1):
        before = words[-count - 1]
        # Only after a postcode: the Mexico of "Ciudad de Mexico" is part of the city.
        if any(sign.isdigit() for sign in before) and (found := country_of(" ".join(words[-count:]))):
            parts[-1] = " ".join(words[:-count])
            return found
    return default


def _speaks_for(parts: list[str], abroad: str, home: str) -> bool:
    """Whether a postcode of the one country, and none of the other, ends one of these parts."""

    def ends(country: str) -> bool:
        form = POSTCODES.get(country)
        shape = None if form is None else re.compile(rf"(?:^|[\s-])(?:{form.pattern})$", re.IGNORECASE)
        return shape is not None and any(shape.search(part) for part in parts[1:])

    return ends(abroad) and not ends(home)


def _take_postcode(parts: list[str], country: str) -> str:
    """The postcode nearest to the end, in standard form if it has one; its part loses it."""
    if country in WITHOUT_POSTCODE:
        return ""
    form = POSTCODES.get(country)
    pattern = form.pattern if form else _ELSEWHERE
    shapes = [rf"(?:^|(?<=[\s-]))(?P<code>{pattern})$"]
    if country not in _NUMBER_FIRST:
        shapes.append(rf"^(?:[A-Z]{{1,2}}-)?(?P<code>{pattern})(?=\s|$)")
    for index in range(len(parts) - 1, 0 if form is None else -1, -1):
        for shape in shapes:
            found = re.search(shape, parts[index], re.IGNORECASE)
            # The first part is the street or a name: it may end with a postcode, hardly begin with one.
            if found and (index > 0 or (found.start("code") > 0 and len(found["code"]) > 4)):  # noqa: PLR2004 - digits of a house number
                rest = f"{parts[index][: found.start()]} {parts[index][found.end() :]}"
                parts[index] = rest.strip(_EDGES)
                return standard_postcode(country, found["code"]) or found["code"]
    for index in range(len(parts) - 1, 0, -1):
        if found := _LOOKS_LIKE_A_POSTCODE.search(parts[index]):
            parts[index] = parts[index][: found.start()].strip(_EDGES)
            return found[1]
    return ""


def _take_state(parts: list[str], country: str) -> tuple[str, str]:
    """The state, and the city when one name is both; their part loses the state."""
    if not has_states(country):
        return "", ""
    for index in range(len(parts) - 1, 0, -1):
        part = parts[index]
        if found := state_of(country, part):
            parts.pop(index)
            # "350 5th Ave, New York 10118": nothing else between it and the street is the city.
            alone = not any(any(sign.isalpha() for sign in other) for other in parts[1:])
            return found, part if alone and len(part) > len(found) else ""
        words = re.split(r"(\s+[-–]\s*|\s*/\s*|\s+)", part)  # noqa: RUF001 - the dash that people type
        for at in range(1, len(words), 2):
            tail = "".join(words[at + 1 :])
            if found := state_of(country, tail):
                parts[index] = "".join(words[:at]).strip(_EDGES)
                return found, ""
    return "", ""


def _begins_with_name(parts: list[str]) -> bool:
    if len(parts) < 2:  # noqa: PLR2004 - a name and a street
        return False
    words = parts[0].split(" ")
    return (
        2 <= len(words) <= _LONGEST_NAME  # noqa: PLR2004 - a first and a last name
        and not any(sign.isdigit() for sign in parts[0])
        and any(sign.isdigit() for sign in parts[1])
        and any(sign.isalpha() for sign in parts[1])
    )
