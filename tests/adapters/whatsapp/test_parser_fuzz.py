"""Any bytes whatever: events, or the one error."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wch.adapters.whatsapp import parser
from wch.domain.inbound import AccountEvent, InboundEvent, InboundMessage, UnreadableDeliveryError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=3).map(float),
    st.text(max_size=8),
    st.sampled_from(["", "\ud800", "\x00", "text", "system", "1" * 21, "wamid.X", "US.1", "[", "{}", "9" * 400]),
    st.lists(st.integers(), max_size=2),
    st.just({}),
    st.just([]),
)


def read(body: bytes) -> tuple[InboundEvent, ...] | None:
    """The delivery; None when it is unreadable. Any other error is the failure looked for."""
    try:
        delivery = parser.read(body, now=NOW)
    except UnreadableDeliveryError:
        return None
    for event in delivery:
        kept = event.value if isinstance(event, AccountEvent) else event.raw
        json.dumps(kept, allow_nan=False, ensure_ascii=False).encode()
        if isinstance(event, InboundMessage):
            json.dumps(event.content, allow_nan=False, ensure_ascii=False).encode()
            assert 1 <= len(event.wa_message_id) <= 255
            assert 1 <= len(event.sender) <= 20
    return delivery


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in this value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in places(one, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The value with something odd in this place."""
    if not path:
        return odd
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = odd
    return value


@given(st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    """What is no JSON at all."""
    read(body)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_recorded_delivery_with_odd_values_in_it(corpus: Path, data: st.DataObject) -> None:
    """The shapes that the real ones have, with what they do not."""
    files = sorted((corpus / "whatsapp").glob("*.json"))
    value = copy.deepcopy(json.loads(data.draw(st.sampled_from(files)).read_bytes()))
    for _ in range(data.draw(st.integers(min_value=1, max_value=4))):
        value = put(value, data.draw(st.sampled_from(places(value))), data.draw(ODD))

    read(json.dumps(value).encode())


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_recorded_delivery_with_bytes_changed(corpus: Path, data: st.DataObject) -> None:
    """Cut, doubled, overwritten."""
    body = bytearray(data.draw(st.sampled_from(sorted((corpus / "whatsapp").glob("*.json")))).read_bytes())
    for _ in range(data.draw(st.integers(min_value=1, max_value=3))):
        place = data.draw(st.integers(min_value=0, max_value=max(len(body) - 1, 0)))
        end = data.draw(st.integers(min_value=place, max_value=min(place + 40, len(body))))
        body[place:end] = data.draw(st.binary(max_size=6))

    read(bytes(body))
