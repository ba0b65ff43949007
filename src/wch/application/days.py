"""Day rows: what one day came to, computed from rows, and kept once nothing of it can change any more.

Profiles stand in them as ids, which lead nowhere once a customer is erased.
"""

import bisect
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, TypedDict, Unpack
from zoneinfo import ZoneInfo

import attrs

from wch.application.day_book import DayBook, amount_of
from wch.application.ports import UnitOfWork
from wch.domain.document import JsonObject
from wch.domain.figures import MOST_DAYS, Period, day_of, start_of
from wch.domain.message import FOREIGN, is_history
from wch.domain.moment import of_iso
from wch.domain.placement import PLACEMENT

DAY = "stats.day."
"""How the options of day rows begin."""

UNANSWERED_AFTER = timedelta(hours=24)
UNCOUNTED = frozenset({"reaction", "edit", "revoke", "system", "call", "group"})
"""What a customer does without being active by it."""

PAGE = 2000
SAID = ("conversation_id", "direction", "type", "content", "created_at", "sent_at", "delivered_at")
"""What is counted of a message."""

REFUNDED = '"refunds":[{'
"""Marks a placement of which something went back."""

VIEWED = frozenset({"view_product", "catalogue_order"})
ADDED = frozenset({"item_added", "catalogue_order"})
CLOSE = "close"
_IN_TEN_DAYS = 9
"""So many names at most lie between a day's name without its last digit and that day."""


class Narrowed(TypedDict, total=False):
    """What narrows a walk through a table, as `Holdings.page` has it."""

    columns: Collection[str]
    since: Mapping[str, datetime]
    holding: Mapping[str, str]


@attrs.define
class _Span:
    """A customer's words that wait for an answer."""

    since: datetime
    day: date


@attrs.frozen(kw_only=True)
class People:
    """Who is behind a conversation or a key, by the number of the profile.

    Attributes:
        begun: conversations that were made in the time that is counted, and whose first words are still to come.
        met: profiles that were, and when.
    """

    profiles: dict[str, int] = attrs.field(factory=dict)
    threads: dict[int, str] = attrs.field(factory=dict)
    begun: set[int] = attrs.field(factory=set)
    met: list[tuple[int, datetime]] = attrs.field(factory=list)

    def of_thread(self, conversation_id: int | None) -> int | None:
        """Whose thread it is."""
        phone = None if conversation_id is None else self.threads.get(conversation_id)
        return None if phone is None else self.profiles.get(phone)


@attrs.frozen(kw_only=True)
class Days:
    """Reads and keeps day rows.

    Attributes:
        zone: the shop's; a day row of another zone is computed anew.
    """

    zone: str

    def kept(self, uow: UnitOfWork, period: Period) -> dict[date, JsonObject]:
        """The day rows of a period that are kept."""
        before = f"{DAY}{period.first.isoformat()}"[:-1]  # the last name before the first day's
        found = {}
        for name, row in uow.options.named(DAY, after=before, limit=MOST_DAYS + _IN_TEN_DAYS):
            day = date.fromisoformat(name.removeprefix(DAY))
            if period.first <= day < period.after and row.get("zone") == self.zone:
                found[day] = row
        return found

    def missing(self, uow: UnitOfWork, period: Period, kept: Collection[date], now: datetime) -> dict[date, JsonObject]:
        """What the other days of the period came to, computed."""
        found: dict[date, JsonObject] = {}
        for first, last in _runs([day for day in period.days if day not in kept]):
            found.update(self.computed(uow, first, last, now))
        return found

    def keep(self, uow: UnitOfWork, found: Mapping[date, JsonObject]) -> None:
        """Write day rows."""
        for day, row in found.items():
            uow.options.put(f"{DAY}{day.isoformat()}", row)

    def is_over(self, day: date, now: datetime) -> bool:
        """Whether nothing that counts for this day can happen any more."""
        return now >= start_of(day + timedelta(days=1), self.zone) + UNANSWERED_AFTER

    # --- computing

    def computed(self, uow: UnitOfWork, first: date, last: date, now: datetime) -> dict[date, JsonObject]:
        """What the days from the first to the last came to, from the rows alone; the same rows give the same twice."""
        begins, ends = start_of(first, self.zone), start_of(last + timedelta(days=1), self.zone)
        books = {first + timedelta(days=number): DayBook() for number in range((last - first).days + 1)}
        people = self._people(uow, books, begins, ends)
        self._messages(uow, books, people, begins, ends, now)
        self._views(uow, books, people, begins, ends)
        self._placements(uow, books, people, begins)
        self._notices(uow, books, begins)
        self._contacts(uow, books, begins)
        self._letters(uow, books, begins)
        for number, at in people.met:
            book = self._book(books, at)
            if book is not None and number in book.stages["wrote"]:
                book.newcomers += 1
        return {day: book.written(day, self.zone) for day, book in books.items()}

    def _people(self, uow: UnitOfWork, books: Mapping[date, DayBook], begins: datetime, ends: datetime) -> People:
        """Profiles and conversations, each table walked once; consent that was taken back is counted on the way."""
        people = People()
        for row in rows(uow, "customer_profiles", columns=("phone", "created_at", "preferences")):
            people.profiles[row["phone"]] = row["id"]
            if begins <= row["created_at"] < ends:
                people.met.append((row["id"], row["created_at"]))
            preferences: Any = row["preferences"] if isinstance(row["preferences"], Mapping) else {}
            for entry in preferences.get("consent", {}).get("log", ()):
                at = entry.get("at")
                book = self._book(books, of_iso(at) if isinstance(at, str) else None)
                if book is not None and entry.get("to") == "out":
                    book.opt_outs[str(entry.get("source", "unknown"))] += 1
        for row in rows(uow, "conversations", columns=("customer_phone", "created_at")):
            people.threads[row["id"]] = row["customer_phone"]
            if begins <= row["created_at"] < ends:
                people.begun.add(row["id"])
        return people

    def _book(self, books: Mapping[date, DayBook], moment: datetime | None) -> DayBook | None:
        return None if moment is None else books.get(day_of(moment, self.zone))

    def _messages(  # noqa: PLR0917 - private: one pass over the messages
        self,
        uow: UnitOfWork,
        books: Mapping[date, DayBook],
        people: People,
        begins: datetime,
        ends: datetime,
        now: datetime,
    ) -> None:
        """Talk, answers, the heat map, the first stages; a span may end a day after it began."""
        spans: dict[int, _Span] = {}
        for row in messages(uow, begins, ends + UNANSWERED_AFTER):
            thread, content = row["conversation_id"], row["content"] if isinstance(row["content"], Mapping) else {}
            is_first = row["direction"] == "inbound" and thread in people.begun and row["created_at"] < ends
            if is_first:
                people.begun.discard(thread)
            if row["type"] == FOREIGN or thread is None or is_history(content):
                continue
            if row["direction"] == "inbound":
                at = row["created_at"]
                book = self._book(books, at)
                self._heard(book, row, content, people, is_first=is_first)
                if thread not in spans and _wants_answer(content) and book is not None:
                    spans[thread] = _Span(at, day_of(at, self.zone))
                    book.begun += 1
            elif row["sent_at"] is not None:
                self._left(books, spans, row, content)
        for span in spans.values():
            if now >= span.since + UNANSWERED_AFTER:
                books[span.day].unanswered += 1

    def _left(
        self, books: Mapping[date, DayBook], spans: dict[int, _Span], row: Mapping[str, Any], content: JsonObject
    ) -> None:
        """A message went out; a reply ends the span of its thread."""
        book = self._book(books, row["sent_at"])
        if book is not None:
            book.left(row, content)
        if content.get("class") != "reply" or row["conversation_id"] not in spans:
            return
        span = spans.pop(row["conversation_id"])
        took = row["sent_at"] - span.since
        if took < UNANSWERED_AFTER:
            books[span.day].answered(content, took)
        else:
            books[span.day].unanswered += 1

    def _heard(
        self, book: DayBook | None, row: Mapping[str, Any], content: JsonObject, people: People, *, is_first: bool
    ) -> None:
        if book is None:
            return
        book.inbound[str(row["type"])] += 1
        book.conversations_with_inbound.add(row["conversation_id"])
        book.conversations += is_first
        who = people.of_thread(row["conversation_id"])
        handled: Any = content.get("handled", {})
        if handled.get("to") == "awaiting_human":
            book.handed_over.add(row["conversation_id"])
        if who is None or row["type"] in UNCOUNTED:
            return
        at = row["created_at"]
        book.reached("wrote", who, at)
        book.hours[f"{at.astimezone(ZoneInfo(self.zone)).hour:02d}"] += 1
        did = set(handled.get("did", ()))
        if "cart_opened" in did:
            book.carts_opened += 1
        for stage, words in (("viewed", VIEWED), ("added", ADDED), ("checkout", {"start_checkout"})):
            if did & words:
                book.reached(stage, who, at)

    def _views(
        self, uow: UnitOfWork, books: Mapping[date, DayBook], people: People, begins: datetime, ends: datetime
    ) -> None:
        for row in rows(uow, "product_views", since={"viewed_at": begins}):
            if not begins <= row["viewed_at"] < ends:
                continue
            book, who = self._book(books, row["viewed_at"]), people.profiles.get(row["customer_phone"])
            if book is not None:
                product = book.products[str(row["product_id"])]
                product["views"] += 1
                if who is not None:
                    book.viewers[str(row["product_id"])].add(who)
                    book.reached("viewed", who, row["viewed_at"])

    def _placements(self, uow: UnitOfWork, books: Mapping[date, DayBook], people: People, begins: datetime) -> None:
        """Placements by the day that they began, closed or failed; money by the day that it moved.

        A refund does not touch `updated_at`, so those that have one are looked at whenever they ended.
        """
        touched = {"created_at": begins, "updated_at": begins}
        for saga in rows(uow, "saga_state", since=touched, holding={"context": REFUNDED}):
            context: Any = saga["context"] if isinstance(saga["context"], Mapping) else {}
            if saga["saga_type"] != PLACEMENT:
                continue
            who = people.profiles.get(str(context.get("customer", {}).get("phone")))
            begun = self._book(books, saga["created_at"])
            if begun is not None:
                begun.placements["begun"] += 1
                if who is not None:
                    begun.reached("confirmed", who, saga["created_at"])
            at = closed_at(saga)
            closed = self._book(books, at)
            if closed is not None and at is not None:
                closed.closes(context, who, at)
            failed = self._book(books, saga["updated_at"]) if str(saga["state"]) == "failed" else None
            if failed is not None:
                failed.failures[f"{context.get('outcome', 'failed')}: {context.get('reason', 'unknown')}"] += 1
            for refund in context.get("money", {}).get("refunds", ()):
                paid_back = refund.get("at")
                book = self._book(books, of_iso(paid_back) if isinstance(paid_back, str) else None)
                amount = refund.get("amount", {})
                if book is not None and isinstance(amount, Mapping):
                    book.money("refunds", amount)

    def _notices(self, uow: UnitOfWork, books: Mapping[date, DayBook], begins: datetime) -> None:
        for row in rows(uow, "notification_log", since={"created_at": begins}):
            book = self._book(books, row["created_at"])
            if book is None:
                continue
            word = str(row["status"])
            if word == "skipped":
                word = f"skipped: {row['error_message'] or 'unknown'}"
            book.notices[str(row["notification_type"])][word] += 1

    def _contacts(self, uow: UnitOfWork, books: Mapping[date, DayBook], begins: datetime) -> None:
        touched = {"created_at": begins, "sent_at": begins, "converted_at": begins}
        for row in rows(uow, "reengagement", since=touched):
            kind = str(row["campaign_type"])
            begun, sent = self._book(books, row["created_at"]), self._book(books, row["sent_at"])
            if begun is not None:
                begun.contacts[kind]["begun"] += 1
            if sent is not None:
                sent.contacts[kind]["sent"] += 1
                sent.contacts[kind]["converted"] += bool(row["converted"])
            brought = self._book(books, row["converted_at"]) if row["converted"] else None
            if brought is not None:
                brought.credited[kind] += amount_of(row["conversion_revenue"])

    def _letters(self, uow: UnitOfWork, books: Mapping[date, DayBook], begins: datetime) -> None:
        moments = ("created_at", "replayed_at", "dismissed_at")
        for row in rows(uow, "dead_letter_queue", columns=moments, since=dict.fromkeys(moments, begins)):
            for column, word in (("created_at", "entered"), ("replayed_at", "replayed"), ("dismissed_at", "dismissed")):
                book = self._book(books, row[column])
                if book is not None:
                    book.letters[word] += 1


# --- rows


def rows(
    uow: UnitOfWork, table: str, after: tuple[Any, ...] | None = None, **narrowed: Unpack[Narrowed]
) -> Iterator[Mapping[str, Any]]:
    """Rows of a table as plain values, page by page: every one, whole, unless narrowed as `Holdings.page` says."""
    while page := uow.holdings.page(table, after=after, limit=PAGE, **narrowed):
        yield from (held.values for held in page)
        if len(page) < PAGE:
            return
        after = page[-1].key


def messages(uow: UnitOfWork, begins: datetime, ends: datetime) -> Iterator[Mapping[str, Any]]:
    """Messages made in this time, by id: ids grow with time, so where to begin is found by halving."""
    for row in rows(uow, "messages", after=(first_since(uow, begins) - 1,), columns=SAID):
        if row["created_at"] >= ends:
            return
        if row["created_at"] >= begins:
            yield row


def first_since(uow: UnitOfWork, moment: datetime) -> int:
    """The id of the first message made then or later, or one beyond all."""

    def made_at(number: int) -> datetime | None:
        found = uow.holdings.page("messages", after=(number - 1,), limit=1, columns=("created_at",))
        return found[0].values["created_at"] if found else None

    beyond = 1
    while (at := made_at(beyond)) is not None and at < moment:
        beyond *= 2

    def is_there(number: int) -> int:
        at = made_at(max(1, number))
        return int(at is None or at >= moment)

    return bisect.bisect_left(range(beyond + 1), 1, key=is_there)


def closed_at(saga: Mapping[str, Any]) -> datetime | None:
    """When the order was closed: the end of that step in the log of a completed placement."""
    if str(saga["state"]) != "completed":
        return None
    log: Any = saga["log"] if isinstance(saga["log"], list) else []
    ends = [entry["at"] for entry in log if entry.get("step") == CLOSE and entry.get("ev") == "done"]
    return of_iso(ends[-1]) if ends else saga["updated_at"]


def _wants_answer(content: JsonObject) -> bool:
    """Whether an inbound row begins to wait; one that is silent by rule does not."""
    handled: Any = content.get("handled", {})
    return "silence" not in handled or handled["silence"] in {"with_person", "bot_off"}


def _runs(days: list[date]) -> Iterator[tuple[date, date]]:
    """Days that follow each other, as first and last."""
    start = 0
    for place in range(1, len(days) + 1):
        if place == len(days) or days[place] - days[place - 1] != timedelta(days=1):
            yield days[start], days[place - 1]
            start = place
