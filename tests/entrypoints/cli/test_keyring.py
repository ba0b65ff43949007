"""API keys on the command line: shown once, listed without their secret, revoked."""

import re

import pytest

from tests.entrypoints.cli.conftest import Line


def test_a_key_is_shown_once(line: Line) -> None:
    """Its list and its revocation name it by its prefix only."""
    made = line.json("keys", "create", "--scope", "read,carts", "--scope", "pii", "--expires", "90d")
    listed = line.run("keys", "list", "--json").stdout + line.text("keys", "list")
    revoked = line.json("keys", "revoke", made["prefix"])

    assert re.fullmatch(r"wch_[0-9a-f]{12}_[0-9a-f]{40}", made["key"])
    assert made["scopes"] == ["read", "pii", "carts"]
    assert made["prefix"] in listed
    assert made["key"].rpartition("_")[2] not in listed
    assert "digest" not in listed
    assert revoked["revoked_at"] is not None


def test_text_is_the_key_and_what_to_do_with_it(line: Line) -> None:
    """On a line of its own, so that it can be copied."""
    assert re.match(r"wch_[0-9a-f_]+\n", line.text("keys", "create", "--scope", "metrics"))


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("create", "--scope", "everything"), "dead-letters", 1),
        (("create", "--scope", "read", "--expires", "soon"), "90d", 2),
        (("create", "--scope", "read", "--expires", "2020-01-01"), "past", 2),
        (("revoke", "000000000000"), "There is no key 000000000000; `wch keys list` tells those that there are.", 1),
        (("create",), "--scope", 2),
    ],
)
def test_what_cannot_be_made_names_the_way_out(line: Line, words: tuple[str, ...], said: str, code: int) -> None:
    """A sentence, and nothing on standard output."""
    assert said in line.refused("keys", *words, code=code)


def test_a_key_may_end_on_a_day(line: Line) -> None:
    """A date is the beginning of that day, in UTC."""
    made = line.json("keys", "create", "--scope", "read", "--expires", "2999-01-31")

    assert made["expires_at"] == "2999-01-31T00:00:00Z"
