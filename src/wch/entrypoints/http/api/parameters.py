"""The parameters and bodies that the API's routes take."""

from typing import Annotated, Literal

import attrs
import msgspec
from litestar.params import PathParameter, QueryParameter

from wch.domain.catalogue import LARGEST_ID

MOST_ID = 2**63 - 1

Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=500, description="So many rows at most.")]
After = Annotated[
    str | None, QueryParameter(name="after", max_length=300, description="`next_cursor` of the page before.")
]
Id = Annotated[int, PathParameter(ge=0, le=MOST_ID, description="Its id.")]
Number = Annotated[int, msgspec.Meta(ge=1, le=MOST_ID)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
Agent = Annotated[int, msgspec.Meta(ge=1, le=MOST_ID, description="The number of a person.")]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Text = Annotated[str | None, QueryParameter(max_length=100, description="Only these.")]
Word = Annotated[str, PathParameter(min_length=1, max_length=100, description="Its name.")]
Key = Annotated[
    str, PathParameter(min_length=1, max_length=40, description="A number in any spelling, or a customer's key.")
]


@attrs.frozen(kw_only=True)
class Reply:
    """Words to a customer from a person: the thread is that agent's from now on."""

    text: str
    agent: Agent = 1


@attrs.frozen(kw_only=True)
class Assignment:
    """Whose thread it is from now on."""

    agent: Agent


@attrs.frozen(kw_only=True)
class TextBody:
    """Words; `preview_url` shows the page behind their first link."""

    body: str
    preview_url: bool | None = None


@attrs.frozen(kw_only=True)
class MediaBody:
    """A file by the id of an upload or by an https link, exactly one of them."""

    id: str | None = None
    link: str | None = None
    caption: str | None = None
    filename: str | None = None


@attrs.frozen(kw_only=True)
class LocationBody:
    """A place."""

    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None


@attrs.frozen(kw_only=True)
class TemplateBody:
    """An approved template, and what fills its body: in order, or by name."""

    name: str
    language: str
    body: list[str] | None = None
    named: dict[str, str] | None = None


@attrs.frozen(kw_only=True)
class NewMessage:
    """A message to one customer: its type, and the part that bears the type's name.

    Attributes:
        to: a number with its country code, in any spelling, or a customer's key.
        number: the phone number id it leaves from; the one that the customer writes to if not given.
        purpose: what a template is for; a campaign needs the customer's consent.
    """

    to: str
    type: Literal["text", "image", "video", "audio", "document", "sticker", "location", "template"]
    number: str | None = None
    purpose: Literal["notice", "campaign"] = "notice"
    text: TextBody | None = None
    image: MediaBody | None = None
    video: MediaBody | None = None
    audio: MediaBody | None = None
    document: MediaBody | None = None
    sticker: MediaBody | None = None
    location: LocationBody | None = None
    template: TemplateBody | None = None


@attrs.frozen(kw_only=True)
class Tags:
    """Tags to add and to take away."""

    add: list[Tag] = attrs.field(factory=list)
    remove: list[Tag] = attrs.field(factory=list)


@attrs.frozen(kw_only=True)
class Consent:
    """What a customer decided, and how that is known."""

    to: Literal["in", "out"]
    reason: Reason
    purpose: Literal["marketing", "all"] = "marketing"


@attrs.frozen(kw_only=True)
class Quantity:
    """How many of one line; 0 takes it out."""

    product_id: Number
    quantity: Count
    variation_id: Number | None = None


@attrs.frozen(kw_only=True)
class Note:
    """Something to write down about a customer, for colleagues only."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


@attrs.frozen(kw_only=True)
class ShopLink:
    """Which customer of the shop somebody is; without a number, that they are not the one they are linked with."""

    shop_customer: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)] | None = None


@attrs.frozen(kw_only=True)
class Block:
    """Why a customer is blocked; without a reason the block is lifted."""

    reason: Reason | None = None


@attrs.frozen(kw_only=True)
class Merge:
    """Two keys of the same person: which is kept, and which goes into it."""

    keep: str
    gone: str
    reason: Reason | None = None


@attrs.frozen(kw_only=True)
class Because:
    """Why."""

    reason: Reason


@attrs.frozen(kw_only=True)
class LetterChange:
    """Other bytes in the place of those that could not be used: a delivery as WhatsApp would send it."""

    body: dict[str, object]


@attrs.frozen(kw_only=True)
class LetterGroup:
    """Letters of one hook and one reason; of all where one is not named."""

    hook: Tag | None = None
    reason: Tag | None = None


@attrs.frozen(kw_only=True)
class Age:
    """How many days ago something was decided, at least."""

    days: Annotated[int, msgspec.Meta(ge=0, le=36_500)]


@attrs.frozen(kw_only=True)
class BlockOrder:
    """Whom a limit refuses, such as an address or a number, and for how long."""

    caller: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    seconds: Annotated[int, msgspec.Meta(ge=1, le=31_536_000)]


@attrs.frozen(kw_only=True)
class CampaignPlan:
    """A broadcast as `wch broadcasts plan` takes it; nothing of it is sent before it is started.

    Attributes:
        template: `{"name", "language"}`; the customer's own language where none is named.
        params: what fills the template: `{"body": [{"var": "customer_name", "else": "friend"}, {"text": "20 %"}]}`.
        audience: `{"all": [...], "none": [...]}` of criteria, or `{"everyone": true}`.
        schedule: `{"at": "2026-03-29T10:00", "zone": "Europe/Madrid"}`; at once where it is missing.
        send_window: two times of the day of the customer.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    template: dict[str, str]
    audience: dict[str, object]
    params: dict[str, object] | None = None
    schedule: dict[str, str] | None = None
    send_window: tuple[str, str] | None = None
    rate_per_minute: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    credit_days: Annotated[int, msgspec.Meta(ge=1, le=365)] | None = None

    def told(self) -> dict[str, object]:
        """What was said of it."""
        return {name: value for name, value in attrs.asdict(self).items() if value is not None}


@attrs.frozen(kw_only=True)
class CannedText:
    """A reply to keep; `{name}` in it is the customer's name."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


@attrs.frozen(kw_only=True)
class SagaAct:
    """Why, and for `skip-step` what the step would have answered."""

    reason: Reason | None = None
    result: dict[str, object] | None = None


@attrs.frozen(kw_only=True)
class SyncOrder:
    """What shall be looked at again."""

    entity: Literal["product", "order", "inventory"]
    entity_id: Number
    action: Literal["create", "update", "delete"] = "update"
