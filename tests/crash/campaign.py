"""A campaign: deliveries flow into a hub of several processes while they are taken away.

The lists of what was posted, answered and sent are kept outside the hub, and it is these that the store is compared with.
"""

import asyncio
import random  # noqa: TID251 - when and whom it hits; no secret
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import attrs
import httpx2
import sqlalchemy

from tests.crash.nursery import Child, Nursery
from tests.crash.own_mariadb import free_port
from tests.processes import GraphApi, Installed, Store, client, delivery, said, signature_of, until, until_alive
from wch.adapters.clock import SystemClock

AT_ONCE = 8
REGULARS = 5
"""Customers who write again and again, so that there are lines to keep in order."""

GIVEN_UP_AFTER = 6.0
"""Seconds that the holder of a lease is given here, instead of 60 or 120: it is moved into the past then."""

SECONDS_TO_SETTLE = 150
SERVER, HANDLER, SENDER = "server", "handler", "sender"


@attrs.define(kw_only=True)
class Campaign:
    """One run.

    Attributes:
        deliveries: how many are posted at least; as many more as it takes until the kills are done.
        acknowledged: the ids of messages in deliveries that were answered 200, in the order of each customer's.
        answers: how often each status was answered; 0 is a connection that broke.
    """

    installed: Installed
    graph: GraphApi
    nursery: Nursery
    dice: random.Random
    deliveries: int
    roles: tuple[str, ...] = (SERVER, HANDLER, HANDLER, SENDER, SENDER)
    acknowledged: dict[str, list[str]] = attrs.field(factory=dict)
    answers: Counter[int] = attrs.field(factory=Counter)
    posted: int = 0
    doubles: int = 0
    killed: Counter[str] = attrs.field(factory=Counter)
    is_over: bool = False
    port: int = attrs.field(factory=free_port)
    _children: list[tuple[str, Child]] = attrs.field(factory=list)
    _fresh: int = 0

    @property
    def store(self) -> Store:
        """What the hub says, looked at from outside."""
        return self.installed.store

    # --- the run

    async def run(self, kills: int, hit: Callable[["Campaign"], Awaitable[None]]) -> None:
        """Let deliveries flow and call `hit` so often; then let a healthy hub bring everything to its end."""
        assert self.installed.wch("db", "upgrade").returncode == 0
        for role in self.roles:
            self._children.append((role, self._born(role)))
        ageing = asyncio.create_task(self._age())
        async with client() as web:
            await until_alive(web, self.port)
            talking = [asyncio.create_task(self._customer(web, n)) for n in range(AT_ONCE)]
            for _ in range(kills):
                await hit(self)
            await until(lambda: self.posted >= self.deliveries, 3600)
            self.is_over = True
            await asyncio.gather(*talking)
        await until(self._is_settled, SECONDS_TO_SETTLE)
        ageing.cancel()
        for _, child in self._children:
            child.kill()

    async def kill_one(self) -> None:
        """Wait a moment, take one process away, and begin it again; the supervisor's work."""
        await asyncio.sleep(self.dice.uniform(0.02, 0.4))
        place = self.dice.randrange(len(self._children))
        role, child = self._children[place]
        child.kill()
        self.killed[role] += 1
        self._children[place] = (role, self._born(role))

    def _born(self, role: str) -> Child:
        arguments = {
            SERVER: ("serve", "--no-worker", "--port", str(self.port)),
            HANDLER: ("worker", "--only", "inbound"),
            SENDER: ("worker", "--only", "outbound"),
        }[role]
        return self.nursery.start(*arguments, environment=self.installed.environment)

    # --- who posts

    async def _customer(self, web: httpx2.AsyncClient, number: int) -> None:
        """Meta posts one delivery after the other, each until it is answered 200, and some of them again after that."""
        while not self.is_over:
            messages = [self._message(number) for _ in range(self.dice.choice((1, 1, 1, 2, 5)))]
            body = delivery(*messages)
            while await self._post(web, body) != httpx2.codes.OK:  # noqa: ASYNC110 - it shares no event with us
                await asyncio.sleep(0.05)
            for message in messages:
                self.acknowledged.setdefault(message["from"], []).append(message["id"])
            self.posted += 1
            if self.dice.random() < 0.3:
                self.doubles += 1
                await self._post(web, body)

    def _message(self, number: int) -> dict[str, Any]:
        """A new customer's first word, or one more of a regular of this poster's own: each line has one poster."""
        self._fresh += 1
        regular = self.dice.random() < 0.3
        sender = f"34690{number:06}" if regular and number < REGULARS else f"3460{self._fresh:07}"
        return said("hi", sender=sender, wa_id=f"wamid.{sender}.{self._fresh}")

    async def _post(self, web: httpx2.AsyncClient, body: bytes) -> int:
        headers = {"X-Hub-Signature-256": signature_of(body), "Content-Type": "application/json"}
        try:
            answer = await web.post(f"http://127.0.0.1:{self.port}/webhooks/whatsapp", content=body, headers=headers)
            status = int(answer.status_code)
        except httpx2.TransportError:
            status = 0
        self.answers[status] += 1
        return status

    # --- time, moved on instead of waited for

    async def _age(self) -> None:
        """Let leases run out that nobody moved for some seconds; a living holder that is so slow is fenced."""
        while True:
            await asyncio.sleep(1.0)
            await asyncio.to_thread(self._let_leases_run_out)

    def _let_leases_run_out(self) -> None:
        now = SystemClock().now()
        before, past = ((now - span).strftime("%Y-%m-%d %H:%M:%S") for span in (GIVEN_UP, timedelta(minutes=5)))
        try:
            self.store.change(
                "UPDATE wch_messages SET updated_at = :past "
                "WHERE status IN ('processing', 'sending', 'unconfirmed') AND updated_at < :before AND updated_at > :past",
                past=past,
                before=before,
            )
        except sqlalchemy.exc.OperationalError:
            return  # the database may be away: that is what is tried

    def _is_settled(self) -> bool:
        in_doubt = self.store.one("SELECT COUNT(*) FROM wch_messages WHERE status = 'unconfirmed'")
        return not in_doubt and not self.store.unfinished()


GIVEN_UP = timedelta(seconds=GIVEN_UP_AFTER)


@attrs.frozen(kw_only=True)
class Account:
    """What the outside lists and the store say of each other; all but the last two must be nothing.

    Attributes:
        lost: acknowledged, and not there.
        doubled: there twice, or counted twice in its conversation.
        unfinished: there, and not worked through.
        out_of_order: answered before something that the same customer said earlier.
        missing: replies that were never given to WhatsApp.
        unexplained: replies given twice that no row owns up to.
        twice: replies given twice, each owned up to by its row.
        buried: replies that were in doubt twice, or messages that lost three leases: dead letters, by design.
    """

    lost: int
    doubled: int
    unfinished: int
    out_of_order: int
    missing: int
    unexplained: int
    twice: int
    buried: int

    @classmethod
    def of(cls, campaign: Campaign) -> "Account":
        """Compare."""
        store, graph = campaign.store, campaign.graph
        inbound = store.rows(
            "SELECT m.id, m.wa_message_id, m.status, c.customer_phone, m.content FROM wch_messages m "
            "JOIN wch_conversations c ON c.id = m.conversation_id WHERE m.direction = 'inbound' ORDER BY m.id"
        )
        outbound = store.rows(
            "SELECT m.id, m.status, m.content FROM wch_messages m WHERE m.direction = 'outbound' ORDER BY m.id"
        )
        there = Counter(key for _, key, *_ in inbound)
        said_of = {person: set(keys) for person, keys in campaign.acknowledged.items()}
        everything = set().union(*said_of.values())
        counted = store.rows("SELECT customer_phone, SUM(message_count) FROM wch_conversations GROUP BY customer_phone")
        rows_of: Counter[str] = Counter()
        rows_of.update(person for _, _, _, person, _ in inbound)
        replies = dict(
            store.rows(
                "SELECT c.customer_phone, COUNT(*) FROM wch_messages m JOIN wch_conversations c "
                "ON c.id = m.conversation_id WHERE m.direction = 'outbound' GROUP BY c.customer_phone"
            )
        )
        miscounted = sum(
            int(count) != len(said_of.get(person, ())) + int(replies.get(person, 0)) for person, count in counted
        )
        calls = Counter(call.row for call in graph.calls)
        resent = Counter(row for row, _, content in outbound if '"resent"' in content)
        failed = {row for row, status, _ in outbound if status == "failed"}
        dead = sum(status == "dead" for _, _, status, *_ in inbound)
        return cls(
            lost=len(everything - set(there)),
            doubled=sum(count - 1 for count in there.values()) + miscounted + len(set(there) - everything),
            unfinished=sum(status not in {"processed", "dead"} for _, _, status, *_ in inbound),
            out_of_order=out_of_order(inbound),
            missing=len({row for row, *_ in outbound} - set(calls) - failed)
            + len(set(said_of) - {call.to for call in graph.calls}),
            unexplained=(Counter({row: count - 1 for row, count in calls.items() if count > 1}) - resent).total(),
            twice=sum(count - 1 for count in calls.values()),
            buried=len(failed) + dead,
        )

    @property
    def violations(self) -> Mapping[str, int]:
        """What must not be."""
        seen = {name: count for name, count in attrs.asdict(self).items() if name not in {"twice", "buried"}}
        return {name: count for name, count in seen.items() if count}


def out_of_order(inbound: list[tuple[Any, ...]]) -> int:
    """How many were answered before something that was accepted earlier of the same customer."""
    import json  # noqa: PLC0415 - here only

    latest: dict[str, int] = {}
    wrong = 0
    for _, _, _, person, content in inbound:
        answers = [int(row) for row in (json.loads(content).get("handled") or {}).get("answers", ())]
        wrong += bool(answers) and min(answers) < latest.get(person, 0)
        latest[person] = max([latest.get(person, 0), *answers])
    return wrong
