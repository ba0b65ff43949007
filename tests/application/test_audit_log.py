"""The audit log is read by day; what somebody takes away of it is counted, and a line itself."""

from datetime import date, timedelta

import attrs
import pytest

from tests.application.rooms import ANNA, Rooms, rooms
from wch.application.audit_log import PAGE, AuditDaysError, AuditFilter, AuditLog
from wch.application.exports import ExportRefusedError
from wch.application.ports import UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.document import document
from wch.domain.figures import start_of
from wch.entrypoints import sheets

ZONE = "Europe/Madrid"
MONDAY = date(2026, 3, 2)
LINE = AuditEntry(at=start_of(MONDAY, ZONE), actor="maria", role="admin", action="saga.resume", object="saga:a")


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


@pytest.fixture
def log(hub: Rooms) -> AuditLog:
    return AuditLog(database=hub.database, clock=hub.clock, limits=hub.limits, zone=ZONE)


async def _written(hub: Rooms, *lines: AuditEntry) -> None:
    def work(uow: UnitOfWork) -> None:
        for line in lines:
            uow.audit.add(line)

    await hub.database.transact(work)


async def test_days_are_those_of_the_shop(hub: Rooms, log: AuditLog) -> None:
    """From the first moment of the first day until the last one of the last day, where the shop is."""
    second = timedelta(seconds=1)
    moments = [LINE.at - second, LINE.at, LINE.at + timedelta(days=1) - second, LINE.at + timedelta(days=1)]
    await _written(hub, *(attrs.evolve(LINE, at=at) for at in moments))

    (of_monday, later, earlier) = [
        [one.at for one in await log.listed(which)]
        for which in (
            AuditFilter(first=MONDAY, last=MONDAY),
            AuditFilter(first=MONDAY + timedelta(days=1)),
            AuditFilter(last=MONDAY - timedelta(days=1)),
        )
    ]

    assert (of_monday, later, earlier) == (moments[1:3], moments[3:], moments[:1])


@pytest.mark.parametrize(
    "which",
    [
        AuditFilter(first=MONDAY, last=MONDAY - timedelta(days=1)),
        AuditFilter(last=date.max),
    ],
    ids=["turned round", "the end of time"],
)
async def test_days_that_cannot_be_are_refused(log: AuditLog, which: AuditFilter) -> None:
    """By a sentence that says how days are written."""
    with pytest.raises(AuditDaysError):
        await log.listed(which)
    with pytest.raises(AuditDaysError):
        await log.exported(which, by="maria", sees=True)


async def test_all_pages_are_taken_away(hub: Rooms, log: AuditLog) -> None:
    """Only the lines that are meant, however many; the export is the newest line."""
    await _written(hub, *(attrs.evolve(LINE, object=f"saga:{number % 2}") for number in range(2 * PAGE + 2)))

    rows = await log.exported(AuditFilter(object="saga:1"), by="maria", sees=True)

    assert [row["object"] for row in rows] == ["saga:1"] * (PAGE + 1)
    (line,) = await log.listed(AuditFilter(action="audit.export"))
    assert (line.actor, line.at) == ("maria", hub.clock.now())


async def test_the_fourth_within_an_hour_is_refused(log: AuditLog) -> None:
    """Nothing is written down of what nobody got."""
    for _ in range(3):
        await log.exported(AuditFilter(), by="maria", sees=True)
    with pytest.raises(ExportRefusedError):
        await log.exported(AuditFilter(), by="maria", sees=True)

    assert len(await log.listed(AuditFilter(action="audit.export"))) == 3


async def test_what_somebody_wrote_is_for_those_who_see_people(hub: Rooms, log: AuditLog) -> None:
    """A reason may name a customer, a detail may hold what was changed; a formula stays a text."""
    await _written(hub, attrs.evolve(LINE, reason=f"={ANNA} asked", detail=document(was=ANNA)), LINE)

    (seen, bare, *_), (hidden, *_) = [
        await log.exported(AuditFilter(), by="maria", sees=sees) for sees in (True, False)
    ]

    assert (seen["reason"], seen["detail"]) == (f"={ANNA} asked", f'{{"was": "{ANNA}"}}')
    assert (bare["reason"], bare["detail"]) == (None, "{}")
    assert ANNA not in str(hidden)
    assert f",'={ANNA} asked," in "".join(sheets.lines([seen]))
