"""Messages that a program sends through the outbox, and what became of them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from wch.application.conversations import WindowClosedError
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.speaking import Speaker
from wch.application.windows import WINDOW
from wch.domain.audit import AuditEntry
from wch.domain.errors import NotFoundError, WchError
from wch.domain.message import Class, Message
from wch.domain.outgoing import Location, Media, MediaKind, Outgoing, Template, Text
from wch.domain.phone import key_of


class AddresseeError(WchError):
    """`to` is a phone number with its country code, in digits, or a customer's key."""


@attrs.frozen(kw_only=True)
class Messages:
    """One message to anybody; it leaves by the same outbox, and under the same rules, as everything else."""

    database: Database
    clock: Clock
    speaker: Speaker

    async def show(self, message_id: int) -> Message:
        """One message.

        Raises:
            NotFoundError: there is none of this id.
        """
        found = await self.database.read(lambda uow: uow.messages.get(message_id))
        if found is None:
            raise NotFoundError(kind="message", id=message_id)
        return found

    async def send(
        self, to: str, message: Outgoing, *, class_: Class = Class.REPLY, number: str | None = None, by: str
    ) -> Message:
        """Put one message to this customer into the outbox; nobody is said to have taken the thread.

        Free words need an open window and are replies. A template may leave at any time, as a
        notice or, if it is marketing, as a campaign, which is held to consent when it leaves.

        Args:
            to: a number with its country code, in any spelling, or a customer's key.
            message: what is said.
            class_: what a template is for; other messages are replies whatever it says.
            number: the phone number id it leaves from; the one that the customer writes to if not given.
            by: who sends it.

        Raises:
            AddresseeError: `to` is no number.
            WindowClosedError: the customer's last message is more than 24 hours old, and this is no template.
        """
        try:
            phone = key_of(to.strip().removeprefix("+").removeprefix("00"))
        except ValueError as error:
            raise AddresseeError from error
        free = not isinstance(message, Template)

        def work(uow: UnitOfWork) -> Message:
            now = self.clock.now()
            profile = uow.customers.lock(phone, now=now)
            conversation = self.speaker.thread(uow, profile, now=now)
            leaving = number or self.speaker.number_of(conversation)
            latest = uow.messages.latest_inbound_at(phone, leaving or None)
            closed = latest is None or now >= latest + WINDOW or "window_closed_at" in conversation.context
            if free and closed:
                raise WindowClosedError(code="window_closed")
            counted, row = self.speaker.say(
                uow,
                conversation,
                message,
                profile=profile,
                class_=Class.REPLY if free else class_,
                origin={"by": "api", "ref": by},
                now=now,
                number=leaving,
            )
            uow.conversations.save(counted)
            uow.audit.add(AuditEntry(at=now, actor=by, action="message.send", object=f"message:{row.id}"))
            return row

        return await self.database.transact(work)


def outgoing_of(kind: str, body: Mapping[str, Any]) -> Outgoing:
    """What a request says, by its type and the part that bears the type's name.

    Raises:
        MessageLimitError: it is beyond what WhatsApp takes.
        KeyError, TypeError, ValueError: a field is missing or of another kind.
    """
    if kind == "text":
        return Text(body=body["body"], preview_url=body.get("preview_url"))
    if kind == "location":
        return Location(
            latitude=Decimal(str(body["latitude"])),
            longitude=Decimal(str(body["longitude"])),
            name=body.get("name"),
            address=body.get("address"),
        )
    if kind == "template":
        return Template.text(
            name=body["name"],
            language=body["language"],
            body=body.get("body") or (),
            named=body.get("named"),
        )
    return Media(
        kind=MediaKind(kind),
        id=body.get("id"),
        link=body.get("link"),
        caption=body.get("caption"),
        filename=body.get("filename"),
    )
