"""Digests lead nowhere without the key."""

import pytest

from wch.application.digests import Digests
from wch.domain.errors import SettingsError


def test_the_first_key_makes_and_all_are_tried() -> None:
    """A key can be exchanged without forgetting what was claimed."""
    old, both = Digests(keys=("old",)), Digests(keys=("new", "old"))

    assert len(both.of("x")) == 64
    assert both.of("x") != old.of("x")
    assert both.all("x") == (both.of("x"), old.of("x"))
    assert both.of("x").startswith(both.short("x"))
    assert len(both.short("x")) == 12


def test_keys_are_not_shown() -> None:
    """A representation may land in a log."""
    assert "secret" not in repr(Digests(keys=("secret",)))


def test_there_must_be_a_key() -> None:
    """Without one a digest would be a plain hash."""
    nothing = Digests(keys=())

    for ask in (nothing.of, nothing.all, nothing.short):
        with pytest.raises(SettingsError, match="WCH_SECRET_KEY"):
            ask("x")


def test_any_text_has_a_digest() -> None:
    """Also one with a lone surrogate."""
    assert len(Digests(keys=("k",)).of("\ud800")) == 64
