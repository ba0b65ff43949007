"""Exports: everything that is stored of a customer, as one document."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from wch.application.digests import Digests
from wch.application.emptying import OWNED, PAGE, SWEPT
from wch.application.erasures import Keeper
from wch.application.limits import Limits
from wch.application.people import found, keys_of, person, spellings
from wch.application.ports import Clock, Database, Held, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.document import JsonObject
from wch.domain.erasure import Person, Traces
from wch.domain.errors import NotFoundError, WchError
from wch.domain.moment import iso
from wch.domain.phone import masked

FORMAT = "wch.export/1"
BEYOND = ("options", "audit_log")
MENTIONED = ("sync_queue", "dead_letter_queue", "saga_state", *BEYOND)
"""Tables without a customer's key in a column: a row is the customer's when they stand in it."""

OUTSIDE = ("payment providers", "Meta", "backups until their own end")


class ExportRefusedError(WchError):
    """Too many exports within the hour; wait until there is room again."""


def admit(uow: UnitOfWork, limits: Limits, by: str) -> None:
    """Count an export of whoever takes it away.

    Raises:
        ExportRefusedError: the limit `export` of this one is used up; `retry_after_s` says for how long.
    """
    admission = limits.hit_in(uow, limits.rule("export"), by)
    if not admission.admitted:
        raise ExportRefusedError(limit="export", retry_after_s=int(admission.retry_after.total_seconds()))


@attrs.frozen(kw_only=True)
class Exports:
    """Gathers what is known of a customer.

    Attributes:
        keepers: places beside the store.
        country: the shop's, for numbers without one.
    """

    database: Database
    clock: Clock
    digests: Digests
    limits: Limits
    keepers: tuple[Keeper, ...]
    country: str

    async def export(self, key: str, *, by: str) -> JsonObject:
        """Everything that is known of whoever this key or number means, by table, as stored.

        Raises:
            ExportRefusedError: the limit `export` of this operator is used up; `retry_after_s` says for how long.
            NotFoundError: nobody answers to it; `document` is the answer with empty lists.
        """
        customers = await self.database.read(lambda uow: found(uow, key, country=self.country))
        if not customers:
            subject = {"key": key, "aliases": [], "variants": list(spellings(key, country=self.country))}
            raise NotFoundError(
                "No customer answers to this key; there is nothing to export.",
                document=self._document(subject, {table: [] for table in SWEPT}, {}),
            )
        await self.database.transact(lambda uow: self._allow(uow, [one.id for one in customers], by))
        keys = await self.database.read(lambda uow: [keys_of(uow, one) for one in customers])
        whom = await self.database.read(lambda uow: _together([person(uow, one, token="0" * 32) for one in customers]))
        tables: dict[str, list[Any]] = {table: [] for table in SWEPT}
        for table in ("messages", *OWNED):
            tables[table] = [_row(held) async for held in self._owned(table, whom)]
        ids = frozenset(
            self.digests.of(str(row["wa_message_id"])) for row in tables["messages"] if row["wa_message_id"]
        )
        traces = Traces(whom, hidden=self.digests.of, ids=ids)
        for table in MENTIONED:
            tables[table] = [_row(held) async for held in self._mentioning(table, traces)]
        named = {f"customer:{one.id}" for one in customers}
        tables["audit_log"] += [
            _row(held)
            async for held in self._pages("audit_log")
            if held.values["object"] in named and not traces.stands_in(dict(_plain(held)))
        ]
        hits = {self.digests.of(one) for one in whom.keys}
        tables["rate_limits"] = [
            _row(held) async for held in self._pages("rate_limits") if held.values["identifier_hash"] in hits
        ]
        first, *more = [one for each in keys for one in each]
        subject = {"key": first, "aliases": more, "variants": sorted(whom.numbers)}
        beside = {keeper.name: await keeper.known_of(list(whom.keys)) for keeper in self.keepers}
        return self._document(subject, _others_masked(tables, set(whom.numbers)), beside)

    def _document(self, subject: JsonObject, tables: Mapping[str, Any], beside: Mapping[str, Any]) -> JsonObject:
        media = [
            row["content"]["media"]
            for row in tables["messages"]
            if isinstance(row["content"], Mapping) and "media" in row["content"]
        ]
        return {
            "format": FORMAT,
            "made_at": iso(self.clock.now()),
            "subject": subject,
            "tables": {table: rows for table, rows in tables.items() if table not in BEYOND},
            "beyond": {**{table: tables[table] for table in BEYOND}, "local_shop": {}, **beside, "media": media},
            "outside": list(OUTSIDE),
        }

    def _allow(self, uow: UnitOfWork, ids: list[int], by: str) -> None:
        admit(uow, self.limits, by)
        for customer_id in ids:
            uow.audit.add(
                AuditEntry(at=self.clock.now(), actor=by, action="customer.export", object=f"customer:{customer_id}")
            )

    async def _owned(self, table: str, whom: Person) -> AsyncIterator[Held]:
        after: tuple[Any, ...] | None = None
        keys = tuple(whom.keys)
        while True:
            page = await self.database.read(
                lambda uow, after=after: uow.holdings.of(table, keys, after=after, limit=PAGE)  # type: ignore[misc]  # bound early
            )
            for held in page:
                yield held
            if len(page) < PAGE:
                return
            after = page[-1].key

    async def _pages(self, table: str) -> AsyncIterator[Held]:
        after: tuple[Any, ...] | None = None
        while True:
            page = await self.database.read(
                lambda uow, after=after: uow.holdings.page(table, after=after, limit=PAGE)  # type: ignore[misc]  # bound early
            )
            for held in page:
                yield held
            if len(page) < PAGE:
                return
            after = page[-1].key

    async def _mentioning(self, table: str, traces: Traces) -> AsyncIterator[Held]:
        async for held in self._pages(table):
            if traces.stands_in(dict(_plain(held))):
                yield held


def _plain(held: Held) -> Mapping[str, Any]:
    return {name: value for name, value in held.values.items() if isinstance(value, (str, Mapping, list, int))}


def _together(people: list[Person]) -> Person:
    """Several customers who answer to one number: all of them are told."""
    return Person(
        keys={key: number for one in people for key, number in one.keys.items()},
        nationals={form: key for one in people for form, key in one.nationals.items()},
        words=tuple(word for one in people for word in one.words),
        names=tuple(name for one in people for name in one.names),
    )


def _row(held: Held) -> dict[str, Any]:
    """A row as JSON has it: moments RFC 3339, money as text."""
    return {name: _value(value) for name, value in held.values.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    return str(value) if isinstance(value, Decimal) else value


def _others_masked(tables: dict[str, list[Any]], own: set[str]) -> dict[str, list[Any]]:
    """Numbers of other people inside contact cards are nobody's to give away; people at the hub go by their role."""
    for row in tables["messages"]:
        for column in ("content", "raw_payload"):
            row[column] = _cards_masked(row[column], own, inside=False)
    for entry in tables["audit_log"]:
        if entry["actor"] not in {"worker", "whatsapp", "host", "cli"}:
            entry["actor"] = entry["role"] or "operator"
    return tables


def _cards_masked(value: Any, own: set[str], *, inside: bool) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _masked(one, own)
            if inside and name in {"phone", "wa_id"} and isinstance(one, str)
            else _cards_masked(one, own, inside=inside or (name == "contacts" and "profile" not in str(one)))
            for name, one in value.items()
        }
    return [_cards_masked(one, own, inside=inside) for one in value] if isinstance(value, list) else value


def _masked(text: str, own: set[str]) -> str:
    digits = "".join(letter for letter in text if letter.isdigit())
    return text if digits in own else masked(digits)
