"""Attachments: files of customers fetched when somebody wants to see them, and files sent to customers."""

from typing import Any

import attrs

from wch.application.conversations import Conversations
from wch.application.ports import Database, Ids, MediaFiles, MediaStore, UnitOfWork
from wch.application.sent_files import SentFiles
from wch.domain.attachment import LARGEST, Attachment, AttachmentError, checked, kept_names
from wch.domain.document import amended
from wch.domain.errors import NotFoundError
from wch.domain.evolution import evolve
from wch.domain.message import Message
from wch.domain.outgoing import Media, MediaKind


@attrs.frozen(kw_only=True)
class Attachments:
    """Fetches and sends files; nothing is fetched by an address that a message names."""

    database: Database
    ids: Ids
    files: MediaFiles
    store: MediaStore
    sent_files: SentFiles
    conversations: Conversations

    async def open(self, message_id: int) -> Attachment:
        """The file of a message, from the store or from WhatsApp, where it lasts seven days.

        A failure is noted on the row, and is no reason to try again by itself.

        Raises:
            NotFoundError: there is no such message, or it has no file.
            AttachmentError: WhatsApp does not give it, or gives something else.
        """
        row = await self.database.read(lambda uow: uow.messages.get(message_id))
        media: Any = None if row is None else row.content.get("media")
        if row is None or not isinstance(media, dict) or not isinstance(media.get("id"), str):
            raise NotFoundError("There is no file in this message.", id=message_id)
        kept = media.get("kept")
        if isinstance(kept, str) and (data := await self.store.get(kept)) is not None:
            return Attachment(data=data, mime_type=str(media.get("kept_type")), filename=media.get("filename"))
        try:
            fetched = await self.files.fetch(
                media["id"], sha256=media.get("sha256"), most=LARGEST.get(row.type, LARGEST[MediaKind.DOCUMENT])
            )
        except AttachmentError as error:
            await self._note(message_id, fault=error.code)
            raise
        name = self.ids.token()
        # Its name is known before the file is there, and asked for after: whoever erases the message finds the file.
        await self._note(message_id, kept=name, kept_type=fetched.mime_type, fault=None)
        try:
            await self.store.put(name, fetched.data)
        except AttachmentError as error:
            await self._note(message_id, kept=None, kept_type=None, fault=error.code)
        else:
            if name not in await self.database.read(lambda uow: _names_of(uow, message_id)):
                await self.store.forget([name])
        return attrs.evolve(fetched, filename=media.get("filename"))

    async def _note(self, message_id: int, **facts: Any) -> None:
        def work(uow: UnitOfWork) -> None:
            row = uow.messages.get(message_id, lock=True)
            if row is not None and "media" in row.content:
                media = {**row.content["media"], **facts}
                plain = {name: value for name, value in media.items() if value is not None}
                uow.messages.save(evolve(row, content=amended(row.content, media=plain)))

        await self.database.transact(work)

    async def send(
        self,
        conversation_id: int,
        data: bytes,
        *,
        filename: str,
        caption: str | None = None,
        agent: int,
        by: str,
    ) -> Message:
        """Send a file as a person; uploaded once, however often it is sent within 25 days.

        Raises:
            NotFoundError: there is no thread of this id.
            WindowClosedError: the customer's last message is more than 24 hours old.
            MessageLimitError: it is empty or too large.
            AttachmentError: WhatsApp does not take it.
        """
        kind, mime_type = checked(data)
        number = await self.conversations.number_for_reply(conversation_id)
        sent = await self.sent_files.id_of(number, data, mime_type=mime_type, filename=filename)
        message = Media(
            kind=kind,
            id=sent.media_id,
            caption=caption,
            filename=filename if kind is MediaKind.DOCUMENT else None,
        )
        return await self.conversations.reply_with(conversation_id, message, agent=agent, by=by, file=sent.held)


def _names_of(uow: UnitOfWork, message_id: int) -> tuple[str, ...]:
    row = uow.messages.get(message_id)
    return () if row is None else kept_names(row.content)
