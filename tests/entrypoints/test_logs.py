"""Logs are lines of JSON without anything that a terminal obeys or a person would not want there."""

import io
import json
import logging
from typing import Any

import pytest

from wch.entrypoints.logs import configure_logs

pytestmark = pytest.mark.usefixtures("restored_logs")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_event_is_one_line_whatever_is_in_it() -> None:
    """A forged line would be believed; an escape sequence would be obeyed."""
    stream = io.StringIO()
    configure_logs(level="info", as_json=True, stream=stream)

    logging.getLogger("wch.inbox").info("taken\n{forged}\x1b[31m\x7f", extra={"events": 3, "word": "\x9b\u2028x"})

    assert len(stream.getvalue().splitlines()) == 1
    assert stream.getvalue().strip().isascii()
    assert stream.getvalue().strip().isprintable()
    assert lines(stream)[0]["events"] == 3
    assert lines(stream)[0]["logger"] == "wch.inbox"
    assert lines(stream)[0]["level"] == "info"


def test_an_error_is_written_by_its_class_and_place_not_by_its_words() -> None:
    """What an exception says may be what a customer wrote."""
    stream = io.StringIO()
    configure_logs(level="info", as_json=True, stream=stream)

    try:
        raise ValueError("+16505551234")  # noqa: TRY301 - words that must not be seen
    except ValueError:
        logging.getLogger("wch.outbox").exception("a duty failed")

    assert "16505551234" not in stream.getvalue()
    assert lines(stream)[0]["error"] == "ValueError"
    assert "test_logs.py" in lines(stream)[0]["places"][-1]


def test_libraries_are_heard_from_warnings_on_only() -> None:
    """Their finer words hold addresses and bound values, whatever level we are asked for."""
    stream = io.StringIO()
    configure_logs(level="debug", as_json=True, stream=stream)

    logging.getLogger("httpx2").info("POST https://.../customers/16505551234")
    logging.getLogger("aiosqlite").debug("INSERT 16505551234")
    logging.getLogger("wch").debug("fine")

    assert [line["event"] for line in lines(stream)] == ["fine"]


def test_text_for_a_terminal_is_tame_too() -> None:
    """A log that is read on a screen must not move its cursor."""
    stream = io.StringIO()
    configure_logs(level="info", as_json=False, stream=stream)

    logging.getLogger("wch").warning("seen\x1b[2J", extra={"word": "\x1b]0;x\x07"})

    assert "\x1b" not in stream.getvalue()
    assert "seen" in stream.getvalue()
