"""The catalogues are complete, alike and within WhatsApp's limits; amounts and dates read as they should."""

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from wch.application.texts import (
    LANGUAGES,
    NAMES,
    Texts,
    UnknownPlaceholderError,
    catalogue,
    check_replacement,
    choose_language,
    cut,
    fit,
    graphemes,
    language_of_number,
)
from wch.application.words import Intent, understand
from wch.domain.money import Money

LIMITS = {"button.": 20, "list.": 20, "row.": 24, "section.": 24}
DESCRIPTION = 72
LONGEST = {"count": 999, "number": 99}
NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing(language: str) -> None:
    """Every language has the texts of every other, none of them empty."""
    assert set(catalogue(language).entries) == set(catalogue("en").entries)
    assert all(form.strip() for entry in catalogue(language).entries.values() for form in entry.forms)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_plural_form_is_missing(language: str) -> None:
    """A text that counts has a form for each plural of its language; one that does not has none anywhere."""
    for id_, entry in catalogue(language).entries.items():
        assert entry.is_plural == catalogue("en").entries[id_].is_plural, id_
        assert not entry.is_plural or len(entry.forms) == catalogue(language).plurals, id_


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_form_names_the_same_things(language: str) -> None:
    """A placeholder that only one language knows would be said as an error."""
    for id_, entry in catalogue(language).entries.items():
        expected = catalogue("en").entries[id_].placeholders
        for form in entry.forms:
            assert set(_names(form)) == expected, id_


@pytest.mark.parametrize("language", LANGUAGES)
def test_titles_fit_with_their_longest_values(language: str) -> None:
    """WhatsApp counts code points after NFC and refuses the whole message."""
    texts = Texts(language)
    for id_ in catalogue(language).entries:
        prefix = next((prefix for prefix in LIMITS if id_.startswith(prefix)), None)
        if prefix is None:
            continue
        limit = DESCRIPTION if id_.endswith(".description") else LIMITS[prefix]
        said = texts.say(id_, **LONGEST)

        assert len(unicodedata.normalize("NFC", said)) <= limit, (id_, said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_buttons_that_stand_together_differ(language: str) -> None:
    """Two equal titles in one message are refused."""
    texts = Texts(language)
    titles = [texts.say(id_, **LONGEST) for id_ in catalogue(language).entries if id_.startswith("button.")]

    assert len({title.casefold() for title in titles}) == len(titles)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("id_", "intent"), [
    ("button.menu", Intent.MENU), ("button.checkout", Intent.CHECKOUT), ("button.cart", Intent.VIEW_CART),
    ("button.back", Intent.BACK), ("button.cancel", Intent.CANCEL), ("button.yes", Intent.YES),
    ("button.no", Intent.NO), ("button.orders", Intent.ORDER_STATUS), ("button.add", Intent.ADD_TO_CART),
    ("button.clear", Intent.CLEAR_CART), ("button.person", Intent.HUMAN),
])  # fmt: skip
def test_a_buttons_words_may_be_typed_instead(language: str, id_: str, intent: Intent) -> None:
    """People without buttons, and those who answer in words, mean the same."""
    said = Texts(language).say(id_)

    assert understand(said).intent is intent, said


def test_plurals_follow_the_language() -> None:
    """Arabic has six, and its forms for few and many differ."""
    english, arabic = Texts("en"), Texts("ar")

    assert "only 1 of" in english.say("stock.offer", count=1, name="Lamp")
    assert "are only 3" in english.say("stock.offer", count=3, name="Lamp")
    assert "قطع " in arabic.say("stock.offer", count=3, name="x")
    assert "قطعة " in arabic.say("stock.offer", count=11, name="x")


@pytest.mark.parametrize(("language", "money", "written"), [
    ("en", Money(Decimal("1234.5"), "USD"), "$1,234.50"),
    ("es", Money(Decimal("18.00"), "USD"), "18,00 US$"),
    ("pt_BR", Money(Decimal("1234.50"), "BRL"), "R$ 1.234,50"),
    ("en", Money(1000, "JPY"), "¥1,000"),
    ("en", Money(Decimal("1.235"), "KWD"), "KWD 1.235"),
    ("en", Money(Decimal("5.000"), "IQD"), "IQD 5.000"),
    ("hi", Money(Decimal("125000.00"), "INR"), "₹1,25,000.00"),
    ("en", Money(Decimal("99999999999999999999.99"), "EUR"), "€99,999,999,999,999,999,999.99"),
])  # fmt: skip
def test_amounts_are_written_with_the_places_of_their_currency(language: str, money: Money, written: str) -> None:
    """Places are ISO 4217's, not the formatting library's; no digit is lost at any size."""
    assert Texts(language).money(money) == written


def test_arabic_amounts_and_dates_have_latin_digits() -> None:
    """Digits that everybody reads, and that can be typed back."""
    texts = Texts("ar")

    assert "1,234.50" in texts.money(Money(Decimal("1234.50"), "SAR"))
    assert "2026" in texts.date(NOON)


def test_dates_are_the_shops_own_day() -> None:
    """Eleven in the evening in New York is still the day before in UTC's eyes."""
    late = datetime(2026, 3, 6, 3, 0, tzinfo=UTC)

    assert Texts("en").date(late, "America/New_York") == "Mar 5, 2026"
    assert Texts("es").moment(NOON, "Europe/Madrid") == "jueves, 13:00"


def test_foreign_runs_in_arabic_are_isolated() -> None:
    """Otherwise a name in Latin letters turns the sentence round; a bare number does not."""
    said = Texts("ar").say("add.done", quantity=2, name="Blue Lamp")

    assert "\u2068Blue Lamp\u2069" in said
    assert "\u20682\u2069" not in said
    assert "\u2068" not in Texts("en").say("add.done", quantity=2, name="مصباح")


def test_values_are_never_read_as_templates() -> None:
    """A product may be called {name}; format's attribute access does not exist here."""
    said = Texts("en").say("stock.sold_out", name="{name.__class__} {0}")

    assert "{name.__class__} {0}" in said


def test_replaced_texts_count_before_ours() -> None:
    """Per text and language; those of other languages stay."""
    replaced = {"menu.title.en": "What now?"}

    assert Texts("en", replaced=replaced).say("menu.title") == "What now?"
    assert Texts("es", replaced=replaced).say("menu.title") != "What now?"


def test_a_replacement_may_name_what_is_known_and_nothing_else() -> None:
    """It is refused when it is saved, not when it is said."""
    check_replacement("add.done", "Got {quantity}!")
    with pytest.raises(UnknownPlaceholderError) as refused:
        check_replacement("add.done", "Got {amount} {name.x}!")
    with pytest.raises(KeyError):
        check_replacement("no.such.text", "x")

    assert refused.value.names == ("amount", "name.x")


def test_a_language_without_catalogue_speaks_english() -> None:
    """A row of another program's making is no reason to fall silent."""
    assert Texts("tlh").say("button.yes") == "Yes"
    with pytest.raises(LookupError):
        catalogue("tlh")
    assert set(NAMES) == set(LANGUAGES)


@pytest.mark.parametrize(("chosen", "matched", "current", "customer", "language"), [
    ("ar", {"es"}, "en", "34600000000", "ar"),
    (None, {"es"}, "en", "16505551234", "es"),
    (None, {"en", "es"}, "es", "16505551234", "es"),
    (None, {"en", "es"}, None, "34600000000", "es"),
    (None, {"en", "es"}, "hi", "34600000000", "hi"),
    (None, {"es", "pt_BR"}, None, "16505551234", "es"),
    (None, set(), None, "5511987654321", "pt_BR"),
    (None, set(), "hi", "5511987654321", "hi"),
    (None, set(), None, "4915112345678", "en"),
    (None, set(), None, "u3fi6r42alxn7exdxkwk", "en"),
    ("xx", set(), None, "966500000000", "ar"),
])  # fmt: skip
def test_the_language_of_an_answer(
    chosen: str | None, matched: set[str], current: str | None, customer: str, language: str
) -> None:
    """The customer's choice, else the words, else the conversation so far, else the number's country, else ours."""
    found = choose_language(chosen=chosen, matched=matched, current=current, customer=customer, default="en")

    assert found == language


@pytest.mark.parametrize(("chosen", "matched", "current", "customer"), [
    ("ar", set(), None, "34612345678"), (None, {"ar"}, None, "34612345678"), (None, set(), "ar", "34612345678"),
    (None, {"ar", "hi"}, None, "34612345678"), (None, set(), None, "966500000000"),
])  # fmt: skip
def test_a_language_that_is_not_served_is_not_answered_in(
    chosen: str | None, matched: set[str], current: str | None, customer: str
) -> None:
    """Whatever speaks for it: a choice of former days, words, the conversation, the number's country."""
    found = choose_language(
        chosen=chosen, matched=matched, current=current, customer=customer, default="es", served=("en", "es")
    )

    assert found == "es"


def test_numbers_that_are_none_have_no_language() -> None:
    """Digits that no country uses."""
    assert language_of_number("999") is None
    assert language_of_number("9991234567890") is None


@pytest.mark.parametrize(("text", "limit", "fitted"), [
    ("short", 20, "short"),
    ("exactly ten", 11, "exactly ten"),
    ("a title that is far too long", 12, "a title tha…"),
    ("two\nlines", 20, "two lines"),
    ("👩‍👩‍👧‍👦 family", 8, "👩‍👩‍👧‍👦…"),
    ("👩‍👩‍👧‍👦", 5, "…"),
    ("🇧🇷🇧🇷🇧🇷", 4, "🇧🇷…"),
    ("नमस्ते दुनिया", 6, "नम…"),
    ("e\u0301e\u0301e\u0301e\u0301", 3, "éé…"),
])  # fmt: skip
def test_fitting_cuts_between_whole_characters(text: str, limit: int, fitted: str) -> None:
    """Never inside an emoji, a flag or a letter with its marks."""
    assert fit(text, limit) == fitted
    assert len(fit(text, limit)) <= limit


def test_cutting_keeps_lines() -> None:
    """A body is cut only where it is too long."""
    assert cut("one\ntwo", 20) == "one\ntwo"
    assert cut("one\ntwo three", 6) == "one\nt…"
    assert graphemes("a👍🏽b") == ["a", "👍🏽", "b"]


def _names(form: str) -> Iterator[str]:
    opened = form.split("{")[1:]
    return (part.split("}")[0] for part in opened)
