"""WhatsApp's signature: HMAC-SHA256 with the app secret over the bytes as they came."""

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import attrs

HEADER = "X-Hub-Signature-256"

_FORM = b"sha256=%b"
_BLOCK = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


def sign(body: bytes, secret: str) -> str:
    """The header's value for this body under this secret."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def _listed(secrets: Iterable[str]) -> tuple[str, ...]:
    return tuple(secrets)


def _filled(_check: object, attribute: "attrs.Attribute[tuple[str, ...]]", value: tuple[str, ...]) -> None:
    if not value or not all(value):
        message = f"{attribute.name} must hold at least one secret, and no empty one"
        raise ValueError(message)


@attrs.frozen
class SignatureCheck:
    """Tells whether a body was signed with one of the secrets; several are known while one replaces another."""

    secrets: tuple[str, ...] = attrs.field(converter=_listed, validator=_filled, repr=False)
    _keyed: tuple[tuple[Any, Any], ...] = attrs.field(init=False, repr=False, eq=False)

    @_keyed.default
    def _keyed_once(self) -> tuple[tuple[Any, Any], ...]:
        return tuple(_begun(secret.encode()) for secret in self.secrets)

    def holds(self, body: bytes, header_values: Sequence[bytes]) -> bool:
        """Whether exactly one signature came, and one of the secrets made it, to the letter.

        Compared as bytes in constant time, all secrets tried whichever fits; no header raises.
        """
        if len(header_values) != 1:
            return False
        fits = False
        for begun, ending in self._keyed:
            inner, outer = begun.copy(), ending.copy()
            inner.update(body)
            outer.update(inner.digest())
            fits |= hmac.compare_digest(_FORM % outer.hexdigest().encode(), header_values[0])
        return fits


def _begun(key: bytes) -> tuple[Any, Any]:
    """The two hashes of HMAC, as RFC 2104 has it, begun with the key: what is left is the body's."""
    block = (sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    return sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))
