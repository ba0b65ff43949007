"""What gateways sign is believed, everything else is not; whatever they tell is read without failing."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from wch.adapters.payments.calling import GatewayApi
from wch.adapters.payments.mercadopago import MercadoPago, manifest
from wch.adapters.payments.razorpay import Razorpay
from wch.adapters.payments.signing import digest
from wch.adapters.payments.stripe import Stripe
from wch.domain.errors import UndecodableError
from wch.domain.moment import of_unix
from wch.domain.payment import BadSignatureError, PaymentEvent, WebhookCall

NOW = of_unix(1_767_225_600)
STAMP = 1_767_225_600


def api() -> GatewayApi:
    return GatewayApi(http=httpx2.AsyncClient(), root="https://gateway.example")


def stripe(*secrets: str) -> Stripe:
    return Stripe(api=api(), secrets=secrets)


def razorpay(*secrets: str) -> Razorpay:
    return Razorpay(api=api(), secrets=secrets)


def mercadopago(*secrets: str) -> MercadoPago:
    return MercadoPago(api=api(), secrets=secrets)


def published(corpus: Path, name: str) -> Mapping[str, Any]:
    told: Mapping[str, Any] = json.loads((corpus / "signatures" / name).read_text(encoding="utf-8"))
    return told


def call(body: bytes = b"", query: Mapping[str, str] | None = None, **headers: str) -> WebhookCall:
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return WebhookCall(headers=named, query=query or {}, body=body)


def of_vector(told: Mapping[str, Any]) -> WebhookCall:
    headers = {name.lower(): value for name, value in told["headers"].items()}
    return WebhookCall(headers=headers, query=told.get("query", {}), body=told.get("body_utf8", "").encode())


def altered(original: WebhookCall, name: str) -> Iterator[WebhookCall]:
    """Every way in which one byte of what is signed, or of the signature, may be another."""
    value = original.headers[name]
    for place in {0, len(value) // 2, len(value) - 1}:
        for other in ("0", "f", "é"):
            if value[place] != other:
                headers = {**original.headers, name: value[:place] + other + value[place + 1 :]}
                yield WebhookCall(headers=headers, query=original.query, body=original.body)
    yield WebhookCall(headers={}, query=original.query, body=original.body)
    yield WebhookCall(headers={**original.headers, name: ""}, query=original.query, body=original.body)


def bodies(corpus: Path, kind: str) -> list[Path]:
    found = sorted((corpus / "payments").glob(f"{kind}.*"))
    assert found
    return found


# --- Stripe


@pytest.mark.parametrize("name", ["stripe-dotnet.json", "stripe-rust.json"])
def test_stripes_published_signatures_hold_and_nothing_else_does(corpus: Path, name: str) -> None:
    told = published(corpus, name)
    way, signed, now = stripe("another", told["secret"]), of_vector(told), of_unix(told["now_ok"])

    assert [event.key for event in way.verify(signed, now=now)] == ["evt_123"]
    with pytest.raises(BadSignatureError):
        way.verify(signed, now=of_unix(told["now_too_old"]))
    with pytest.raises(BadSignatureError):
        stripe("another").verify(signed, now=now)
    with pytest.raises(BadSignatureError):
        way.verify(WebhookCall(headers=signed.headers, query={}, body=signed.body.rstrip()), now=now)
    for one in altered(signed, "stripe-signature"):
        if _but_v0(one) == _but_v0(signed):
            assert way.verify(one, now=now)
            continue
        with pytest.raises(BadSignatureError):
            way.verify(one, now=now)


def _but_v0(one: WebhookCall) -> str:
    """The header without what Stripe's own rules ignore."""
    return one.headers.get("stripe-signature", "").split(",v0=")[0]


def test_malformed_headers_are_refused_without_a_crash(corpus: Path) -> None:
    headers = published(corpus, "stripe-malformed-headers.json")["bad_headers"]
    for header in [*headers, "t=1,t=2,v1=aa", "t=\u0661,v1=" + "a" * 64, "t=99999999999999999999,v1=" + "a" * 64]:
        with pytest.raises(BadSignatureError):
            stripe("s").verify(call(b"{}", stripe_signature=header), now=NOW)


def signed_by_stripe(body: bytes, *secrets: str, at: int = STAMP, scheme: str = "v1") -> WebhookCall:
    signatures = ",".join(f"{scheme}={digest(secret, f'{at}.'.encode() + body)}" for secret in secrets)
    return call(body, stripe_signature=f"t={at},{signatures}")


@pytest.mark.parametrize(("off", "good"), [(-300, True), (-299, True), (300, True), (-301, False), (301, False)])
def test_stripes_time_may_be_five_minutes_off_either_way(off: int, good: bool) -> None:  # noqa: FBT001 - a case
    signed = signed_by_stripe(b'{"id": "evt_1", "type": "x"}', "s", at=STAMP + off)
    if good:
        assert stripe("s").verify(signed, now=NOW)
    else:
        with pytest.raises(BadSignatureError):
            stripe("s").verify(signed, now=NOW)


def test_one_of_two_signatures_is_enough_and_another_scheme_is_none() -> None:
    body = b'{"id": "evt_1", "type": "x"}'
    assert stripe("new").verify(signed_by_stripe(body, "old", "new"), now=NOW)
    assert stripe("old", "new").verify(signed_by_stripe(body, "new"), now=NOW)
    with pytest.raises(BadSignatureError):
        stripe("new").verify(signed_by_stripe(body, "new", scheme="v0"), now=NOW)
    with pytest.raises(BadSignatureError):
        stripe("").verify(signed_by_stripe(body, ""), now=NOW)


def test_every_stripe_event_of_the_corpus_is_read(corpus: Path) -> None:
    """Of all of them only those about a session, an intent, a refund or a dispute are of use."""
    for path in bodies(corpus, "stripe"):
        body = path.read_bytes()
        (event,) = stripe("s").verify(signed_by_stripe(body, "s"), now=NOW)
        told = json.loads(body)
        assert (event.key, event.type) == (told["id"], told["type"]), path.name


def test_a_session_names_our_reference_and_its_intent() -> None:
    told = {"object": "checkout.session", "client_reference_id": "wch-1-t4fnr6", "payment_intent": "pi_1"}
    body = json.dumps({"id": "evt_1", "type": "checkout.session.completed", "data": {"object": told}}).encode()
    (event,) = stripe("s").verify(signed_by_stripe(body, "s"), now=NOW)

    assert event == PaymentEvent(
        key="evt_1", type="checkout.session.completed", reference="wch-1-t4fnr6", payment_id="pi_1"
    )


# --- Razorpay


@pytest.mark.parametrize("name", ["razorpay-php-123456.json", "razorpay-php-test.json", "razorpay-python-sdk.json"])
def test_razorpays_published_signatures_hold_and_nothing_else_does(corpus: Path, name: str) -> None:
    told = published(corpus, name)
    way, signed = razorpay("another", told["secret"]), of_vector(told)

    assert [event.type for event in way.verify(signed, now=NOW)] == ["payment.authorized"]
    for one in altered(signed, "x-razorpay-signature"):
        with pytest.raises(BadSignatureError):
            way.verify(one, now=NOW)
    with pytest.raises(BadSignatureError):
        way.verify(WebhookCall(headers=signed.headers, query={}, body=signed.body + b" "), now=NOW)


@pytest.mark.parametrize("name", ["checkout", "payment-link", "subscription"])
def test_razorpays_other_published_digests_are_the_same_sum(corpus: Path, name: str) -> None:
    told = published(corpus, f"razorpay-callback-{name}.json")
    assert digest(told["secret"], told["message_utf8"].encode()) == told["expected_hex"]


def signed_by_razorpay(body: bytes, *, event_id: str = "") -> WebhookCall:
    more = {"x_razorpay_event_id": event_id} if event_id else {}
    return call(body, None, x_razorpay_signature=digest("s", body), **more)


def test_every_razorpay_event_of_the_corpus_is_read(corpus: Path) -> None:
    """None has an id in its body: the header's is the key, else the bytes are."""
    for path in bodies(corpus, "razorpay"):
        body = path.read_bytes()
        (event,) = razorpay("s").verify(signed_by_razorpay(body, event_id="ev_1"), now=NOW)
        (again,) = razorpay("s").verify(signed_by_razorpay(body), now=NOW)
        assert (event.key, event.type) == ("ev_1", json.loads(body)["event"]), path.name
        assert len(again.key) == 64


@pytest.mark.parametrize("kind", ["payment.captured", "order.paid", "payment_link.paid"])
@pytest.mark.parametrize("where", ["payment_link", "payment", "order"])
def test_razorpay_names_us_in_the_link_or_in_the_notes(kind: str, where: str) -> None:
    empty: dict[str, Any] = {"entity": {"id": "pay_1", "notes": []}}
    payload = {"payment": empty, where: {"entity": {"id": "pay_1", "notes": {"reference": "wch-1-t4fnr6"}}}}
    (event,) = razorpay("s").verify(
        signed_by_razorpay(json.dumps({"event": kind, "payload": payload}).encode()), now=NOW
    )
    assert event.reference == "wch-1-t4fnr6"


# --- Mercado Pago


def test_mercado_pagos_published_signature_holds_and_nothing_else_does(corpus: Path) -> None:
    told = published(corpus, "mercadopago-sdk-inputs.json")
    way, signed = mercadopago("another", told["secret"]), of_vector(told)

    assert len(way.verify(signed, now=NOW)) == 1
    upper = WebhookCall(headers=signed.headers, query={"data.id": signed.query["data.id"].upper()}, body=b"")
    assert len(way.verify(upper, now=NOW)) == 1
    for one in altered(signed, "x-signature"):
        with pytest.raises(BadSignatureError):
            way.verify(one, now=NOW)
    for name, value in (("data.id", "2"), ("data.id", "")):
        with pytest.raises(BadSignatureError):
            way.verify(WebhookCall(headers=signed.headers, query={name: value}, body=b""), now=NOW)


def test_the_manifest_is_the_one_of_the_live_log(corpus: Path) -> None:
    told = published(corpus, "mercadopago-live-log.json")
    hook = next(one for one in told["deliveries"] if one["matches"])
    stamp = hook["x_signature"].split(",")[0].removeprefix("ts=")

    assert manifest("138472432031", hook["x_request_id"], stamp).decode() == told["manifest"]


def test_the_older_feed_says_nothing_and_hurts_nobody(corpus: Path) -> None:
    """It bears a signature that fits nothing, five times for each payment."""
    for one in published(corpus, "mercadopago-live-log.json")["deliveries"]:
        query = dict(piece.split("=") for piece in one["query"].split("&"))
        headers = {"x-signature": one["x_signature"], "x-request-id": one["x_request_id"]}
        hook = WebhookCall(headers=headers, query=query, body=b"{}")
        if "topic" in query:
            assert mercadopago("s").verify(hook, now=NOW) == ()
        else:
            with pytest.raises(BadSignatureError):
                mercadopago("s").verify(hook, now=NOW)


def signed_by_mercadopago(query: Mapping[str, str], body: bytes = b"", now: datetime = NOW) -> WebhookCall:
    stamp = str(int(now.timestamp()))
    signature = digest("s", manifest(query.get("data.id", ""), "r-1", stamp))
    return WebhookCall(
        headers={"x-signature": f"ts={stamp},v1={signature}", "x-request-id": "r-1"}, query=query, body=body
    )


def test_every_mercado_pago_notice_of_the_corpus_is_read(corpus: Path) -> None:
    """The body is not signed, so it changes nothing; only the reference that we put into the address wakes anybody."""
    for path in bodies(corpus, "mercadopago"):
        told = json.loads(path.read_bytes())
        about = str((told.get("data") or {}).get("id") or told.get("id") or told.get("resource"))
        query = {"data.id": about, "type": str(told.get("type") or "payment"), "ref": "wch-1-t4fnr6"}
        (event,) = mercadopago("s").verify(signed_by_mercadopago(query, path.read_bytes()), now=NOW)
        (bare,) = mercadopago("s").verify(signed_by_mercadopago(query), now=NOW)
        assert event == bare
        assert event.reference == ("wch-1-t4fnr6" if query["type"] == "payment" else None)


# --- all of them


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"\xff", b'{"a":', b"[" * 5000, b"NaN", b'{"id": 1e999999999}', b"{}"]
)
def test_signed_nonsense_is_named_as_such(body: bytes) -> None:
    """It is kept as a dead letter; a signature that is not right hides it."""
    with pytest.raises(UndecodableError):
        stripe("s").verify(signed_by_stripe(body, "s"), now=NOW)
    with pytest.raises(UndecodableError):
        razorpay("s").verify(signed_by_razorpay(body), now=NOW)


def test_a_foreign_providers_body_is_no_event_of_ours(corpus: Path) -> None:
    for path in bodies(corpus, "other"):
        body = path.read_bytes()
        for way, signed in ((stripe("s"), signed_by_stripe(body, "s")), (razorpay("s"), signed_by_razorpay(body))):
            try:
                events = way.verify(signed, now=NOW)
            except UndecodableError:
                continue
            assert all(event.reference is None for event in events), path.name
