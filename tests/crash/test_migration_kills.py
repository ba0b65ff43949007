"""Killed while the tables are made: whatever is there then, the same command again makes the rest."""

import asyncio
import os
import random  # noqa: TID251 - when; no secret
from collections.abc import Callable

import pytest

from tests.crash.nursery import Nursery
from tests.processes import Installed, client, delivery, said

pytestmark = pytest.mark.crash

WHOLE = os.environ.get("WCH_TEST_CAMPAIGN") == "whole"
KILLS = 20 if WHOLE else 6
SEED = int(os.environ.get("WCH_TEST_FIRST_SEED", "1"))


@pytest.mark.whole("sqlite")
@pytest.mark.timeout(600)
async def test_an_upgrade_that_is_killed_goes_on_when_it_is_run_again(
    installed: Installed, nursery: Nursery, record_property: Callable[[str, object], None]
) -> None:
    """MariaDB commits each table by itself, so a kill leaves some; nobody may have to clean up by hand."""
    dice = random.Random(SEED)  # noqa: S311 - see above
    # Each run comes further than the one before it: to a table, to the last, to the version.
    places = ["migrate.step=kill@1", "migrate.step=kill@5", "migrate.step=kill@14", "migrate.version=kill@1"]
    died = 0
    for turn in range(KILLS):
        armed = {"WCH_TESTING": "1", "WCH_FAILPOINTS": places[turn]} if turn < len(places) else {}
        one = nursery.start("db", "upgrade", environment={**installed.environment, **armed})
        if not armed:
            # The instant is what is tried, so this once time is let pass.
            await asyncio.sleep(dice.uniform(0.0, 0.8))
            died += one.kill() == -9
        else:
            died += one.wait() == -9

    done = installed.wch("db", "upgrade")

    record_property("figures", f"{installed.store.url.partition(':')[0]}: {died} kills of {KILLS} runs of `db upgrade`")
    assert died >= len(places), "every run with a place to die at died there"
    assert done.returncode == 0, done.stderr
    assert installed.wch("db", "check").returncode == 0
    async with installed.serving("--no-worker") as server, client() as web:
        assert await server.post(web, delivery(said("hi", sender="34600111222", wa_id="wamid.1"))) == 200
