"""The table of errors, code by code: what becomes of the row, of its customer, and of what else waits.

Every code of the table is told twice: in the answer to the call, and by a `failed` status later.
"""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.rooms import ANNA, NUMBER, Rooms, rooms, status
from wch.application import stops
from wch.application.health import STOPPED
from wch.domain.message import Class, Message, MessageStatus
from wch.domain.moment import iso
from wch.domain.outgoing import Outgoing, Template, Text
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Refused


@attrs.frozen(kw_only=True)
class Line:
    """What the table says of some codes.

    Attributes:
        codes: of WhatsApp's.
        held: whether the row waits again when the answer says so; its attempt counts only if `counts`.
        again: whether it is said once more, in a new row, when a status says so.
        stop: what is not sent any more.
        letter: why there is a dead letter.
        marks: what is known of the customer afterwards.
    """

    codes: tuple[int, ...]
    held: bool = False
    counts: bool = False
    again: bool = False
    stop: str | None = None
    letter: str | None = None
    marks: str | None = None


TABLE = (
    Line(codes=(1, 2, 131000, 131016, 133004), held=True, counts=True, again=True),
    Line(codes=(4, 80007, 130429, 131057), held=True, again=True),
    Line(codes=(131056,), held=True, again=True),
    Line(codes=(131048, 131064), held=True, stop=stops.CAMPAIGNS),
    Line(codes=(131049, 130472), marks="hold"),
    Line(codes=(0, 3, 10, 190, 200, 250, 299, 131005), held=True, stop=STOPPED),
    Line(codes=(368, 131031), held=True, stop=STOPPED),
    Line(codes=(131042,), held=True, stop=stops.TEMPLATES),
    Line(codes=(33, 131037, 131045, 133010, 134011), held=True, stop=stops.of_number(NUMBER)),
    Line(codes=(130497,), stop=stops.of_country("US")),
    Line(codes=(131047,), marks="window"),
    Line(codes=(131050,), marks="out"),
    Line(codes=(132000, 132001, 132005, 132007, 132008, 132012, 132068, 132069), marks="faulty"),
    Line(codes=(132015, 132016), marks="status"),
    Line(codes=(131026,), marks="unreachable"),
    Line(codes=(131021, 131030, 131036, 131062, 137000)),
    Line(codes=(131053,)),
    Line(codes=(100, 131008, 131009, 131051, 131055, 135000), letter="request_refused"),
    Line(codes=(999_999, -1, 5), letter="unknown_code"),
)
CASES = [pytest.param(line, code, id=str(code)) for line in TABLE for code in line.codes]
NEEDS_NUMBER = 131062


@pytest.fixture
def hub() -> Rooms:
    return rooms()


async def outgoing(hub: Rooms, said: Outgoing, class_: Class = Class.REPLY, **more: Any) -> Message:
    """Something that waits to leave, to a customer who wrote just now."""
    await hub.hear("hi")

    def work(uow: Any) -> Message:
        now = hub.clock.now()
        profile = uow.customers.lock(ANNA, now=now)
        thread = hub.speaker.thread(uow, profile, now=now)
        counted, row = hub.speaker.say(
            uow, thread, said, profile=profile, class_=class_, origin={"by": "host"}, now=now, **more
        )
        uow.conversations.save(counted)
        return row

    return await hub.do(work)  # type: ignore[no-any-return] # what the work returns


def spoken(line: Line) -> Outgoing:
    is_template = line.marks in {"faulty", "status"} or line.stop == stops.TEMPLATES
    return Template(name="spring", language="en") if is_template else Text(body="hello")


async def fail(hub: Rooms, row: Message, code: int, *, later: bool) -> Message:
    """WhatsApp says so: in its answer, or in a status of what it took; the row then."""
    if not later:
        hub.whatsapp.outcomes = [Refused(error=GraphError(code=code, title="T"), failure=classify(code))]
    await hub.outbox.work()
    if later:
        wa_id = str((await reread(hub, row)).wa_message_id)
        await hub.post({"statuses": [status(wa_id, "failed", errors=[{"code": code, "title": "T"}])]})
    return await reread(hub, row)


async def reread(hub: Rooms, row: Message) -> Message:
    found: Message | None = await hub.see(lambda uow: uow.messages.get(row.id))
    assert found is not None
    return found


async def marks_of(hub: Rooms) -> set[str]:
    """What is known of the customer and of the template."""
    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    template = await hub.see(lambda uow: uow.options.get("template.spring.en")) or {}
    marks = {name for name in ("hold", "unreachable") if name in profile.preferences}
    marks |= {"out"} if profile.is_out else set()
    marks |= {"window"} if "window_closed_at" in (await hub.thread()).context else set()
    return marks | {name for name in ("faulty", "status") if name in template}


@pytest.mark.parametrize("later", [False, True], ids=["at once", "by a status"])
@pytest.mark.parametrize(("line", "code"), CASES)
async def test_each_code_has_its_effect(hub: Rooms, line: Line, code: int, *, later: bool) -> None:
    """Wait, try again, sign in anew, stop, pause a template, mark the customer, or give up with or without a letter."""
    row = await outgoing(hub, spoken(line))
    before = len(await hub.rows())

    ended = await fail(hub, row, code, later=later)

    assert ended.status is (MessageStatus.PENDING if line.held and not later else MessageStatus.FAILED)
    if line.held and not later:
        assert ended.retry_count == int(line.counts)
    fresh = (await hub.rows())[before:]
    assert len(fresh) == int((later and line.again) or code == NEEDS_NUMBER)
    assert all(one.content["retry_of"] == row.id for one in fresh)
    standing = await hub.see(lambda uow: stops.standing(uow, now=hub.clock.now()))
    assert standing == ({line.stop} if line.stop else frozenset())
    assert [letter.reason for letter in await hub.letters()] == ([line.letter] if line.letter else [])
    assert await marks_of(hub) == ({line.marks} if line.marks else set())
    assert await hub.is_sound()


async def test_the_table_is_whole() -> None:
    """Each code that is known by class stands in a line; nothing else is known."""
    from wch.domain.send_failure import CLASS_OF  # noqa: PLC0415 - of this test alone

    told = {code for line in TABLE for code in line.codes if line.letter != "unknown_code"}

    assert told | set(range(200, 300)) == set(CLASS_OF)


@pytest.mark.parametrize("later", [False, True], ids=["at once", "by a status"])
async def test_a_notice_says_it_in_words_where_its_template_is_refused(hub: Rooms, *, later: bool) -> None:
    """The window is open: the customer hears of their order all the same, once."""
    template = Template(name="spring", language="en")
    row = await outgoing(hub, template, Class.NOTICE, plain=Text(body="Order 7 is on its way."))

    await fail(hub, row, 132015, later=later)
    await hub.outbox.work()

    assert hub.whatsapp.sent[-1].message["text"] == {"body": "Order 7 is on its way."}
    said = (await hub.rows())[-1]
    assert (said.type, said.content["retry_of"], said.class_) == ("text", row.id, Class.NOTICE)
    assert "plain" not in said.content


@pytest.mark.parametrize("why", ["campaign", "window", "nothing plain"])
async def test_no_words_go_out_instead(hub: Rooms, why: str) -> None:
    """An advertisement stays unsent, a closed window closed, and what has no plain words has none."""
    class_ = Class.CAMPAIGN if why == "campaign" else Class.NOTICE
    plain = None if why == "nothing plain" else Text(body="in words")
    if why == "campaign":
        await hub.hear("hi")
        await hub.do(
            lambda uow: uow.customers.save(
                attrs.evolve(uow.customers.lock(ANNA, now=hub.clock.now()), opt_in_marketing=True)
            )
        )
    row = await outgoing(hub, Template(name="spring", language="en"), class_, plain=plain)
    if why == "window":
        hub.clock.advance(timedelta(hours=25))
        await hub.do(lambda uow: _living(uow, row, iso(hub.clock.now() + timedelta(hours=1))))
    before = len(await hub.rows())

    ended = await fail(hub, row, 132001, later=False)

    assert ended.status is MessageStatus.FAILED
    assert len(await hub.rows()) == before


def _living(uow: Any, row: Message, until: str) -> None:
    held = uow.messages.get(row.id, lock=True)
    uow.messages.save(attrs.evolve(held, content={**held.content, "expires_at": until}))
