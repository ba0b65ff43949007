"""Everything that is said to customers, in five languages, from gettext catalogues read when they are needed."""

import gettext
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, tzinfo
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

import attrs
import phonenumbers
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.pofile import read_po
from babel.numbers import parse_pattern

from wch.domain.errors import WchError
from wch.domain.money import Money, places
from wch.domain.phone import is_number

LANGUAGES = ("en", "es", "pt_BR", "ar", "hi")
"""The languages that there are catalogues for, the one that is always there first."""

NAMES: Mapping[str, str] = {"en": "English", "es": "Español", "pt_BR": "Português", "ar": "العربية", "hi": "हिन्दी"}
"""Each language as it calls itself."""

ELLIPSIS = "…"

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_ISOLATE, _ISOLATE_END = "\u2068", "\u2069"
_RIGHT_TO_LEFT = frozenset({"ar"})
_JOINER = "\u200d"
_CODE_BEFORE_DIGITS = re.compile(r"(?<=[A-Za-z])(?=\d)")
_SPACES = re.compile("[\u00a0\u202f]")

_SPOKEN: Mapping[str, str] = {
    **dict.fromkeys("US GB CA AU NZ IE ZA NG KE GH SG PH JM UG TZ".split(), "en"),  # noqa: SIM905 - easier to read
    **dict.fromkeys("ES MX AR CO CL PE VE EC GT CU BO DO HN PY SV NI CR PA UY PR GQ".split(), "es"),  # noqa: SIM905 - codes read best as one line
    **dict.fromkeys("BR PT AO MZ CV GW ST TL".split(), "pt_BR"),  # noqa: SIM905 - codes read best as one line
    **dict.fromkeys("SA AE EG JO LB IQ KW QA BH OM YE SY PS LY TN DZ MA SD MR".split(), "ar"),  # noqa: SIM905 - codes read best as one line
    "IN": "hi",
}
"""The language most likely spoken where a number is from; countries that are not here speak the hub's own."""


class UnknownPlaceholderError(WchError, ValueError):
    """The text names something that is not known where it is said; `names` says what."""

    names: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Entry:
    """One text of one language: a form for each plural of the language, or a single one."""

    forms: tuple[str, ...]
    is_plural: bool

    @property
    def placeholders(self) -> frozenset[str]:
        """What the text names, over all its forms."""
        return frozenset().union(*(placeholders(form) for form in self.forms))


@attrs.frozen(kw_only=True)
class Catalogue:
    """The texts of one language."""

    language: str
    entries: Mapping[str, Entry]
    plural: Callable[[int], int]
    plurals: int


@cache
def catalogue(language: str) -> Catalogue:
    """The texts of this language, read from its file once.

    Raises:
        LookupError: there is none in this language.
    """
    if language not in LANGUAGES:
        message = f"there are no texts in {language}"
        raise LookupError(message)
    file = resources.files("wch.application") / "locale" / language / "LC_MESSAGES" / "wch.po"
    with file.open("rb") as stream:
        read = read_po(stream, locale=language)
    entries = {}
    for one in read:
        if not one.id:
            continue
        plural = isinstance(one.id, list | tuple)
        forms = (one.string,) if isinstance(one.string, str) else tuple(one.string or ())
        entries[str(one.id[0] if plural else one.id)] = Entry(forms=forms, is_plural=plural)
    return Catalogue(
        language=language,
        entries=entries,
        plural=gettext.c2py(read.plural_expr),
        plurals=read.num_plurals,
    )


class Texts:
    """One language's words, amounts and dates."""

    def __init__(self, language: str, *, replaced: Mapping[str, str] | None = None) -> None:
        """Speak this language, or English when there is no catalogue of it.

        Args:
            language: one of `LANGUAGES`.
            replaced: texts of the shop's own, by `<id>.<language>`, which count before ours.
        """
        self.language = language if language in LANGUAGES else LANGUAGES[0]
        self._replaced = replaced or {}
        self._locale = Locale.parse(self.language)

    def say(self, id: str, /, **values: object) -> str:  # noqa: A002 - it is what the catalogues call it
        """The text of this id with its values; `count` picks the plural form.

        Values that the text does not name are left aside. In a language that is written from
        right to left, foreign runs are isolated, so that they do not turn the sentence round.

        Raises:
            KeyError: there is no such text, or a value that it names is missing.
        """
        entry = catalogue(self.language).entries[id]
        text = self._replaced.get(f"{id}.{self.language}") or self._form(entry, values)
        return _PLACEHOLDER.sub(lambda found: self._isolated(str(values[found[1]])), text)

    def knows(self, id: str) -> bool:  # noqa: A002 - it is what the catalogues call it
        """Whether there is a text of this id."""
        return id in catalogue(self.language).entries

    def money(self, money: Money) -> str:
        """An amount as people of this language write it: Latin digits, all places of its currency."""
        digits = places(money.currency)
        pattern = parse_pattern(self._locale.currency_formats["standard"].pattern)
        pattern.frac_prec = (digits, digits)
        written = pattern.apply(
            money.amount,
            self._locale,
            currency=money.currency,
            currency_digits=False,
            decimal_quantization=False,
            numbering_system="latn",
        )
        return _CODE_BEFORE_DIGITS.sub(" ", _SPACES.sub(" ", written))

    def date(self, moment: datetime, timezone: str | tzinfo | None = None) -> str:
        """A day as people of this language write it, in the shop's time zone."""
        return _SPACES.sub(" ", format_date(moment.astimezone(_zone(timezone)), "medium", locale=self._locale))

    def moment(self, moment: datetime, timezone: str | tzinfo | None = None) -> str:
        """A weekday and time as people of this language write it, in the shop's time zone."""
        written = format_datetime(moment.astimezone(_zone(timezone)), "EEEE, HH:mm", locale=self._locale)
        return _SPACES.sub(" ", written)

    def country(self, code: str) -> str:
        """A country's name; its code when it has none."""
        return str(self._locale.territories.get(code, code))

    def _form(self, entry: Entry, values: Mapping[str, object]) -> str:
        if not entry.is_plural:
            return entry.forms[0]
        count = values["count"]
        if not isinstance(count, int):
            message = "a count is a whole number"
            raise TypeError(message)
        return entry.forms[catalogue(self.language).plural(count)]

    def _isolated(self, value: str) -> str:
        if self.language not in _RIGHT_TO_LEFT or not _is_foreign(value):
            return value
        return f"{_ISOLATE}{value}{_ISOLATE_END}"


def spoken(language: str) -> str:
    """The language that we have texts in for this one: itself, another form of it (`pt_PT`: `pt_BR`), else English."""
    if language in LANGUAGES:
        return language
    base = language.replace("-", "_").partition("_")[0]
    return next((one for one in LANGUAGES if one.partition("_")[0] == base), LANGUAGES[0])


def _is_foreign(value: str) -> bool:
    """Whether a run would turn an Arabic sentence round: Latin letters, or digits joined by signs."""
    kinds = {unicodedata.bidirectional(sign) for sign in value}
    return "L" in kinds or ("EN" in kinds and not value.isdecimal())


def _zone(timezone: str | tzinfo | None) -> tzinfo:
    if isinstance(timezone, tzinfo):
        return timezone
    return ZoneInfo(timezone or "UTC")


def placeholders(text: str) -> frozenset[str]:
    """The names in braces in a text."""
    return frozenset(_PLACEHOLDER.findall(text))


def check_replacement(id: str, text: str) -> None:  # noqa: A002 - it is what the catalogues call it
    """Refuse a text of the shop's own that could not be said.

    Raises:
        KeyError: there is no text of this id.
        UnknownPlaceholderError: it names what is not known where it is said.
    """
    known = catalogue(LANGUAGES[0]).entries[id].placeholders
    unknown = tuple(sorted(set(re.findall(r"\{([^{}]*)\}", text)) - known))
    if unknown:
        raise UnknownPlaceholderError(names=unknown)


def choose_language(
    *,
    chosen: str | None,
    matched: Collection[str],
    current: str | None,
    customer: str,
    default: str,
    served: Collection[str] = LANGUAGES,
) -> str:
    """The language to answer in.

    Args:
        chosen: what the customer chose, which always counts.
        matched: the languages whose words the message is made of. One alone counts; of
            several, none does while the present one is among them.
        current: the language of the conversation so far.
        customer: the customer's key, whose country speaks before any word matched.
        default: the hub's own language.
        served: those that the shop speaks; no other is answered in.
    """
    known = current if current in served else None
    area = language_of_number(customer)
    home = area if area is not None and area in served else (default if default in LANGUAGES else LANGUAGES[0])
    if chosen in served and chosen is not None:
        return chosen
    matched = [language for language in matched if language in served]
    if not matched or known in matched:
        return known or home
    if len(matched) == 1:
        return next(iter(matched))
    if known is not None:
        return known
    return home if home in matched else next(language for language in LANGUAGES if language in matched)


def language_of_number(customer: str) -> str | None:
    """The language of the country that a number is from; None for no number, or a country of another language."""
    country = country_of_number(customer)
    return _SPOKEN.get(country) if country is not None else None


def country_of_number(customer: str) -> str | None:
    """The country that a number is from, two letters; None when it cannot be told."""
    if not is_number(customer):
        return None
    try:
        number = phonenumbers.parse(f"+{customer}")
    except phonenumbers.NumberParseException:
        return None
    region = phonenumbers.region_code_for_number(number)
    if region is None:
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(number.country_code or 0, ())
        region = regions[0] if regions else None
    return region if region is not None and len(region) == 2 and region.isalpha() else None  # noqa: PLR2004 - a code


def fit(text: str, limit: int) -> str:
    """The text in at most so many code points, cut between whole characters as people see them, with an ellipsis."""
    words = unicodedata.normalize("NFC", " ".join(text.split()))
    return words if len(words) <= limit else cut(words, limit)


def cut(text: str, limit: int) -> str:
    """As `fit`, but line breaks stay."""
    composed = unicodedata.normalize("NFC", text)
    if len(composed) <= limit:
        return composed
    kept = ""
    for cluster in graphemes(composed):
        if len(kept) + len(cluster) > limit - len(ELLIPSIS):
            break
        kept += cluster
    return kept.rstrip() + ELLIPSIS


def graphemes(text: str) -> list[str]:
    """The characters as people see them: a letter with its marks, an emoji with its parts, a flag."""
    clusters: list[str] = []
    for sign in text:
        if clusters and _continues(clusters[-1], sign):
            clusters[-1] += sign
        else:
            clusters.append(sign)
    return clusters


def _continues(cluster: str, sign: str) -> bool:
    last = cluster[-1]
    if unicodedata.category(sign) in {"Mn", "Mc", "Me"} or "\U0001f3fb" <= sign <= "\U0001f3ff" or sign == _JOINER:
        return True
    if "\U000e0020" <= sign <= "\U000e007f":
        return True
    if last == _JOINER:
        return True
    # A virama ties the next consonant to this one.
    if unicodedata.combining(last) == _VIRAMA and unicodedata.category(sign) == "Lo":
        return True
    return _is_flag_half(sign) and len(cluster) == 1 and _is_flag_half(cluster)


_VIRAMA = 9
"""The combining class of the signs that join two consonants of an Indic script."""


def _is_flag_half(sign: str) -> bool:
    return "\U0001f1e6" <= sign <= "\U0001f1ff"
