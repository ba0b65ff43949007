"""Evolution is attrs' own, only faster."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.broadcast import BroadcastRecipient
from wch.domain.cart import Cart
from wch.domain.circuit_breaker import CircuitBreaker
from wch.domain.claim import Claim
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter
from wch.domain.evolution import evolve
from wch.domain.message import Message
from wch.domain.notification import Notification
from wch.domain.product_view import ProductView
from wch.domain.rate_limit import RateLimitWindow
from wch.domain.reengagement import Reengagement
from wch.domain.saga import Saga
from wch.domain.sync import SyncTask
from wch.testing import strategies
from wch.testing.doubles import NOON

ROWS = {
    BroadcastRecipient: strategies.recipients(),
    Cart: strategies.carts(),
    CircuitBreaker: strategies.circuit_breakers(),
    Claim: strategies.claims(),
    Conversation: strategies.conversations(),
    CustomerProfile: strategies.customers(),
    DeadLetter: strategies.dead_letters(),
    Message: strategies.messages(),
    Notification: strategies.notifications(),
    ProductView: strategies.product_views(),
    RateLimitWindow: strategies.rate_limit_windows(),
    Reengagement: strategies.reengagements(),
    Saga: strategies.sagas(),
    SyncTask: strategies.sync_tasks(),
}
NAMES = sorted({field.name for kind in ROWS for field in attrs.fields(kind)} | {"no_field"})
ODD = (NOON.replace(tzinfo=None), NOON.replace(microsecond=1), NOON.astimezone(timezone(timedelta(hours=1))))

rows = st.one_of(*ROWS.values())
values = st.one_of(st.none(), st.integers(), st.text(max_size=30), strategies.moments(), st.sampled_from(ODD))


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


@given(row=st.one_of(ROWS[Conversation], ROWS[CustomerProfile], ROWS[Message]))
def test_a_changed_row_is_as_frozen_as_any(row: Any) -> None:
    """And it may be changed again."""
    later = evolve(evolve(row, updated_at=NOON), created_at=datetime(2020, 1, 1, tzinfo=UTC))

    assert later == attrs.evolve(row, updated_at=NOON, created_at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        later.updated_at = NOON


@given(saga=ROWS[Saga])
def test_what_a_row_remembers_of_itself_is_not_handed_on(saga: Saga) -> None:
    """What was worked out once of one log is worked out anew of another."""
    assert saga.done_steps is saga.done_steps

    bare = evolve(saga, log=())

    assert bare.done_steps == attrs.evolve(saga, log=()).done_steps
    assert vars(evolve(saga, log=())).keys() == attrs.fields_dict(Saga).keys()


@pytest.mark.parametrize("kind", ROWS)
def test_nothing_would_be_left_out(kind: type) -> None:
    """What a row is made by is its fields alone: nothing is converted, and nothing comes after."""
    assert all(field.converter is None and field.init for field in attrs.fields(kind))
    assert not hasattr(kind, "__attrs_post_init__")
