"""Sent files: given to WhatsApp once for many messages, and once more when it cannot find one any more."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import attrs

from wch.application.ports import Clock, Database, Ids, MediaFiles, MediaStore, UnitOfWork
from wch.domain.attachment import UPLOADED, AttachmentError
from wch.domain.document import JsonObject, amended, document
from wch.domain.evolution import evolve
from wch.domain.moment import iso, of_iso
from wch.domain.send_failure import FailureClass, GraphError
from wch.domain.send_result import NotMade, Refused

UPLOAD_KEPT = timedelta(days=25)
"""WhatsApp keeps an upload for thirty days."""


@attrs.frozen(kw_only=True)
class SentFile:
    """A file that WhatsApp has.

    Attributes:
        media_id: WhatsApp's id of it.
        held: where the hub keeps it, what it is and is called: for one more upload. None where nothing keeps it.
    """

    media_id: str
    held: JsonObject | None


@attrs.frozen(kw_only=True)
class SentFiles:
    """Uploads files, remembers their ids, and keeps them for as long as there is room."""

    database: Database
    clock: Clock
    ids: Ids
    files: MediaFiles
    store: MediaStore

    async def id_of(self, number: str, data: bytes, *, mime_type: str, filename: str) -> SentFile:
        """The file as an upload of this number's: the one of the last 25 days, else a new one.

        Raises:
            AttachmentError: WhatsApp does not take it.
        """
        option = f"{UPLOADED}{number}.{hashlib.sha256(data).hexdigest()}"
        known = await self.database.read(lambda uow: uow.options.get(option))
        fresh = known is not None and self.clock.now() < of_iso(str(known["at"])) + UPLOAD_KEPT
        if known is not None and fresh:
            media_id, kept = str(known["id"]), str(known.get("kept", ""))
        else:
            media_id, kept = await self.files.upload(number, data, mime_type=mime_type, filename=filename), ""
        if not kept:
            kept = await self._kept(data)
            await self._remember(option, media_id, kept)
        held = document(kept=kept, mime_type=mime_type, filename=filename) if kept else None
        return SentFile(media_id=media_id, held=held)

    async def _kept(self, data: bytes) -> str:
        """The name under which the file is kept from now on; none when there is no room for it."""
        name = self.ids.token()
        try:
            await self.store.put(name, data)
        except AttachmentError:
            return ""
        return name

    async def anew(
        self, row: int, request: JsonObject, *, number: str, held: JsonObject
    ) -> JsonObject | Refused | NotMade:
        """The same request with the id of one more upload, which the row knows from now on; or why there is none."""
        data = await self.store.get(str(held["kept"]))
        if data is None:
            error = GraphError(code=None, title="Media upload error", details="the file is not kept any more")
            return Refused(error=error, failure=FailureClass.MEDIA)
        try:
            media_id = await self.files.upload(
                number, data, mime_type=str(held["mime_type"]), filename=str(held["filename"])
            )
        except AttachmentError as error:
            if error.code == "unavailable":
                return NotMade(reason="the file could not be uploaded")
            refused = GraphError(code=None, title="Media upload error", details="WhatsApp does not take the file")
            return Refused(error=refused, failure=FailureClass.MEDIA)
        await self._remember(f"{UPLOADED}{number}.{hashlib.sha256(data).hexdigest()}", media_id, str(held["kept"]))
        await self.database.transact(lambda uow: _learn(uow, row, media_id))
        return with_media(request, media_id)

    async def _remember(self, option: str, media_id: str, kept: str) -> None:
        told = document(id=media_id, at=iso(self.clock.now()), kept=kept or None)
        await self.database.transact(lambda uow: uow.options.put(option, told))


def with_media(body: JsonObject, media_id: str) -> JsonObject:
    """A body that names this upload instead of another."""
    kind = str(body["type"])
    return {**body, kind: {**body[kind], "id": media_id}}


def is_held(content: Mapping[str, Any]) -> bool:
    """Whether a message has a file that the hub kept when it was sent."""
    return isinstance(content.get("file"), Mapping)


def _learn(uow: UnitOfWork, message_id: int, media_id: str) -> None:
    """The row's body names the new upload; that it was uploaded anew stays noted, so that it happens once."""
    row = uow.messages.get(message_id, lock=True)
    if row is not None:
        content = amended(row.content, body=with_media(row.content["body"], media_id), reupload=None)
        uow.messages.save(evolve(row, content=content))
