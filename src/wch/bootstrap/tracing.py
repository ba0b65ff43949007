"""Whether the hub is traced, and what is wrapped for it; without a tracer nothing is."""

from typing import Any, TypeVar

from wch.application.ports import Database, Payments, Tracer
from wch.application.traced import TracedCalls, TracedDatabase, TracedPayments
from wch.application.untraced import Untraced

T = TypeVar("T")


def open_tracer() -> Tracer:
    """OpenTelemetry's, where the extra `tracing` is installed; else none."""
    try:
        from wch.adapters.tracing import OpenTelemetryTracer  # noqa: PLC0415 - needs the extra `tracing`
    except ModuleNotFoundError:
        return Untraced()
    return OpenTelemetryTracer.of()


def listening(tracer: Tracer) -> tuple[Any, ...]:
    """The tracer as an observer, if it hears facts."""
    return (tracer,) if callable(tracer) else ()


def traced_store(database: Database, tracer: Tracer) -> Database:
    """The store, its transactions spans."""
    return database if isinstance(tracer, Untraced) else TracedDatabase(database=database, tracer=tracer)


def traced_payments(payments: Payments, tracer: Tracer) -> Payments:
    """The ways to pay, their calls spans."""
    return payments if isinstance(tracer, Untraced) else TracedPayments(payments=payments, tracer=tracer)


def traced_calls(called: T, port: type, tracer: Tracer) -> T:
    """What stands for somebody outside, its calls spans."""
    wrapped: Any = called if isinstance(tracer, Untraced) else TracedCalls(called, port, tracer)
    return wrapped  # type: ignore[no-any-return] # it answers as what it wraps
