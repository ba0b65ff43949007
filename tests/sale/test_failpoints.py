"""Every named place is passed in the standard scenario: a sale, and what goes wrong around one."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.sale.script import Sale, settings_of
from wch import open_hub
from wch.application.failpoints import NAMES, Failpoints
from wch.bootstrap import Installation
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Refused
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds

ELSEWHERE = {
    "transact.in_doubt": "a server that loses its answer: tests/adapters/sql/test_transactions.py",
    "ingress.single": "an event that raises: tests/application/test_failpoints.py",
    "inbound.renew": "20 seconds of thought: tests/application/test_failpoints.py",
    "letter.before_commit": "a dead letter: tests/application/test_failpoints.py",
    "letter.replayed": "a dead letter: tests/application/test_failpoints.py",
    "fanout.listed": "a campaign: tests/application/test_broadcasts.py",
    "fanout.before_commit": "a campaign: tests/application/test_broadcasts.py",
    "fanout.after_commit": "a campaign: tests/application/test_broadcasts.py",
    "slot.taken": "a cart left lying: tests/application/test_reminders.py",
    "reengagement.planned": "a re-engagement: tests/application/test_reengagements.py",
    "reengagement.coupon": "a re-engagement: tests/application/test_reengagements.py",
    "erase.table": "an erasure: tests/sale/test_privacy.py",
    "payment.claimed": "an online payment: tests/application/test_payments.py",
    "saga.undo_call": "a shop that refuses: tests/application/test_sagas.py",
    "saga.after_undo": "a shop that refuses: tests/application/test_sagas.py",
    "saga.undone": "a shop that refuses: tests/application/test_sagas.py",
    "saga.signal": "a customer who cancels while it runs: tests/application/test_handling.py",
}
"""What a sale that ends well does not come by, and who passes it."""


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names that any hub of this test has passed."""
    names: set[str] = set()

    class Noting(Failpoints):
        def __call__(self, name: str) -> None:
            assert name in NAMES, "armed by nobody, since nobody could name it"
            names.add(name)

    monkeypatch.setattr(Failpoints, "read", classmethod(lambda *_arguments, **_named: Noting({})))
    return names


async def test_the_standard_scenario_passes_every_name(tmp_path: Path, passed: set[str]) -> None:
    """A place that is never passed is a fault that is never tried."""
    settings = settings_of(f"sqlite+aiosqlite:///{tmp_path}/sale.db")
    async with Installation.open(settings) as installation:
        await installation.upgrade()
    clock, whatsapp = FrozenClock(), RecordingWhatsApp()
    async with open_hub(settings, clock=clock, ids=SequentialIds(), whatsapp=whatsapp) as hub:
        sale = Sale(hub=hub, clock=clock, whatsapp=whatsapp)
        await sale.run()
        down: list[Any] = [Refused(error=GraphError(code=131000, title="down"), failure=classify(131000))] * 5
        whatsapp.outcomes.extend(down)
        await sale.text("hi")
        for _ in range(12):
            await sale.wait(timedelta(seconds=70))

    assert set(NAMES) - passed == set(ELSEWHERE)
