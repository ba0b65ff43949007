"""Messages that WhatsApp approved before: a name, a language, and what fills their gaps."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from wch.domain.document import JsonObject
from wch.domain.moment import utc_seconds
from wch.domain.outgoing.interactive import CALL_PAYLOAD, ProductSection, call_minutes
from wch.domain.outgoing.limit import counted, formed, limited, link, refuse
from wch.domain.outgoing.payment import STATUSES, Owed
from wch.domain.outgoing.plain import Location, Media

PARAMETER = 1_024
COUPON = 20

_NAME = re.compile(r"[a-z0-9_]{1,512}\Z")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:_[A-Za-z0-9]{2,4})?\Z")
_PARAMETER_NAME = re.compile(r"[a-z0-9_]{1,512}\Z")
_UNFIT = re.compile(r"[\r\n\t]| {5}")


def _one_line(_instance: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    limited(PARAMETER)(_instance, attribute, value)
    if _UNFIT.search(value):
        refuse(attribute.name, PARAMETER, len(value), "no line break, tab or five blanks in a row")


def _parameter_name() -> "attrs._ValidatorType[str | None]":
    return formed(_PARAMETER_NAME, 512, "small letters, digits and `_`")


@attrs.frozen(kw_only=True)
class TextParameter:
    """Words; `name` where the template's gaps are named instead of numbered."""

    text: str = attrs.field(validator=_one_line)
    name: str | None = attrs.field(default=None, validator=_parameter_name())


@attrs.frozen(kw_only=True)
class CurrencyParameter:
    """Money that the phone writes in its own way; `amount_1000` is in thousandths."""

    fallback: str = attrs.field(validator=_one_line)
    code: str
    amount_1000: int
    name: str | None = attrs.field(default=None, validator=_parameter_name())


@attrs.frozen(kw_only=True)
class DateTimeParameter:
    """A moment; phones show the fallback, `parts` are the provider's own fields beside it."""

    fallback: str = attrs.field(validator=_one_line)
    parts: Mapping[str, int | str] = attrs.field(factory=dict)
    name: str | None = attrs.field(default=None, validator=_parameter_name())


@attrs.frozen(kw_only=True)
class MediaParameter:
    """A file in the header."""

    media: Media


@attrs.frozen(kw_only=True)
class LocationParameter:
    """A place in the header."""

    location: Location


@attrs.frozen(kw_only=True)
class ProductParameter:
    """A product of the linked catalogue in the header."""

    catalog_id: str = attrs.field(validator=limited(256))
    retailer_id: str = attrs.field(validator=limited(256))


HeaderParameter = TextParameter | MediaParameter | LocationParameter | ProductParameter
BodyParameter = TextParameter | CurrencyParameter | DateTimeParameter


def _index() -> "attrs._ValidatorType[int]":
    return attrs.validators.and_(attrs.validators.ge(0), attrs.validators.le(9))


@attrs.frozen(kw_only=True)
class QuickReplyButton:
    """What comes back when the button is tapped.

    Attributes:
        payload: an id of ours.
        text: or, as older integrations write it, words or a yes or no; exactly one of the two.
    """

    index: int = attrs.field(validator=_index())
    payload: str | None = attrs.field(default=None, validator=limited(256))
    text: str | bool | None = attrs.field(default=None)

    @text.validator
    def _words(self, attribute: "attrs.Attribute[str | bool | None]", value: str | bool | None) -> None:  # noqa: FBT001 - attrs calls it
        if isinstance(value, str):
            limited(256)(self, attribute, value)

    def __attrs_post_init__(self) -> None:
        """One thing comes back."""
        given = sum(1 for one in (self.payload, self.text) if one is not None)
        if given != 1:
            refuse("payload", 1, given, "exactly one of payload and text")


@attrs.frozen(kw_only=True)
class UrlButton:
    """The end of the page's address."""

    index: int = attrs.field(validator=_index())
    text: str = attrs.field(validator=limited(2_000))
    payment_link_preview: bool | None = None


@attrs.frozen(kw_only=True)
class CopyCodeButton:
    """The coupon that a tap copies."""

    index: int = attrs.field(validator=_index())
    code: str = attrs.field(validator=limited(COUPON))


@attrs.frozen(kw_only=True)
class CatalogButton:
    """Opens the catalogue; the product is the one whose picture is shown."""

    index: int = attrs.field(validator=_index())
    thumbnail_retailer_id: str | None = attrs.field(default=None, validator=limited(256))


@attrs.frozen(kw_only=True)
class ProductsButton:
    """Opens a choice of at most thirty products."""

    index: int = attrs.field(validator=_index())
    thumbnail_retailer_id: str = attrs.field(validator=limited(256))
    sections: tuple[ProductSection, ...] = attrs.field(validator=counted(10))


@attrs.frozen(kw_only=True)
class FlowButton:
    """Opens a form; the token comes back with its answer."""

    index: int = attrs.field(validator=_index())
    token: str | None = attrs.field(default=None, validator=limited(512))
    data: JsonObject | None = None


@attrs.frozen(kw_only=True)
class OrderDetailsButton:
    """Opens an order to be paid."""

    index: int = attrs.field(validator=_index())
    owed: Owed


@attrs.frozen(kw_only=True)
class VoiceCallButton:
    """Calls the business; a template has one at most, so it needs no place."""

    index: int | None = attrs.field(default=None, validator=attrs.validators.optional(_index()))
    ttl_minutes: int | None = attrs.field(default=None, validator=call_minutes)
    payload: str | None = attrs.field(default=None, validator=limited(CALL_PAYLOAD))


TemplateButton = (
    QuickReplyButton
    | UrlButton
    | CopyCodeButton
    | CatalogButton
    | ProductsButton
    | FlowButton
    | OrderDetailsButton
    | VoiceCallButton
)


@attrs.frozen(kw_only=True)
class TapTarget:
    """A tap on the message opens this page, under a title of its own."""

    url: str = attrs.field(validator=link(secure=False))
    title: str = attrs.field(validator=limited(60))


@attrs.frozen(kw_only=True)
class OrderState:
    """What became of an order, as a template for it tells."""

    reference_id: str = attrs.field(validator=limited(60))
    status: str = attrs.field(validator=attrs.validators.in_(STATUSES))
    description: str | None = attrs.field(default=None, validator=limited(120))


def _named_alike(_instance: object, attribute: "attrs.Attribute[tuple[BodyParameter, ...]]", value: object) -> None:
    parameters: tuple[BodyParameter, ...] = value  # type: ignore[assignment] # attrs hands over what the field holds
    names = [one.name for one in parameters if one.name is not None]
    if names and len(names) != len(parameters):
        refuse(attribute.name, len(parameters), len(names), "all named, or all by position")
    if len(set(names)) != len(names):
        refuse(attribute.name, len(set(names)), len(names), "two of them are equal")


def _one_each(_instance: object, attribute: "attrs.Attribute[tuple[TemplateButton, ...]]", value: object) -> None:
    buttons: tuple[TemplateButton, ...] = value  # type: ignore[assignment] # attrs hands over what the field holds
    places = [one.index for one in buttons if one.index is not None]
    if len(set(places)) != len(places):
        refuse(attribute.name, len(set(places)), len(places), "two of them have one place")


@attrs.frozen(kw_only=True)
class TemplateCard:
    """One card of a template's carousel; its place is its place in the row."""

    header: HeaderParameter | None = None
    body: tuple[BodyParameter, ...] = attrs.field(default=(), validator=_named_alike)
    buttons: tuple[TemplateButton, ...] = attrs.field(default=(), validator=_one_each)


@attrs.frozen(kw_only=True)
class Template:
    """A message that was approved before, and what fills its gaps.

    Attributes:
        name: as it was approved.
        language: with `_`, such as `pt_BR`.
        header: what fills the header, if it has a gap.
        body: what fills the body: all in order, or all by name.
        buttons: what the buttons with a gap need.
        cards: the cards of a carousel.
        offer_ends_at: when a limited offer ends.
        tap_targets: pages behind the message itself.
        order: what became of an order, in a template for that.
        is_deterministic: writes the old language policy, which older integrations still send.
    """

    name: str = attrs.field(validator=formed(_NAME, 512, "small letters, digits and `_`, at most 512"))
    language: str = attrs.field(validator=formed(_LANGUAGE, 8, "a language code such as `en` or `pt_BR`"))
    header: HeaderParameter | None = None
    body: tuple[BodyParameter, ...] = attrs.field(default=(), validator=_named_alike)
    buttons: tuple[TemplateButton, ...] = attrs.field(default=(), validator=_one_each)
    cards: tuple[TemplateCard, ...] = attrs.field(default=(), validator=counted(10, least=0))
    offer_ends_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    tap_targets: tuple[TapTarget, ...] = attrs.field(default=(), validator=counted(10, least=0))
    order: OrderState | None = None
    is_deterministic: bool = False

    @classmethod
    def text(cls, *, name: str, language: str, body: Iterable[str] = (), named: JsonObject | None = None) -> "Template":
        """A template whose body takes words, in order or by name; white space is made fit for it."""
        by_place = tuple(TextParameter(text=_fit(word)) for word in body)
        by_name = tuple(TextParameter(text=_fit(str(word)), name=key) for key, word in (named or {}).items())
        return cls(name=name, language=language, body=by_place + by_name)


def _fit(word: str) -> str:
    """The same words with every run of white space made one blank."""
    return " ".join(word.split()) or "-"
