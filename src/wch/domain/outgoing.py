"""What can be said to a customer: each kind knows its limits and refuses to be built beyond them.

Limits are counted in code points after NFC. Source: the Cloud API's pages on messages; where
pages differ, the smaller figure.
"""

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from wch.domain.document import JsonObject
from wch.domain.errors import WchError


class MessageLimitError(WchError, ValueError):
    """WhatsApp would refuse this message: a part of it is empty, too long or too many."""

    field: str
    limit: int
    length: int

    def __init__(self, field: str, limit: int, length: int) -> None:
        super().__init__(f"{field} may have {limit}, and has {length}", field=field, limit=limit, length=length)


def measured(text: str) -> int:
    """How long WhatsApp counts a text: code points after NFC."""
    return len(unicodedata.normalize("NFC", text))


def limited(most: int, *, least: int = 1) -> Any:
    """A validator for a text of so many code points; blanks alone are empty. None passes."""

    def check(_instance: object, attribute: "attrs.Attribute[Any]", value: str | None) -> None:
        if value is None:
            return
        length = measured(value) if value.strip() else 0
        if not least <= length <= most:
            raise MessageLimitError(attribute.name, most, length)

    return check


def counted(most: int, *, least: int = 1) -> Any:
    """A validator for so many parts."""

    def check(_instance: object, attribute: "attrs.Attribute[Any]", value: tuple[Any, ...]) -> None:
        if not least <= len(value) <= most:
            raise MessageLimitError(attribute.name, most, len(value))

    return check


def unlike(field: str, values: Iterable[str]) -> None:
    """Refuse two equal values."""
    listed = list(values)
    if len(set(listed)) != len(listed):
        raise MessageLimitError(f"different values of {field}", len(set(listed)), len(listed))


_URL = re.compile(r"https?://\S+\Z")


def _url(_instance: object, attribute: "attrs.Attribute[Any]", value: str | None) -> None:
    if value is not None and (not _URL.match(value) or len(value) > 2000):
        raise MessageLimitError(attribute.name, 2000, len(value))


@attrs.frozen(kw_only=True)
class Text:
    """Words."""

    body: str = attrs.field(validator=limited(4096))
    preview_url: bool | None = None


class MediaKind(StrEnum):
    """What a file is."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    STICKER = "sticker"


@attrs.frozen(kw_only=True)
class Media:
    """A file, by the id of an upload or by an https link, exactly one of them."""

    kind: MediaKind
    id: str | None = None
    link: str | None = attrs.field(default=None, validator=_url)
    caption: str | None = attrs.field(default=None, validator=limited(1024))
    filename: str | None = None
    voice: bool | None = None

    def __attrs_post_init__(self) -> None:
        """Exactly one source; words only where the kind takes them."""
        sources = sum(1 for one in (self.id, self.link) if one)
        if sources != 1:
            raise MessageLimitError("sources (id or link)", 1, sources)
        if self.caption is not None and self.kind in {MediaKind.AUDIO, MediaKind.STICKER}:
            raise MessageLimitError("caption", 0, measured(self.caption))
        if self.filename is not None and self.kind is not MediaKind.DOCUMENT:
            raise MessageLimitError("filename", 0, measured(self.filename))


@attrs.frozen(kw_only=True)
class Location:
    """A place."""

    latitude: Decimal = attrs.field(validator=[attrs.validators.ge(Decimal(-90)), attrs.validators.le(Decimal(90))])
    longitude: Decimal = attrs.field(validator=[attrs.validators.ge(Decimal(-180)), attrs.validators.le(Decimal(180))])
    name: str | None = None
    address: str | None = None


@attrs.frozen(kw_only=True)
class Contacts:
    """Contact cards, in the provider's own shape."""

    contacts: tuple[JsonObject, ...] = attrs.field(validator=counted(5))


@attrs.frozen(kw_only=True)
class Reaction:
    """An emoji on a message; an empty one takes it back."""

    wa_message_id: str = attrs.field(validator=attrs.validators.min_len(1))
    emoji: str


@attrs.frozen(kw_only=True)
class Header:
    """What stands above an interactive message: words, or one file."""

    text: str | None = attrs.field(default=None, validator=limited(60))
    media: Media | None = None

    def __attrs_post_init__(self) -> None:
        """Exactly one of the two."""
        parts = sum(1 for one in (self.text, self.media) if one is not None)
        if parts != 1:
            raise MessageLimitError("header parts", 1, parts)


@attrs.frozen(kw_only=True)
class Button:
    """A reply that can be tapped."""

    id: str = attrs.field(validator=limited(256))
    title: str = attrs.field(validator=limited(20))


def _interactive_body() -> Any:
    return attrs.field(validator=limited(1024))


def _footer() -> Any:
    return attrs.field(default=None, validator=limited(60))


@attrs.frozen(kw_only=True)
class Buttons:
    """Words with one to three buttons."""

    body: str = _interactive_body()
    buttons: tuple[Button, ...] = attrs.field(validator=counted(3))
    header: Header | None = None
    footer: str | None = _footer()

    def __attrs_post_init__(self) -> None:
        """Buttons differ in id and title."""
        unlike("button ids", (button.id for button in self.buttons))
        unlike("button titles", (button.title for button in self.buttons))


@attrs.frozen(kw_only=True)
class Row:
    """One line of a list."""

    id: str = attrs.field(validator=limited(200))
    title: str = attrs.field(validator=limited(24))
    description: str | None = attrs.field(default=None, validator=limited(72))


@attrs.frozen(kw_only=True)
class Section:
    """Lines of a list that belong together; the title is needed when there are several."""

    title: str | None = attrs.field(default=None, validator=limited(24))
    rows: tuple[Row, ...] = attrs.field(validator=counted(10))


@attrs.frozen(kw_only=True)
class ListMessage:
    """Words with a sheet of at most ten rows."""

    body: str = _interactive_body()
    button: str = attrs.field(validator=limited(20))
    sections: tuple[Section, ...] = attrs.field(validator=counted(10))
    header: str | None = attrs.field(default=None, validator=limited(60))
    footer: str | None = _footer()

    def __attrs_post_init__(self) -> None:
        """Ten rows in total, ids that differ, titles where there are several sections."""
        rows = [row for section in self.sections for row in section.rows]
        if len(rows) > 10:
            raise MessageLimitError("rows", 10, len(rows))
        unlike("row ids", (row.id for row in rows))
        if len(self.sections) > 1 and any(section.title is None for section in self.sections):
            raise MessageLimitError("section titles", len(self.sections), len(self.sections) - 1)


@attrs.frozen(kw_only=True)
class CtaUrl:
    """Words with one button that opens an address."""

    body: str = _interactive_body()
    label: str = attrs.field(validator=limited(20))
    url: str = attrs.field(validator=_url)
    header: Header | None = None
    footer: str | None = _footer()


@attrs.frozen(kw_only=True)
class Flow:
    """Words with a button that opens a form."""

    body: str = _interactive_body()
    label: str = attrs.field(validator=limited(20))
    parameters: JsonObject
    header: Header | None = None
    footer: str | None = _footer()


@attrs.frozen(kw_only=True)
class ProductMessage:
    """One product of the linked catalogue."""

    catalog_id: str = attrs.field(validator=attrs.validators.min_len(1))
    retailer_id: str = attrs.field(validator=attrs.validators.min_len(1))
    body: str | None = attrs.field(default=None, validator=limited(1024))
    footer: str | None = _footer()


@attrs.frozen(kw_only=True)
class ProductSection:
    """Products that belong together."""

    title: str | None = attrs.field(default=None, validator=limited(24))
    retailer_ids: tuple[str, ...] = attrs.field(validator=counted(30))


@attrs.frozen(kw_only=True)
class ProductList:
    """Up to thirty products of the linked catalogue."""

    header: str = attrs.field(validator=limited(60))
    body: str = _interactive_body()
    catalog_id: str
    sections: tuple[ProductSection, ...] = attrs.field(validator=counted(10))
    footer: str | None = _footer()

    def __attrs_post_init__(self) -> None:
        """Thirty products in total."""
        total = sum(len(section.retailer_ids) for section in self.sections)
        if total > 30:
            raise MessageLimitError("products", 30, total)


@attrs.frozen(kw_only=True)
class CatalogMessage:
    """The whole linked catalogue."""

    body: str = _interactive_body()
    thumbnail_retailer_id: str | None = None
    footer: str | None = _footer()


@attrs.frozen(kw_only=True)
class LocationRequest:
    """Ask where somebody is."""

    body: str = _interactive_body()


@attrs.frozen(kw_only=True)
class ContactRequest:
    """Ask for the number of somebody who wrote without one."""

    body: str = _interactive_body()


@attrs.frozen(kw_only=True)
class Interactive:
    """A further interactive kind with its action in the provider's own shape: carousel, order details, address."""

    kind: str
    body: str | None = attrs.field(default=None, validator=limited(1024))
    action: JsonObject
    header: Header | None = None
    footer: str | None = _footer()


_TEMPLATE_NAME = re.compile(r"[a-z0-9_]{1,512}\Z")
_UNFIT = re.compile(r"[\n\t]| {5}")


@attrs.frozen(kw_only=True)
class Template:
    """A message that was approved before; components are in the provider's own shape."""

    name: str = attrs.field()
    language: str = attrs.field(validator=attrs.validators.min_len(2))
    components: tuple[JsonObject, ...] = ()

    @name.validator
    def _name(self, _attribute: object, value: str) -> None:
        if not _TEMPLATE_NAME.match(value):
            raise MessageLimitError("template name", 512, len(value))

    def __attrs_post_init__(self) -> None:
        """No line break, tab or five blanks in a text parameter."""
        for component in self.components:
            for parameter in component.get("parameters", ()):
                text = parameter.get("text")
                if isinstance(text, str) and (_UNFIT.search(text) or not text.strip()):
                    raise MessageLimitError("template parameter", 1024, measured(text))

    @classmethod
    def text(cls, *, name: str, language: str, body: Iterable[str] = (), named: JsonObject | None = None) -> "Template":
        """A template whose body takes words, in order or by name."""
        parameters: list[dict[str, str]] = [{"type": "text", "text": _one_line(word)} for word in body]
        for key, word in (named or {}).items():
            parameters.append({"type": "text", "parameter_name": key, "text": _one_line(str(word))})
        components = ({"type": "body", "parameters": parameters},) if parameters else ()
        return cls(name=name, language=language, components=components)


def _one_line(word: str) -> str:
    """The same words with every run of white space made one blank."""
    return " ".join(word.split()) or "-"


Outgoing = (
    Text
    | Media
    | Location
    | Contacts
    | Reaction
    | Buttons
    | ListMessage
    | CtaUrl
    | Flow
    | ProductMessage
    | ProductList
    | CatalogMessage
    | LocationRequest
    | ContactRequest
    | Interactive
    | Template
)
