"""WhatsApp's signature: HMAC-SHA256 with the app secret over the bytes as they came."""

import hmac
import re
from collections.abc import Iterable, Sequence

import attrs

HEADER = "X-Hub-Signature-256"

_FORM = re.compile(rb"sha256=[0-9a-f]{64}\Z")


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

    def holds(self, body: bytes, header_values: Sequence[bytes]) -> bool:
        """Whether exactly one signature came, well formed, and one of the secrets made it.

        Compared as bytes in constant time, all secrets tried whichever fits; no header raises.
        """
        if len(header_values) != 1 or _FORM.match(header_values[0]) is None:
            return False
        fits = False
        for secret in self.secrets:
            fits |= hmac.compare_digest(sign(body, secret).encode(), header_values[0])
        return fits
