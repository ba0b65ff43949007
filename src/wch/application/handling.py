"""Handling: the customer's line is taken, answered, and finished in one transaction with its effects."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

import attrs

from wch.application.bell import Bell
from wch.application.breakers import WHATSAPP, Breakers
from wch.application.dialogue.scene import Answer, Say, Scene
from wch.application.dialogue.turn import CartChanged, CheckoutStarted
from wch.application.facts import LeaseLost, LineAnswered
from wch.application.failpoints import Failpoints
from wch.application.faults import fault
from wch.application.ports import Clock, Database, LineRow, Tracer, UnitOfWork, WhatsApp
from wch.application.product_facts import note_sighting
from wch.application.refunds import cancel_paid
from wch.application.sagas import signal
from wch.application.shop_links import look_up
from wch.application.speaking import Speaker
from wch.application.wording import AD, TEXT
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import JsonObject
from wch.domain.errors import LeaseLostError, StoreUnavailableError, UndecodableError, WchError
from wch.domain.evolution import evolve
from wch.domain.lease import Leasing, Work
from wch.domain.line import MOST_ATTEMPTS, choose, is_suspect
from wch.domain.message import Class, Direction, Message, MessageStatus
from wch.domain.placement import PLACEMENT, Placement
from wch.domain.product_view import ProductView
from wch.domain.saga import Saga

log = logging.getLogger(__name__)

MOST_LOOKS = 3
"""How often the dialogue is asked again because somebody changed what it had looked at."""

CHANGEABLE = (
    "name",
    "email",
    "last_known_address",
    "saved_addresses",
    "preferences",
    "opt_in_marketing",
    "notification_opt_out",
    "marketing_opted_at",
)
"""What the dialogue may change of a profile."""

LOOKS_AGAIN = 0.2
"""Seconds after which free hands look for new lines while others still think."""

RECEIPT_WITHIN = 0.5
"""Seconds that an answer waits at most for its read receipt."""

UNANSWERED = frozenset({"reaction", "edit", "revoke", "system", "call", "sticker", "group"})
"""Types that are never answered, so that nobody is shown to be writing."""


class Assistant(Protocol):
    """Who answers: the dialogue."""

    async def answer(self, scene: Scene) -> Answer:
        """Decide what to do about the messages of this scene; change nothing."""
        ...

    def apology(self, profile: CustomerProfile, conversation: Conversation) -> tuple[Say, ...]:
        """What to say when a message could not be handled at all."""
        ...


class SceneChangedError(WchError):
    """Somebody changed conversation, cart or profile since the dialogue looked."""


@attrs.define(kw_only=True)
class Taken:
    """One customer's messages in our hands; renewing moves the leases on, never while they are finished."""

    phone: str
    leases: tuple[Work, ...]
    writing: asyncio.Lock = attrs.field(factory=asyncio.Lock)


@attrs.frozen(kw_only=True)
class Handling:
    """The duty that handles inbound messages, one customer's line at a time, several customers at once.

    Attributes:
        receipts: whether customers are shown that they were read.
        typing: whether they are shown that an answer is being written.
        gather: how long after a customer's latest message more is waited for.
        most_at_once: so many customers.
        bell: tells when nothing more is taken.
        tell: what observers hear, after the commit.
        fetch_ahead: hears of messages that were handled, so that their files can be fetched.
    """

    kind: ClassVar[str] = "inbound"

    database: Database
    clock: Clock
    assistant: Assistant
    speaker: Speaker
    whatsapp: WhatsApp
    breakers: Breakers
    failpoints: Failpoints
    bell: Bell
    leasing: Leasing
    tracer: Tracer
    receipts: bool
    typing: bool
    gather: timedelta
    most_at_once: int
    tell: Callable[[object], None]
    fetch_ahead: Callable[[Sequence[Message]], None]

    async def work(self) -> int:
        """Take the lines that may be taken, until there are none; a slow one holds up nobody else."""
        done = 0
        fruitless: set[int] = set()
        running: dict[asyncio.Task[int], int] = {}
        try:
            while True:
                heads = await self._free(fruitless | set(running.values()), len(running))
                suspect = next((head for head in heads if is_suspect(head.work)), None)
                if suspect is not None:
                    # Nothing is begun beside it, and it is not begun beside anything.
                    heads = [] if running else [suspect]
                for head in heads:
                    running[asyncio.create_task(self._line(head.conversation_id))] = head.conversation_id
                if not running:
                    return done
                looks_again = LOOKS_AGAIN if suspect is None else None
                ended, _ = await asyncio.wait(running, timeout=looks_again, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    conversation_id = running.pop(task)
                    rows = self._rows_of(task)
                    done += rows
                    if not rows:
                        fruitless.add(conversation_id)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _free(self, known: set[int], busy: int) -> list[LineRow]:
        """Heads of lines that nobody looked at in this pass, as many as there are free hands."""
        free = self.most_at_once - busy
        if free <= 0 or self.bell.closing:
            return []
        limit = len(known) + free
        heads = await self.database.read(
            lambda uow: uow.messages.heads(now=self.clock.now(), limit=limit, term=self.leasing.term)
        )
        return [head for head in heads if head.conversation_id not in known][:free]

    def _rows_of(self, task: "asyncio.Task[int]") -> int:
        """How many rows a line came to; what broke on the way is logged and holds up no other line."""
        try:
            return task.result()
        except StoreUnavailableError:
            log.warning("the store did not answer for a line")
        except Exception as error:  # noqa: BLE001 - a duty goes on with the next line
            log.error("a line could not be handled: %s", fault(error))  # noqa: TRY400 - no words of an error in a log
        return 0

    async def _line(self, conversation_id: int) -> int:
        """Take, answer and finish one customer's line; how many rows came to something."""
        with self.tracer.span("handle line", conversation_id=conversation_id) as span:
            done = await self._handled(conversation_id)
            span.note(rows=done)
            return done

    async def _handled(self, conversation_id: int) -> int:
        taken = await self.database.transact(lambda uow: self._take(uow, conversation_id))
        if taken is None:
            return 0
        if not taken.leases:
            return 1
        rows = [lease.id for lease in taken.leases]
        patience = asyncio.timeout(self.leasing.given_up_after.total_seconds())
        renewing = asyncio.create_task(self._renew(taken, patience))
        try:
            self.failpoints("inbound.taken")
            return len(rows) if await self._in_time(taken, patience) else await self._hand_back(taken)
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_back(taken))
            raise
        except LeaseLostError:
            log.warning("inbound lease lost", extra={"rows": rows})
            self.tell(LeaseLost(work=self.kind))
        except StoreUnavailableError:
            log.warning("the store did not answer for a line")
            return await self._hand_back(taken)
        except Exception as error:  # noqa: BLE001 - the row's own attempts pay for it
            log.error("an inbound message could not be handled: %s", fault(error), extra={"rows": rows})  # noqa: TRY400 - a traceback would show values
            await self._failed(taken, type(error).__name__)
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        return len(rows)

    async def _in_time(self, taken: Taken, patience: asyncio.Timeout) -> bool:
        """Answer, as long as the leases can be renewed.

        Raises:
            LeaseLostError: they could not be for so long that others may soon take over.
        """
        try:
            async with patience:
                return await self._answer(taken)
        except TimeoutError as error:
            if patience.expired():
                raise LeaseLostError(message_id=taken.leases[0].id) from error
            raise

    def _take(self, uow: UnitOfWork, conversation_id: int) -> Taken | None:
        """Take a line under the customer's lock; a row whose attempts are used up dies instead."""
        conversation = uow.conversations.get(conversation_id)
        if conversation is None:
            return None
        profile = uow.customers.lock_if_free(conversation.customer_phone)
        if profile is None:
            return None
        now = self.clock.now()
        line = [row.work for row in uow.messages.line(conversation.customer_phone)]
        choice = choose(line, now=now, gather=self.gather, leasing=self.leasing)
        if choice.dead is not None:
            self._bury(uow, choice.dead, profile, Reason.CRASH, "its workers died", now=now)
            return Taken(phone=profile.phone, leases=())
        if not choice.take:
            return None
        leases = tuple(waiting.taken(MessageStatus.PROCESSING, now=now) for waiting in choice.take)
        _moved(uow, choice.take, leases)
        return Taken(phone=profile.phone, leases=leases)

    async def _renew(self, taken: Taken, patience: asyncio.Timeout) -> None:
        """Keep the leases while the dialogue thinks; each renewal gives it more time to."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.leasing.renewed_every.total_seconds())
            async with taken.writing:
                now = self.clock.now()
                renewed = tuple(lease.renewed(now=now) for lease in taken.leases)
                try:
                    await self.database.transact(lambda uow: _moved(uow, taken.leases, renewed))  # noqa: B023 - awaited here
                except LeaseLostError:
                    return
                except StoreUnavailableError:
                    log.warning("inbound leases could not be renewed")
                    continue
                taken.leases = renewed
                patience.reschedule(loop.time() + self.leasing.given_up_after.total_seconds())
            self.failpoints("inbound.renew")

    async def _answer(self, taken: Taken) -> bool:
        """Ask the dialogue and apply what it says; False when the scene would not stand still."""
        receipt: asyncio.Task[bool] | None = None
        begun = self.clock.boot()
        try:
            for _ in range(MOST_LOOKS):
                scene, may_show = await self.database.read(
                    lambda uow: (self._scene(uow, taken), self.receipts and self.breakers.is_closed(uow, WHATSAPP))
                )
                if receipt is None and may_show:
                    receipt = self._receipt(scene)
                answer = await self.assistant.answer(scene)
                was_read = await _soon(receipt)
                self.failpoints("inbound.before_finish")
                try:
                    async with taken.writing:
                        facts = await self.database.transact(
                            lambda uow: self._finish(uow, taken, scene, answer, was_read)  # noqa: B023 - awaited here
                        )
                except SceneChangedError:
                    continue
                self.failpoints("inbound.finished")
                for fact in facts:
                    self.tell(fact)
                self.tell(LineAnswered(intent=_intent_of(answer), seconds=self.clock.boot() - begun))
                self.fetch_ahead(scene.messages)
                return True
            return False
        finally:
            if receipt is not None:
                receipt.cancel()

    def _receipt(self, scene: Scene) -> "asyncio.Task[bool] | None":
        """Show that it was read and that an answer is being written; never a failure of the message."""
        latest = scene.messages[-1]
        silent = latest.type in UNANSWERED or scene.conversation.status is ConversationStatus.ESCALATED
        if silent or latest.wa_message_id is None or not scene.number:
            return None
        return asyncio.ensure_future(self.whatsapp.mark_read(scene.number, latest.wa_message_id, typing=self.typing))

    def _scene(self, uow: UnitOfWork, taken: Taken) -> Scene:
        messages = [self._readable(uow, lease) for lease in taken.leases]
        conversation = uow.conversations.latest_of(taken.phone)
        profile = uow.customers.of(taken.phone)
        if conversation is None or profile is None:
            raise LeaseLostError
        cart = uow.carts.of(taken.phone)
        number: Any = messages[-1].content.get("number") or conversation.context.get("number")
        texts = {
            name.removeprefix(TEXT): str(value.get("text", "")) for name, value in uow.options.named(TEXT, limit=500)
        }
        told = [row.content["referral"] for row in messages if isinstance(row.content.get("referral"), dict)]
        ads = {str(one["source_id"]): uow.options.get(f"{AD}{one['source_id']}") for one in told if "source_id" in one}
        recent = uow.messages.thread(conversation.id, limit=20)
        return Scene(
            now=self.clock.now(),
            conversation=conversation,
            profile=profile,
            cart=cart,
            messages=tuple(messages),
            number=str(number or ""),
            placement=self._placement(uow, conversation, cart),
            latest_outbound=next((row for row in recent if row.direction is Direction.OUTBOUND), None),
            recent=tuple(reversed(recent)),
            texts=texts,
            ads={source: str(told.get("page", "")) for source, told in ads.items() if told is not None},
        )

    def _readable(self, uow: UnitOfWork, lease: Work) -> Message:
        row = uow.messages.get(lease.id)
        if row is None:
            raise UndecodableError(row=lease.id)
        return row

    def _placement(self, uow: UnitOfWork, conversation: Conversation, cart: Cart | None) -> Saga | None:
        found = None if cart is None or not cart.id else uow.sagas.get(cart.saga_id)
        known: Any = conversation.context.get("order", {}).get("saga_id")
        return found if found is not None or not isinstance(known, str) else uow.sagas.get(known)

    def _finish(
        self,
        uow: UnitOfWork,
        taken: Taken,
        scene: Scene,
        answer: Answer,
        was_read: bool,  # noqa: FBT001 - what was learnt on the way
    ) -> tuple[object, ...]:
        """Everything that the answer means, if nothing that it was made of has changed; what observers hear of it."""
        now = self.clock.now()
        profile = uow.customers.lock(taken.phone, now=now)
        conversation = uow.conversations.get(scene.conversation.id, lock=True)
        cart = uow.carts.of(taken.phone, lock=True)
        if conversation is None or not _unchanged(scene, conversation, profile, cart):
            raise SceneChangedError
        self._save_profile(uow, profile, scene.profile, answer.profile)
        look_up(uow, profile, now=now)
        cart_id = 0 if answer.cart is None else self._save_cart(uow, answer.cart)
        if answer.placement is not None:
            self._place(uow, answer.placement, now=now)
        for told in answer.signals:
            signal(uow, told.saga_id, told.kind, told.facts, now=now)
        for wish in answer.refunds:
            cancel_paid(uow, wish.order_id, now=now)
            self.failpoints("saga.signal")
        conversation = evolve(
            conversation,
            status=answer.conversation.status,
            state=answer.conversation.state,
            assigned_agent_id=answer.conversation.assigned_agent_id,
            context=answer.conversation.context,
            updated_at=max(conversation.updated_at, now),
        )
        rows = []
        for say in answer.says:
            conversation, row = self.speaker.say(
                uow,
                conversation,
                say.message,
                profile=profile,
                class_=Class.REPLY,
                origin={"by": "dialogue"},
                now=now,
                number=scene.number or None,
                quotes=say.quotes,
            )
            rows.append(row.id)
        uow.conversations.save(conversation)
        self._look(uow, taken.phone, answer, now=now)
        for lease in taken.leases:
            message = self._readable(uow, lease)
            account: dict[str, Any] = dict(answer.accounts.get(lease.id, {}))
            if not account.keys() & {"silence", "with"}:
                account["answers"] = rows
            handled = message.handled(account, now=now)
            if was_read and lease == taken.leases[-1]:
                handled = evolve(handled, read_at=now)
            uow.messages.finish(lease, handled)
        return tuple(_of_cart(fact, cart_id) for fact in answer.facts)

    def _save_profile(
        self, uow: UnitOfWork, profile: CustomerProfile, seen: CustomerProfile, wanted: CustomerProfile
    ) -> None:
        """What the dialogue changed of a profile; the rest is as ingress left it."""
        changes: dict[str, Any] = {
            name: getattr(wanted, name) for name in CHANGEABLE if getattr(wanted, name) != getattr(seen, name)
        }
        if changes:
            uow.customers.save(evolve(profile, **changes, updated_at=max(profile.updated_at, wanted.updated_at)))

    def _save_cart(self, uow: UnitOfWork, cart: Cart) -> int:
        if not cart.id:
            return uow.carts.add(cart).id
        uow.carts.save(cart)
        return cart.id

    def _place(self, uow: UnitOfWork, placement: Placement, *, now: datetime) -> None:
        """Begin the placement; a second tap finds it begun."""
        if uow.sagas.get(placement.saga_id) is None:
            uow.sagas.add(Saga.begun(placement.saga_id, PLACEMENT, placement.context, now=now))

    def _look(self, uow: UnitOfWork, phone: str, answer: Answer, *, now: datetime) -> None:
        """A product that was shown on its own is a view, once an hour."""
        for product_id in dict.fromkeys(answer.viewed):
            latest = uow.views.latest(phone, product_id)
            if latest is None or not latest.covers(now):
                uow.views.add(ProductView(customer_phone=phone, product_id=product_id, viewed_at=now))
        for product in answer.sightings:
            note_sighting(uow, product, now=now)

    async def _failed(self, taken: Taken, error: str) -> None:
        """An error of ours: each row waits again, and after the last attempt becomes a dead letter."""

        def work(uow: UnitOfWork) -> None:
            now = self.clock.now()
            profile = uow.customers.lock(taken.phone, now=now)
            for lease in taken.leases:
                if lease.attempts >= MOST_ATTEMPTS:
                    self._bury(uow, lease, profile, Reason.EXCEPTION, error, now=now)
                else:
                    uow.messages.move(lease, lease.moved(MessageStatus.RECEIVED, now=now))

        await self._let_go(taken, work)

    async def _hand_back(self, taken: Taken) -> int:
        """Nobody is to blame: each row waits again, its attempt given back; no row came to anything."""

        def work(uow: UnitOfWork) -> None:
            now = self.clock.now()
            for lease in taken.leases:
                uow.messages.move(lease, lease.moved(MessageStatus.RECEIVED, now=now, attempts=lease.attempts - 1))

        await self._let_go(taken, work)
        return 0

    async def _let_go(self, taken: Taken, work: Callable[[UnitOfWork], None]) -> None:
        try:
            async with taken.writing:
                await self.database.transact(work)
        except LeaseLostError:
            log.warning("inbound lease lost", extra={"rows": [lease.id for lease in taken.leases]})
            self.tell(LeaseLost(work=self.kind))
        except StoreUnavailableError:
            log.warning("an inbound message is left to its lease", extra={"rows": [one.id for one in taken.leases]})

    def _bury(
        self, uow: UnitOfWork, work: Work, profile: CustomerProfile, reason: str, error: str, *, now: datetime
    ) -> None:
        """The end of an inbound row: its dead letter, an apology, and a person is called, together."""
        uow.messages.move(work, work.moved(MessageStatus.DEAD, now=now))
        uow.dead_letters.add(
            DeadLetter.of_row(Hook.INBOUND, "messages", work.id, reason, error=error, attempts=work.attempts, now=now)
        )
        conversation = uow.conversations.latest_of(profile.phone, lock=True)
        if conversation is None or conversation.status is not ConversationStatus.ACTIVE:
            return
        for say in self.assistant.apology(profile, conversation):
            conversation, _ = self.speaker.say(
                uow,
                conversation,
                say.message,
                profile=profile,
                class_=Class.REPLY,
                origin={"by": "dialogue"},
                now=now,
            )
        uow.conversations.save(conversation.escalated("error", now=now))


def _moved(uow: UnitOfWork, before: tuple[Work, ...], after: tuple[Work, ...]) -> None:
    for old, new in zip(before, after, strict=True):
        uow.messages.move(old, new)


def _intent_of(answer: Answer) -> str:
    """What the last row of a line was taken for; a word that is no intent of ours is `other`."""
    row = max(answer.accounts, default=None)
    word = "" if row is None else str(answer.accounts[row].get("intent") or "none")
    return word if word.isascii() and word.replace("_", "").isalpha() else "other"


async def _soon(receipt: "asyncio.Task[bool] | None") -> bool:
    """Whether the receipt was taken, if it is known in time."""
    if receipt is None:
        return False
    await asyncio.wait({receipt}, timeout=RECEIPT_WITHIN)
    return receipt.done() and not receipt.cancelled() and receipt.exception() is None and receipt.result()


def _unchanged(scene: Scene, conversation: Conversation, profile: CustomerProfile, cart: Cart | None) -> bool:
    """Whether the dialogue saw what is there now; counters and times may have moved."""
    was, is_ = scene.conversation, conversation
    same_thread = (was.status, was.state, was.context, was.assigned_agent_id) == (
        is_.status,
        is_.state,
        is_.context,
        is_.assigned_agent_id,
    )
    same_cart = (cart is None and scene.cart is None) or (
        cart is not None and cart.looks_like(scene.cart) and cart.status is (scene.cart or cart).status
    )
    return same_thread and same_cart and _decisions(profile) == _decisions(scene.profile)


def _decisions(profile: CustomerProfile) -> tuple[JsonObject, object, object, bool, bool]:
    return (
        profile.preferences,
        profile.saved_addresses,
        profile.last_known_address,
        profile.opt_in_marketing,
        profile.notification_opt_out,
    )


def _of_cart(fact: object, cart_id: int) -> object:
    """The dialogue tells of a cart that it opens before there is a row, and so an id."""
    if isinstance(fact, CartChanged | CheckoutStarted) and not fact.cart_id:
        return attrs.evolve(fact, cart_id=cart_id)
    return fact
