"""Uploads: a list of numbers becomes a draft's recipients; nobody is made a customer without evidence."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import attrs

from wch.application.people import found, spellings
from wch.application.ports import UnitOfWork
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.campaign import CampaignError
from wch.domain.evolution import evolve
from wch.domain.moment import of_iso
from wch.domain.phone import is_number

MOST_LINES = 100_000
MOST_BYTES = 20 * 1024 * 1024
SHORTEST, LONGEST = 7, 15


@attrs.frozen(kw_only=True)
class Line:
    """One line that names somebody.

    Attributes:
        number: of the line in the file, the header being 1.
        phone: the number's first spelling.
        written: as it was written.
        opted_in_at: when they said that they want to be written to.
        source: where they said so.
    """

    number: int
    phone: str
    written: str
    name: str | None = None
    opted_in_at: datetime | None = None
    source: str | None = None


@attrs.define(kw_only=True)
class Upload:
    """A list that may be read: line by line, so that no list is ever held as one.

    Attributes:
        body: the file.
        bad: numbers of lines that name nobody, as far as it was read; they are listed, never stored.
        erased: numbers of lines whose people were erased; known once it was written.
        country: of numbers without one.
    """

    body: bytes = attrs.field(repr=False)
    country: str
    bad: list[int] = attrs.field(factory=list)
    erased: list[int] = attrs.field(factory=list)

    def pages(self, size: int) -> Iterator[Sequence[Line]]:
        """So many lines at a time, each read when it is asked for."""
        page: list[Line] = []
        for number, row in enumerate(_rows(self.body), start=2):
            line = _line(number, row, self.country)
            if line is None:
                self.bad.append(number)
                continue
            page.append(line)
            if len(page) == size:
                yield page
                page = []
        if page:
            yield page

    def into(
        self,
        uow: UnitOfWork,
        campaign_id: int,
        page: Sequence[Line],
        *,
        is_erased: Callable[[UnitOfWork, str], bool],
        now: datetime,
    ) -> Sequence[int]:
        """These lines become recipients: of customers, of people with evidence, the rest skipped for want of it.

        Returns:
            Lines of people who were erased: nothing is written about them.
        """
        erased = []
        for line in sorted(page, key=lambda one: one.phone):
            people = found(uow, line.written, country=self.country)
            if people:
                uow.recipients.add(BroadcastRecipient(campaign_id=campaign_id, phone=people[0].phone, created_at=now))
                continue
            if is_erased(uow, line.phone):
                erased.append(line.number)
                continue
            if line.opted_in_at is None or not line.source:
                status = RecipientStatus.SKIPPED_NOCONSENT
                uow.recipients.add(
                    BroadcastRecipient(campaign_id=campaign_id, phone=line.phone, status=status, created_at=now)
                )
                continue
            profile = uow.customers.lock(line.phone, now=now)
            if line.name:
                profile = evolve(profile, name=line.name[:255])
            agreed = profile.consenting(
                "marketing", "in", source="import", now=min(line.opted_in_at, now), words=line.source, by="import"
            )
            uow.customers.save(agreed)
            uow.recipients.add(BroadcastRecipient(campaign_id=campaign_id, phone=line.phone, created_at=now))
        return erased


def read_upload(body: bytes, *, country: str) -> Upload:
    """Look through a CSV with a header: `phone`, and if known `name`, `opted_in_at` and `source`.

    Raises:
        CampaignError: it is too large, not UTF-8, or has no column `phone`.
    """
    if len(body) > MOST_BYTES:
        raise CampaignError("The list is larger than 20 MB; split it.")
    try:
        rows = _rows(body)
        if "phone" not in (rows.fieldnames or ()):
            raise CampaignError("The list needs a header with a column `phone`.")
        count = sum(1 for _ in rows)
    except UnicodeDecodeError:
        raise CampaignError("The list is not UTF-8; save it so and upload it again.") from None
    if count > MOST_LINES:
        raise CampaignError(f"The list has more than {MOST_LINES} lines; split it.")
    return Upload(body=body, country=country)


def _rows(body: bytes) -> "csv.DictReader[str]":
    """The lines behind the header, with commas or semicolons between, whichever the header has more of."""
    text = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig", newline="")
    head = text.readline()
    text.seek(0)
    return csv.DictReader(text, delimiter=";" if head.count(";") > head.count(",") else ",")


def _line(number: int, row: dict[str, str | None], country: str) -> Line | None:
    written = (row.get("phone") or "").strip()
    keys = spellings(written, country=country)
    if not keys or not is_number(keys[0]) or not SHORTEST <= len(keys[0]) <= LONGEST:
        return None
    try:
        at = of_iso(str(row["opted_in_at"])) if row.get("opted_in_at") else None
    except ValueError:
        return None
    return Line(
        number=number,
        phone=keys[0],
        written=written,
        name=(row.get("name") or "").strip() or None,
        opted_in_at=at,
        source=(row.get("source") or "").strip() or None,
    )
