"""Handling: the customer's line is taken, answered, and finished in one transaction with its effects."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, Protocol

import attrs

from wch.application.dialogue.scene import Answer, Say, Scene
from wch.application.failpoints import Failpoints
from wch.application.ports import Clock, Database, UnitOfWork, WhatsApp
from wch.application.sagas import signal
from wch.application.speaking import Speaker
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import JsonObject
from wch.domain.errors import DuplicateError, LeaseLostError, UndecodableError, WchError
from wch.domain.lease import RENEWED_EVERY, Work
from wch.domain.line import MOST_ATTEMPTS, choose
from wch.domain.message import Class, Direction, Message, MessageStatus
from wch.domain.product_view import ProductView
from wch.domain.saga import Saga

log = logging.getLogger(__name__)

MOST_LOOKS = 3
"""How often the dialogue is asked again because somebody changed what it had looked at."""


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
    """One customer's messages in our hands; renewing moves the leases on."""

    phone: str
    leases: tuple[Work, ...]


@attrs.frozen(kw_only=True)
class Handling:
    """The duty that handles inbound messages, one customer's line at a time, several customers at once."""

    kind: ClassVar[str] = "inbound"

    database: Database
    clock: Clock
    assistant: Assistant
    speaker: Speaker
    whatsapp: WhatsApp
    failpoints: Failpoints
    receipts: bool
    most_at_once: int
    tell: Callable[[object], None]

    async def work(self) -> int:
        """Take the lines that may be taken, answer them, and finish each."""
        heads = await self.database.read(lambda uow: uow.messages.heads(now=self.clock.now(), limit=self.most_at_once))
        done = await asyncio.gather(*(self._line(head.conversation_id) for head in heads))
        return sum(done)

    async def _line(self, conversation_id: int) -> int:
        taken = await self.database.transact(lambda uow: self._take(uow, conversation_id))
        if taken is None:
            return 0
        if not taken.leases:
            return 1
        self.failpoints("inbound.taken")
        renewing = asyncio.create_task(self._renew(taken))
        try:
            await self._answer(taken)
        except LeaseLostError:
            log.warning("inbound lease lost", extra={"rows": [lease.id for lease in taken.leases]})
        except Exception as error:
            log.exception("an inbound message could not be handled", extra={"rows": [one.id for one in taken.leases]})
            await self._failed(taken, type(error).__name__)
        finally:
            renewing.cancel()
        return len(taken.leases)

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
        choice = choose(line, now=now)
        if choice.dead is not None:
            self._bury(uow, choice.dead, profile, Reason.CRASH, "its workers died", now=now)
            return Taken(phone=profile.phone, leases=())
        if not choice.take:
            return None
        leases = []
        for waiting in choice.take:
            taken = waiting.taken(MessageStatus.PROCESSING, now=now)
            uow.messages.move(waiting, taken)
            leases.append(taken)
        return Taken(phone=profile.phone, leases=tuple(leases))

    async def _renew(self, taken: Taken) -> None:
        """Keep the leases while the dialogue thinks: whole seconds since the take, so the stamps stay ours."""
        held = taken.leases
        while True:
            await asyncio.sleep(RENEWED_EVERY.total_seconds())
            now = self.clock.now()
            renewed = tuple(lease.renewed(now=now) for lease in held)

            def work(uow: UnitOfWork, old: tuple[Work, ...] = held, new: tuple[Work, ...] = renewed) -> None:
                for before, after in zip(old, new, strict=True):
                    uow.messages.move(before, after)

            try:
                await self.database.transact(work)
            except LeaseLostError:
                return
            taken.leases = held = renewed

    async def _answer(self, taken: Taken) -> None:
        for look in range(MOST_LOOKS):
            scene = await self.database.read(lambda uow: self._scene(uow, taken))
            if look == 0 and self.receipts:
                await self._receipt(scene)
            answer = await self.assistant.answer(scene)
            self.failpoints("inbound.before_finish")
            try:
                await self.database.transact(lambda uow: self._finish(uow, taken, scene, answer))
            except SceneChangedError:
                continue
            self.failpoints("inbound.finished")
            for fact in answer.facts:
                self.tell(fact)
            return
        raise SceneChangedError

    async def _receipt(self, scene: Scene) -> None:
        """Show that it was read and that an answer is being written; never a failure of the message."""
        latest = scene.messages[-1]
        quiet = scene.conversation.status is ConversationStatus.ESCALATED
        if latest.wa_message_id is not None and scene.number and not quiet:
            await self.whatsapp.mark_read(scene.number, latest.wa_message_id, typing=True)

    def _scene(self, uow: UnitOfWork, taken: Taken) -> Scene:
        messages = [self._readable(uow, lease) for lease in taken.leases]
        conversation = uow.conversations.latest_of(taken.phone)
        profile = uow.customers.of(taken.phone)
        if conversation is None or profile is None:
            raise LeaseLostError(phone=None)
        cart = uow.carts.of(taken.phone)
        number: Any = messages[-1].content.get("number") or conversation.context.get("number")
        texts = {
            name.removeprefix("text."): str(value.get("text", ""))
            for name, value in uow.options.named("text.", limit=500)
        }
        return Scene(
            now=self.clock.now(),
            conversation=conversation,
            profile=profile,
            cart=cart,
            messages=tuple(messages),
            number=str(number or ""),
            placement=self._placement(uow, conversation, cart),
            latest_outbound=next(
                (row for row in uow.messages.thread(conversation.id, limit=20) if row.direction is Direction.OUTBOUND),
                None,
            ),
            texts=texts,
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

    def _finish(self, uow: UnitOfWork, taken: Taken, scene: Scene, answer: Answer) -> None:
        """Everything that the answer means, if nothing that it was made of has changed."""
        now = self.clock.now()
        profile = uow.customers.lock(taken.phone, now=now)
        conversation = uow.conversations.get(scene.conversation.id, lock=True)
        cart = uow.carts.of(taken.phone, lock=True)
        if conversation is None or not _unchanged(scene, conversation, profile, cart):
            raise SceneChangedError
        self._save_profile(uow, profile, answer.profile)
        if answer.cart is not None:
            self._save_cart(uow, answer.cart)
        if answer.placement is not None:
            self._place(uow, answer, now=now)
        for told in answer.signals:
            signal(uow, told.saga_id, told.kind, told.facts, now=now)
        conversation = attrs.evolve(
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
            if "silence" not in account:
                account["answers"] = rows
            uow.messages.finish(lease, message.handled(account, now=now))

    def _save_profile(self, uow: UnitOfWork, profile: CustomerProfile, wanted: CustomerProfile) -> None:
        """What the dialogue may change of a profile; the rest is as ingress left it."""
        changed = attrs.evolve(
            profile,
            name=wanted.name,
            email=wanted.email,
            last_known_address=wanted.last_known_address,
            saved_addresses=wanted.saved_addresses,
            preferences=wanted.preferences,
            opt_in_marketing=wanted.opt_in_marketing,
            notification_opt_out=wanted.notification_opt_out,
            marketing_opted_at=wanted.marketing_opted_at,
            updated_at=max(profile.updated_at, wanted.updated_at),
        )
        if changed != profile:
            uow.customers.save(changed)

    def _save_cart(self, uow: UnitOfWork, cart: Cart) -> None:
        if cart.id:
            uow.carts.save(cart)
        else:
            uow.carts.add(cart)

    def _place(self, uow: UnitOfWork, answer: Answer, *, now: datetime) -> None:
        """Begin the placement; a second tap finds it begun."""
        placement = answer.placement
        if placement is None or uow.sagas.get(placement.saga_id) is not None:
            return
        try:
            uow.sagas.add(Saga.begun(placement.saga_id, "OrderPlacement", placement.context, now=now))
        except DuplicateError:
            log.info("a placement was begun already", extra={"saga_id": placement.saga_id})

    def _look(self, uow: UnitOfWork, phone: str, answer: Answer, *, now: datetime) -> None:
        """A product that was shown on its own is a view, once an hour."""
        for product_id in dict.fromkeys(answer.viewed):
            latest = uow.views.latest(phone, product_id)
            if latest is None or not latest.covers(now):
                uow.views.add(ProductView(customer_phone=phone, product_id=product_id, viewed_at=now))

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

        try:
            await self.database.transact(work)
        except LeaseLostError:
            log.warning("inbound lease lost", extra={"rows": [lease.id for lease in taken.leases]})

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
