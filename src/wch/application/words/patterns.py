"""Phrases compiled: whole words, in linear time."""

import re
from collections.abc import Iterable, Mapping
from functools import cache

import attrs

from wch.application.words.arabic import ARABIC
from wch.application.words.english import ENGLISH
from wch.application.words.hindi import HINDI
from wch.application.words.intent import Intent
from wch.application.words.normal import normalised
from wch.application.words.portuguese import PORTUGUESE
from wch.application.words.spanish import SPANISH
from wch.application.words.vocabulary import Vocabulary

VOCABULARIES = (ENGLISH, SPANISH, PORTUGUESE, ARABIC, HINDI)

_START = r"(?<!\S)"
_GAP = "..."
_QUANTITY = "#"
_LINE = "@"
_CAPTURES: Mapping[str, str] = {
    "{words}": r"(?P<words>\S.*? )",
    "{code}": r"(?P<code>\S+ (?:\S+ )?(?:\S+ )?)",
    "{order}": r"(?:#\d{1,18}|\d{3,18}) ",
}


@attrs.frozen(kw_only=True)
class Patterns:
    """One language's vocabulary, ready to match text whose every word ends with a blank."""

    language: str
    polite: re.Pattern[str]
    closing: re.Pattern[str]
    opening: re.Pattern[str]
    fillers: re.Pattern[str]
    generic: frozenset[str]
    collective: frozenset[str]
    order_number: re.Pattern[str]
    after_opt_out: re.Pattern[str] | None
    answering_campaign: re.Pattern[str] | None
    whole: Mapping[Intent, re.Pattern[str]]
    plain: Mapping[Intent, re.Pattern[str]]
    capturing: Mapping[Intent, tuple[re.Pattern[str], ...]]
    languages: Mapping[str, re.Pattern[str]]
    choose: re.Pattern[str]


@cache
def patterns() -> tuple[Patterns, ...]:
    """The patterns of all languages, compiled when the first text comes."""
    return tuple(_compiled(vocabulary) for vocabulary in VOCABULARIES)


@cache
def number_words() -> Mapping[str, int]:
    """The words for one to ten in all languages."""
    return {normalised(word): value for vocabulary in VOCABULARIES for word, value in vocabulary.numbers.items()}


@cache
def _number() -> str:
    words = sorted(number_words(), key=len, reverse=True)
    return "|".join(re.escape(word) for word in words)


def _compiled(vocabulary: Vocabulary) -> Patterns:
    polite = _alternatives(vocabulary.polite)
    openings = _alternatives(vocabulary.openings)
    fillers = _alternatives(vocabulary.fillers)
    orders = _alternatives(vocabulary.order_words)
    simple = {intent: [one for one in phrases if not _captures(one)] for intent, phrases in vocabulary.phrases.items()}
    return Patterns(
        language=vocabulary.language,
        polite=re.compile(rf"^(?:{polite})+"),
        closing=re.compile(rf"{_START}(?:{polite})$"),
        opening=re.compile(rf"^(?:{openings})+"),
        fillers=re.compile(rf"^(?:{fillers})+"),
        generic=frozenset(normalised(word) for word in vocabulary.generic),
        collective=frozenset(normalised(word) for word in vocabulary.collective),
        order_number=re.compile(rf"{_START}(?:{orders})(?:\S+ ){{0,2}}?#?(?P<order>\d{{3,18}}) "),
        after_opt_out=_any(vocabulary.after_opt_out),
        answering_campaign=_any(vocabulary.answering_campaign),
        whole={
            intent: found
            for intent, phrases in simple.items()
            if (found := _any(one for one in phrases if _GAP not in one)) is not None
        },
        plain={intent: found for intent, phrases in simple.items() if (found := _any(phrases)) is not None},
        capturing={
            intent: tuple(re.compile(_pattern(one)) for one in phrases if _captures(one))
            for intent, phrases in vocabulary.phrases.items()
        },
        languages={
            language: re.compile("|".join(_pattern(one) for one in phrases))
            for language, phrases in vocabulary.languages.items()
        },
        choose=re.compile("|".join(_pattern(one) for one in vocabulary.choose)),
    )


def _captures(phrase: str) -> bool:
    return any(mark in phrase for mark in ("#", "@", "{"))


def _any(phrases: Iterable[str]) -> re.Pattern[str] | None:
    written = [_pattern(one) for one in phrases]
    return re.compile("|".join(written)) if written else None


def _pattern(phrase: str) -> str:
    """The regular expression of one phrase; each word in it carries the blank that ends it."""
    tokens = phrase.split()
    before = tokens[0] == _GAP
    after = tokens[-1] == _GAP
    tokens = tokens[1 if before else 0 : -1 if after else None]
    if "{words}" in tokens and (before or after or tokens.count("{words}") > 1):
        message = f"product words need a phrase with both ends, once: {phrase}"
        raise ValueError(message)
    start = _START if before else "^"
    if before and tokens[0].startswith("!"):
        start += "".join(rf"(?<!\b{re.escape(normalised(word))} )" for word in tokens[0][1:].split("|"))
        tokens = tokens[1:]
    seen: set[str] = set()
    body = "".join(_token(token, seen) for token in tokens)
    return start + body + ("" if after else "$")


def _token(token: str, seen: set[str]) -> str:
    if token.startswith("[") and token.endswith("]"):
        return f"(?:{_token(token[1:-1], seen)})?"
    if token == _QUANTITY:
        name = "quantity" if "quantity" not in seen else "other"
        seen.add(name)
        return rf"(?:x?(?P<{name}>\d{{1,4}}|{_number()})x? )"
    if token == _LINE:
        return rf"(?:no |number |#)?(?P<line>\d{{1,2}}|{_number()}) "
    return _CAPTURES.get(token) or f"(?:{_alternatives(token.split('|'))})"


def _alternatives(words: Iterable[str]) -> str:
    """Words as alternatives, each with the blank that ends it."""
    written = dict.fromkeys(normalised(word.replace("_", " ")) for word in words)
    return "|".join(re.escape(word) + " " for word in sorted(written, key=len, reverse=True))
