"""WhatsApp's signature: HMAC-SHA256 with the app secret over the bytes as they came."""

import hmac
from collections.abc import Iterable, Sequence

import attrs

HEADER = "X-Hub-Signature-256"

_FORM = b"sha256=%b"


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
    _keyed: tuple[hmac.HMAC, ...] = attrs.field(init=False, repr=False, eq=False)

    @_keyed.default
    def _keyed_once(self) -> tuple[hmac.HMAC, ...]:
        return tuple(hmac.new(secret.encode(), digestmod="sha256") for secret in self.secrets)

    def holds(self, body: bytes, header_values: Sequence[bytes]) -> bool:
        """Whether exactly one signature came, and one of the secrets made it, to the letter.

        Compared as bytes in constant time, all secrets tried whichever fits; no header raises.
        """
        if len(header_values) != 1:
            return False
        fits = False
        for keyed in self._keyed:
            code = keyed.copy()
            code.update(body)
            fits |= hmac.compare_digest(_FORM % code.hexdigest().encode(), header_values[0])
        return fits
