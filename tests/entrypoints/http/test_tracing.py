"""Traces: what is done is followed, and nothing of anybody is in them."""

import builtins
import json
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.entrypoints.http.doubles import web
from wch import Hub, Settings, asgi
from wch.adapters import tracing
from wch.adapters.payments import SwitchedOnPayments
from wch.adapters.sandbox.deliveries import signature
from wch.adapters.tracing import OpenTelemetryTracer
from wch.application.handling import Handling
from wch.application.untraced import Untraced
from wch.domain.sync import EntityType, SyncAction
from wch.testing import FrozenClock, RecordingWhatsApp, SandboxWhatsApp, memory_hub
from wch.testing.scripted_gateway import ScriptedGateway

MARIA = "34600111222"
NUMBER = "106540352242922"
WORDS = "Kumquat jam for Maria Garcia please"
SETTINGS = Settings(currency="EUR", country="ES", app_secret="a-secret", phone_number_id=NUMBER)
CALLERS_TRACE, CALLERS_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Book:
    """What a host's SDK would send on."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = OpenTelemetryTracer.of(self.provider)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [one for one in self.spans if one.name == name]

    def below(self, name: str) -> set[str]:
        """The names of the spans whose parent has this name."""
        parents = {one.context.span_id for one in self.named(name) if one.context is not None}
        return {one.name for one in self.spans if one.parent is not None and one.parent.span_id in parents}

    def shown(self) -> str:
        """All that is told of all spans, without their own ids and times."""
        return json.dumps(
            [
                (
                    one.name,
                    dict(one.attributes or {}),
                    one.status.description,
                    [(event.name, dict(event.attributes or {})) for event in one.events],
                )
                for one in self.spans
            ]
        )


@pytest.fixture
def book() -> Book:
    return Book()


def delivery(words: str = WORDS) -> bytes:
    said = {"from": MARIA, "id": "wamid.1", "timestamp": "1772452800", "type": "text", "text": {"body": words}}
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": NUMBER}, "messages": [said]}
    changes = [{"field": "messages", "value": value}]
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}).encode()


async def delivered(hub: Hub, headers: dict[str, str] | None = None) -> int:
    body = delivery()
    async with web(asgi(hub)) as client:
        told = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        signed = [(b"x-hub-signature-256", signature(body, "a-secret").encode()), *told]
        answered = await client.post("/webhooks/whatsapp", content=body, headers=signed)
    return answered.status_code


async def test_a_message_is_followed_from_its_request_to_its_answer(book: Book) -> None:
    """The caller's trace holds request and transaction; line and send are traces of the worker's own."""
    whatsapp = RecordingWhatsApp()
    async with memory_hub(SETTINGS, whatsapp=whatsapp, tracer=book.tracer) as hub:
        status = await delivered(hub, {"traceparent": f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01"})
        await hub.worker.drain()

    (request,) = book.named("POST /webhooks/whatsapp")
    assert status == 200
    assert len(whatsapp.sent) == 1
    assert request.kind is SpanKind.SERVER
    assert request.parent is not None
    assert (request.parent.trace_id, request.parent.span_id) == (int(CALLERS_TRACE, 16), int(CALLERS_SPAN, 16))
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/webhooks/whatsapp",
        "http.response.status_code": 200,
    }
    assert book.below("POST /webhooks/whatsapp") == {"transaction gathering"}
    assert book.below("handle line") >= {"transaction handling", "whatsapp mark_read"}
    assert book.below("send message") == {"transaction outbox", "whatsapp send"}
    (line,), (sent,) = book.named("handle line"), book.named("send message")
    assert {"wch.intent", "wch.conversation_id"} <= set(line.attributes or {})
    assert (sent.attributes or {})["wch.result"] == "accepted"
    (call,) = book.named("whatsapp send")
    assert call.kind is SpanKind.CLIENT


async def test_a_sale_is_followed_and_nobody_is_named(book: Book) -> None:
    """Steps, shop, payment and catalogue are there; number, name, street and words are nowhere."""
    whatsapp, clock = SandboxWhatsApp(), FrozenClock()
    gateway = ScriptedGateway(clock=clock)
    ways = SwitchedOnPayments((gateway,))
    async with memory_hub(
        Settings(currency="EUR", country="ES"), clock=clock, whatsapp=whatsapp, payments=ways, tracer=book.tracer
    ) as hub:
        await whatsapp.say(MARIA, "hi")
        await whatsapp.say(MARIA, "add 1 canvas bag to cart")
        await whatsapp.say(MARIA, "checkout")
        await whatsapp.say(MARIA, "Maria Garcia, Calle Mayor 12, Madrid 28013, ES")
        await whatsapp.tap(MARIA, "Use this address")
        await whatsapp.tap(MARIA, "Pick up in the shop")
        await whatsapp.tap(MARIA, "Confirm order")
        clock.advance(timedelta(seconds=30))
        await whatsapp.settle()
        await hub.sync.enqueue(EntityType.PRODUCT, 1, SyncAction.UPDATE)
        await whatsapp.settle()

    names = {one.name for one in book.spans}
    steps = {(one.attributes or {})["wch.step"] for one in book.named("saga step")}
    assert {"handle line", "send message", "saga step", "sync batch", "shop create_order", "gateway open"} <= names
    assert {"check", "reserve", "await_payment"} <= steps
    assert "gateway open" in book.below("saga step")
    shown = book.shown()
    assert not re.search(r"\d{7}", shown)
    for word in ("Maria", "Garcia", "Mayor", "Madrid", "canvas", "checkout,", "wamid", "hi there"):
        assert word not in shown


async def test_an_error_is_noted_by_its_class_alone(book: Book) -> None:
    """What an error says may be what somebody said."""
    with pytest.raises(ValueError, match=MARIA), book.tracer.span("work"):
        raise ValueError(MARIA)

    (span,) = book.spans
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert dict(span.attributes or {}) == {"error.type": "ValueError"}
    assert span.events == ()


async def test_a_span_of_the_host_comes_before_what_the_request_says(book: Book) -> None:
    """A host whose server is traced already has read the header."""
    hosts = trace.get_tracer("host", tracer_provider=book.provider)
    async with memory_hub(SETTINGS, whatsapp=RecordingWhatsApp(), tracer=book.tracer) as hub:
        with hosts.start_as_current_span("host"):
            await delivered(hub, {"traceparent": f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01"})

    assert "POST /webhooks/whatsapp" in book.below("host")


@pytest.mark.parametrize("sent", ["00-zz", "", f"00-{'0' * 32}-{'0' * 16}-01", "é"])
async def test_a_header_that_is_none_begins_a_trace(book: Book, sent: str) -> None:
    """Whatever a stranger sends, the request is answered."""
    async with memory_hub(SETTINGS, whatsapp=RecordingWhatsApp(), tracer=book.tracer) as hub:
        status = await delivered(hub, {"traceparent": sent})

    (request,) = book.named("POST /webhooks/whatsapp")
    assert (status, request.parent) == (200, None)


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry cannot be imported."""
    importing = builtins.__import__

    def refusing(name: str, *how: Any, **more: Any) -> Any:
        if name.startswith(("opentelemetry", "wch.adapters.tracing")):
            raise ModuleNotFoundError(name=name)
        return importing(name, *how, **more)

    monkeypatch.setattr(builtins, "__import__", refusing)


@pytest.mark.usefixtures("without_package")
async def test_without_the_package_the_hub_works_and_wraps_nothing() -> None:
    """The extra is the host's to install."""
    whatsapp = RecordingWhatsApp()
    async with memory_hub(SETTINGS, whatsapp=whatsapp) as hub:
        await delivered(hub)
        await hub.worker.drain()
        (handling,) = (duty for duty in hub.worker.duties if isinstance(duty, Handling))

    assert len(whatsapp.sent) == 1
    assert isinstance(hub.tracer, Untraced)
    assert handling.whatsapp is whatsapp


async def test_with_the_package_alone_the_process_decides() -> None:
    """The provider that the process sets is asked; none set, nothing is recorded, and all works."""
    whatsapp = RecordingWhatsApp()
    async with memory_hub(SETTINGS, whatsapp=whatsapp) as hub:
        await delivered(hub)
        await hub.worker.drain()

    assert isinstance(hub.tracer, OpenTelemetryTracer)
    assert len(whatsapp.sent) == 1


async def test_a_provider_that_is_set_later_is_seen_within_a_second(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who hosts the hub may set it after the hub was opened; it is not looked for at every request."""
    seconds, looks = [10.0], list[trace.TracerProvider]()
    provider: list[trace.TracerProvider] = [trace.ProxyTracerProvider()]

    def looked() -> trace.TracerProvider:
        looks.append(provider[-1])
        return provider[-1]

    monkeypatch.setattr(tracing, "monotonic", lambda: seconds[-1])
    monkeypatch.setattr(trace, "get_tracer_provider", looked)
    tracer = attrs.evolve(book.tracer, waits_for_provider=True)

    def name(word: str) -> None:
        with tracer.span(word):
            pass

    name("before")
    provider.append(book.provider)
    name("at the same moment")
    seconds.append(11.0)
    name("a second later")
    name("and again")

    assert [one.name for one in book.spans] == ["a second later", "and again"]
    assert looks == provider
