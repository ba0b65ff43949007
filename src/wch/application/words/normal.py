"""A text in the form that patterns are written for, with the way back to what was typed."""

import unicodedata
from collections.abc import Mapping

import attrs

LONGEST = 4096
"""Code points of a text that are looked at."""

_KEPT_TOGETHER = frozenset("'\u2019\u02bc`\u00b4")
"""Apostrophes: dropped, so that "what's" and "whats" are one word."""

_DROPPED = frozenset(
    "\u200b\u200c\u200d\u200e\u200f\u061c\u2060\ufeff\u00ad\u0640"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
)
"""Zero-width and direction marks, soft hyphens, the Arabic stretcher."""

_LETTERS: Mapping[str, str] = {
    "\u0623": "\u0627",  # alif with hamza above
    "\u0625": "\u0627",  # alif with hamza below
    "\u0622": "\u0627",  # alif with madda
    "\u0671": "\u0627",  # alif wasla
    "\u0649": "\u064a",  # alif maqsura: ya
    "\u0629": "\u0647",  # ta marbuta: ha
    "\u06cc": "\u064a",  # Persian ya
    "\u06a9": "\u0643",  # Persian kaf
}

_BLANK_CATEGORIES = frozenset("PSZC")


@attrs.frozen
class Normal:
    """A normalised text and where each of its characters came from.

    Attributes:
        text: words with one blank after each of them, so that every word ends alike.
        typed: what was typed, cut and in NFKC.
        places: for each character of `text`, the place in `typed` that it came from.
    """

    text: str
    typed: str
    places: tuple[int, ...]

    def as_typed(self, start: int, end: int) -> str:
        """What the customer wrote for this span of the normalised text, blanks made single."""
        while end > start and self.text[end - 1] == " ":
            end -= 1
        if end <= start:
            return ""
        stop = self.places[end - 1] + 1
        while stop < len(self.typed) and _mapped(self.typed[stop]) == "":
            stop += 1
        return " ".join(self.typed[self.places[start] : stop].split())

    def word_as_typed(self, start: int) -> str:
        """What the customer wrote from here to the next blank, without punctuation at its end."""
        return self.typed[self.places[start] :].split(maxsplit=1)[0].rstrip(".,;:!?\u060c\u061f\u0964\"')")


def normal(text: str) -> Normal:
    """The form that patterns match, in linear time, with the way back."""
    typed = unicodedata.normalize("NFKC", text[:LONGEST])[:LONGEST]
    out: list[str] = []
    places: list[int] = []
    for place, char in enumerate(typed):
        mapped = _mapped(char)
        if char == "#" and place + 1 < len(typed) and typed[place + 1].isdecimal():
            if out and out[-1] != " ":
                out.append(" ")
                places.append(place)
            mapped = "#"
        for piece in mapped:
            if piece == " " and (not out or out[-1] == " "):
                continue
            out.append(piece)
            places.append(place)
    if out and out[-1] != " ":
        out.append(" ")
        places.append(len(typed))
    return Normal("".join(out), typed, tuple(places))


def normalised(text: str) -> str:
    """The words of a text as patterns see them: folded, bare of marks, one blank between them."""
    return normal(text).text.strip()


def _mapped(char: str) -> str:
    """What one character becomes: nothing, a blank, or its folded letters."""
    if char in _DROPPED or char in _KEPT_TOGETHER or _is_mark(char):
        return ""
    if char.isascii():
        return char.lower() if char.isalnum() else " "
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    if unicodedata.category(char)[0] in _BLANK_CATEGORIES:
        return " "
    if char in _LETTERS:
        return _LETTERS[char]
    folded = char.casefold()
    return "".join(piece for piece in unicodedata.normalize("NFD", folded) if not _is_mark(piece))


def _is_mark(char: str) -> bool:
    """A Latin accent, an Arabic vowel sign or a variation selector; Devanagari signs are letters here."""
    return (
        "\u0300" <= char <= "\u036f"
        or "\u064b" <= char <= "\u065f"
        or char == "\u0670"
        or "\ufe00" <= char <= "\ufe0f"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )
