"""Kept figures: what the messages of a contact came to, written down when its row stops leading to them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from wch.application.causes import caused, left, ref_of
from wch.application.ports import Held, UnitOfWork
from wch.application.statuses import code_in
from wch.domain.broadcast import RecipientStatus
from wch.domain.document import document
from wch.domain.message import Message

KEPT = "kept."
"""How the options begin that hold them: a table and a row, numbers and nothing of anybody."""


@attrs.frozen(kw_only=True)
class KeptFigures:
    """What is known of a contact whose key was let go.

    Attributes:
        written: whether there was a message, even one that failed.
        reminders: the numbers of the reminders of a cart that left.
        code: Graph's code of a failure.
    """

    written: bool = False
    reminders: tuple[int, ...] = ()
    code: int | None = None


def figures_of(uow: UnitOfWork, table: str, row_id: int) -> KeptFigures:
    """What was kept of a row; nothing where there was nothing to keep."""
    told = uow.options.get(_name(table, row_id)) or {}
    return KeptFigures(
        written=bool(told.get("written")), reminders=tuple(told.get("reminders", ())), code=told.get("code")
    )


def look_ahead(uow: UnitOfWork, table: str, row_ids: Sequence[int]) -> None:
    """Read at once what was kept of these rows."""
    if row_ids:
        uow.options.look_ahead([_name(table, row_id) for row_id in row_ids])


def numbers_left(rows: Sequence[Message]) -> tuple[int, ...]:
    """The numbers of the reminders among these messages that left."""
    return tuple(int(ref_of(row).rpartition(":")[2]) for row in rows if left(row))


def keep_figures(uow: UnitOfWork, held: Held) -> None:
    """Write down what a row's messages came to, in the transaction that takes its key away."""
    keep = _KEEPERS.get(held.table)
    told = {} if keep is None else keep(uow, held.values)
    if told:
        uow.options.put(_name(held.table, int(held.values["id"])), document(**told))


def _name(table: str, row_id: int) -> str:
    return f"{KEPT}{table}.{row_id}"


def _contact(uow: UnitOfWork, row: Mapping[str, Any]) -> Mapping[str, Any]:
    phone, number, since = str(row["customer_phone"]), row["id"], row["created_at"]
    reminders = numbers_left(caused(uow, phone, f"reminder:{number}", since=since))
    written = bool(caused(uow, phone, f"reengagement:{number}", since=since))
    return {**({"reminders": list(reminders)} if reminders else {}), **({"written": True} if written else {})}


def _recipient(uow: UnitOfWork, row: Mapping[str, Any]) -> Mapping[str, Any]:
    if row["status"] != RecipientStatus.FAILED:
        return {}
    rows = caused(uow, str(row["phone"]), f"recipient:{row['id']}", since=row["created_at"])
    code = code_in(rows[0].error_message) if rows else None
    return {} if code is None else {"code": code}


_KEEPERS: Mapping[str, Callable[[UnitOfWork, Mapping[str, Any]], Mapping[str, Any]]] = {
    "reengagement": _contact,
    "broadcast_recipients": _recipient,
}
