"""Files that come and go with messages: what they are by their bytes, and how large they may be."""

from collections.abc import Mapping

import attrs

from wch.domain.document import JsonObject
from wch.domain.errors import WchError
from wch.domain.outgoing import MediaKind, MessageLimitError

MEGABYTE = 1024 * 1024

LARGEST: Mapping[str, int] = {
    MediaKind.IMAGE: 5 * MEGABYTE,
    MediaKind.VIDEO: 16 * MEGABYTE,
    MediaKind.AUDIO: 16 * MEGABYTE,
    MediaKind.DOCUMENT: 100 * MEGABYTE,
    MediaKind.STICKER: 500 * 1024,
}
"""Bytes of a file of each kind; nothing is larger than a document."""

_MAGIC: tuple[tuple[int, bytes, MediaKind, str], ...] = (
    (0, b"\xff\xd8\xff", MediaKind.IMAGE, "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", MediaKind.IMAGE, "image/png"),
    (8, b"WEBP", MediaKind.STICKER, "image/webp"),
    (4, b"ftyp3gp", MediaKind.VIDEO, "video/3gpp"),
    (4, b"ftypM4A", MediaKind.AUDIO, "audio/mp4"),
    (4, b"ftyp", MediaKind.VIDEO, "video/mp4"),
    (0, b"OggS", MediaKind.AUDIO, "audio/ogg"),
    (0, b"#!AMR", MediaKind.AUDIO, "audio/amr"),
    (0, b"ID3", MediaKind.AUDIO, "audio/mpeg"),
    (0, b"\xff\xfb", MediaKind.AUDIO, "audio/mpeg"),
    (0, b"\xff\xf1", MediaKind.AUDIO, "audio/aac"),
    (0, b"%PDF-", MediaKind.DOCUMENT, "application/pdf"),
)


UPLOADED = "media.upload."
"""How the options begin that hold the ids of uploads, by number and digest."""


class AttachmentError(WchError):
    """A file could not be fetched or sent; `code` says why."""

    code: str


def kept_names(content: JsonObject) -> tuple[str, ...]:
    """The names under which the media store has files of a message with this content: received and sent ones."""
    parts = (content.get("media"), content.get("file"))
    found = (part.get("kept") for part in parts if isinstance(part, Mapping))
    return tuple(name for name in found if isinstance(name, str) and name)


@attrs.frozen(kw_only=True)
class Attachment:
    """A file and what it is: by its bytes where they show it, else as it was declared."""

    data: bytes = attrs.field(repr=False)
    mime_type: str
    filename: str | None = None


def kind_of(data: bytes) -> tuple[MediaKind, str]:
    """What these bytes are; a document of unknown kind when they show nothing that WhatsApp shows by itself."""
    for place, sign, kind, mime_type in _MAGIC:
        if data[place : place + len(sign)] == sign:
            return kind, mime_type
    is_text = b"\x00" not in data[:1024]
    return MediaKind.DOCUMENT, "text/plain" if is_text else "application/octet-stream"


def checked(data: bytes) -> tuple[MediaKind, str]:
    """The kind of a file that may be sent.

    Raises:
        MessageLimitError: it is empty, or larger than its kind may be.
    """
    kind, mime_type = kind_of(data)
    if not 0 < len(data) <= LARGEST[kind]:
        raise MessageLimitError("file", LARGEST[kind], len(data), f"{kind} of 1 to {LARGEST[kind]} bytes")
    return kind, mime_type
