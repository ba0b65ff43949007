"""JSON from strangers: what is refused, what is repaired, and how long it takes."""

import json
import time
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.adapters.whatsapp import strict_json
from wch.adapters.whatsapp.strict_json import StrictJsonError

TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.text(max_size=20)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b" ", "not_json"),
        (b"{", "not_json"),
        (b"{}x", "not_json"),
        (b"{} {}", "not_json"),
        (b'{"a":1,}', "not_json"),
        (b"{'a':1}", "not_json"),
        (b'{"a":01}', "not_json"),
        (b'"\x00"', "not_json"),
        (b'"\n"', "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        ("{}".encode("utf-16"), "not_utf8"),
        ("{}".encode("utf-16-le"), "not_json"),
        (b'"\xff"', "not_utf8"),
        (b'"\xed\xa0\x80"', "not_utf8"),
        (b"NaN", "not_a_number"),
        (b"[Infinity]", "not_a_number"),
        (b"[-Infinity]", "not_a_number"),
        (b'{"a":1,"a":2}', "repeated_key"),
        (b'{"a":1,"\\u0061":2}', "repeated_key"),
        (str(2**63).encode(), "integer_too_long"),
        (str(-(2**63) - 1).encode(), "integer_too_long"),
        (b"1" * 5_000, "integer_too_long"),
        (b"1e999", "number_too_long"),
        (b"1e-999", "number_too_long"),
        (b"1e99999999999999999999999", "number_too_long"),
        (b"0." + b"1" * 40, "number_too_long"),
        (b"0." + b"1" * 5_000, "number_too_long"),
        (b"[" * 65 + b"]" * 65, "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b'"' + b"a" * 65_537 + b'"', "string_too_long"),
        (b'{"' + b"a" * 65_537 + b'":1}', "string_too_long"),
        (b'["' + "é".encode() * 32_769 + b'"]', "string_too_long"),
    ],
)
def test_it_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    """One error for whatever Python's own reader takes, or fails on in its own ways."""
    with pytest.raises(StrictJsonError) as refused:
        strict_json.read(body)

    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"[" * 64 + b"]" * 64, None),
        (b'"' + b"[" * 1_000 + b'"', "[" * 1_000),
        (b'{"a":"\\"[[[["}', {"a": '"[[[['}),
        (b'["' + b"a" * 65_536 + b'"]', ["a" * 65_536]),
        (str(2**63 - 1).encode(), 2**63 - 1),
        (str(-(2**63)).encode(), -(2**63)),
        (b"0." + b"1" * 39, Decimal("0." + "1" * 39)),
        (b"1e30", Decimal("1e30")),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"\t\r\n {} ", {}),
        (b"null", None),
    ],
)
def test_the_last_that_is_allowed_is_read(body: bytes, value: Any) -> None:
    """A limit is a limit on both sides."""
    read = strict_json.read(body).value

    assert value is None or read == value


def test_half_characters_and_nul_are_repaired_not_refused() -> None:
    """Phones send them; MySQL and drivers fail on them."""
    document = strict_json.read(b'{"a\\u0000":["\\ud83d x", "\\udc00\\ud800", "\\ud83d\\ude00", 1]}')

    assert document.is_suspect
    assert strict_json.repaired(document.value) == ({"a\ufffd": ["\ufffd x", "\ufffd\ufffd", "😀", 1]}, True)


def test_nothing_is_repaired_without_need() -> None:
    """A whole emoji is no half one."""
    document = strict_json.read(b'{"a":"\\ud83d\\ude00"}')

    assert strict_json.repaired(document.value) == ({"a": "😀"}, False)
    assert not strict_json.read(b'{"a":"b"}').is_suspect


@given(TREES)
def test_what_json_writes_is_read_the_same(tree: Any) -> None:
    """The strictness costs no value that is within the limits."""
    written = json.dumps(tree, default=float).encode()

    assert json.dumps(strict_json.storable(strict_json.read(written).value)) == json.dumps(json.loads(written))


@given(st.binary(max_size=200) | st.text(alphabet='[]{}",:\\u0d8e1-.eNaItruflsn ', max_size=200).map(str.encode))
def test_any_bytes_give_a_document_or_the_one_error(body: bytes) -> None:
    """`RecursionError`, `UnicodeDecodeError` and `InvalidOperation` never get out."""
    try:
        strict_json.read(body)
    except StrictJsonError as refused:
        assert refused.reason  # noqa: PT017 - either end is right, only a third is wrong


@pytest.mark.parametrize(
    "body",
    [
        b'"' + b'\\"' * 2_000_000,
        b'["' + b'\\"[' * 1_300_000 + b'"]',
        b'["' + b'\\"[' * 1_300_000,
        b"[" + b"[]," * 1_300_000 + b"[]]",
        b"{" + b",".join(b'"%d":{}' % place for place in range(300_000)) + b"}",
        b'"' * 4_000_000,
        b"[" * 4_000_000,
    ],
    ids=[
        "quotes",
        "quoted-brackets",
        "quoted-brackets-without-end",
        "many-lists",
        "many-keys",
        "only-quotes",
        "only-brackets",
    ],
)
def test_four_mebibytes_are_decided_at_once(body: bytes) -> None:
    """Quadratic readers stop a server with one body; this is far above what it takes and far below that."""
    started = time.process_time()

    with suppress(StrictJsonError):
        strict_json.read(body)

    assert time.process_time() - started < 60


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("1.50", 1.5),
        ("0.1", 0.1),
        ("-84.265742", -84.265742),
        ("0.10000000000000000001", "0.10000000000000000001"),
        ("1e22", 1e22),
        ("123456789012345678901234567890.5", "123456789012345678901234567890.5"),
    ],
)
def test_a_stored_decimal_is_never_rounded(text: str, stored: float | str) -> None:
    """A number where a double holds it exactly, else its text."""
    assert strict_json.storable({"a": [Decimal(text)]}) == {"a": [stored]}


@given(
    tree=TREES | st.lists(st.dictionaries(st.sampled_from(["a", ":", '"', 'a":', "\\", "b"]), st.text(max_size=3))),
    is_ascii=st.booleans(),
    blank=st.sampled_from(["", " ", "\n\t"]),
    cut=st.none()
    | st.tuples(st.floats(0, 1), st.sampled_from([b"", b'"', b":", b'"a":1,', b"1", b".5", b"\\ud83d", b"\xff"])),
)
def test_the_fast_reader_never_says_otherwise_than_the_strict_one(
    tree: Any, *, is_ascii: bool, blank: str, cut: tuple[float, bytes] | None
) -> None:
    """Values, repairs and refusals are those of the reader that looks at every key and number itself."""
    text = json.dumps(tree, ensure_ascii=is_ascii, separators=("," + blank, blank + ":"), default=float)
    body = text.encode("utf-8", "surrogatepass")
    if cut is not None:
        place = int(cut[0] * len(body))
        body = body[:place] + cut[1] + body[place:]

    assert outcome(strict_json.read, body) == outcome(strict_json._read_strictly, body)  # noqa: SLF001 - the two are compared


def outcome(read: Any, body: bytes) -> Any:
    """The value with its types, or the word for the refusal."""
    try:
        document = read(body)
    except StrictJsonError as error:
        return error.reason
    return repr(document.value), document.is_suspect


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b"[1.5]", b"[9223372036854775808]"])
def test_the_fast_reader_leaves_alone_what_it_would_change(body: bytes) -> None:
    """It keeps the last of two keys, and makes floats of decimals."""
    assert strict_json._read_plain(strict_json.glance(body), body) is None  # noqa: SLF001 - which of the two reads is meant
