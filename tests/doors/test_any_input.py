"""Whatever comes through a door: an answer or the one typed error, and no time is lost over it. The page has the figures.

How much is tried is the profile's to say: `HYPOTHESIS_PROFILE=thorough`.
"""

import csv
import io
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.whatsapp.test_parser_fuzz import read
from wch.adapters.payments.calling import GatewayApi
from wch.adapters.payments.mercadopago import MercadoPago
from wch.adapters.payments.razorpay import Razorpay
from wch.adapters.payments.signing import digest
from wch.adapters.payments.stripe import Stripe
from wch.adapters.whatsapp.signature import SignatureCheck, sign
from wch.application.words import understand
from wch.domain.errors import UndecodableError
from wch.domain.moment import of_unix
from wch.domain.payment import BadSignatureError, PaymentEvent, WebhookCall
from wch.entrypoints import sheets
from wch.entrypoints.logs import configure_logs

T = TypeVar("T")

SLOWEST = 0.05
"""Seconds of a processor that one input may cost; those that others had it are not counted."""

STAMP = 1_767_225_600
NOW = of_unix(STAMP)
SECRET = "a-secret"

LETTERS = st.text(st.characters(exclude_categories=()), max_size=400)
"""Any text, with what is no letter in it: NUL, escapes, halves of pairs."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | LETTERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LETTERS, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.binary(max_size=400) | JSON.map(lambda value: json.dumps(value).encode("utf-8", "replace"))
HEADERS = st.lists(st.binary(max_size=90) | st.just(sign(b"", SECRET).encode()), max_size=3)

Fuzz = Callable[[str, st.SearchStrategy[T], Callable[[T], object]], None]


@pytest.fixture
def fuzz(record_property: Callable[[str, object], None]) -> Fuzz[Any]:
    """Tries a door with all that a strategy draws, each within its time, and writes down how many those were."""

    def tried(name: str, drawn: st.SearchStrategy[Any], ask: Callable[[Any], object]) -> None:
        seconds: list[float] = []

        @settings(suppress_health_check=list(HealthCheck))
        @given(drawn)
        def once(value: Any) -> None:
            took = _seconds(ask, value)
            # Python may have swept its memory meanwhile; an input that is slow is slow again.
            seconds.append(took if took < SLOWEST else min(took, _seconds(ask, value)))
            assert seconds[-1] < SLOWEST

        once()
        record_property(
            "figures", f"{name}: {len(seconds)} inputs, 0 crashes, the slowest {max(seconds) * 1000:.1f} ms"
        )

    return tried


def _seconds(ask: Callable[[Any], object], value: Any) -> float:
    began = time.thread_time()
    ask(value)
    return time.thread_time() - began


def test_a_delivery_is_read_or_unreadable(fuzz: Fuzz[bytes]) -> None:
    """Any bytes, and any JSON where a delivery is looked for."""
    change = JSON.map(lambda value: {"field": "messages", "value": value})
    inside = change.map(lambda one: json.dumps({"object": "x", "entry": [{"id": "1", "changes": [one]}]}).encode())
    fuzz("deliveries of WhatsApp", BODIES | inside, read)


def test_nobody_signs_by_chance(fuzz: Fuzz[tuple[bytes, list[bytes]]]) -> None:
    """Any headers over any body: no, and never an error."""
    check = SignatureCheck([SECRET, "another"])

    def ask(drawn: tuple[bytes, list[bytes]]) -> None:
        body, headers = drawn
        assert check.holds(body, headers) is (headers == [sign(body, SECRET).encode()])
        assert check.holds(body, [sign(body, "another").encode()])

    fuzz("signatures of WhatsApp", st.tuples(st.binary(max_size=100), HEADERS), ask)


def _verified(verify: Callable[..., Sequence[PaymentEvent]], call: WebhookCall, *, signed: bool) -> None:
    """Events, or the error that fits: a bad signature is never said of a good one, and nothing is believed without."""
    try:
        believed = verify(call, now=NOW)
    except UndecodableError:
        assert signed
    except BadSignatureError:
        assert not signed
    else:
        assert signed or not believed


def _gateways() -> Mapping[str, tuple[Any, str]]:
    api = GatewayApi(http=httpx2.AsyncClient(), root="https://gateway.example")
    return {
        "stripe": (Stripe(api=api, secrets=(SECRET,)), "stripe-signature"),
        "razorpay": (Razorpay(api=api, secrets=(SECRET,)), "x-razorpay-signature"),
        "mercadopago": (MercadoPago(api=api, secrets=(SECRET,)), "x-signature"),
    }


@pytest.mark.parametrize("name", ["stripe", "razorpay", "mercadopago"])
def test_no_gateway_signs_by_chance(fuzz: Fuzz[Any], name: str) -> None:
    """Any header, any query, any body: a bad signature, or a feed that is not listened to; nothing is believed."""
    way, header = _gateways()[name]
    told = LETTERS | st.tuples(st.integers(), LETTERS).map(lambda pair: f"t={pair[0]},v1={pair[1]},ts={pair[0]}")
    query = st.dictionaries(st.sampled_from(["data.id", "type", "id", "topic"]), LETTERS, max_size=3)

    def ask(drawn: tuple[str, dict[str, str], bytes]) -> None:
        said, asked, body = drawn
        _verified(way.verify, WebhookCall(headers={header: said}, query=asked, body=body), signed=False)

    fuzz(f"signatures of {name}", st.tuples(told, query, BODIES), ask)


@pytest.mark.parametrize("name", ["stripe", "razorpay"])
def test_whatever_a_gateway_signs_is_read_or_named_unreadable(fuzz: Fuzz[bytes], name: str) -> None:
    """A gateway that errs is kept as a dead letter; it is never called a forger."""
    way, header = _gateways()[name]

    def ask(body: bytes) -> None:
        said = digest(SECRET, body)
        if name == "stripe":
            said = f"t={STAMP},v1={digest(SECRET, f'{STAMP}.'.encode() + body)}"
        _verified(way.verify, WebhookCall(headers={header: said}, query={}, body=body), signed=True)

    fuzz(f"signed bodies of {name}", BODIES, ask)


def test_a_word_is_understood_or_not(fuzz: Fuzz[str]) -> None:
    """In time that does not grow by what is repeated in it."""
    repeated = st.tuples(st.text(max_size=6), st.integers(1, 600)).map(lambda pair: (pair[0] * pair[1])[:4096])
    understand("hi")  # the first word of a process pays for the patterns of all
    fuzz("words of customers", LETTERS | repeated, understand)


def test_a_row_of_a_sheet_is_one_row_and_no_formula(fuzz: Fuzz[list[str]]) -> None:
    """As a reader of RFC 4180 finds it."""

    def ask(texts: list[str]) -> None:
        row = {f"column {place}": text for place, text in enumerate(texts)}
        written = "".join(sheets.lines([row]))
        heads, cells = csv.reader(io.StringIO(written, newline=""))
        assert heads == list(row)
        assert len(cells) == len(texts)
        assert not any(cell.startswith(("=", "@", "\t", "\r", "\0", "\uff1d", "\uff20")) for cell in cells)

    fuzz("cells of sheets", st.lists(LETTERS, min_size=1, max_size=4), ask)


@pytest.mark.usefixtures("restored_logs")
def test_an_event_is_one_line_of_json(fuzz: Fuzz[tuple[str, str]]) -> None:
    """No line is forged, no terminal obeys."""
    stream = io.StringIO()
    configure_logs(level="info", as_json=True, stream=stream)

    def ask(drawn: tuple[str, str]) -> None:
        stream.seek(0)
        stream.truncate()
        logging.getLogger("wch.doors").info("%s", drawn[0], extra={"word": drawn[1]})
        line = stream.getvalue()
        assert line.endswith("\n")
        assert line[:-1].isprintable()
        assert line.isascii()
        assert isinstance(json.loads(line), dict)

    fuzz("lines of a log", st.tuples(LETTERS, LETTERS), ask)
