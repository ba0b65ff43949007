"""Chance, from the system."""

import secrets
import time

_MILLISECONDS = 1000


class SystemIds:
    """Random words and numbers that nobody can guess."""

    def token(self) -> str:
        """32 hex digits."""
        return secrets.token_hex(16)

    def number(self) -> int:
        """A number below 2**53 whose upper part is the time in milliseconds, so that later ones are larger."""
        milliseconds = int(time.time() * _MILLISECONDS)  # noqa: TID251 - this is where chance and time meet
        return (milliseconds << 11 | secrets.randbelow(1 << 11)) & (2**53 - 1)
