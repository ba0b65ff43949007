"""The rooms of a hub put together in memory, with a dialogue that does as it is told."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs

from wch.adapters.memory import MemoryDatabase, MemoryMediaStore
from wch.adapters.payments import SwitchedOnPayments
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
from wch.application.noticing import Noticing
from wch.application.observers import Observers, unmeasured
from wch.application.outbox import Outbox
from wch.application.outcomes import Outcomes
from wch.application.outreach import Manners, Outreach
from wch.application.pacing import Pacing
from wch.application.payments import IncomingPayments
from wch.application.ports import Clock, Database, UnitOfWork, WhatsAppCodec
from wch.application.reengaging import Reengaging
from wch.application.reminding import Reminding
from wch.application.second_look import SecondLook
from wch.application.sent_files import SentFiles
from wch.application.settling import Settling
from wch.application.speaking import Speaker
from wch.application.statistics import Statistics
from wch.application.statuses import Statuses
from wch.application.tallies import Tallies
from wch.application.tombstones import Tombstones
from wch.application.untraced import Untraced
from wch.application.verification import Verification
from wch.application.worker import Duty, Worker
from wch.domain.attachment import Attachment, AttachmentError
from wch.domain.circuit_breaker import BreakerRule
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.lease import Leasing
from wch.domain.message import Message
from wch.domain.moment import unix
from wch.domain.occasion import Terms
from wch.domain.order_figures import Counting
from wch.domain.outgoing import Text
from wch.domain.rate_limit import RateLimit
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds
from wch.testing.scripted_gateway import ScriptedGateway

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


PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20


class Files:
    """WhatsApp's files, as they are told to be."""

    def __init__(self) -> None:
        self.fetched: list[tuple[str, str | None, int]] = []
        self.uploaded: list[tuple[str, str, str]] = []
        self.fault: str | None = None

    async def fetch(self, media_id: str, *, sha256: str | None = None, most: int = 0) -> Attachment:
        self.fetched.append((media_id, sha256, most))
        if self.fault is not None:
            raise AttachmentError(code=self.fault)
        return Attachment(data=PNG, mime_type="image/png")

    async def upload(self, number: str, data: bytes, *, mime_type: str, filename: str) -> str:
        assert data == PNG
        if self.fault is not None:
            raise AttachmentError(code=self.fault)
        self.uploaded.append((number, mime_type, filename))
        return f"up{len(self.uploaded)}"


@attrs.define(kw_only=True)
class Rooms:
    """What a test needs to reach; built by `rooms`."""

    database: Database
    clock: FrozenClock
    gateway: ScriptedGateway
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
    files: Files
    media_store: MemoryMediaStore
    sent_files: SentFiles
    merges: Merges
    statistics: Statistics
    verification: Verification
    facts: list[object]
    pauses: list[float]
    fetched_ahead: list[Message]

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


def noticing(codec: WhatsAppCodec, outreach: Outreach, **more: Any) -> Noticing:
    """What the shop has decided about order notices: nothing unusual."""
    carriers = {"DHL": "https://dhl.example/?n={number}"}
    return Noticing(**{"outreach": outreach, "codec": codec, "templates": {}, "carriers": carriers, **more})


def pacing(
    store: Database,
    clock: Clock,
    *,
    points: Failpoints,
    speaker: Speaker,
    digests: Digests | None = None,
    number_rate: int = 80,
) -> Pacing:
    """The gates of a number, with the limits of the documents."""
    rules = {name: BreakerRule.read(text) for name, text in PRESETS.items()}
    return Pacing(
        clock=clock,
        breakers=Breakers(database=store, clock=clock, rules=rules, failpoints=points, tallies=Tallies()),
        limits=Limits(
            database=store,
            clock=clock,
            digests=digests or Digests(keys=("key",)),
            rules={name: RateLimit.read(name, text) for name, text in DOCUMENTED.items()},
            failpoints=points,
        ),
        speaker=speaker,
        number_rate=number_rate,
    )


USUAL = Leasing()


class Hasty(Leasing):
    """Leases of the usual term that are renewed every few milliseconds."""

    @property
    def renewed_every(self) -> timedelta:
        return timedelta(seconds=0.005)


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
    gather: int = 0,
    most_at_once: int = 4,
    leasing: Leasing = USUAL,
) -> Rooms:
    """Everything but shop and sagas, over one memory database."""
    store = database or MemoryDatabase(twice=twice)
    clock, whatsapp, assistant, bell = FrozenClock(), RecordingWhatsApp(), ScriptedAssistant(), Bell()
    facts: list[object] = []
    pauses: list[float] = []
    fetched_ahead: list[Message] = []
    points = failpoints or Failpoints.disarmed()
    codec = CloudApiCodec(secrets=(SECRET,))
    digests = Digests(keys=keys)
    tombstones = Tombstones(digests=digests)
    merges = Merges(database=store, clock=clock, ids=SequentialIds(), counting=Counting(home="USD"), country="US")
    speaker = Speaker(codec=codec, numbers=numbers)
    gates = pacing(store, clock, points=points, speaker=speaker, digests=digests, number_rate=number_rate)
    breakers, limits = gates.breakers, gates.limits
    gateway = ScriptedGateway(clock=clock, name="whatsapp_pay", has_webhook=False)
    payments = IncomingPayments(
        database=store,
        clock=clock,
        payments=SwitchedOnPayments((ScriptedGateway(clock=clock), gateway)),
        digests=digests,
        failpoints=points,
        bell=bell,
    )
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
            payments=payments,
            numbers=numbers,
        ),
        failpoints=points,
        wake=bell.ring,
        tell=Observers(all=(unmeasured(facts.append),)),
    )
    handling = Handling(
        database=store,
        clock=clock,
        assistant=assistant,
        speaker=speaker,
        whatsapp=whatsapp,
        breakers=breakers,
        failpoints=points,
        bell=bell,
        leasing=leasing,
        tracer=Untraced(),
        receipts=True,
        typing=True,
        gather=timedelta(seconds=gather),
        most_at_once=most_at_once,
        tell=unmeasured(facts.append),
        fetch_ahead=fetched_ahead.extend,
    )

    outreach = Outreach(manners=Manners(no_marketing_to=frozenset()), pacing=gates)
    targeting = Targeting(outreach=outreach, counting=Counting(home="EUR"))

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    files, media_store = Files(), MemoryMediaStore()
    sent_files = SentFiles(database=store, clock=clock, ids=SequentialIds(), files=files, store=media_store)
    outbox = Outbox(
        database=store,
        clock=clock,
        whatsapp=whatsapp,
        codec=codec,
        breakers=breakers,
        pacing=gates,
        outcomes=Outcomes(clock=clock, breakers=breakers, leasing=leasing),
        second_look=SecondLook(
            targeting=targeting,
            reminding=Reminding(outreach=outreach, templates={}),
            noticing=noticing(codec, outreach=outreach),
            reengaging=Reengaging(outreach=outreach, templates={}, terms=Terms()),
        ),
        sent_files=sent_files,
        settling=Settling(database=store, clock=clock, failpoints=points, leasing=leasing),
        failpoints=points,
        bell=bell,
        leasing=leasing,
        tracer=Untraced(),
        pause=pause,
        tell=unmeasured(facts.append),
        tag=TAG,
        most_at_once=most_at_once,
    )
    return Rooms(
        database=store,
        clock=clock,
        gateway=gateway,
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
        dead_letters=DeadLetters(database=store, clock=clock, inbox=inbox, payments=payments, failpoints=points),
        conversations=Conversations(
            database=store, clock=clock, speaker=speaker, whatsapp=whatsapp, breakers=breakers, receipts=True
        ),
        files=files,
        media_store=media_store,
        sent_files=sent_files,
        merges=merges,
        statistics=Statistics(database=store, clock=clock),
        verification=Verification(database=store),
        facts=facts,
        pauses=pauses,
        fetched_ahead=fetched_ahead,
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
