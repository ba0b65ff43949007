"""What an operator may do with a parked saga is done once, and leaves a line."""

import asyncio

import pytest

from tests.application.shopping import Shopping, shopping
from wch.application.ports import UnitOfWork
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus, Hook
from wch.domain.errors import ConflictError, NotFoundError
from wch.domain.saga import Ev, Saga, SagaState
from wch.testing import NOON

SAGA = "order-1-1"
ALL = ("resume", "retry-step", "skip-step", "compensate")


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def hub(request: pytest.FixtureRequest) -> Shopping:
    return await shopping(twice=request.param, shelves=False)


async def park(
    hub: Shopping,
    saga_id: str = SAGA,
    *,
    undoing: bool = False,
    step: str | None = "two",
    actions: tuple[str, ...] = ALL,
) -> None:
    """A saga that did not get on with its second step, and the letter that calls an operator."""
    saga = Saga.begun(saga_id, "Walk", {}, now=NOON).leased("t", now=NOON)
    saga = saga.started("one", now=NOON).done("one", {}, now=NOON).started("two", now=NOON)
    if undoing:
        saga = saga.turned_back(now=NOON, reason="x").undoing("two", now=NOON)

    def work(uow: UnitOfWork) -> None:
        uow.sagas.add(saga.parked("stuck", step, actions, now=NOON))
        uow.dead_letters.add(
            DeadLetter.of_row(Hook.SAGA, "saga_state", saga_id, "stuck", error=None, attempts=1, now=NOON)
        )

    await hub.do(work)


@pytest.mark.parametrize("action", ["resume", "retry-step"])
async def test_a_saga_that_is_resumed_waits_for_any_worker(hub: Shopping, action: str) -> None:
    """It goes on where it stood, with its tries counted anew."""
    await park(hub)
    saga = await hub.desk.act(SAGA, action, by="ana", reason="stock is back")

    assert (saga.state, saga.updated_at, saga.tries("two")) == (SagaState.RUNNING, NOON, 0)
    assert saga.signals(f"operator.{action}")
    assert await hub.desk.show(SAGA) == saga


async def test_a_step_that_is_skipped_has_the_result_that_the_operator_names(hub: Shopping) -> None:
    """Somebody did it by hand; later steps read what came of it."""
    await park(hub)
    saga = await hub.desk.act(SAGA, "skip-step", by="ana", result={"order_id": 7})

    assert saga.is_done("two")
    assert saga.results["two"] == {"order_id": 7}


async def test_an_undoing_that_is_skipped_counts_as_done(hub: Shopping) -> None:
    """The goods were put back by hand, so only what is left is undone."""
    await park(hub, undoing=True)
    saga = await hub.desk.act(SAGA, "skip-step", by="ana")

    assert saga.state is SagaState.COMPENSATING
    assert list(saga.to_undo()) == ["one"]
    assert [entry["step"] for entry in saga.log if entry["ev"] == Ev.UNDONE] == ["two"]


async def test_skipping_no_step_skips_nothing(hub: Shopping) -> None:
    """It was parked before it came to any step."""
    await park(hub, step=None)
    saga = await hub.desk.act(SAGA, "skip-step", by="ana")

    assert not saga.is_done("two")


async def test_a_saga_that_is_compensated_undoes_what_was_begun(hub: Shopping) -> None:
    """The operator decides that it shall not be."""
    await park(hub)
    saga = await hub.desk.act(SAGA, "compensate", by="ana")

    assert saga.state is SagaState.COMPENSATING
    assert list(saga.to_undo()) == ["two", "one"]


@pytest.mark.parametrize("action", ALL)
async def test_the_second_of_two_hears_that_somebody_was_first(hub: Shopping, action: str) -> None:
    """Two people at two screens: one action, one line in the audit log, one letter answered."""
    await park(hub)
    both = await asyncio.gather(
        *(hub.desk.act(SAGA, action, by=name) for name in ("ana", "ben")), return_exceptions=True
    )

    assert [type(one) for one in both if not isinstance(one, Saga)] == [ConflictError]
    assert [(act, what) for _, act, what in await hub.audited()] == [(f"saga.{action}", f"saga:{SAGA}")]
    (letter,) = await hub.letters()
    assert letter.status is DeadLetterStatus.REPLAYED


async def test_an_action_that_is_not_open_changes_nothing(hub: Shopping) -> None:
    """Neither the saga, nor the letter, nor the audit log."""
    await park(hub, actions=("resume",))
    before = await hub.desk.show(SAGA)
    with pytest.raises(ConflictError):
        await hub.desk.act(SAGA, "compensate", by="ana")

    assert await hub.desk.show(SAGA) == before
    assert await hub.audited() == []
    assert [letter.status for letter in await hub.letters()] == [DeadLetterStatus.PENDING]


async def test_what_is_not_there_is_said_to_be_missing(hub: Shopping) -> None:
    """Showing and acting alike."""
    with pytest.raises(NotFoundError):
        await hub.desk.show("nobody")
    with pytest.raises(NotFoundError):
        await hub.desk.act("nobody", "resume", by="ana")


async def test_only_the_letter_of_this_saga_is_answered(hub: Shopping) -> None:
    """Every other saga still needs its operator; a letter that was decided stays as it was decided."""
    await park(hub, "order-0-1")
    await park(hub)
    dismissed = (await hub.letters())[0]
    await hub.do(lambda uow: _dismiss(uow, dismissed.id))
    await park(hub, "order-2-1")
    await hub.desk.act(SAGA, "resume", by="ana")

    assert [letter.status.value for letter in await hub.letters()] == ["dismissed", "replayed", "pending"]


def _dismiss(uow: UnitOfWork, letter_id: int) -> None:
    held = uow.dead_letters.get(letter_id, lock=True)
    assert held is not None
    uow.dead_letters.save(held.dismissed(now=NOON, by="ben", reason="seen"))


async def test_those_that_need_an_operator_are_listed_alone(hub: Shopping) -> None:
    """That is the list that a person works through."""
    await park(hub)
    await hub.do(lambda uow: uow.sagas.add(Saga.begun("order-2-1", "Walk", {}, now=NOON)))

    assert [saga.saga_id for saga in await hub.desk.listed(needs_operator=True)] == [SAGA]
    assert [saga.saga_id for saga in await hub.desk.listed(state=SagaState.RUNNING)] == ["order-2-1"]
    assert len(await hub.desk.listed(saga_type="Walk", limit=1)) == 1
    assert [saga.saga_id for saga in await hub.desk.listed(after=SAGA)] == ["order-2-1"]
