"""Speaking: how anything that is said becomes a row of the outbox, in the caller's transaction."""

from datetime import datetime, timedelta

import attrs

from wch.application.ports import UnitOfWork, WhatsAppCodec
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.message import Class, Message
from wch.domain.moment import iso
from wch.domain.outgoing import Outgoing

REPLY_LIVES = timedelta(hours=24)
"""A reply that could not leave within the window has nothing to say any more."""


@attrs.frozen(kw_only=True)
class Speaker:
    """The one way into the outbox: replies, notices and campaigns all pass here."""

    codec: WhatsAppCodec
    numbers: tuple[str, ...]

    def thread(self, uow: UnitOfWork, profile: CustomerProfile, *, now: datetime) -> Conversation:
        """The customer's latest thread, locked; what the hub says first opens none, so a new one is resolved.

        The profile's lock must be held.
        """
        latest = uow.conversations.latest_of(profile.phone, lock=True)
        if latest is not None:
            return latest
        return uow.conversations.add(
            Conversation(
                customer_phone=profile.phone,
                status=ConversationStatus.RESOLVED,
                created_at=now,
                updated_at=now,
            )
        )

    def number_of(self, conversation: Conversation) -> str:
        """The number that this customer writes to, else the first of the hub's."""
        known = conversation.context.get("number")
        return known if isinstance(known, str) else self.first

    @property
    def first(self) -> str:
        """The hub's first number."""
        return next((number for number in self.numbers if number != "*"), "")

    def say(
        self,
        uow: UnitOfWork,
        conversation: Conversation,
        message: Outgoing,
        *,
        profile: CustomerProfile,
        class_: Class,
        origin: JsonObject,
        now: datetime,
        number: str | None = None,
        quotes: str | None = None,
        lives: timedelta | None = REPLY_LIVES,
        fallback: JsonObject | None = None,
        file: JsonObject | None = None,
        plain: Outgoing | None = None,
    ) -> tuple[Conversation, Message]:
        """Write one message that waits to leave, and count it in its thread.

        Args:
            uow: the transaction; it must hold the conversation's lock.
            conversation: the thread, as it stands in this transaction.
            message: what is said.
            profile: to whom.
            class_: reply, notice or campaign.
            origin: who caused it: `{"by": ..., "ref": ...}`.
            now: the moment.
            number: the number it leaves from; the thread's own if not given.
            quotes: the WhatsApp id of the message that it visibly answers.
            lives: how long it may wait to leave; None for ever.
            fallback: the template that goes out instead when the window is closed.
            file: where the hub keeps the file that is sent, for one more upload.
            plain: what goes out instead when WhatsApp refuses the template and the window is open.

        Returns:
            The thread, counted but not yet saved, and the row.
        """
        body = self.codec.encode(message)
        if quotes is not None:
            body = {**body, "context": {"message_id": quotes}}
        row = uow.messages.add(
            Message.outgoing(
                conversation_id=conversation.id,
                kind=str(body["type"]),
                body=body,
                to=addressee(profile),
                number=number or self.number_of(conversation),
                class_=class_,
                origin=origin,
                now=now,
                expires_at=None if lives is None else iso(now + lives),
                fallback=fallback,
                file=file,
                plain=None if plain is None else self.codec.encode(plain),
            )
        )
        return conversation.counted(now=now), row


def addressee(profile: CustomerProfile) -> JsonObject:
    """How WhatsApp is told whom a message is for: the number, else the business-scoped user id."""
    identity = profile.preferences.get("identity", {})
    if profile.phone.startswith("u") and "bsuid" in identity:
        return {"user_id": identity["bsuid"]}
    return {"wa_id": profile.phone}
