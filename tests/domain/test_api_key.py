"""API keys as values."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.api_key import ApiKey, KeyScope, UnknownScopeError, prefix_of, scopes_of, written

NOON = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = ApiKey(prefix="0" * 12, digest="d" * 64, scopes=(KeyScope.READ,), created_at=NOON, created_by="cli")


def test_scopes_come_once_and_in_their_own_order() -> None:
    """However they were written down, two keys that may the same look the same."""
    assert scopes_of(["settings", " read", "read"]) == (KeyScope.READ, KeyScope.SETTINGS)


@pytest.mark.parametrize("words", [[], ["reed"], ["read", ""], ["READ"]])
def test_a_scope_that_is_none_is_refused(words: list[str]) -> None:
    """A mistyped scope must not make a key that opens less, or more, than was meant."""
    with pytest.raises(UnknownScopeError, match=r"no such scope\.$"):
        scopes_of(words)


@pytest.mark.parametrize("text", ["", "wch_", "wch_0123456789ab_", f"wch_{'0' * 12}_{'0' * 39}", f"x{'0' * 60}"])
def test_what_is_no_key_has_no_prefix(text: str) -> None:
    """Nothing is looked up for a text that cannot be one of ours."""
    assert prefix_of(text) is None


def test_a_written_key_bears_its_prefix() -> None:
    """It is found by the part that is no secret."""
    assert prefix_of(written("0123456789ab", "f" * 40)) == "0123456789ab"


def test_it_ends_at_its_last_second_and_with_its_revocation() -> None:
    """The first revocation stays the moment of it."""
    ending = ApiKey.of_json({**KEY.to_json(), "expires_at": "2026-03-01T13:34:56Z"})
    revoked = KEY.revoked(now=NOON)

    assert ending.opens(now=NOON + HOUR - timedelta(seconds=1))
    assert not ending.opens(now=NOON + HOUR)
    assert not revoked.opens(now=NOON)
    assert revoked.revoked(now=NOON + HOUR) == revoked


def test_its_use_is_noted_by_the_hour() -> None:
    """A busy key is not written at every call."""
    assert KEY.used(now=NOON).used_at == NOON.replace(minute=0, second=0)


def test_a_scope_of_another_version_opens_nothing() -> None:
    """Whoever goes back to an older program keeps the rest."""
    told = {**KEY.to_json(), "scopes": ["read", "teleport"]}

    assert ApiKey.of_json(told).scopes == (KeyScope.READ,)


@given(scopes=st.sets(st.sampled_from(KeyScope), min_size=1), ends=st.none() | st.integers(1, 10**6))
def test_it_comes_back_as_it_was_kept(scopes: set[KeyScope], ends: int | None) -> None:
    """The options are the only place where it lives."""
    key = ApiKey(
        prefix="a" * 12,
        digest="d" * 64,
        scopes=scopes_of(scopes),
        created_at=NOON,
        created_by="key:b",
        expires_at=None if ends is None else NOON + timedelta(seconds=ends),
    )

    assert ApiKey.of_json(key.to_json()) == key
    assert "d" * 64 not in repr(key)
