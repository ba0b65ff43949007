"""The shape of one language's words, and the small language in which phrases are written."""

from collections.abc import Mapping

import attrs

from wch.application.words.intent import Intent


@attrs.frozen(kw_only=True)
class Vocabulary:
    """What one language contributes.

    A phrase is the whole message unless it begins or ends with `...` (any words before,
    any words after). In it a blank separates words, `a|b` are alternatives, `a_b` is one
    alternative of two words, `[a]` may be missing. `#` is a quantity, `@` the number of a
    line, `{words}` product words, `{code}` a coupon's code, `{order}` an order's number.
    `!a|b` right after the leading `...` forbids these words just before. Product words
    stand only in phrases without `...`, and once: so matching takes linear time.

    Attributes:
        language: the code of its catalogue of texts.
        polite: words left aside at either end.
        openings: greetings left aside at the beginning, when more follows.
        numbers: the words for one to ten.
        fillers: words left aside at the beginning of product words.
        generic: product words that name nothing.
        collective: words that never are a product to remove, such as "everything".
        order_words: words that an order's number follows.
        after_opt_out: words that opt in only after an opt-out, and greet otherwise.
        answering_campaign: words that opt out only as an answer to a campaign.
        phrases: for each intent its phrases; of those with captures the first that fits counts.
        languages: for each language that can be chosen, how this language asks for it.
        choose: how this language asks for the list of languages.
    """

    language: str
    polite: tuple[str, ...]
    openings: tuple[str, ...]
    numbers: Mapping[str, int]
    fillers: tuple[str, ...]
    generic: tuple[str, ...]
    collective: tuple[str, ...]
    order_words: tuple[str, ...]
    after_opt_out: tuple[str, ...]
    answering_campaign: tuple[str, ...]
    phrases: Mapping[Intent, tuple[str, ...]]
    languages: Mapping[str, tuple[str, ...]]
    choose: tuple[str, ...]
