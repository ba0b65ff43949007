"""The signature over a delivery's bytes, as Meta makes it with the app secret."""

import hashlib
import hmac
import re
from collections.abc import Sequence

_FORM = re.compile(rb"sha256=[0-9a-f]{64}\Z")


def sign(body: bytes, secret: str) -> str:
    """The value of `X-Hub-Signature-256` for this body."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def holds(body: bytes, headers: Sequence[bytes], secrets: Sequence[str]) -> bool:
    """Whether exactly one header came and one of the secrets made it.

    Every secret is tried, and each comparison takes the same time; a header that is not
    of the form is a bad signature, never an exception.
    """
    if len(headers) != 1 or not _FORM.match(headers[0]):
        return False
    matches = [hmac.compare_digest(sign(body, secret).encode(), headers[0]) for secret in secrets if secret]
    return any(matches)
