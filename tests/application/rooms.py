"""The rooms of a hub put together in memory, with a dialogue that does as it is told."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs

from wch.adapters.memory import MemoryDatabase
from wch.adapters.whatsapp.codec import CloudApiCodec
from wch.adapters.whatsapp.signature import sign
from wch.application.accounts import Accounts
from wch.application.arrivals import Arrivals
from wch.application.bell import Bell
from wch.application.breakers import PRESETS, Breakers
from wch.application.conversations import Conversations
from wch.application.dead_letters import DeadLetters
from wch.application.dialogue.scene import Answer, Say, Scene
from wch.application.digests import Digests
from wch.application.failpoints import Failpoints
from wch.application.fanning_out import Targeting
from wch.application.gathering import Gatherer
from wch.application.handling import Handling
from wch.application.identities import Identities
from wch.application.inbox import Inbox, Receipt
from wch.application.intake import Intake
from wch.application.limits import DOCUMENTED, Limits
from wch.application.merges import Merges
from wch.application.outbox import Outbox
from wch.application.outcomes import Outcomes
from wch.application.outreach import Manners, Outreach
from wch.application.ports import Database, UnitOfWork
from wch.application.reminding import Reminding
from wch.application.second_look import SecondLook
from wch.application.settling import Settling
from wch.application.speaking import Speaker
from wch.application.statistics import Statistics
from wch.application.statuses import Statuses
from wch.application.tombstones import Tombstones
from wch.application.verification import Verification
from wch.application.worker import Duty, Worker
from wch.domain.circuit_breaker import BreakerRule
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.message import Message
from wch.domain.moment import unix
from wch.domain.order_figures import Counting
from wch.domain.outgoing import Text
from wch.domain.rate_limit import RateLimit
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds

SECRET = "app-secret"
NUMBER = "106540352242922"
ANNA = "16505551234"
BORIS = "4915112345678"
TAG = "h1"


def answering(scene: Scene, *texts: str, **changes: Any) -> Answer:
    """An answer with these words that leaves everything else as it is."""
    given: dict[str, Any] = {
        "conversation": scene.conversation,
        "profile": scene.profile,
        "says": tuple(Say(message=Text(body=text)) for text in texts),
        "accounts": {message.id: {"intent": "test"} for message in scene.messages},
        **changes,
    }
    return Answer(**given)


async def parrot(scene: Scene) -> Answer:
    """Say what was said."""
    return answering(scene, *(f"you said {one.content.get('text', one.type)}" for one in scene.messages))


class ScriptedAssistant:
    """Answers as `script` says, and keeps the scenes that it was shown."""

    def __init__(self, script: Callable[[Scene], Awaitable[Answer]] = parrot) -> None:
        self.script = script
        self.scenes: list[Scene] = []

    async def answer(self, scene: Scene) -> Answer:
        self.scenes.append(scene)
        return await self.script(scene)

    def apology(self, profile: CustomerProfile, conversation: Conversation) -> tuple[Say, ...]:
        assert conversation.customer_phone == profile.phone
        return (Say(message=Text(body="sorry")),)


@attrs.define(kw_only=True)
class Rooms:
    """What a test needs to reach; built by `rooms`."""

    database: Database
    clock: FrozenClock
    whatsapp: RecordingWhatsApp
    assistant: ScriptedAssistant
    digests: Digests
    bell: Bell
    speaker: Speaker
    inbox: Inbox
    handling: Handling
    outbox: Outbox
    breakers: Breakers
    limits: Limits
    dead_letters: DeadLetters
    conversations: Conversations
    merges: Merges
    statistics: Statistics
    verification: Verification
    facts: list[object]
    pauses: list[float]

    def worker(self, *more: Duty, poll_seconds: float = 0.01, stop_seconds: float = 0.05) -> Worker:
        return Worker(
            database=self.database,
            clock=self.clock,
            ids=SequentialIds(),
            duties=(self.handling, self.outbox, *more),
            bell=self.bell,
            poll_seconds=poll_seconds,
            stop_seconds=stop_seconds,
        )

    async def post(self, *values: Mapping[str, Any], field: str = "messages", number: str = NUMBER) -> Receipt:
        """A signed delivery of these values is received."""
        body = delivery(*values, field=field, number=number)
        return await self.inbox.receive_raw(body, signature=sign(body, SECRET))

    async def hear(self, text: str, *, sender: str = ANNA, wa_id: str | None = None) -> Receipt:
        """A customer writes."""
        return await self.post({"messages": [said(text, sender=sender, wa_id=wa_id, at=unix(self.clock.now()))]})

    async def do(self, work: Callable[[UnitOfWork], Any]) -> Any:
        return await self.database.transact(work)

    async def see(self, look: Callable[[UnitOfWork], Any]) -> Any:
        return await self.database.read(look)

    async def rows(self, sender: str = ANNA) -> Sequence[Message]:
        """All rows of the customer's latest thread, oldest first."""

        def look(uow: UnitOfWork) -> list[Message]:
            thread = uow.conversations.latest_of(sender)
            return [] if thread is None else list(reversed(uow.messages.thread(thread.id, limit=1000)))

        return await self.database.read(look)

    async def thread(self, sender: str = ANNA) -> Conversation:
        found = await self.database.read(lambda uow: uow.conversations.latest_of(sender))
        assert found is not None
        return found

    async def letters(self) -> Any:
        return await self.database.read(lambda uow: uow.dead_letters.listed(limit=500))

    async def is_sound(self) -> bool:
        """Whether everything is accounted for."""
        report = await self.verification.run()
        assert report["ok"], [check for check in report["checks"] if not check["ok"]]
        return True


def rooms(
    *,
    twice: bool = False,
    numbers: tuple[str, ...] = ("*",),
    waba_id: str = "1",
    keeps_history: bool = False,
    keys: tuple[str, ...] = ("key",),
    database: Database | None = None,
    failpoints: Failpoints | None = None,
    number_rate: int = 80,
    most_at_once: int = 4,
) -> Rooms:
    """Everything but shop and sagas, over one memory database."""
    store = database or MemoryDatabase(twice=twice)
    clock, whatsapp, assistant, bell = FrozenClock(), RecordingWhatsApp(), ScriptedAssistant(), Bell()
    facts: list[object] = []
    pauses: list[float] = []
    points = failpoints or Failpoints.disarmed()
    codec = CloudApiCodec(secrets=(SECRET,))
    digests = Digests(keys=keys)
    tombstones = Tombstones(digests=digests)
    rules = {name: BreakerRule.read(text) for name, text in PRESETS.items()}
    breakers = Breakers(database=store, clock=clock, rules=rules, failpoints=points)
    limits = Limits(
        database=store,
        clock=clock,
        digests=digests,
        rules={name: RateLimit.read(name, text) for name, text in DOCUMENTED.items()},
        failpoints=points,
    )
    merges = Merges(database=store, clock=clock, ids=SequentialIds(), counting=Counting(home="USD"), country="US")
    speaker = Speaker(codec=codec, numbers=numbers)
    inbox = Inbox(
        database=store,
        clock=clock,
        codec=codec,
        gatherer=Gatherer(database=store, clock=clock),
        intake=Intake(
            clock=clock,
            digests=digests,
            arrivals=Arrivals(
                statuses=Statuses(tag=TAG, tombstones=tombstones),
                tombstones=tombstones,
                identities=Identities(merges=merges),
                keeps_history=keeps_history,
                reopens_within=timedelta(hours=24),
            ),
            accounts=Accounts(waba_id=waba_id),
            numbers=numbers,
        ),
        failpoints=points,
        wake=bell.ring,
        tell=facts.append,
    )
    handling = Handling(
        database=store,
        clock=clock,
        assistant=assistant,
        speaker=speaker,
        whatsapp=whatsapp,
        failpoints=points,
        bell=bell,
        receipts=True,
        typing=True,
        most_at_once=most_at_once,
        tell=facts.append,
    )

    outreach = Outreach(manners=Manners(no_marketing_to=frozenset()))
    targeting = Targeting(outreach=outreach, counting=Counting(home="EUR"))

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    outbox = Outbox(
        database=store,
        clock=clock,
        whatsapp=whatsapp,
        codec=codec,
        breakers=breakers,
        limits=limits,
        outcomes=Outcomes(clock=clock, breakers=breakers),
        second_look=SecondLook(targeting=targeting, reminding=Reminding(outreach=outreach, templates={})),
        settling=Settling(database=store, clock=clock, failpoints=points),
        failpoints=points,
        bell=bell,
        pause=pause,
        tag=TAG,
        number_rate=number_rate,
        most_at_once=most_at_once,
    )
    return Rooms(
        database=store,
        clock=clock,
        whatsapp=whatsapp,
        assistant=assistant,
        digests=digests,
        bell=bell,
        speaker=speaker,
        inbox=inbox,
        handling=handling,
        outbox=outbox,
        breakers=breakers,
        limits=limits,
        dead_letters=DeadLetters(database=store, clock=clock, inbox=inbox, failpoints=points),
        conversations=Conversations(database=store, clock=clock, speaker=speaker, whatsapp=whatsapp, receipts=True),
        merges=merges,
        statistics=Statistics(database=store, clock=clock),
        verification=Verification(database=store),
        facts=facts,
        pauses=pauses,
    )


_counted = iter(range(1, 1_000_000))


def said(
    text: str, *, sender: str = ANNA, wa_id: str | None = None, at: int | None = None, **more: Any
) -> dict[str, Any]:
    """A text message as it stands in a delivery."""
    return {
        "from": sender,
        "id": wa_id or f"wamid.in.{next(_counted)}",
        "timestamp": str(at or unix(FrozenClock().now())),
        "type": "text",
        "text": {"body": text},
        **more,
    }


def status(wa_id: str, word: str, *, at: int | None = None, recipient: str = ANNA, **more: Any) -> dict[str, Any]:
    """A status as it stands in a delivery."""
    return {
        "id": wa_id,
        "status": word,
        "timestamp": str(at or unix(FrozenClock().now())),
        "recipient_id": recipient,
        **more,
    }


def delivery(*values: Mapping[str, Any], field: str = "messages", number: str = NUMBER) -> bytes:
    """The body of a delivery with these values, one change each."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": number}
    changes = [
        {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}} for value in values
    ]
    envelope = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}
    return json.dumps(envelope).encode()
