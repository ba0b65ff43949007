"""Words with something to tap: buttons, lists, links, forms, and questions for a place or a number."""

from collections.abc import Mapping

import attrs

from wch.domain.document import JsonObject
from wch.domain.outgoing.limit import (
    check_text,
    counted,
    different,
    has_emoji,
    limited,
    link,
    refuse,
)
from wch.domain.outgoing.plain import Media, MediaKind

BODY = 1_024
FOOTER = 60
HEADER = 60
LABEL = 20
DRAFT_LABEL = 30
BUTTONS = 3
SECTIONS = 10
ROWS = 10
SECTION_TITLE = 24
ROW_ID = 200
ROW_TITLE = 24
ROW_DESCRIPTION = 72
CARD_BODY = 160
CARD_LINE_BREAKS = 2
CARD_BUTTONS = 3
CALL_MINUTES = 43_200
CALL_PAYLOAD = 512

_HEADER_KINDS = frozenset({MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.DOCUMENT})


@attrs.frozen(kw_only=True)
class Header:
    """What stands above an interactive message: words, or one file without a caption."""

    text: str | None = attrs.field(default=None, validator=limited(HEADER))
    media: Media | None = None

    def __attrs_post_init__(self) -> None:
        """Exactly one of the two, and a file that can stand there."""
        parts = sum(1 for one in (self.text, self.media) if one is not None)
        if parts != 1:
            refuse("header", 1, parts, "words or one file")
        if self.media is not None and (self.media.kind not in _HEADER_KINDS or self.media.caption is not None):
            refuse("header", 1, 1, "an image, a video or a document, without a caption")


@attrs.frozen(kw_only=True)
class Button:
    """A reply that can be tapped."""

    id: str = attrs.field(validator=limited(256))
    title: str = attrs.field(validator=limited(LABEL))


@attrs.frozen(kw_only=True)
class Buttons:
    """Words with one to three buttons."""

    body: str = attrs.field(validator=limited(BODY))
    buttons: tuple[Button, ...] = attrs.field(validator=counted(BUTTONS))
    header: Header | None = None
    footer: str | None = attrs.field(default=None, validator=limited(FOOTER))

    def __attrs_post_init__(self) -> None:
        """Buttons differ in id and title."""
        different("button ids", (button.id for button in self.buttons))
        different("button titles", (button.title for button in self.buttons))


@attrs.frozen(kw_only=True)
class Row:
    """One line of a list."""

    id: str = attrs.field(validator=limited(ROW_ID))
    title: str = attrs.field(validator=limited(ROW_TITLE))
    description: str | None = attrs.field(default=None, validator=limited(ROW_DESCRIPTION))


@attrs.frozen(kw_only=True)
class Section:
    """Lines of a list that belong together; the title is needed when there are several sections."""

    title: str | None = attrs.field(default=None, validator=limited(SECTION_TITLE))
    rows: tuple[Row, ...] = attrs.field(validator=counted(ROWS))


@attrs.frozen(kw_only=True)
class ListMessage:
    """Words with a sheet of at most ten rows; its header is words only."""

    body: str = attrs.field(validator=limited(BODY))
    button: str = attrs.field(validator=limited(LABEL))
    sections: tuple[Section, ...] = attrs.field(validator=counted(SECTIONS))
    header: str | None = attrs.field(default=None, validator=limited(HEADER))
    footer: str | None = attrs.field(default=None, validator=limited(FOOTER))

    def __attrs_post_init__(self) -> None:
        """Ten rows in total, ids that differ, titles where there are several sections."""
        rows = [row for section in self.sections for row in section.rows]
        if len(rows) > ROWS:
            refuse("rows", ROWS, len(rows))
        different("row ids", (row.id for row in rows))
        titled = sum(1 for section in self.sections if section.title is not None)
        if len(self.sections) > 1 and titled < len(self.sections):
            refuse("section titles", len(self.sections), titled, "several sections need a title each")


@attrs.frozen(kw_only=True)
class CtaUrl:
    """Words with one button that opens a page."""

    body: str = attrs.field(validator=limited(BODY))
    label: str = attrs.field(validator=limited(LABEL))
    url: str = attrs.field(validator=link(secure=False))
    header: Header | None = None
    footer: str | None = attrs.field(default=None, validator=limited(FOOTER))
    payment_link_preview: bool | None = None


def _flow_label(instance: "Flow", attribute: "attrs.Attribute[str]", value: str) -> None:
    """The phone shows a published form's label; of a draft it is read by nobody, and 30 are taken."""
    check_text(attribute.name, value, DRAFT_LABEL if instance.is_draft else LABEL)
    if has_emoji(value):
        refuse(attribute.name, LABEL, len(value), "it must not hold an emoji")


@attrs.frozen(kw_only=True)
class Flow:
    """Words with a button that opens a form.

    Attributes:
        label: what the button says; a draft's may be longer, since it is not shown.
        flow_id: the form by its id; or `flow_name`, exactly one of them.
        token: comes back with the answer; the only thing that tells one form's answer from another's.
        is_draft: a form that is not published yet, for the business's own tests.
        action: `navigate` or `data_exchange`.
        screen: where it opens.
        data: what that screen shows.
    """

    body: str = attrs.field(validator=limited(BODY))
    label: str = attrs.field(validator=_flow_label)
    flow_id: str | None = attrs.field(default=None, validator=limited(256))
    flow_name: str | None = attrs.field(default=None, validator=limited(256))
    token: str | None = attrs.field(default=None, validator=limited(512))
    is_draft: bool = False
    action: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.in_({"navigate", "data_exchange"}))
    )
    screen: str | None = attrs.field(default=None, validator=limited(256))
    data: JsonObject | None = None
    header: Header | None = None
    footer: str | None = attrs.field(default=None, validator=limited(FOOTER))

    def __attrs_post_init__(self) -> None:
        """Exactly one name of the form; data belong to a screen."""
        names = sum(1 for one in (self.flow_id, self.flow_name) if one is not None)
        if names != 1:
            refuse("flow", 1, names, "exactly one of flow_id and flow_name")
        if self.data is not None and self.screen is None:
            refuse("data", 0, len(self.data), "data need the screen that shows them")


@attrs.frozen(kw_only=True)
class LocationRequest:
    """Ask where somebody is."""

    body: str = attrs.field(validator=limited(BODY))


@attrs.frozen(kw_only=True)
class ContactRequest:
    """Ask for the number of somebody who wrote without one."""

    body: str = attrs.field(validator=limited(BODY))


@attrs.frozen(kw_only=True)
class AddressRequest:
    """Ask for an address; India only.

    Attributes:
        country: `IN`.
        values: what the form is filled with.
        validation_errors: what is wrong with a value, by its name.
        saved_addresses: addresses to choose from, `{"id": ..., "value": {...}}`.
    """

    body: str = attrs.field(validator=limited(BODY))
    country: str = attrs.field(default="IN", validator=attrs.validators.in_({"IN"}))
    values: Mapping[str, str] | None = None
    validation_errors: Mapping[str, str] | None = None
    saved_addresses: tuple[JsonObject, ...] = ()
    header: Header | None = None
    footer: str | None = attrs.field(default=None, validator=limited(FOOTER))


def call_minutes(_instance: object, attribute: "attrs.Attribute[int | None]", value: int | None) -> None:
    """A validator for how long a call button works: up to thirty days; None passes."""
    if value is not None and not 1 <= value <= CALL_MINUTES:
        refuse(attribute.name, CALL_MINUTES, value, "minutes, from 1 to 43,200")


@attrs.frozen(kw_only=True)
class VoiceCall:
    """Words with a button that calls the business.

    Attributes:
        label: what the button says; WhatsApp's own words where it is None.
        ttl_minutes: how long the button works; seven days where it is None.
        payload: comes back with the call.
    """

    body: str = attrs.field(validator=limited(BODY))
    label: str | None = attrs.field(default=None, validator=limited(LABEL))
    ttl_minutes: int | None = attrs.field(default=None, validator=call_minutes)
    payload: str | None = attrs.field(default=None, validator=limited(CALL_PAYLOAD))
    header: Header | None = None
    footer: str | None = attrs.field(default=None, validator=limited(FOOTER))


@attrs.frozen(kw_only=True)
class CallPermissionRequest:
    """Ask whether the business may call."""

    body: str = attrs.field(validator=limited(BODY))


def _card_body(body: str | None, media: Media) -> None:
    """Few lines, and something to look at."""
    breaks = 0 if body is None else body.count("\n")
    if breaks > CARD_LINE_BREAKS:
        refuse("line breaks", CARD_LINE_BREAKS, breaks)
    if media.kind not in {MediaKind.IMAGE, MediaKind.VIDEO}:
        refuse("media", 1, 1, "an image or a video")


@attrs.frozen(kw_only=True)
class LinkCard:
    """A card of a carousel: a picture or video, words, and a button that opens a page."""

    media: Media
    label: str = attrs.field(validator=limited(LABEL))
    url: str = attrs.field(validator=link(secure=False))
    body: str | None = attrs.field(default=None, validator=limited(CARD_BODY))

    def __attrs_post_init__(self) -> None:
        """Few lines, and something to look at."""
        _card_body(self.body, self.media)


@attrs.frozen(kw_only=True)
class ReplyCard:
    """A card of a carousel: a picture or video, words, and one to three replies that can be tapped."""

    media: Media
    buttons: tuple[Button, ...] = attrs.field(validator=counted(CARD_BUTTONS))
    body: str | None = attrs.field(default=None, validator=limited(CARD_BODY))

    def __attrs_post_init__(self) -> None:
        """Few lines, something to look at, and buttons that differ."""
        _card_body(self.body, self.media)
        different("button ids", (button.id for button in self.buttons))
        different("button titles", (button.title for button in self.buttons))


@attrs.frozen(kw_only=True)
class ProductCard:
    """A card of a carousel that shows a product of the linked catalogue."""

    catalog_id: str = attrs.field(validator=limited(256))
    retailer_id: str = attrs.field(validator=limited(256))


@attrs.frozen(kw_only=True)
class Carousel:
    """Words over two to ten cards of one kind, to be swiped through."""

    body: str = attrs.field(validator=limited(BODY))
    cards: tuple[LinkCard, ...] | tuple[ReplyCard, ...] | tuple[ProductCard, ...] = attrs.field(
        validator=counted(10, least=2)
    )

    def __attrs_post_init__(self) -> None:
        """One kind of card, one catalogue."""
        kinds = {type(card) for card in self.cards}
        catalogues = {card.catalog_id for card in self.cards if isinstance(card, ProductCard)}
        if len(kinds) > 1:
            refuse("cards", 1, len(kinds), "all of one kind")
        if len(catalogues) > 1:
            refuse("cards", 1, len(catalogues), "all of one catalogue")


@attrs.frozen(kw_only=True)
class ProductMessage:
    """One product of the linked catalogue."""

    catalog_id: str = attrs.field(validator=limited(256))
    retailer_id: str = attrs.field(validator=limited(256))
    body: str | None = attrs.field(default=None, validator=limited(BODY))
    footer: str | None = attrs.field(default=None, validator=limited(FOOTER))


@attrs.frozen(kw_only=True)
class ProductSection:
    """Products that belong together."""

    title: str | None = attrs.field(default=None, validator=limited(SECTION_TITLE))
    retailer_ids: tuple[str, ...] = attrs.field(validator=counted(30))


@attrs.frozen(kw_only=True)
class ProductList:
    """Up to thirty products of the linked catalogue; the header is needed."""

    header: str = attrs.field(validator=limited(HEADER))
    body: str = attrs.field(validator=limited(BODY))
    catalog_id: str = attrs.field(validator=limited(256))
    sections: tuple[ProductSection, ...] = attrs.field(validator=counted(SECTIONS))
    footer: str | None = attrs.field(default=None, validator=limited(FOOTER))

    def __attrs_post_init__(self) -> None:
        """Thirty products in total, titles where there are several sections."""
        total = sum(len(section.retailer_ids) for section in self.sections)
        if total > 30:  # noqa: PLR2004 - the table's figure
            refuse("products", 30, total)
        titled = sum(1 for section in self.sections if section.title is not None)
        if len(self.sections) > 1 and titled < len(self.sections):
            refuse("section titles", len(self.sections), titled, "several sections need a title each")


@attrs.frozen(kw_only=True)
class CatalogMessage:
    """The whole linked catalogue, with one product's picture."""

    body: str = attrs.field(validator=limited(BODY))
    thumbnail_retailer_id: str | None = attrs.field(default=None, validator=limited(256))
    footer: str | None = attrs.field(default=None, validator=limited(FOOTER))
