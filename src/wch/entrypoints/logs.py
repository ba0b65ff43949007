"""Logs as the programs of this package write them: one line an event, and nothing of a person in it."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from wch.settings import Settings

_EVENT_LENGTH = 2_000
_FRAMES = 12

_Event = MutableMapping[str, Any]


def begin_logs(settings: Settings) -> None:
    """Write the logs of a process that stays, as its settings say; as JSON too where no terminal is there to look at."""
    as_json = settings.log.format == "json" or not sys.stderr.isatty()
    configure_logs(level=settings.log.level, as_json=as_json)


def configure_logs(*, level: str, as_json: bool, stream: TextIO | None = None) -> None:
    """Write every log of this process to one stream, standard error unless another is named.

    Only what `wch` says is heard from `level` on; libraries are heard from warnings on,
    since their finer words hold the addresses and values of people.

    Args:
        level: the lowest level that is written.
        as_json: one JSON object a line with every control character escaped, else text for a terminal.
        stream: where to.
    """
    chain: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _place_of_error,
        _short,
    ]
    last: list[structlog.types.Processor] = [_line] if as_json else [_tame, structlog.dev.ConsoleRenderer(colors=False)]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
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
        if error.__cause__ is not None:
            event["cause"] = type(error.__cause__).__qualname__
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        event["places"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    for word in ("exc_text", "stack_info"):
        event.pop(word, None)
    return event


def _short(_logger: object, _method: str, event: _Event) -> _Event:
    event["event"] = str(event.get("event", ""))[:_EVENT_LENGTH]
    return event


_AS_JSON = structlog.processors.JSONRenderer(ensure_ascii=True, default=str)


def _line(logger: object, method: str, event: _Event) -> str:
    """One JSON object on one line; what JSON leaves bare among control characters is DEL alone."""
    rendered = _AS_JSON(logger, method, event)
    text = rendered if isinstance(rendered, str) else rendered.decode("ascii")
    return text.replace("\x7f", "\\u007f")


def _tame(_logger: object, _method: str, event: _Event) -> _Event:
    """Escape what a terminal would obey."""
    return {key: _escaped(value) if isinstance(value, str) else value for key, value in event.items()}


def _escaped(text: str) -> str:
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
