"""Day rows: what one day came to, computed from rows, and kept once nothing of it can change any more.

Profiles stand in them as ids, which lead nowhere once a customer is erased.
"""

import bisect
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, TypedDict, Unpack
from zoneinfo import ZoneInfo

import attrs

from wch.application.day_book import FORM, DayBook, amount_of
from wch.application.ports import UnitOfWork
from wch.domain.document import JsonObject
from wch.domain.figures import Period, start_of
from wch.domain.message import FOREIGN, is_history
from wch.domain.moment import of_iso
from wch.domain.placement import PLACEMENT

DAY = "stats.day."
"""How the options of day rows begin."""

UNANSWERED_AFTER = timedelta(hours=24)
HELD_AT_MOST = timedelta(days=7)
"""How long a message may wait before it leaves: the most that a row of any kind lives by default, and to spare."""

UNCOUNTED = frozenset({"reaction", "edit", "revoke", "system", "call", "group"})
"""What a customer does without being active by it."""

PAGE = 500
SAID = ("conversation_id", "direction", "type", "content", "created_at", "sent_at", "delivered_at")
"""What is counted of a message."""

REFUNDED = '"refunds":[{'
"""Marks a placement of which something went back."""

VIEWED = frozenset({"view_product", "catalogue_order"})
ADDED = frozenset({"item_added", "catalogue_order"})
CLOSE = "close"
DAYS_AT_ONCE = 16
"""So many day rows are held at once."""


class Narrowed(TypedDict, total=False):
    """What narrows a walk through a table, as `Holdings.page` has it."""

    columns: Collection[str]
    since: Mapping[str, datetime]
    holding: Mapping[str, str]


class Books:
    """The days that are counted, from the first to the last; each is found by a moment that lies in it."""

    def __init__(self, first: date, last: date, zone: str) -> None:
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        self.by_day = {day: DayBook() for day in days}
        self.begins, self.ends = start_of(first, zone), start_of(last + timedelta(days=1), zone)
        self.zone = ZoneInfo(zone)
        self._books = list(self.by_day.values())
        self._starts = [start_of(day, zone) for day in days]

    def at(self, moment: datetime | None) -> DayBook | None:
        """The day of a moment; None if that is not counted."""
        if moment is None or not self.begins <= moment < self.ends:
            return None
        return self._books[bisect.bisect_right(self._starts, moment) - 1]


@attrs.define
class _Span:
    """A customer's words that wait for an answer, the first and the latest of them; no book if it began on another day."""

    since: datetime
    latest: datetime
    book: DayBook | None

    def lapsed(self) -> None:
        """Nobody answered for a day."""
        if self.book is not None:
            self.book.unanswered += 1


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

    def each(self, uow: UnitOfWork, period: Period, now: datetime) -> Iterator[tuple[date, JsonObject, bool]]:
        """Each day of a period in order, its row, and whether that was kept; the others are computed."""
        following = period.first
        for day, row in self._kept(uow, period):
            yield from self._between(uow, following, day, now)
            yield day, row, True
            following = day + timedelta(days=1)
        yield from self._between(uow, following, period.after, now)

    def _between(
        self, uow: UnitOfWork, first: date, after: date, now: datetime
    ) -> Iterator[tuple[date, JsonObject, bool]]:
        if first < after:
            computed = self.computed(uow, first, after - timedelta(days=1), now)
            yield from ((day, row, False) for day, row in computed.items())

    def _kept(self, uow: UnitOfWork, period: Period) -> Iterator[tuple[date, JsonObject]]:
        """The day rows of a period that are kept, a few at a time: a busy day's is large."""
        name = f"{DAY}{period.first.isoformat()}"[:-1]  # the last name before the first day's
        while page := uow.options.named(DAY, after=name, limit=DAYS_AT_ONCE):
            for name, row in page:
                day = date.fromisoformat(name.removeprefix(DAY))
                if day >= period.after:
                    return
                if day >= period.first and row.get("zone") == self.zone and row.get("form") == FORM:
                    yield day, row

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
        books = Books(first, last, self.zone)
        people = _people(uow, books)
        _messages(uow, books, people, now)
        _views(uow, books, people)
        _placements(uow, books, people)
        _notices(uow, books)
        _contacts(uow, books)
        _letters(uow, books)
        for number, at in people.met:
            book = books.at(at)
            if book is not None and number in book.stages["wrote"]:
                book.newcomers += 1
        return {day: book.written(day, self.zone) for day, book in books.by_day.items()}


# --- counting


def _people(uow: UnitOfWork, books: Books) -> People:
    """Profiles and conversations, each table walked once; consent that was taken back is counted on the way."""
    people = People()
    for row in rows(uow, "customer_profiles", columns=("phone", "created_at", "preferences")):
        people.profiles[row["phone"]] = row["id"]
        if books.begins <= row["created_at"] < books.ends:
            people.met.append((row["id"], row["created_at"]))
        preferences: Any = row["preferences"] if isinstance(row["preferences"], Mapping) else {}
        for entry in preferences.get("consent", {}).get("log", ()):
            at = entry.get("at")
            book = books.at(of_iso(at) if isinstance(at, str) else None)
            if book is not None and entry.get("to") == "out":
                book.opt_outs[str(entry.get("source", "unknown"))] += 1
    for row in rows(uow, "conversations", columns=("customer_phone", "created_at")):
        people.threads[row["id"]] = row["customer_phone"]
        if books.begins <= row["created_at"] < books.ends:
            people.begun.add(row["id"])
    return people


def _messages(uow: UnitOfWork, books: Books, people: People, now: datetime) -> None:
    """Talk, answers, the heat map, the first stages.

    A span may end a day after it began, and a message leave days after it was made: the days around are read too, so
    that a day comes to the same whichever others are computed with it.
    """
    spans: dict[int, _Span] = {}
    for row in _around(uow, books):
        thread, content = row["conversation_id"], row["content"] if isinstance(row["content"], Mapping) else {}
        is_inbound, at = row["direction"] == "inbound", row["created_at"]
        is_first = is_inbound and thread in people.begun and books.begins <= at < books.ends
        if is_first:
            people.begun.discard(thread)
        if row["type"] == FOREIGN or thread is None or is_history(content):
            continue
        if not is_inbound:
            _left(books, spans, row, content)
        elif at < books.ends:
            book = books.at(at)
            if book is not None:
                _heard(book, row, content, people, books.zone, is_first=is_first)
            if _wants_answer(content):
                _waits(spans, thread, at, book)
    for span in spans.values():
        if now >= span.since + UNANSWERED_AFTER:
            span.lapsed()


def _around(uow: UnitOfWork, books: Books) -> Iterator[Mapping[str, Any]]:
    """The messages of these days and of a day on each side, and before them those that were held until these days."""
    before = books.begins - UNANSWERED_AFTER
    yield from messages(uow, books.begins - HELD_AT_MOST, before, sent_since=books.begins)
    yield from messages(uow, before, books.ends + UNANSWERED_AFTER)


def _waits(spans: dict[int, _Span], thread: int, at: datetime, book: DayBook | None) -> None:
    """Words that want an answer: they begin a span, unless some of the last day wait already."""
    span = spans.get(thread)
    if span is not None and at - span.latest < UNANSWERED_AFTER:
        span.latest = at
        return
    if span is not None:
        span.lapsed()
    spans[thread] = _Span(at, at, book)
    if book is not None:
        book.begun += 1


def _left(books: Books, spans: dict[int, _Span], row: Mapping[str, Any], content: JsonObject) -> None:
    """If a message went out, it counts; a reply ends the span of its thread."""
    if row["sent_at"] is None:
        return
    book = books.at(row["sent_at"])
    if book is not None:
        book.left(row, content)
    if content.get("class") != "reply" or row["conversation_id"] not in spans:
        return
    span = spans.pop(row["conversation_id"])
    took = row["sent_at"] - span.since
    if took >= UNANSWERED_AFTER:
        span.lapsed()
    elif span.book is not None:
        span.book.answered(content, took)


def _heard(
    book: DayBook, row: Mapping[str, Any], content: JsonObject, people: People, zone: ZoneInfo, *, is_first: bool
) -> None:
    """A customer said something on this day."""
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
    book.hours[f"{at.astimezone(zone).hour:02d}"] += 1
    did = set(handled.get("did", ()))
    if "cart_opened" in did:
        book.carts_opened += 1
    for stage, words in (("viewed", VIEWED), ("added", ADDED), ("checkout", {"start_checkout"})):
        if did & words:
            book.reached(stage, who, at)


def _views(uow: UnitOfWork, books: Books, people: People) -> None:
    for row in rows(uow, "product_views", since={"viewed_at": books.begins}):
        if not books.begins <= row["viewed_at"] < books.ends:
            continue
        book, who = books.at(row["viewed_at"]), people.profiles.get(row["customer_phone"])
        if book is not None:
            product = book.products[str(row["product_id"])]
            product["views"] += 1
            if who is not None:
                book.viewers[str(row["product_id"])].add(who)
                book.reached("viewed", who, row["viewed_at"])


def _placements(uow: UnitOfWork, books: Books, people: People) -> None:
    """Placements by the day that they began, closed or failed; money by the day that it moved.

    A refund does not touch `updated_at`, so those that have one are looked at whenever they ended.
    """
    touched = {"created_at": books.begins, "updated_at": books.begins}
    for saga in rows(uow, "saga_state", since=touched, holding={"context": REFUNDED}):
        context: Any = saga["context"] if isinstance(saga["context"], Mapping) else {}
        if saga["saga_type"] != PLACEMENT:
            continue
        who = people.profiles.get(str(context.get("customer", {}).get("phone")))
        begun = books.at(saga["created_at"])
        if begun is not None:
            begun.placements["begun"] += 1
            if who is not None:
                begun.reached("confirmed", who, saga["created_at"])
        at = closed_at(saga)
        closed = books.at(at)
        if closed is not None and at is not None:
            closed.closes(context, who, at)
        failed = books.at(saga["updated_at"]) if str(saga["state"]) == "failed" else None
        if failed is not None:
            failed.failures[f"{context.get('outcome', 'failed')}: {context.get('reason', 'unknown')}"] += 1
        for refund in context.get("money", {}).get("refunds", ()):
            paid_back = refund.get("at")
            book = books.at(of_iso(paid_back) if isinstance(paid_back, str) else None)
            amount = refund.get("amount", {})
            if book is not None and isinstance(amount, Mapping):
                book.money("refunds", amount)


def _notices(uow: UnitOfWork, books: Books) -> None:
    for row in rows(uow, "notification_log", since={"created_at": books.begins}):
        book = books.at(row["created_at"])
        if book is None:
            continue
        word = str(row["status"])
        if word == "skipped":
            word = f"skipped: {row['error_message'] or 'unknown'}"
        book.notices[str(row["notification_type"])][word] += 1


def _contacts(uow: UnitOfWork, books: Books) -> None:
    touched = dict.fromkeys(("created_at", "sent_at", "converted_at"), books.begins)
    for row in rows(uow, "reengagement", since=touched):
        kind = str(row["campaign_type"])
        begun, sent = books.at(row["created_at"]), books.at(row["sent_at"])
        if begun is not None:
            begun.contacts[kind]["begun"] += 1
        if sent is not None:
            sent.contacts[kind]["sent"] += 1
            sent.contacts[kind]["converted"] += bool(row["converted"])
        brought = books.at(row["converted_at"]) if row["converted"] else None
        if brought is not None:
            brought.credited[kind] += amount_of(row["conversion_revenue"])


def _letters(uow: UnitOfWork, books: Books) -> None:
    moments = ("created_at", "replayed_at", "dismissed_at")
    for row in rows(uow, "dead_letter_queue", columns=moments, since=dict.fromkeys(moments, books.begins)):
        for column, word in (("created_at", "entered"), ("replayed_at", "replayed"), ("dismissed_at", "dismissed")):
            book = books.at(row[column])
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


def messages(
    uow: UnitOfWork, begins: datetime, ends: datetime, *, sent_since: datetime | None = None
) -> Iterator[Mapping[str, Any]]:
    """Messages made in this time, by id: ids grow with time, so where to begin is found by halving."""
    narrowed: Narrowed = {"columns": SAID}
    if sent_since is not None:
        narrowed["since"] = {"sent_at": sent_since}
    for row in rows(uow, "messages", after=(first_since(uow, begins) - 1,), **narrowed):
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
