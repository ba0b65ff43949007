"""Phone numbers as keys: the digits that WhatsApp gave, and what may be concluded from them."""

import base64
import hashlib
import re

_NUMBER = re.compile(r"[0-9]{1,19}\Z")
_SURROGATE = re.compile(r"u[a-z2-7]{19}\Z")
_NOT_A_DIGIT = re.compile(r"[^0-9]")

# Brazil: 55, area of two digits, then eight digits that begin with 6..9, with or without a 9 before them.
_BRAZIL = re.compile(r"(55[1-9][0-9])9?([6-9][0-9]{7})\Z")
_MEXICO = re.compile(r"52(?:1)?([2-9][0-9]{9})\Z")
_ARGENTINA = re.compile(r"54(?:9)?([1-8][0-9]{9})\Z")

_SHOWN_AT_THE_END = 4


def is_number(key: str) -> bool:
    """Whether this key is a phone number: digits and nothing else."""
    return _NUMBER.match(key) is not None


def is_surrogate(key: str) -> bool:
    """Whether this key stands for a customer whose number WhatsApp does not tell."""
    return _SURROGATE.match(key) is not None


def is_key(text: str) -> bool:
    """Whether this may stand in a `customer_phone` column."""
    return is_number(text) or is_surrogate(text)


def key_of(text: str) -> str:
    """The key in what a person or WhatsApp wrote: its digits, as they are, never made "valid".

    Raises:
        ValueError: there is no number in it, or more digits than a number has.
    """
    if is_surrogate(text):
        return text
    digits = _NOT_A_DIGIT.sub("", text)
    if not is_number(digits):
        message = "a phone number is 1 to 19 digits"
        raise ValueError(message)
    return digits


def surrogate(bsuid: str) -> str:
    """The key of a customer who has no number, made of the id that the business knows him by."""
    hashed = base64.b32encode(hashlib.sha256(bsuid.encode()).digest()).decode().lower()
    return f"u{hashed[:19]}"


def variants(key: str) -> tuple[str, ...]:
    """The key, then the other ways in which the same number is written in Brazil, Mexico and Argentina.

    For finding shop customers, orders and opt-outs only: never for sending, never to merge.
    """
    written: tuple[str, ...] = ()
    if found := _BRAZIL.match(key):
        area, number = found.groups()
        written = (f"{area}9{number}", f"{area}{number}")
    elif found := _MEXICO.match(key):
        written = (f"52{found[1]}", f"521{found[1]}")
    elif found := _ARGENTINA.match(key):
        written = (f"54{found[1]}", f"549{found[1]}")
    return (key, *(other for other in written if other != key))


def masked(key: str) -> str:
    """The key as a screen may show it: its last four characters, if that leaves most of it out."""
    shown = key[-_SHOWN_AT_THE_END:] if len(key) >= 2 * _SHOWN_AT_THE_END else ""
    return f"***{shown}"
