"""Observers hear everything, and harm nothing."""

import pytest

from wch.application.observers import Observers


def test_one_that_raises_reaches_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """The others hear all the same; the log names the fact, not what was in it."""
    heard: list[object] = []

    def hears(fact: object) -> None:
        heard.append(fact)

    def raises(fact: object) -> None:
        message = f"secret {fact}"
        raise ValueError(message)

    Observers(all=(hears, raises, hears))("+16505551234")

    assert heard == ["+16505551234"] * 2
    assert "ValueError at" not in caplog.text
    assert "ValueError < test_observers.py" in caplog.text
    assert "16505551234" not in caplog.text
