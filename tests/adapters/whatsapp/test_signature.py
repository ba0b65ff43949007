"""The signature over the bytes as they came."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.adapters.whatsapp.signature import SignatureCheck, sign

BODY = b'{"text":"caf\\u00e9 \\/"}'
GOOD = sign(BODY, "secret").encode()


def test_a_published_delivery_holds(corpus: Path) -> None:
    """Made by Meta, not by us: secret, header and body were published together."""
    vector = json.loads((corpus / "signatures" / "meta-pywa.json").read_bytes())
    header = vector["headers"]["X-Hub-Signature-256"].encode()

    check = SignatureCheck([vector["secret"]])

    assert check.holds(vector["body_utf8"].encode(), [header])
    assert not check.holds(json.dumps(json.loads(vector["body_utf8"])).encode(), [header])


def test_either_secret_holds_while_one_replaces_the_other() -> None:
    """During a rotation deliveries signed with both arrive."""
    check = SignatureCheck(["new", "old"])

    assert check.holds(BODY, [sign(BODY, "new").encode()])
    assert check.holds(BODY, [sign(BODY, "old").encode()])
    assert not check.holds(BODY, [sign(BODY, "other").encode()])


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [GOOD, GOOD],
        [b""],
        [b"sha1=" + GOOD[7:]],
        [GOOD[:-1]],
        [GOOD + b"0"],
        [GOOD.upper()],
        [b"sha256=" + GOOD[7:].upper()],
        [GOOD + b"\n"],
        [b" " + GOOD],
        [b"\xe9" + GOOD[1:]],
        [b"sha256=" + b"\xe9" * 64],
        [b"sha256=" + "٣".encode() * 32],
    ],
)
def test_another_form_is_a_bad_signature_never_an_error(headers: list[bytes]) -> None:
    """A non-ASCII header compared as text raises in a well-known library: a 500 at will."""
    assert not SignatureCheck(["secret"]).holds(BODY, headers)


@given(secret=st.text(min_size=1, max_size=150), body=st.binary(max_size=300))
def test_it_is_hmac_of_any_secret_and_body(secret: str, body: bytes) -> None:
    """Shorter than a block of the hash or longer, as the library makes it."""
    check = SignatureCheck([secret])

    assert check.holds(body, [sign(body, secret).encode()])
    assert check.holds(body, [sign(body, secret).encode()])
    assert not check.holds(body + b"0", [sign(body, secret).encode()])


def test_parsed_and_written_anew_does_not_hold() -> None:
    """The escapes of the sender are part of what was signed."""
    assert not SignatureCheck(["secret"]).holds(json.dumps(json.loads(BODY)).encode(), [GOOD])


@pytest.mark.parametrize("secrets", [[], [""], ["secret", ""]])
def test_there_is_no_check_without_a_secret(secrets: list[str]) -> None:
    """With an empty secret anybody could sign."""
    with pytest.raises(ValueError, match="secret"):
        SignatureCheck(secrets)


def test_a_secret_is_not_shown() -> None:
    """A repr ends in a log sooner or later."""
    assert "hush" not in repr(SignatureCheck(["hush"]))
