"""One text, one intent: the first of a fixed order."""

import re
from collections.abc import Iterator

import attrs

from wch.application.words.intent import ABOVE_PROMPT, BELOW_PROMPT, CONSENT, ESCAPES, Intent, Understood
from wch.application.words.normal import Normal, normal
from wch.application.words.patterns import Patterns, number_words, patterns

MOST = 999
"""The largest quantity that is understood."""

SEARCH_WORDS = 6
"""A text of more words than this is not looked for as a product."""

_DIGITS = 9
_THUMBS_UP = "\U0001f44d"
_QUESTION_MARKS = frozenset("?\u061f\u00bf")
_NAMED_BY_SIGN = re.compile(r"(?<!\S)#(?P<order>\d{1,18}) ")
_SIGN_ALONE = re.compile(r"^#\d{1,18} $")


def understand(
    text: str,
    *,
    prompt: str | None = None,
    after_opt_out: bool = False,
    answering_campaign: bool = False,
) -> Understood:
    """Say what a text means, without looking anything up and in linear time.

    Args:
        text: as the customer wrote it.
        prompt: the kind of the open question, if there is one: most texts answer it.
        after_opt_out: whether the customer is opted out, so that "start" opts in.
        answering_campaign: whether this answers a campaign or reminder, so that "quit" opts out.
    """
    message = normal(text)
    sign = _by_sign(message.typed)
    forms = tuple(_forms(message))
    if (consent := _consent(message, after_opt_out, answering_campaign and prompt is None)) is not None:
        return consent
    if sign is Intent.HELP:
        return Understood(intent=Intent.HELP)
    if (found := _first(message, forms, ABOVE_PROMPT)) is not None:
        return found
    if prompt is not None and (escape := _escape(message, forms)) is not None:
        return escape
    beneath = Understood(intent=sign) if sign is not None else _first(message, forms, BELOW_PROMPT)
    beneath = beneath or _greeting_word(message) or _nothing(message)
    if prompt is None:
        return beneath
    return Understood(
        intent=Intent.ANSWER,
        languages=beneath.languages,
        quantity=beneath.quantity,
        words=beneath.words,
        otherwise=beneath.intent,
    )


def understand_number(text: str) -> int | None:
    """The number that is the whole message, in digits or as a word of one to ten; None for anything else."""
    words = normal(text).text.strip().removeprefix("#")
    return _value(words.removeprefix("x").removesuffix("x")) if " " not in words else None


def _by_sign(typed: str) -> Intent | None:
    """What a message without any letter means: a thumbs-up is yes, question marks ask for help."""
    bare = [
        char for char in typed if not char.isspace() and not "\U0001f3fb" <= char <= "\U0001f3ff" and char != "\ufe0f"
    ]
    if bare and all(char == _THUMBS_UP for char in bare):
        return Intent.YES
    if bare and all(char in _QUESTION_MARKS for char in bare):
        return Intent.HELP
    return None


Form = tuple[int, int]
"""A span of the normalised text that is tried as the whole message."""


def _forms(message: Normal) -> Iterator[Form]:
    """The text itself, then without polite words, then without a greeting before more words."""
    whole = (0, len(message.text))
    seen = {whole}
    yield whole
    for one in patterns():
        bare = _without_politeness(message.text, whole, one)
        if bare not in seen:
            seen.add(bare)
            yield bare
        opening = one.opening.search(message.text[bare[0] : bare[1]])
        if opening is not None and bare[0] + opening.end() < bare[1]:
            rest = _without_politeness(message.text, (bare[0] + opening.end(), bare[1]), one)
            if rest not in seen:
                seen.add(rest)
                yield rest


def _without_politeness(text: str, form: Form, one: Patterns) -> Form:
    """The same without polite words at either end; polite words alone stay as they are."""
    start, end = form
    if (before := one.polite.search(text[start:end])) is not None:
        start += before.end()
    while start < end and (after := one.closing.search(text, start, end)) is not None:
        end = after.start()
    return (start, end) if start < end else form


def _consent(message: Normal, after_opt_out: bool, answering_campaign: bool) -> Understood | None:  # noqa: FBT001 - two facts, private
    spans = {(0, len(message.text))}
    spans |= {_without_politeness(message.text, (0, len(message.text)), one) for one in patterns()}
    texts = [message.text[start:end] for start, end in sorted(spans, key=lambda span: span[0] - span[1])]
    for intent in CONSENT:
        found = {one.language for one in patterns() for text in texts if _whole(one, intent, text)}
        if intent is Intent.CONSENT_STOP and answering_campaign:
            found |= {one.language for one in patterns() for text in texts if _matches(one.answering_campaign, text)}
        if intent is Intent.CONSENT_START and after_opt_out:
            found |= {one.language for one in patterns() for text in texts if _matches(one.after_opt_out, text)}
        if found:
            return Understood(intent=intent, languages=frozenset(found))
    return None


def _whole(one: Patterns, intent: Intent, text: str) -> bool:
    return _matches(one.whole.get(intent), text)


def _matches(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is not None and pattern.search(text) is not None


def _greeting_word(message: Normal) -> Understood | None:
    """The words that opt in after an opt-out only greet otherwise."""
    found = frozenset(one.language for one in patterns() if _matches(one.after_opt_out, message.text))
    return Understood(intent=Intent.GREETING, languages=found) if found else None


def _escape(message: Normal, forms: tuple[Form, ...]) -> Understood | None:
    """The cart and the checkout, when a fixed form of them is the whole message."""
    for intent in ESCAPES:
        for start, end in forms:
            found = frozenset(one.language for one in patterns() if _whole(one, intent, message.text[start:end]))
            if found:
                return Understood(intent=intent, languages=found)
    return None


def _first(message: Normal, forms: tuple[Form, ...], order: tuple[Intent, ...]) -> Understood | None:
    for intent in order:
        found = _language_asked(message, forms) if intent is Intent.LANG else _match(message, forms, intent)
        if found is not None:
            return found
    return None


def _match(message: Normal, forms: tuple[Form, ...], intent: Intent) -> Understood | None:
    """The intent with its entities, in every language whose words fit the same form."""
    for form in forms:
        text = message.text[form[0] : form[1]]
        plain = frozenset(one.language for one in patterns() if _matches(one.plain.get(intent), text))
        if intent is Intent.ORDER_STATUS and _SIGN_ALONE.search(text):
            return _with_order(message, Understood(intent=intent))
        if plain:
            return _with_order(message, Understood(intent=intent, languages=plain))
        captured = [found for one in patterns() if (found := _captured(message, form, one, intent)) is not None]
        if captured:
            languages = frozenset[str]().union(*(found.languages for found in captured))
            best = max(captured, key=_informed)
            return _with_order(message, attrs.evolve(best, languages=languages))
    return None


def _language_asked(message: Normal, forms: tuple[Form, ...]) -> Understood | None:
    """The language that the customer wants, or the list of them."""
    for start, end in forms:
        text = message.text[start:end]
        if any(_matches(one.choose, text) for one in patterns()):
            asked = frozenset(one.language for one in patterns() if _matches(one.choose, text))
            return Understood(intent=Intent.LANG, languages=asked)
        for one in patterns():
            for language, pattern in one.languages.items():
                if _matches(pattern, text):
                    return Understood(intent=Intent.LANG, languages=frozenset((language,)), choice=language)
    return None


def _informed(found: Understood) -> int:
    return sum(value is not None for value in (found.quantity, found.line, found.code, found.words))


def _captured(message: Normal, form: Form, one: Patterns, intent: Intent) -> Understood | None:
    start, end = form
    text = message.text[start:end]
    for pattern in one.capturing.get(intent, ()):
        match = pattern.search(text)
        if match is None:
            continue
        groups = match.groupdict()
        words = code = None
        if groups.get("words") is not None:
            first, last = start + match.start("words"), start + match.end("words")
            first += filler.end() if (filler := one.fillers.search(message.text[first:last])) else 0
            thing = message.text[first:last].strip()
            named = bool(thing) and thing not in one.generic
            if any(thing in other.collective for other in patterns()) or (not named and intent is Intent.SEARCH):
                continue
            words = message.as_typed(first, last) if named else None
        if groups.get("code") is not None:
            first, last = start + match.start("code"), start + match.end("code")
            if " " in message.as_typed(first, last):
                continue
            code = message.word_as_typed(first)
        return Understood(
            intent=intent,
            languages=frozenset((one.language,)),
            quantity=_quantity(groups.get("quantity")),
            line=_value(groups.get("line")),
            code=code,
            words=words,
        )
    return None


def _quantity(word: str | None) -> int | None:
    """A quantity within what is understood: a larger one is the largest."""
    value = _value(word)
    return None if value is None else min(value, MOST)


def _value(word: str | None) -> int | None:
    if word is None:
        return None
    word = word.strip()
    if word.isdecimal():
        return int(word) if len(word) <= _DIGITS else None
    return number_words().get(word)


def _with_order(message: Normal, found: Understood) -> Understood:
    """The same with the number of the order that is spoken of, if it is named."""
    if found.intent not in {Intent.ORDER_STATUS, Intent.CANCEL_ORDER}:
        return found
    named = _NAMED_BY_SIGN.search(message.text)
    for one in patterns():
        named = named or one.order_number.search(message.text)
    return attrs.evolve(found, order_number=named["order"]) if named else found


def _nothing(message: Normal) -> Understood:
    """No intent; a short text is left as what may be looked for."""
    count = len(message.text.split())
    words = message.as_typed(0, len(message.text)) if 1 <= count <= SEARCH_WORDS else None
    return Understood(intent=Intent.NONE, words=words)
