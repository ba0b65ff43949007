"""Evolution is attrs' own, only faster."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.evolution import evolve
from wch.domain.message import Message
from wch.testing.doubles import NOON
from wch.testing.strategies import conversations, customers, messages, moments

KINDS = (Conversation, CustomerProfile, Message)
NAMES = sorted({field.name for kind in KINDS for field in attrs.fields(kind)} | {"no_field"})
ODD = (NOON.replace(tzinfo=None), NOON.replace(microsecond=1), NOON.astimezone(timezone(timedelta(hours=1))))

rows = st.one_of(conversations(), customers(), messages())
values = st.one_of(st.none(), st.integers(), st.text(max_size=30), moments(), st.sampled_from(ODD))


def outcome(call: Any, row: Any, changes: dict[str, Any]) -> Any:
    """What comes of it: a row, or the error with its words."""
    try:
        return call(row, **changes)
    except (TypeError, ValueError, AttributeError) as error:
        return type(error), str(error)


@given(row=rows, changes=st.dictionaries(st.sampled_from(NAMES), values, max_size=4))
def test_what_comes_of_it_is_what_comes_of_attrs(row: Any, changes: dict[str, Any]) -> None:
    """The same row, or the same error in the same words."""
    before = dict(vars(row))

    assert outcome(evolve, row, changes) == outcome(attrs.evolve, row, changes)
    assert vars(row) == before


@given(row=rows)
def test_a_changed_row_is_as_frozen_as_any(row: Any) -> None:
    """And it may be changed again."""
    later = evolve(evolve(row, updated_at=NOON), created_at=datetime(2020, 1, 1, tzinfo=UTC))

    assert later == attrs.evolve(row, updated_at=NOON, created_at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        later.updated_at = NOON


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_would_be_left_out(kind: type) -> None:
    """What a row is made by is its fields alone: nothing is converted, and nothing comes after."""
    assert all(field.converter is None and field.init for field in attrs.fields(kind))
    assert not hasattr(kind, "__attrs_post_init__")
