"""Logs as the programs of this package write them: one line an event, and nothing of a person in it."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

JSON = "json"
TEXT = "text"

_EVENT_LENGTH = 2_000
_FRAMES = 12

_Event = MutableMapping[str, Any]


def configure_logs(*, level: str = "info", form: str = JSON, stream: TextIO | None = None) -> None:
    """Send every log of this process to one stream: JSON lines, or text for a terminal.

    Only what `wch` says is heard at `level`; libraries are heard from warnings on, since
    their finer words hold addresses and values of people.
    """
    chain: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _place_of_error,
        _short,
    ]
    last: Any = _line if form == JSON else structlog.dev.ConsoleRenderer(colors=False)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([] if form == JSON else [_tame]),
                last,
            ],
        )
    )
    structlog.configure(
        processors=[*chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("wch").setLevel(level.upper())


def _place_of_error(_logger: object, _method: str, event: _Event) -> _Event:
    """Write an exception as its class and where it came from: its words may hold what a customer wrote."""
    told = event.pop("exc_info", None)
    if told is True:
        told = sys.exc_info()
    error = told[1] if isinstance(told, tuple) else told
    if isinstance(error, BaseException):
        event["error"] = type(error).__qualname__
        event["cause"] = type(error.__cause__).__qualname__ if error.__cause__ is not None else None
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        event["at_lines"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    event.pop("exc_text", None)
    event.pop("stack_info", None)
    return event


def _short(_logger: object, _method: str, event: _Event) -> _Event:
    event["event"] = str(event.get("event", ""))[:_EVENT_LENGTH]
    return event


def _line(_logger: object, _method: str, event: _Event) -> str:
    """One JSON object on one line; every control character is escaped, DEL too."""
    rendered = structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=True, default=str)(None, "", event)
    text = rendered if isinstance(rendered, str) else rendered.decode("ascii")
    return text.replace("\x7f", "\\u007f")


def _tame(_logger: object, _method: str, event: _Event) -> _Event:
    """Escape what a terminal would obey."""
    return {key: _escaped(value) if isinstance(value, str) else value for key, value in event.items()}


def _escaped(text: str) -> str:
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
