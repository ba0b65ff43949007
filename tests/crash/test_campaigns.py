"""Random kills while webhooks flow, over every kind of process and over the database: the lists outside tell what was lost."""

import asyncio
import json
import os
import random  # noqa: TID251 - whom it hits; no secret
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.campaign import Account, Campaign
from tests.crash.nursery import Nursery
from tests.crash.own_mariadb import OwnMariaDb
from tests.processes import GraphApi, Installed, Store, until

pytestmark = pytest.mark.crash

WHOLE = os.environ.get("WCH_TEST_CAMPAIGN") == "whole"
KILLS = {"sqlite": int(os.environ.get("WCH_TEST_KILLS", "300" if WHOLE else "24")),
         "mysql": int(os.environ.get("WCH_TEST_KILLS", "150" if WHOLE else "12"))}  # fmt: skip
DELIVERIES = int(os.environ.get("WCH_TEST_DELIVERIES", "3000" if WHOLE else "120"))
DATABASE_KILLS = int(os.environ.get("WCH_TEST_DATABASE_KILLS", "12" if WHOLE else "2"))
SEED = int(os.environ.get("WCH_TEST_FIRST_SEED", "1"))


@pytest.mark.timeout(7200 if WHOLE else 600)
async def test_kills_at_random_lose_nothing_and_double_nothing(
    installed: Installed, graph: GraphApi, nursery: Nursery, record_property: Callable[[str, object], None]
) -> None:
    """A server, two that think and two that send: any of them dies at any instant, again and again."""
    campaign = Campaign(
        installed=installed,
        graph=graph,
        nursery=nursery,
        dice=random.Random(SEED),  # noqa: S311 - see above
        deliveries=DELIVERIES,
    )
    engine = installed.store.url.partition("+")[0].partition(":")[0]

    await campaign.run(KILLS[engine], Campaign.kill_one)

    account = Account.of(campaign)
    record_property("campaign", told(engine, campaign, account))
    assert account.violations == {}, account
    assert "Traceback" not in nursery.log, nursery.log[-3000:]
    assert installed.json("verify")["ok"] is True


@pytest.mark.mariadb
@pytest.mark.timeout(3600 if WHOLE else 600)
async def test_a_database_that_is_killed_loses_nothing_and_doubles_nothing(
    tmp_path: Path, graph: GraphApi, nursery: Nursery, record_property: Callable[[str, object], None]
) -> None:
    """MariaDB itself dies in the middle of commits: nobody restarts the hub, and the same operation is never done twice."""
    with OwnMariaDb.installed() as database:
        await database.start()
        installed = Installed(folder=tmp_path, store=Store(url=database.url), graph_url=graph.url)
        campaign = Campaign(
            installed=installed,
            graph=graph,
            nursery=nursery,
            dice=random.Random(SEED),  # noqa: S311 - see above
            deliveries=DELIVERIES,
        )

        async def hit(campaign: Campaign) -> None:
            before = campaign.posted
            await until(lambda: campaign.posted >= before + 20)
            await asyncio.sleep(campaign.dice.uniform(0, 0.5))
            database.kill()
            campaign.killed["database"] += 1
            await asyncio.sleep(campaign.dice.uniform(0, 2))
            await database.start()

        await campaign.run(DATABASE_KILLS, hit)

        account = Account.of(campaign)
        record_property("campaign", told("the database itself (mariadb)", campaign, account))
        assert account.violations == {}, account
        assert campaign.killed.keys() == {"database"}, "nobody else died"
        assert installed.json("verify")["ok"] is True


def told(name: str, campaign: Campaign, account: Account) -> str:
    """The figures of a campaign, for the page."""
    return json.dumps(
        {
            "campaign": name,
            "kills": campaign.killed.total(),
            "of": ", ".join(f"{count} {role}" for role, count in sorted(campaign.killed.items())),
            "deliveries": campaign.posted + campaign.doubles,
            "acknowledged": sum(map(len, campaign.acknowledged.values())),
            "lost": account.lost,
            "duplicated": account.doubled,
            "out of order": account.out_of_order,
            "replies missing": account.missing,
            "replies twice": account.twice,
            "of these not counted": account.unexplained,
            "buried by design": account.buried,
            "rate below (3/n)": f"{3 / campaign.killed.total():.1%}",
        }
    )
