"""Addresses in each country's form, and read from what people type."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.address import (
    POSTCODES,
    WITHOUT_POSTCODE,
    Address,
    AddressFault,
    AddressRefusedError,
    address_from_json,
    address_to_json,
    checked,
    missing,
    split_name,
    standard_postcode,
)
from wch.domain.address_text import parse_address
from wch.domain.country import COUNTRIES, country_name, country_of
from wch.domain.region import has_states, state_of, states
from wch.testing.strategies import addresses

FULL = Address(
    first_name="Ada", last_name="Lovelace", address_1="Hauptstr. 5", city="Berlin", postcode="10115", country="DE"
)


@pytest.mark.parametrize(
    ("country", "typed", "kept"),
    [
        ("US", "94043", "94043"),
        ("US", "940431234", "94043-1234"),
        ("US", "94043-1234", "94043-1234"),
        ("CA", "k1a0b1", "K1A 0B1"),
        ("GB", "nw16xe", "NW1 6XE"),
        ("GB", "sw1a 2aa", "SW1A 2AA"),
        ("IN", "560 001", "560001"),
        ("BR", "01310100", "01310-100"),
        ("JP", "〒1500002", "150-0002"),
        ("NL", "1012ab", "1012 AB"),
        ("PT", "1100148", "1100-148"),
        ("PL", "00950", "00-950"),
        ("SG", "018956", "018956"),
        ("SE", "11455", "114 55"),
        ("AR", "c1425abc", "C1425ABC"),
        ("AR", "1425", "1425"),
        ("AU", "2000", "2000"),
        ("DE", "1 0115", "10115"),
        ("IE", "d02  af30", "D02 AF30"),
        ("AE", "whatever", ""),
    ],
)
def test_postcodes_are_kept_in_standard_form(country: str, typed: str, kept: str) -> None:
    """Case and spaces are forgiven; the standard form is what carriers and shops compare."""
    assert standard_postcode(country, typed) == kept
    assert kept == "" or standard_postcode(country, kept) == kept


@pytest.mark.parametrize(
    ("country", "typed"),
    [
        ("US", "9021"),
        ("DE", "1011"),
        ("IN", "056001"),
        ("CA", "K1A"),
        ("AR", "C1425"),
        ("IE", "-"),
        ("XK", "1"),
        ("AR", ""),
    ],
)
def test_another_countrys_postcode_is_none(country: str, typed: str) -> None:
    assert standard_postcode(country, typed) is None


def test_what_is_missing_is_named_in_the_order_of_asking() -> None:
    """Only what is missing is asked for; the state where the country has states, no postcode where it has none."""
    assert missing(Address(country="US")) == ("name", "address_1", "city", "state", "postcode")
    assert missing(Address()) == ("name", "address_1", "city", "postcode", "country")
    assert missing(attrs.evolve(FULL, country="AE", postcode="")) == ()


@pytest.mark.parametrize(
    ("changes", "code", "fields"),
    [
        ({"country": "DE", "postcode": "123"}, AddressFault.POSTCODE, ("postcode",)),
        ({"city": " "}, AddressFault.INCOMPLETE, ("city",)),
        ({"country": "FR"}, AddressFault.COUNTRY, ("country",)),
        ({"country": "Atlantis"}, AddressFault.COUNTRY, ("country",)),
        ({"address_1": "x" * 101}, AddressFault.TOO_LONG, ("address_1",)),
        ({"country": "US", "state": "Bavaria"}, AddressFault.INCOMPLETE, ("state",)),
    ],
)
def test_an_address_that_cannot_be_used_says_why(
    changes: dict[str, str], code: AddressFault, fields: tuple[str, ...]
) -> None:
    with pytest.raises(AddressRefusedError) as caught:
        checked(attrs.evolve(FULL, **changes), served={"DE", "US"})
    assert (caught.value.code, caught.value.fields) == (code, fields)


def test_a_checked_address_has_codes() -> None:
    """Country and state by name become what the shop compares."""
    address = attrs.evolve(FULL, country="Brasil", state="são paulo", postcode="01310100")

    assert address_to_json(checked(address)) == {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "address_1": "Hauptstr. 5",
        "city": "Berlin",
        "state": "SP",
        "postcode": "01310-100",
        "country": "BR",
    }


def test_texts_are_trimmed_and_without_control_characters() -> None:
    assert Address(city="  New\x00\n\tYork  ").city == "New York"


def test_names_are_taken_apart_and_put_together() -> None:
    assert split_name(" Ada  King Lovelace ") == ("Ada King", "Lovelace")
    assert split_name("Ada") == ("Ada", "")
    assert FULL.named("Grace Hopper").name == "Grace Hopper"
    assert FULL.one_line() == "Ada Lovelace, Hauptstr. 5, Berlin 10115, DE"


def test_both_sets_of_names_are_read() -> None:
    """Imported rows say street and postal_code, the shop says address_1 and postcode."""
    old = {"name": "Ada Lovelace", "street": "Hauptstr. 5", "street_2": "", "city": "Berlin", "postal_code": "10115"}

    assert address_from_json({**old, "country": "DE", "new": 1}) == FULL
    assert address_from_json({}) == Address()


@given(addresses())
def test_addresses_survive_json(address: Address) -> None:
    assert address_from_json(address_to_json(address)) == address


# --- typed


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        (
            "221B Baker Street, London NW1 6XE, UK",
            "US",
            {"address_1": "221B Baker Street", "city": "London", "postcode": "NW1 6XE", "country": "GB"},
        ),
        (
            "1600 Amphitheatre Pkwy\nMountain View, CA 94043\nUSA",
            "DE",
            {
                "address_1": "1600 Amphitheatre Pkwy",
                "city": "Mountain View",
                "state": "CA",
                "postcode": "94043",
                "country": "US",
            },
        ),
        (
            "Av. Paulista 1000, São Paulo - SP, 01310-100, Brasil",
            "US",
            {
                "address_1": "Av. Paulista 1000",
                "city": "São Paulo",
                "state": "SP",
                "postcode": "01310-100",
                "country": "BR",
            },
        ),
        (
            "Jane Mary Doe\n12345 Main St\nApt 4\nSpringfield\nIN 46001",
            "US",
            {
                "first_name": "Jane Mary",
                "last_name": "Doe",
                "address_1": "12345 Main St",
                "address_2": "Apt 4",
                "city": "Springfield",
                "state": "IN",
                "postcode": "46001",
                "country": "US",
            },
        ),
        (
            "350 5th Ave, New York 10118",
            "US",
            {"address_1": "350 5th Ave", "city": "New York", "state": "NY", "postcode": "10118", "country": "US"},
        ),
        (
            "Hauptstr. 5; D-10115 Berlin",
            "DE",
            {"address_1": "Hauptstr. 5", "city": "Berlin", "postcode": "10115", "country": "DE"},
        ),
        (
            "شارع الملك فهد ١٢، الرياض ١٢٣٤٥، السعودية",
            "US",
            {"address_1": "شارع الملك فهد 12", "city": "الرياض", "postcode": "12345", "country": "SA"},
        ),
        (
            "१२ गांधी मार्ग, नई दिल्ली ११०००१, भारत",
            "US",
            {"address_1": "12 गांधी मार्ग", "city": "नई दिल्ली", "state": "DL", "postcode": "110001", "country": "IN"},
        ),
        (
            "Orchard Rd 1, 238823",
            "SG",
            {"address_1": "Orchard Rd 1", "city": "Singapore", "postcode": "238823", "country": "SG"},
        ),
        (
            "Sheikh Zayed Road 1, Dubai, UAE",
            "DE",
            {"address_1": "Sheikh Zayed Road 1", "city": "Dubai", "country": "AE"},
        ),
        (
            "1 Main St, Mountain View CA, 94043 USA",
            "DE",
            {"address_1": "1 Main St", "city": "Mountain View", "state": "CA", "postcode": "94043", "country": "US"},
        ),
        (
            "10 Downing St London SW1A2AA",
            "GB",
            {"address_1": "10 Downing St London", "postcode": "SW1A 2AA", "country": "GB"},
        ),
        (
            "1 Main St, Dublin, D02 AF30, Ireland",
            "US",
            {"address_1": "1 Main St", "city": "Dublin", "postcode": "D02 AF30", "country": "IE"},
        ),
        ("", "DE", {"country": "DE"}),
        ("12", "DE", {"country": "DE"}),
    ],
)
def test_a_typed_address_is_read_from_its_end(text: str, default: str, expected: dict[str, str]) -> None:
    """Country, postcode, state, city, and what is left in front is street and name."""
    found = {**address_to_json(parse_address(text, default).address)}
    if text == "12":
        found.pop("city", None)

    assert found == expected


def test_a_complete_text_lacks_nothing() -> None:
    draft = parse_address("Ada Lovelace, Hauptstr. 5, 10115 Berlin", "DE")

    assert draft.is_complete
    assert draft.address == FULL


def test_a_wrong_postcode_is_kept_and_named() -> None:
    """It is asked for again, not silently dropped."""
    draft = parse_address("1 Main St, Los Angeles, CA 9021, US", "DE")

    assert (draft.address.postcode, draft.wrong) == ("9021", ("postcode",))
    assert not draft.is_complete


def test_a_line_that_is_too_long_is_named() -> None:
    draft = parse_address(f"Ada Lovelace, {'x' * 99} 5, 10115 Berlin", "DE")

    assert draft.wrong == ("address_1",)


@given(st.text(max_size=200), st.sampled_from(sorted(COUNTRIES)))
def test_whatever_is_typed_never_raises(text: str, country: str) -> None:
    draft = parse_address(text, country)

    assert "country" not in draft.missing


# --- countries and states


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("USA", "US"),
        ("u.s.a.", "US"),
        ("UK", "GB"),
        ("UAE", "AE"),
        ("Brasil", "BR"),
        ("BRAZIL", "BR"),
        ("México", "MX"),
        ("Alemanha", "DE"),
        ("الإمارات", "AE"),
        ("مصر", "EG"),
        ("ब्राज़ील", "BR"),
        ("Türkiye", "TR"),
        ("de", "DE"),
    ],
)
def test_countries_are_known_in_five_languages(text: str, code: str) -> None:
    assert country_of(text) == code


def test_what_names_no_country_is_none() -> None:
    assert country_of("Atlantis") is None
    assert country_name("DE") == "Germany"
    assert country_name("ZZ") == "ZZ"
    assert len(COUNTRIES) >= 40
    assert {*POSTCODES, *WITHOUT_POSTCODE} <= COUNTRIES


@pytest.mark.parametrize(
    ("country", "text", "code"),
    [
        ("US", "california", "CA"),
        ("US", "ca", "CA"),
        ("BR", "São Paulo", "SP"),
        ("MX", "CDMX", "DF"),
        ("JP", "東京都", "JP13"),
        ("CA", "Québec", "QC"),
        ("IN", "orissa", "OR"),
        ("MX", "CH", "CH"),
    ],
)
def test_states_are_known_by_code_and_name(country: str, text: str, code: str) -> None:
    assert state_of(country, text) == code
    assert code in states(country)


def test_elsewhere_there_are_no_states() -> None:
    assert state_of("US", "Bavaria") is None
    assert not has_states("DE")
    assert states("DE") == {}


@pytest.mark.parametrize(
    ("text", "home", "country"),
    [
        ("221B Baker Street, London NW1 6XE, UK", "IN", "GB"),
        ("12 Mall Road, Dehradun, 248001, UK", "IN", "IN"),
        ("1 Front Street, Toronto ON M5V 2T6, CA", "US", "CA"),
        ("1600 Amphitheatre Pkwy, Mountain View 94043, CA", "US", "US"),
    ],
)
def test_a_postcode_tells_a_country_from_a_state(text: str, home: str, country: str) -> None:
    """Two letters may be either; at home they are the state unless the postcode is the other country's."""
    assert parse_address(text, home).address.country == country
