"""Digests: names that lead nowhere without the secret key."""

import hmac
from functools import lru_cache

import attrs

from wch.domain.errors import SettingsError


@attrs.frozen(kw_only=True)
class Digests:
    """HMACs of keys and numbers; a plain hash of a phone number is undone in minutes.

    Attributes:
        keys: the secret keys; the first makes, all are tried when looking up.
    """

    keys: tuple[str, ...] = attrs.field(repr=False)

    def of(self, text: str) -> str:
        """64 hex digits under the first key.

        Raises:
            SettingsError: there is no key, so nothing can be hidden.
        """
        return _under(self._made_with()[0], text)

    def all(self, text: str) -> tuple[str, ...]:
        """The digest under each key, the first in front.

        Raises:
            SettingsError: there is no key, so nothing can be hidden.
        """
        return tuple([_under(key, text) for key in self._made_with()])

    def short(self, text: str) -> str:
        """12 hex digits, for a log."""
        return self.of(text)[:12]

    def _made_with(self) -> tuple[str, ...]:
        if not self.keys:
            raise SettingsError(
                "WCH_SECRET_KEY is not set: without it nothing can be hidden; set it to a long random word."
            )
        return self.keys


@lru_cache(maxsize=256)  # one transaction asks several times for the digests of the few whom it is about
def _under(key: str, text: str) -> str:
    return hmac.digest(key.encode(), text.encode("utf-8", "surrogatepass"), "sha256").hex()
