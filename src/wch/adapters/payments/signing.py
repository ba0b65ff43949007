"""HMAC-SHA256 in hex, as every gateway signs, compared in constant time under each secret."""

import hashlib
import hmac
from collections.abc import Iterable

HEX_DIGITS = 64


def digest(secret: str, text: bytes) -> str:
    """What this secret makes of the text."""
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def fits(secrets: Iterable[str], text: bytes, signatures: Iterable[str]) -> bool:
    """Whether one of the secrets made one of the signatures; all are tried, whichever fits."""
    given = [one for one in signatures if len(one) == HEX_DIGITS and one.isascii()]
    found = False
    for secret in secrets:
        expected = digest(secret, text)
        for one in given:
            found |= bool(secret) and hmac.compare_digest(expected, one)
    return found
