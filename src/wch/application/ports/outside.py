"""Time, chance and the outside world."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import attrs

from wch.domain.attachment import Attachment
from wch.domain.catalogue_item import BatchStatus, CataloguePage
from wch.domain.completion import Completion
from wch.domain.document import JsonObject
from wch.domain.inbound import InboundEvent
from wch.domain.outgoing import Outgoing
from wch.domain.send_result import SendResult


class Clock(Protocol):
    """What time it is; arithmetic only, so it may be asked inside a transaction."""

    def now(self) -> datetime:
        """The present moment: aware, UTC, whole seconds; never earlier than before in this process."""
        ...

    def fraction(self) -> float:
        """How much of the present second has passed, 0 to below 1; for pacing only."""
        ...

    def boot(self) -> float:
        """Seconds since this machine started, suspended time included; for spans within a process."""
        ...


class Ids(Protocol):
    """Chance."""

    def token(self) -> str:
        """A new random word of 32 hex digits."""
        ...

    def number(self) -> int:
        """A new positive number below 2**53, later ones mostly larger."""
        ...


class WhatsAppCodec(Protocol):
    """WhatsApp's wire, read and written; no network."""

    def is_signed(self, body: bytes, headers: Sequence[bytes]) -> bool:
        """Whether exactly one signature header came and one of the app secrets made it; never raises."""
        ...

    def read(self, body: bytes, *, now: datetime) -> Sequence[InboundEvent]:
        """The events of a delivery, in its own order.

        Raises:
            UnreadableDeliveryError: it is not JSON within the rules, or not WhatsApp's.
        """
        ...

    def encode(self, message: Outgoing) -> JsonObject:
        """The Cloud API body without its envelope."""
        ...

    def envelope(self, body: JsonObject, *, to: str | None, recipient: str | None, callback_data: str) -> JsonObject:
        """The request body: `to` (digits) or `recipient` (BSUID), never both."""
        ...


class WhatsApp(Protocol):
    """The Cloud API's network side; no retry of its own."""

    async def send(self, number: str, message: JsonObject) -> SendResult:
        """Post one message from this phone number id; every outcome is a value, nothing is raised."""
        ...

    async def mark_read(self, number: str, wa_message_id: str, *, typing: bool = False) -> bool:
        """Show the customer that it was read, and that an answer is being written; best effort."""
        ...


class Catalogue(Protocol):
    """The WhatsApp catalogue; no retry of its own.

    Raises:
        CatalogueError: the call was not taken, or no answer came; `failure` says what to do about it.
    """

    @property
    def id(self) -> str:
        """The catalogue's number."""
        ...

    async def push(self, requests: Sequence[JsonObject]) -> str:
        """Hand over the entries of one call; the handle under which its outcome is asked for."""
        ...

    async def status(self, handle: str) -> BatchStatus:
        """How far that call was worked off; nothing but this says what was taken."""
        ...

    async def items(self, *, after: str | None = None) -> CataloguePage:
        """Some of the items that it holds."""
        ...


@runtime_checkable
class MediaFiles(Protocol):
    """The Cloud API's files; no retry of its own."""

    async def fetch(self, media_id: str, *, sha256: str | None = None, most: int = ...) -> Attachment:
        """The file of this id, at most so many bytes of it, its digest (hex) checked.

        Raises:
            AttachmentError: `gone`, `address`, `too_large`, `hash`, `unavailable`.
        """
        ...

    async def upload(self, number: str, data: bytes, *, mime_type: str, filename: str) -> str:
        """Give a file to WhatsApp, to be sent from this number; its id.

        Raises:
            AttachmentError: `refused`, `unavailable`.
        """
        ...


class MediaStore(Protocol):
    """Where files are kept, fetched and sent ones, under names that we made: 32 hex digits."""

    async def put(self, name: str, data: bytes) -> None:
        """Keep this under this name, which is used once: what is there already stays as it is.

        Raises:
            AttachmentError: `unkept`: there is no room for it, or the name is taken.
        """
        ...

    async def get(self, name: str) -> bytes | None:
        """What is kept under this name; None when it is gone."""
        ...

    async def forget(self, names: Iterable[str]) -> int:
        """Delete the files of these names for good; how many were there, so that asking twice is safe.

        Raises:
            AttachmentError: `unforgotten`: one of them is still there, and it must be asked again.
        """
        ...


class QrCodes(Protocol):
    """Draws QR codes."""

    def png(self, text: str) -> bytes:
        """The text as a QR code in a PNG file."""
        ...


class Model(Protocol):
    """A language model; no retry of its own."""

    async def complete(self, messages: Sequence[JsonObject], tools: Sequence[JsonObject]) -> Completion:
        """One answer to these messages (`role`, `content`), which may be tools that it wants to use.

        Raises:
            ModelUnavailableError: it did not come, or cannot be read.
        """
        ...


@attrs.frozen(kw_only=True)
class TemplatePage:
    """Some of an account's message templates, as Graph lists them, and where the next ones begin."""

    templates: Sequence[JsonObject]
    next: str | None = None


class TemplateSource(Protocol):
    """Where an account's message templates are listed."""

    async def message_templates(self, account: str, *, after: str | None = None) -> TemplatePage:
        """One page of at most 100, in all states; no retry of its own.

        Raises:
            TemplatesUnavailableError: no answer came, or it was no list.
        """
        ...


@attrs.frozen(kw_only=True)
class AccountStanding:
    """What an account tells of a token and of numbers.

    Attributes:
        is_token_good: False: it is not taken any more.
        token_ends_at: None: it has no end.
        quality: `GREEN`, `YELLOW`, `RED` or `UNKNOWN` by phone number id, of those that were told.
    """

    is_token_good: bool
    token_ends_at: datetime | None
    quality: Mapping[str, str]


class AccountSource(Protocol):
    """Where an account says how its token and numbers stand."""

    async def standing(self, numbers: Sequence[str]) -> AccountStanding:
        """What is told of the present token and these phone number ids; no retry of its own.

        Raises:
            AccountUnavailableError: no answer came, or it could not be read.
        """
        ...


class LegacySource(Protocol):
    """The tables of a WordPress plugin, only ever read."""

    @property
    def name(self) -> str:
        """A word that is the same for the same tables, and tells nothing of how they are reached."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """How many rows each of the 14 tables (without prefix) has; those that are not there are absent.

        Raises:
            SourceError: the database does not answer, or has none of the tables.
        """
        ...

    async def page(
        self, table: str, *, after: tuple[Any, ...] | None, limit: int
    ) -> Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]]:
        """Rows in the order of their key, strictly after `after`: the key, and the columns as the driver gives them.

        Raises:
            SourceError: the database does not answer.
        """
        ...


class Observer(Protocol):
    """Hears facts in the past tense, after the commit: all, or those for whose class its `hears(kind)` is true, if it has that."""

    def __call__(self, fact: object, /) -> None:
        """Take note; whatever it raises is logged and goes no further."""
        ...


class SpanNotes(Protocol):
    """What is learnt of a span while it lasts."""

    def note(self, **about: str | int) -> None:
        """Note this of it: kinds, results and ids of rows, never a number, name or text of somebody."""
        ...

    def call(self, name: str) -> None:
        """Give it a better name than it began with."""
        ...

    def fail(self, kind: str) -> None:
        """What it is about failed; `kind` is a word for how."""
        ...


class Tracer(Protocol):
    """Follows what is done, as spans of traces; a span within another is its child, across tasks too."""

    def span(
        self,
        name: str,
        /,
        *,
        caller: Iterable[tuple[bytes, bytes]] | None = None,
        outside: bool = False,
        **about: str | int,
    ) -> AbstractContextManager[SpanNotes]:
        """A span around what the block does; an error that leaves the block is noted by its class, never its words.

        Args:
            name: the kind of work, the same for all of its kind.
            caller: headers of the request that this answers, their names in small letters; what they say of its trace
                is the parent, if the host has begun no span.
            outside: whether the block waits for somebody else's answer.
            about: as `SpanNotes.note` takes it.
        """
        ...
