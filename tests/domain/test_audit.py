"""Who acted, and as what."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from wch.domain.api_key import ApiKey, KeyScope
from wch.domain.audit import LONGEST_ROLE, Actor, AuditEntry
from wch.domain.operator import Operator, Role

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANA = Actor("ana", "agent")


def role_of(actor: str, **more: Any) -> str | None:
    return AuditEntry(at=NOON, actor=actor, action="x", **more).role


def test_a_line_has_the_role_of_who_acted() -> None:
    """Nobody who writes a line has to think of it; a name alone has none."""
    assert (role_of(ANA), role_of("host"), role_of(ANA, role="admin")) == ("agent", None, "admin")


def test_an_actor_is_a_name_wherever_one_is_wanted() -> None:
    """As a key, in JSON, in a text, in a copy."""
    assert ANA == "ana"
    assert {"ana": 1}[ANA] == 1
    assert (json.dumps([ANA]), f"{ANA}") == ('["ana"]', "ana")
    assert copy.deepcopy(ANA).role == "agent"
    assert attrs.evolve(AuditEntry(at=NOON, actor=ANA, action="x"), action="y").role == "agent"


@pytest.mark.parametrize(
    ("scopes", "role"),
    [((KeyScope.READ, KeyScope.MESSAGES), "read messages"), (tuple(KeyScope), f"{len(KeyScope)} scopes")],
)
def test_a_key_acts_as_its_scopes(scopes: tuple[KeyScope, ...], role: str) -> None:
    """A key is forgotten some day; what it was allowed is still told."""
    key = ApiKey(prefix="0" * 12, digest="d" * 64, scopes=scopes, created_at=NOON, created_by="cli")

    assert (key.actor, key.actor.role) == ("key:000000000000", role)
    assert len(key.actor.role) <= LONGEST_ROLE


def test_an_operator_acts_in_their_role() -> None:
    """The one they have at that moment."""
    olga = Operator(name="olga", number=1, role=Role.OPERATOR, salt="", secret="", created_at=NOON)

    assert (olga.actor, olga.actor.role) == ("olga", "operator")
