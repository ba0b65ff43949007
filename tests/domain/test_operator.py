"""What roles may do, and what can be a name and a password."""

import attrs
import pytest

from wch.domain.operator import (
    LONGEST_PASSWORD,
    RIGHTS,
    SHORTEST_PASSWORD,
    Operator,
    OperatorRefusedError,
    Right,
    Role,
    checked_name,
    checked_password,
    hashed,
    is_right,
)
from wch.testing import NOON

MARIA = Operator(name="maria", number=3, role=Role.AGENT, salt="00" * 16, secret="11" * 32, created_at=NOON)


def test_each_role_has_all_that_the_one_below_has() -> None:
    """Nobody loses a right by being trusted more."""
    viewer, agent, operator, admin = (RIGHTS[role] for role in Role)

    assert viewer < agent < operator < admin
    assert admin == set(Right)


@pytest.mark.parametrize(
    ("role", "right", "allowed"),
    [
        (Role.VIEWER, Right.SEE, True),
        (Role.VIEWER, Right.PEOPLE, False),
        (Role.VIEWER, Right.CONVERSE, False),
        (Role.AGENT, Right.CONVERSE, True),
        (Role.AGENT, Right.ALL_PEOPLE, False),
        (Role.AGENT, Right.MEND, False),
        (Role.OPERATOR, Right.MEND, True),
        (Role.OPERATOR, Right.MANAGE, False),
        (Role.ADMIN, Right.MANAGE, True),
    ],
)
def test_the_table_of_rights(role: Role, right: Right, *, allowed: bool) -> None:
    """Who may do what, as it was agreed."""
    assert attrs.evolve(MARIA, role=role).may(right) is allowed


def test_who_is_kept_out_may_do_nothing() -> None:
    """The role stays written down, the rights are gone, and so is whoever was signed in."""
    out = MARIA.disabled()

    assert not any(out.may(right) for right in Right)
    assert out.epoch == MARIA.epoch + 1


def test_a_new_password_ends_what_was_signed_before() -> None:
    """Other browsers are signed out by it."""
    changed = MARIA.with_password("22" * 16, "33" * 32)

    assert (changed.salt, changed.secret, changed.epoch) == ("22" * 16, "33" * 32, 2)


def test_an_operator_is_read_as_it_was_written() -> None:
    """Nothing is lost between the options and the value."""
    signed = MARIA.signed_in(now=NOON)

    assert Operator.of("maria", signed.plain()) == signed


@pytest.mark.parametrize("broken", [{}, {**MARIA.plain(), "role": "king"}, {**MARIA.plain(), "number": "x"}])
def test_a_document_that_is_none_is_refused(broken: dict[str, object]) -> None:
    """An unknown role opens nothing."""
    with pytest.raises(OperatorRefusedError):
        Operator.of("maria", broken)


@pytest.mark.parametrize("name", ["m", "Maria", "maria|x", "-maria", "a" * 41, "mar ia", "maria\n"])
def test_what_cannot_be_a_name(name: str) -> None:
    """A name stands in cookies, logs and addresses."""
    with pytest.raises(OperatorRefusedError):
        checked_name(name)


@pytest.mark.parametrize("length", [SHORTEST_PASSWORD - 1, LONGEST_PASSWORD + 1])
def test_what_cannot_be_a_password(length: int) -> None:
    """Too short is guessed; endless is a way to keep the processor busy."""
    with pytest.raises(OperatorRefusedError):
        checked_password("x" * length)


def test_the_hash_depends_on_password_and_salt() -> None:
    """Two people with one password have two hashes."""
    first = hashed("correct horse", "00" * 16)

    assert is_right(first, hashed("correct horse", "00" * 16))
    assert not is_right(first, hashed("correct horse", "01" * 16))
    assert not is_right(first, hashed("correct house", "00" * 16))


def test_nothing_of_the_password_is_shown() -> None:
    """A value in a log or an error tells no secret."""
    assert "11" * 32 not in repr(MARIA)
