"""What is kept beside the 14 tables' rows, and what looks at all of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import attrs

from wch.application.ports.rows import Finding, Held
from wch.domain.audit import AuditEntry
from wch.domain.document import JsonObject

NO_MOMENTS: Mapping[str, datetime] = {}
NO_PIECES: Mapping[str, str] = {}


class OptionRepository(Protocol):
    """Small named documents: settings, plans, templates, aliases, facts."""

    def get(self, name: str, *, lock: bool = False) -> JsonObject | None:
        """The document of this name, letter for letter."""
        ...

    def look_ahead(self, names: Collection[str]) -> None:
        """Read in one statement what a work will get or remove; what others write from then on it may not see.

        Of no use but for speed: whoever needs the latest looks again, or locks.
        """
        ...

    def put(self, name: str, value: JsonObject) -> None:
        """Write the document of this name, whether it was there or not."""
        ...

    def remove(self, name: str) -> bool:
        """Delete it; whether it was there."""
        ...

    def named(self, prefix: str, *, after: str = "", limit: int = 100) -> Sequence[tuple[str, JsonObject]]:
        """Names that begin so, with their documents, by name."""
        ...


class AuditRepository(Protocol):
    """What people did, and what accounts told us."""

    def add(self, entry: AuditEntry) -> AuditEntry:
        """Write a new line."""
        ...

    def listed(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        object: str | None = None,  # noqa: A002 - as the line calls it
        since: datetime | None = None,
        before: datetime | None = None,
        after: int = 0,
        newest_first: bool = False,
        limit: int = 50,
    ) -> Sequence[AuditEntry]:
        """Lines by id, or the other way round, strictly after `after` in that order.

        Who, what and to what letter by letter, at `since` or later, before `before`; 0 is before the first of either.
        """
        ...


class Holdings(Protocol):
    """Every table as rows of plain values: for what must reach all that is stored of a person.

    Tables are named without prefix: the 14, `options` and `audit_log`. Texts stand as they are
    stored, JSON is decoded (where it cannot be read it is its text), money and moments are values.
    """

    def page(
        self,
        table: str,
        *,
        after: tuple[Any, ...] | None = None,
        limit: int = 500,
        columns: Collection[str] = (),
        since: Mapping[str, datetime] = NO_MOMENTS,
        holding: Mapping[str, str] = NO_PIECES,
    ) -> Sequence[Held]:
        """Rows in the order of their key, strictly after `after`, not locked.

        Args:
            table: its name without prefix.
            after: the key of the last row that was seen.
            limit: how many at most.
            columns: the only ones to read, those of the key beside them; none named: all.
            since: by column, a moment. With `holding` it narrows: a row is there if any of its
                moments that are named here is not before the one beside it,
            holding: or if the text of any JSON column that is named here holds the piece beside
                it, in the one spelling that JSON is stored in. Neither: every row.

        Raises:
            NotFoundError: there is no such table.
        """
        ...

    def of(
        self, table: str, phones: Collection[str], *, after: tuple[Any, ...] | None = None, limit: int = 500
    ) -> Sequence[Held]:
        """As `page`, of the rows whose customer column has one of these keys; messages: of their threads.

        A table that names no customer has none.
        """
        ...

    def locked(self, held: Held) -> Held | None:
        """The row as it stands now, locked; None when it is gone."""
        ...

    def rewrite(self, held: Held, changes: Mapping[str, Any]) -> bool:
        """Write these columns of the row, locked first; False when it is gone."""
        ...

    def clean(self, held: Held, text: Callable[[str], str]) -> bool:
        """Put every text of the row as it stands now through `text`, its key aside; whether that changed it."""
        ...

    def drop(self, held: Held) -> bool:
        """Delete the row; False when it is gone."""
        ...


@attrs.frozen(kw_only=True)
class SilentSends:
    """Messages that WhatsApp accepted, and how many of them it has said nothing about since."""

    accepted: int
    silent: int


class Census(Protocol):
    """The tables counted, and what they do not agree on; within one transaction all counts fit together."""

    def states(self) -> Mapping[str, Mapping[str, int]]:
        """For each of the 14 tables (without prefix), rows by state.

        Messages have the states `inbound:<status>` and `outbound:<status>`; broadcasts,
        sync, notices, letters, carts, conversations, breakers and sagas their word. Tables
        without a state have the one key `rows`. A table without rows has an empty mapping.
        """
        ...

    def sagas(self) -> Mapping[tuple[str, str], int]:
        """How many sagas there are of each type in each state."""
        ...

    def oldest_waiting(self) -> Mapping[str, datetime]:
        """When the oldest waiting row was made: `inbound`, `outbound`, `notifications`, `sync`, `sagas`.

        For sagas and notices the moment of the next look counts. What has nothing waiting is absent.
        """
        ...

    def miscounted(self, *, limit: int = 100) -> Sequence[Finding]:
        """Conversations whose `message_count` is not the number of their rows, `foreign` and history aside."""
        ...

    def dangling(self, *, limit: int = 100) -> Sequence[Finding]:
        """Rows that point to nothing.

        A message whose conversation is gone; an inbound row that is `dead`, or a sync row
        `failed`, without any dead letter about it; a pending dead letter about a row that is gone.
        """
        ...

    def silent_sends(self, since: datetime, until: datetime) -> SilentSends:
        """Outbound rows made from `since` to before `until` that WhatsApp accepted, and those it said no word about.

        Silent is a row that is still `sent` and of which no status ever came, not even an unknown one.
        Placeholders are no sends.
        """
        ...

    def taken_over(self) -> int:
        """How many inbound rows took more than one attempt: their lease ran out, or an error sent them back."""
        ...

    def unknown_words(self) -> Sequence[Finding]:
        """States that no reader knows."""
        ...
