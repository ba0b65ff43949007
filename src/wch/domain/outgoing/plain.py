"""Words, files, places and reactions: what is said without buttons."""

from decimal import Decimal
from enum import StrEnum

import attrs

from wch.domain.outgoing.limit import counted, is_one_emoji, limited, link, measured, refuse

TEXT = 4_096
CAPTION = 1_024
ID = 255


@attrs.frozen(kw_only=True)
class Text:
    """Words; `preview_url` shows a page behind the first link in them."""

    body: str = attrs.field(validator=limited(TEXT))
    preview_url: bool | None = None


class MediaKind(StrEnum):
    """What a file is."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    STICKER = "sticker"


CAPTIONED = frozenset({MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.DOCUMENT})


@attrs.frozen(kw_only=True)
class Media:
    """A file, by the id of an upload or by an https link, exactly one of them.

    Attributes:
        caption: words under an image, a video or a document.
        filename: what a document is called on the phone.
        voice: shows an audio file as a voice note.
    """

    kind: MediaKind
    id: str | None = attrs.field(default=None, validator=limited(ID))
    link: str | None = attrs.field(default=None, validator=link(secure=True))
    caption: str | None = attrs.field(default=None, validator=limited(CAPTION))
    filename: str | None = attrs.field(default=None, validator=limited(ID))
    voice: bool | None = None

    def __attrs_post_init__(self) -> None:
        """Exactly one source; words only where the kind takes them."""
        sources = sum(1 for one in (self.id, self.link) if one is not None)
        if sources != 1:
            refuse("source", 1, sources, "exactly one of id and link")
        if self.caption is not None and self.kind not in CAPTIONED:
            refuse("caption", 0, measured(self.caption), f"a {self.kind} has none")
        if self.filename is not None and self.kind is not MediaKind.DOCUMENT:
            refuse("filename", 0, measured(self.filename), "only a document has one")
        if self.voice is not None and self.kind is not MediaKind.AUDIO:
            refuse("voice", 0, 1, "only an audio file can be a voice note")


def _within(degrees: int) -> "attrs._ValidatorType[Decimal]":
    def check(_instance: object, attribute: "attrs.Attribute[Decimal]", value: Decimal) -> None:
        if not value.is_finite() or abs(value) > degrees:
            refuse(attribute.name, degrees, 0, f"it lies between -{degrees} and {degrees}")

    return check


@attrs.frozen(kw_only=True)
class Location:
    """A place on the map."""

    latitude: Decimal = attrs.field(validator=_within(90))
    longitude: Decimal = attrs.field(validator=_within(180))
    name: str | None = attrs.field(default=None, validator=limited(TEXT))
    address: str | None = attrs.field(default=None, validator=limited(TEXT))


@attrs.frozen(kw_only=True)
class Reaction:
    """One emoji on a message; an empty one takes it back."""

    wa_message_id: str = attrs.field(validator=limited(ID))
    emoji: str = attrs.field()

    @emoji.validator
    def _one(self, _attribute: object, value: str) -> None:
        if value and not is_one_emoji(value):
            refuse("emoji", 1, len(value), "one emoji, or nothing")


@attrs.frozen(kw_only=True)
class MarkRead:
    """Not a message: shows that one was read, and if `typing`, that an answer is being written."""

    wa_message_id: str = attrs.field(validator=limited(ID))
    typing: bool = False


# The fields of a contact card bear the wire's own names: a card is written as it stands here.


@attrs.frozen(kw_only=True)
class ContactName:
    """What somebody is called."""

    formatted_name: str = attrs.field(validator=limited(TEXT))
    first_name: str | None = None
    last_name: str | None = None
    middle_name: str | None = None
    prefix: str | None = None
    suffix: str | None = None


@attrs.frozen(kw_only=True)
class ContactPhone:
    """A number, with the WhatsApp id where it has one."""

    phone: str | None = None
    type: str | None = None
    wa_id: str | None = None


@attrs.frozen(kw_only=True)
class ContactEmail:
    """An e-mail address."""

    email: str
    type: str | None = None


@attrs.frozen(kw_only=True)
class ContactUrl:
    """A page."""

    url: str
    type: str | None = None


@attrs.frozen(kw_only=True)
class ContactAddress:
    """Where somebody lives or works."""

    street: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    country_code: str | None = None
    type: str | None = None


@attrs.frozen(kw_only=True)
class ContactOrg:
    """Where somebody belongs."""

    company: str | None = None
    department: str | None = None
    title: str | None = None


@attrs.frozen(kw_only=True)
class ContactCard:
    """Somebody's card; `birthday` is YYYY-MM-DD."""

    name: ContactName
    phones: tuple[ContactPhone, ...] = ()
    emails: tuple[ContactEmail, ...] = ()
    addresses: tuple[ContactAddress, ...] = ()
    urls: tuple[ContactUrl, ...] = ()
    org: ContactOrg | None = None
    birthday: str | None = None


@attrs.frozen(kw_only=True)
class Contacts:
    """Contact cards."""

    contacts: tuple[ContactCard, ...] = attrs.field(validator=counted(5))
