"""Observers hear everything, and harm nothing."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.application import facts
from wch.application.facts import EventTaken, MessageReceived
from wch.application.observers import Observers, unmeasured
from wch.application.tallies import Tallies
from wch.domain.money import Money

KINDS = [
    kind
    for kind in vars(facts).values()
    if isinstance(kind, type)
    and kind.__module__ == facts.__name__
    and attrs.has(kind)
    and Money not in {one.type for one in attrs.fields(kind)}
]


def test_a_fact_goes_to_those_who_hear_its_kind() -> None:
    """What nobody hears need not even be made; who does not say what, hears everything."""
    heard: list[object] = []
    hosts = unmeasured(heard.append)
    taken, received = (
        EventTaken(type="message", result="new"),
        MessageReceived(message_id=1, conversation_id=2, type="text"),
    )
    everybody = Observers(all=(Tallies(), hosts, heard.append))

    everybody(taken)
    everybody(received)

    assert heard == [taken, received, received]
    assert not Observers(all=(Tallies(),)).hears(MessageReceived)
    assert Observers(all=(Tallies(), hosts)).hears(MessageReceived)


@given(st.sampled_from(KINDS).flatmap(st.builds))
def test_what_is_told_by_its_kind_is_counted_as_if_told_everything(fact: object) -> None:
    """A kind that was passed over would be missing from the metrics."""
    told, everything = Tallies(), Tallies()

    Observers(all=(told,))(fact)
    everything(fact)

    assert told == everything


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
