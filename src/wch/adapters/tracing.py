"""Traces through OpenTelemetry: its API only, so that the host decides what becomes of them. Needs the extra `tracing`."""

import math
from asyncio import CancelledError
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from time import monotonic

import attrs
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from wch.application.facts import LineAnswered, SendEnded, StepEnded
from wch.application.ports import SpanNotes
from wch.application.untraced import NO_SPAN

_TRACEPARENT = TraceContextTextMapPropagator()
LOOKED_EVERY = 1.0
"""Seconds until it is looked again whether the process has a provider now: a look reads the environment."""

_OF_TRACES = {b"traceparent": "traceparent", b"tracestate": "tracestate"}
_NOTED = (LineAnswered, SendEnded, StepEnded)


def _named(about: Mapping[str, str | int]) -> dict[str, str | int]:
    """What OpenTelemetry has a name for has a dot in it; the rest is ours."""
    return {key if "." in key else f"wch.{key}": value for key, value in about.items()}


def _of_traces(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """What a request says of the trace that it is part of, each name as it comes first."""
    said: dict[str, str] = {}
    for name, value in headers:
        if name in _OF_TRACES:
            said.setdefault(_OF_TRACES[name], value.decode("latin-1"))
    return said


@attrs.frozen
class OpenTelemetrySpan:
    """One span, while it lasts."""

    span: Span

    def note(self, **about: str | int) -> None:
        """Note this of it."""
        self.span.set_attributes(_named(about))

    def call(self, name: str) -> None:
        """Give it a better name."""
        self.span.update_name(name)

    def fail(self, kind: str) -> None:
        """It failed."""
        self.span.set_attribute("error.type", kind)
        self.span.set_status(Status(StatusCode.ERROR))


@attrs.define(eq=False, kw_only=True)
class OpenTelemetryTracer:
    """Makes spans of what the hub does, and notes facts that were measured on the span that they belong to.

    An error is noted by its class: its words, and the traceback, may hold what somebody said.

    Attributes:
        waits_for_provider: whether the process had set none when it was last looked; one that is set stays.
    """

    tracer: trace.Tracer
    waits_for_provider: bool
    _looks_at: float = attrs.field(default=-math.inf, init=False)

    @classmethod
    def of(cls, provider: trace.TracerProvider | None = None) -> "OpenTelemetryTracer":
        """Over this provider; None takes the one that the process has set, now or later."""
        return cls(tracer=trace.get_tracer("wch", version("wch"), provider), waits_for_provider=provider is None)

    def span(
        self,
        name: str,
        /,
        *,
        caller: Iterable[tuple[bytes, bytes]] | None = None,
        outside: bool = False,
        **about: str | int,
    ) -> AbstractContextManager[SpanNotes]:
        """A span around the block; none, and no cost, until a second after the process has set a provider.

        Args:
            name: the kind of work.
            caller: headers of the request that this answers.
            outside: whether the block waits for somebody else's answer.
            about: what is known at the beginning.
        """
        if self.waits_for_provider:
            self._look()
        return NO_SPAN if self.waits_for_provider else self._span(name, caller, about, outside=outside)

    def _look(self) -> None:
        """Look whether the process has set a provider, unless that was looked at a moment ago."""
        now = monotonic()
        if now >= self._looks_at:
            self._looks_at = now + LOOKED_EVERY
            self.waits_for_provider = isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)

    @contextmanager
    def _span(
        self, name: str, caller: Iterable[tuple[bytes, bytes]] | None, about: Mapping[str, str | int], *, outside: bool
    ) -> Iterator[OpenTelemetrySpan]:
        parent = None
        if caller is not None and not trace.get_current_span().get_span_context().is_valid:
            parent = _TRACEPARENT.extract(_of_traces(caller))
        kind = SpanKind.CLIENT if outside else SpanKind.INTERNAL if caller is None else SpanKind.SERVER
        with self.tracer.start_as_current_span(
            name,
            context=parent,
            kind=kind,
            attributes=_named(about),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            noted = OpenTelemetrySpan(span)
            try:
                yield noted
            except CancelledError:
                raise
            except Exception as error:
                noted.fail(type(error).__name__)
                raise

    def hears(self, kind: type) -> bool:
        """Whether facts of this kind are noted."""
        return issubclass(kind, _NOTED)

    def __call__(self, fact: object) -> None:
        """Note how it ended on the span that lasts now, which is the one of the line, the send or the step."""
        if not isinstance(fact, _NOTED):
            return
        span = OpenTelemetrySpan(trace.get_current_span())
        if isinstance(fact, LineAnswered):
            span.note(intent=fact.intent)
        elif isinstance(fact, SendEnded):
            code = {} if fact.code is None else {"code": fact.code}
            span.note(class_of_message=fact.class_, result=fact.result, **code)
            if fact.result != "accepted":
                span.fail(fact.result)
        else:
            span.note(result=fact.result)
            if fact.result in {"failed", "undo_failed"}:
                span.fail(fact.result)
