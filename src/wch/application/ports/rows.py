"""Rows as the queues and lists see them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from wch.domain.document import JsonObject
from wch.domain.lease import Work
from wch.domain.message import Class


@attrs.frozen(kw_only=True)
class LineRow:
    """An inbound row in a customer's line: what its take compares, without its JSON."""

    work: Work
    conversation_id: int


@attrs.frozen
class Said:
    """What the message with an id of WhatsApp's says."""

    type: str
    content: JsonObject


@attrs.define
class Written:
    """A row that is written with others: its id is told when they are, at the latest on commit."""

    id: int = 0


@attrs.frozen(kw_only=True)
class Candidate:
    """An outbound row that waits: what decides whether it may leave now."""

    work: Work
    conversation_id: int
    customer_phone: str
    class_: Class
    number: str | None
    not_before: datetime | None


@attrs.frozen(kw_only=True)
class Held:
    """A row of any table as plain values.

    Attributes:
        table: its name without prefix.
        key: the values of its key.
        values: by column.
    """

    table: str
    key: tuple[Any, ...]
    values: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Finding:
    """Something that the tables do not agree on."""

    table: str
    row: str
    what: str
