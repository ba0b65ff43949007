"""What can be said, to the last character that WhatsApp takes."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.outgoing import (
    Button,
    Buttons,
    CallPermissionRequest,
    Carousel,
    CatalogMessage,
    Charge,
    ContactCard,
    ContactName,
    Contacts,
    CopyCodeButton,
    CtaUrl,
    Flow,
    Header,
    LinkCard,
    ListMessage,
    Location,
    LocationRequest,
    Media,
    MediaKind,
    MessageLimitError,
    OrderDetails,
    OrderItem,
    OrderStatus,
    Owed,
    ProductCard,
    ProductList,
    ProductMessage,
    ProductSection,
    QuickReplyButton,
    Reaction,
    ReplyCard,
    Row,
    Section,
    TapTarget,
    Template,
    TemplateCard,
    Text,
    TextParameter,
    UrlButton,
    VoiceCall,
    VoiceCallButton,
    measured,
)

PICTURE = Media(kind=MediaKind.IMAGE, link="https://shop.example/lamp.jpg")
BUTTON = Button(id="a", title="A")
ROW = Row(id="a", title="A")


def rows(count: int, start: int = 0) -> tuple[Row, ...]:
    return tuple(Row(id=str(place), title="A") for place in range(start, start + count))


def buttons(count: int) -> tuple[Button, ...]:
    return tuple(Button(id=str(place), title=str(place)) for place in range(count))


def cards(count: int) -> tuple[ContactCard, ...]:
    return tuple(ContactCard(name=ContactName(formatted_name="A")) for _ in range(count))


def retailers(count: int) -> tuple[ProductSection, ...]:
    return (ProductSection(retailer_ids=tuple(str(place) for place in range(count))),)


def listing(**more: Any) -> ListMessage:
    return ListMessage(**{"body": "b", "button": "b", "sections": (Section(rows=(ROW,)),)} | more)


def products(**more: Any) -> ProductList:
    return ProductList(**{"header": "h", "body": "b", "catalog_id": "1", "sections": retailers(1)} | more)


TEXTS: list[tuple[str, int, Callable[[str], object]]] = [
    ("body", 4_096, lambda text: Text(body=text)),
    ("caption", 1_024, lambda text: Media(kind=MediaKind.IMAGE, id="1", caption=text)),
    ("body", 1_024, lambda text: Buttons(body=text, buttons=(BUTTON,))),
    ("body", 1_024, lambda text: listing(body=text)),
    ("body", 1_024, lambda text: CtaUrl(body=text, label="x", url="https://x.example")),
    ("body", 1_024, lambda text: Flow(body=text, label="x", flow_id="1")),
    ("body", 1_024, lambda text: ProductMessage(catalog_id="1", retailer_id="2", body=text)),
    ("body", 1_024, lambda text: products(body=text)),
    ("body", 1_024, lambda text: CatalogMessage(body=text)),
    ("body", 1_024, lambda text: LocationRequest(body=text)),
    ("body", 1_024, lambda text: OrderStatus(body=text, reference_id="r", status="shipped")),
    ("footer", 60, lambda text: Buttons(body="b", buttons=(BUTTON,), footer=text)),
    ("footer", 60, lambda text: listing(footer=text)),
    ("text", 60, lambda text: Header(text=text)),
    ("header", 60, lambda text: listing(header=text)),
    ("header", 60, lambda text: products(header=text)),
    ("title", 20, lambda text: Button(id="a", title=text)),
    ("id", 256, lambda text: Button(id=text, title="A")),
    ("button", 20, lambda text: listing(button=text)),
    ("title", 24, lambda text: Section(title=text, rows=(ROW,))),
    ("id", 200, lambda text: Row(id=text, title="A")),
    ("title", 24, lambda text: Row(id="a", title=text)),
    ("description", 72, lambda text: Row(id="a", title="A", description=text)),
    ("label", 20, lambda text: CtaUrl(body="b", label=text, url="https://x.example")),
    ("label", 20, lambda text: Flow(body="b", label=text, flow_id="1")),
    ("label", 30, lambda text: Flow(body="b", label=text, flow_id="1", is_draft=True)),
    ("label", 20, lambda text: VoiceCall(body="b", label=text)),
    ("payload", 512, lambda text: VoiceCall(body="b", payload=text)),
    ("body", 1_024, lambda text: CallPermissionRequest(body=text)),
    ("body", 160, lambda text: ReplyCard(media=PICTURE, buttons=(BUTTON,), body=text)),
    ("payload", 256, lambda text: QuickReplyButton(index=0, payload=text)),
    ("text", 256, lambda text: QuickReplyButton(index=0, text=text)),
    ("payload", 512, lambda text: VoiceCallButton(payload=text)),
    ("title", 60, lambda text: TapTarget(url="https://x.example", title=text)),
    ("title", 24, lambda text: ProductSection(title=text, retailer_ids=("1",))),
    ("body", 160, lambda text: LinkCard(media=PICTURE, label="x", url="https://x.example", body=text)),
    ("name", 60, lambda text: OrderItem(name=text, amount=1, quantity=1)),
    ("text", 1_024, lambda text: TextParameter(text=text)),
    ("code", 20, lambda text: CopyCodeButton(index=0, code=text)),
]


@pytest.mark.parametrize(("field", "limit", "make"), TEXTS)
def test_a_text_may_be_as_long_as_its_limit_and_no_longer(
    field: str, limit: int, make: Callable[[str], object]
) -> None:
    """Refused where it is built, with the field, the limit and the length."""
    make("x" * limit)

    with pytest.raises(MessageLimitError) as refused:
        make("x" * (limit + 1))

    assert (refused.value.field, refused.value.limit, refused.value.length) == (field, limit, limit + 1)
    assert field in str(refused.value)


@pytest.mark.parametrize(("field", "limit", "make"), TEXTS)
@pytest.mark.parametrize("nothing", ["", " ", "\u3000\n"])
def test_blanks_alone_are_empty(field: str, limit: int, make: Callable[[str], object], nothing: str) -> None:
    """WhatsApp refuses them all the same."""
    with pytest.raises(MessageLimitError) as refused:
        make(nothing)

    assert (refused.value.field, refused.value.limit, refused.value.length) == (field, limit, 0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: VoiceCall(body="b", ttl_minutes=0),
        lambda: VoiceCallButton(ttl_minutes=43_201),
        lambda: QuickReplyButton(index=0),
        lambda: QuickReplyButton(index=0, payload="yes", text=True),
        lambda: ReplyCard(media=PICTURE, buttons=(BUTTON, BUTTON)),
        lambda: ReplyCard(media=PICTURE, buttons=(BUTTON,), body="a\nb\nc\nd"),
        lambda: ReplyCard(media=Media(kind=MediaKind.AUDIO, id="1"), buttons=(BUTTON,)),
        lambda: TapTarget(url="shop.example", title="Open"),
    ],
)
def test_what_whatsapp_would_refuse_is_never_built(make: Callable[[], object]) -> None:
    """A button that works for no time or for longer than thirty days, two answers for one tap, equal replies."""
    with pytest.raises(MessageLimitError):
        make()


COUNTS: list[tuple[int, int, Callable[[int], object]]] = [
    (1, 3, lambda count: Buttons(body="b", buttons=buttons(count))),
    (1, 10, lambda count: listing(sections=(Section(rows=rows(count)),))),
    (1, 10, lambda count: listing(sections=tuple(Section(title="t", rows=rows(1, place)) for place in range(count)))),
    (1, 30, lambda count: products(sections=retailers(count))),
    (1, 5, lambda count: Contacts(contacts=cards(count))),
    (
        2,
        10,
        lambda count: Carousel(
            body="b", cards=tuple(ProductCard(catalog_id="1", retailer_id="2") for _ in range(count))
        ),
    ),
    (0, 10, lambda count: Template(name="t", language="en", cards=(TemplateCard(),) * count)),
]


@pytest.mark.parametrize(("least", "most", "make"), COUNTS)
def test_there_may_be_so_many_parts(least: int, most: int, make: Callable[[int], object]) -> None:
    """And neither one more nor one fewer."""
    make(least)
    make(most)

    for count in {most + 1, max(least - 1, 0)} - {least}:
        with pytest.raises(MessageLimitError):
            make(count)


def test_a_picture_is_one_character() -> None:
    """Code points, not UTF-16 units, after NFC."""
    Button(id="a", title="😀" * 20)
    Button(id="a", title="e\u0301" * 20)

    assert measured("e\u0301") == 1
    with pytest.raises(MessageLimitError):
        Button(id="a", title="😀" * 21)


@given(st.text(max_size=30))
def test_a_title_is_taken_exactly_within_its_limit(title: str) -> None:
    """Whatever the text."""
    fits = bool(title.strip()) and measured(title) <= 20
    try:
        Button(id="a", title=title)
    except MessageLimitError:
        assert not fits
    else:
        assert fits


def test_half_a_character_is_refused() -> None:
    """It cannot be written in UTF-8, so it could never leave."""
    with pytest.raises(MessageLimitError):
        Text(body="a\ud800")


BROKEN: list[Callable[[], object]] = [
    lambda: Buttons(body="b", buttons=(Button(id="a", title="A"), Button(id="a", title="B"))),
    lambda: Buttons(body="b", buttons=(Button(id="a", title="A"), Button(id="b", title="A"))),
    lambda: listing(sections=(Section(rows=(ROW, ROW)),)),
    lambda: listing(sections=(Section(title="t", rows=rows(6)), Section(title="u", rows=rows(5, 6)))),
    lambda: listing(sections=(Section(rows=rows(1)), Section(title="u", rows=rows(1, 1)))),
    lambda: products(
        sections=tuple(ProductSection(title=str(n), retailer_ids=("1",) * 16) for n in range(2)),
    ),
    lambda: products(sections=(ProductSection(title="t", retailer_ids=("1",)), ProductSection(retailer_ids=("2",)))),
    Header,
    lambda: Header(text="t", media=PICTURE),
    lambda: Header(media=Media(kind=MediaKind.AUDIO, id="1")),
    lambda: Header(media=attrs.evolve(PICTURE, caption="c")),
    lambda: Media(kind=MediaKind.IMAGE),
    lambda: Media(kind=MediaKind.IMAGE, id="1", link="https://x.example"),
    lambda: Media(kind=MediaKind.IMAGE, link="http://x.example"),
    lambda: Media(kind=MediaKind.IMAGE, link="https://x.example/ a"),
    lambda: Media(kind=MediaKind.AUDIO, id="1", caption="c"),
    lambda: Media(kind=MediaKind.STICKER, id="1", caption="c"),
    lambda: Media(kind=MediaKind.IMAGE, id="1", filename="f"),
    lambda: Media(kind=MediaKind.IMAGE, id="1", voice=True),
    lambda: CtaUrl(body="b", label="x", url="ftp://x.example"),
    lambda: CtaUrl(body="b", label="x", url="javascript:alert(1)"),
    lambda: CtaUrl(body="b", label="x", url="https://x.example/" + "a" * 1_983),
    lambda: Flow(body="b", label="Go 🚀", flow_id="1"),
    lambda: Flow(body="b", label="Go"),
    lambda: Flow(body="b", label="Go", flow_id="1", flow_name="n"),
    lambda: Flow(body="b", label="Go", flow_id="1", data={"a": 1}),
    lambda: Carousel(
        body="b",
        cards=(ProductCard(catalog_id="1", retailer_id="2"), ProductCard(catalog_id="2", retailer_id="2")),
    ),
    lambda: Carousel(
        body="b",
        cards=(  # type: ignore[arg-type] # that is what is refused
            ProductCard(catalog_id="1", retailer_id="2"),
            LinkCard(media=PICTURE, label="x", url="https://x.example"),
        ),
    ),
    lambda: LinkCard(media=PICTURE, label="x", url="https://x.example", body="a\nb\nc\nd"),
    lambda: LinkCard(media=Media(kind=MediaKind.DOCUMENT, id="1"), label="x", url="https://x.example"),
    lambda: Location(latitude=Decimal("90.1"), longitude=Decimal(0)),
    lambda: Location(latitude=Decimal(0), longitude=Decimal("-180.1")),
    lambda: Location(latitude=Decimal("NaN"), longitude=Decimal(0)),
    lambda: Template(name="Upper", language="en"),
    lambda: Template(name="t-t", language="en"),
    lambda: Template(name="", language="en"),
    lambda: Template(name="t" * 513, language="en"),
    lambda: Template(name="t", language="en-US"),
    lambda: Template(name="t", language=""),
    lambda: Template(name="t", language="en", body=(TextParameter(text="a", name="x"), TextParameter(text="b"))),
    lambda: Template(
        name="t", language="en", body=(TextParameter(text="a", name="x"), TextParameter(text="b", name="x"))
    ),
    lambda: Template(
        name="t", language="en", buttons=(UrlButton(index=0, text="a"), QuickReplyButton(index=0, payload="b"))
    ),
    lambda: TextParameter(text="a\nb"),
    lambda: TextParameter(text="a\tb"),
    lambda: TextParameter(text="a     b"),
    lambda: TextParameter(text="a", name="Bad Name"),
    lambda: OrderStatus(body="b", reference_id="a b", status="shipped"),
]


@pytest.mark.parametrize("make", BROKEN)
def test_what_whatsapp_would_refuse_cannot_be_built(make: Callable[[], object]) -> None:
    """The error comes where the mistake is, not an hour later from the network."""
    with pytest.raises(MessageLimitError):
        make()


@pytest.mark.parametrize("emoji", ["", "👍", "👍🏽", "❤️", "🇧🇷", "👨‍👩‍👧", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🤷🏾‍♀️", "✔"])
def test_a_reaction_is_one_emoji_or_none(emoji: str) -> None:
    """None takes it back."""
    assert Reaction(wa_message_id="wamid.X", emoji=emoji).emoji == emoji


@pytest.mark.parametrize("emoji", ["ok", "👍👍", "👍 ", " ", "1", "👍a", "🇧🇷🇧🇷", "\u200d"])
def test_a_reaction_is_nothing_else(emoji: str) -> None:
    """WhatsApp answers with an error that nobody connects with a blank."""
    with pytest.raises(MessageLimitError):
        Reaction(wa_message_id="wamid.X", emoji=emoji)


def owed(**more: Any) -> Owed:
    """An order that adds up: 2 x 15.00 - 5.00 + tax 3.00 + shipping 2.00."""
    figures: dict[str, Any] = {
        "reference_id": "o-1",
        "goods": "physical-goods",
        "currency": "INR",
        "items": (OrderItem(name="Lamp", amount=2_000, sale_amount=1_500, quantity=2),),
        "subtotal": 3_000,
        "tax": Charge(amount=300),
        "shipping": Charge(amount=200),
        "discount": Charge(amount=500),
        "total": 3_000,
    }
    return Owed(**figures | more)


def test_what_is_owed_adds_up() -> None:
    """WhatsApp checks it to the hundredth; the sale's price is what counts."""
    OrderDetails(body="Pay", owed=owed())

    for wrong in ({"subtotal": 4_000, "total": 4_000}, {"total": 2_999}, {"tax": Charge(amount=301)}):
        with pytest.raises(MessageLimitError):
            owed(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"reference_id": "a b"}, {"reference_id": "x" * 61}, {"currency": "inr"}, {"goods": "air"}, {"items": ()}]
)
def test_a_payment_has_a_name_a_currency_and_goods(wrong: dict[str, Any]) -> None:
    """Each is checked by WhatsApp."""
    with pytest.raises(ValueError, match=r"."):
        owed(**wrong)


def test_white_space_is_made_fit_for_a_template() -> None:
    """Names and addresses of customers hold line breaks."""
    assert Template.text(name="t", language="en", body=("a\n b", " ")).body == (
        TextParameter(text="a b"),
        TextParameter(text="-"),
    )
