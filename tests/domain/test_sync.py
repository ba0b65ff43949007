"""A change of an entity is never missed, whatever its row is doing."""

from datetime import datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wch.domain.sync import AGAIN, EntityType, SyncAction, SyncStatus, SyncTask
from wch.testing import NOON
from wch.testing.strategies import moments, sync_tasks

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def task() -> SyncTask:
    return SyncTask(entity_type=EntityType.PRODUCT, entity_id=7, action=SyncAction.UPDATE, created_at=NOON)


def test_a_hook_names_entity_and_action(task: SyncTask) -> None:
    """Its dead letter goes back to exactly this work."""
    assert task.hook == "sync:product:7:update"


def test_a_waiting_row_stays_as_it_is(task: SyncTask) -> None:
    """It will see the change when it is taken."""
    assert task.armed(now=LATER) is task


@given(sync_tasks(), moments())
def test_arming_keeps_the_stamp(task: SyncTask, now: datetime) -> None:
    """The stamp is part of the fence: were it taken back, a late worker would pass."""
    assert task.armed(now=now).processed_at == task.processed_at


@given(sync_tasks(), moments())
def test_no_end_moves_the_stamp_back(task: SyncTask, now: datetime) -> None:
    """Whatever the clock did."""
    for ended in (task.completed(now=now), task.retried("x", now=now), task.failed("x", now=now)):
        assert ended.processed_at is not None
        assert ended.processed_at >= max(now, task.processed_at or now)


def test_a_failure_of_a_marked_row_waits_once_more(task: SyncTask) -> None:
    """The change that came meanwhile deserves its own attempts."""
    running = attrs.evolve(task, status=SyncStatus.PROCESSING, attempts=6)

    assert running.failed("no", now=LATER).status is SyncStatus.FAILED
    again = running.armed(now=LATER).failed("no", now=LATER)
    assert (again.status, again.attempts, again.error_message) == (SyncStatus.PENDING, 0, None)


class Changes(RuleBasedStateMachine):
    """The model: how many changes came, and how many of them a take has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.task: SyncTask | None = None
        self.changes = self.seen = self.done = 0

    @rule()
    def change(self) -> None:
        self.now += timedelta(seconds=1)
        self.changes += 1
        if self.task is None:
            self.task = SyncTask(
                entity_type=EntityType.PRODUCT, entity_id=7, action=SyncAction.UPDATE, created_at=self.now
            )
        else:
            self.task = self.task.armed(now=self.now)

    @precondition(lambda self: self.task is not None and self.task.status is SyncStatus.PENDING)
    @rule()
    def take(self) -> None:
        assert self.task is not None
        self.seen = self.changes
        self.task = attrs.evolve(
            self.task, status=SyncStatus.PROCESSING, attempts=self.task.attempts + 1, error_message=None
        )

    @precondition(lambda self: self.task is not None and self.task.status is SyncStatus.PROCESSING)
    @rule()
    def complete(self) -> None:
        assert self.task is not None
        self.done = self.seen
        self.task = self.task.completed(now=self.now)

    @precondition(lambda self: self.task is not None and self.task.status is SyncStatus.PROCESSING)
    @rule()
    def fail(self) -> None:
        assert self.task is not None
        self.task = self.task.retried("time-out", now=self.now)

    @invariant()
    def what_is_over_has_seen_every_change(self) -> None:
        if self.task is not None and self.task.status is SyncStatus.COMPLETED:
            assert self.done == self.changes

    @invariant()
    def only_a_running_row_is_marked(self) -> None:
        if self.task is not None and self.task.error_message == AGAIN:
            assert self.task.status is SyncStatus.PROCESSING


TestChanges = Changes.TestCase
