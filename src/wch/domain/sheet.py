"""Cells that a spreadsheet shows and does not run."""

_RUNS = ("=", "+", "-", "@", "\t", "\r", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet takes for a formula, their full-width forms included.

Source: https://owasp.org/www-community/attacks/CSV_Injection
"""


def safe(text: str) -> str:
    """The text behind a `'` where a spreadsheet would run it; an amount below zero stays one."""
    return f"'{text}" if text.startswith(_RUNS) and not _is_amount(text) else text


def _is_amount(text: str) -> bool:
    whole, _, places = text.removeprefix("-").partition(".")
    return whole.isascii() and whole.isdigit() and (not places or (places.isascii() and places.isdigit()))
