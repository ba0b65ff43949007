"""What is set reaches whoever it is meant for."""

from datetime import timedelta

from wch import Settings, open_hub
from wch.application.handling import Handling
from wch.application.notifications import Notifications
from wch.application.outbox import Outbox
from wch.application.sagas import SagaRunner
from wch.application.sync_tasks import SyncTasks
from wch.bootstrap.rules import policy_of
from wch.domain.lease import Leasing


async def test_leases_and_back_offs_are_those_of_the_settings() -> None:
    """Every duty that holds work, holds it for so long and tries it again after so long."""
    settings, _, _ = Settings.load(
        {
            "WCH_PROFILE": "test",
            "WCH_DATABASE_URL": "memory://",
            "WCH_WORKER_LEASE_SECONDS": "30",
            "WCH_WORKER_BACKOFF_SECONDS": "1,2",
        },
        {},
        None,
    )

    async with open_hub(settings) as hub:
        holders = {type(duty): duty for duty in hub.worker.duties}

    told = Leasing(term=timedelta(seconds=30), waits=(1, 2))
    for kind in (Handling, Outbox, SagaRunner, Notifications):
        assert holders[kind].leasing == told  # type: ignore[attr-defined]  # a duty of this kind
    outbox, sync = holders[Outbox], holders[SyncTasks]
    assert isinstance(outbox, Outbox)
    assert isinstance(sync, SyncTasks)
    assert {outbox.outcomes.leasing, outbox.settling.leasing, sync.leases.leasing} == {told}


def test_the_languages_are_those_that_are_set_and_known() -> None:
    """The shop's own is always one of them; of one without a catalogue nothing can be said."""
    settings, _, _ = Settings.load({"WCH_LANGUAGE": "es", "WCH_GENERAL_LANGUAGES": "pt_BR,de"}, {}, None)

    assert policy_of(settings).languages == ("es", "pt_BR")
