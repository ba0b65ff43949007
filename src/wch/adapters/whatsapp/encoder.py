"""What is said, as the Cloud API's body has it."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from wch.adapters.whatsapp.template_encoder import (
    Body,
    location_body,
    media_body,
    owed_body,
    product_sections,
    some,
    template_body,
    words,
)
from wch.domain.document import JsonObject
from wch.domain.outgoing import (
    AddressRequest,
    Buttons,
    CallPermissionRequest,
    Carousel,
    CatalogMessage,
    ContactRequest,
    Contacts,
    CtaUrl,
    Flow,
    Header,
    LinkCard,
    ListMessage,
    Location,
    LocationRequest,
    MarkRead,
    Media,
    OrderDetails,
    OrderStatus,
    Outgoing,
    ProductCard,
    ProductList,
    ProductMessage,
    Reaction,
    ReplyCard,
    Template,
    Text,
    VoiceCall,
    nfc,
)
from wch.domain.outgoing.limit import refuse

FLOW_MESSAGE_VERSION = "3"
CALLBACK_DATA = 512


def encode(message: Outgoing, *, reply_to: str | None = None) -> JsonObject:
    """The body without its envelope: `{"type": ..., <type>: {...}}`, quoting `reply_to` if it is given.

    Raises:
        MessageLimitError: a reaction cannot quote; it names its message itself.
    """
    kind, inner = _WRITERS[type(message)](message)
    body: Body = {"type": kind, kind: inner}
    if reply_to is None:
        return body
    if isinstance(message, Reaction):
        refuse("reply_to", 0, len(reply_to), "a reaction cannot quote")
    return {"context": {"message_id": reply_to}, **body}


def envelope(body: JsonObject, *, to: str | None, recipient: str | None, callback_data: str | None) -> JsonObject:
    """The whole request body: to a number with its plus, or to a BSUID, never both.

    A number without a plus may be read as a local one, and go to a stranger.

    Raises:
        ValueError: both addresses are given, or neither.
        MessageLimitError: the callback data are too long.
    """
    if (to is None) == (recipient is None):
        message = "exactly one of to and recipient"
        raise ValueError(message)
    if callback_data is not None and len(callback_data) > CALLBACK_DATA:
        refuse("callback_data", CALLBACK_DATA, len(callback_data))
    return some(
        messaging_product="whatsapp",
        recipient_type="individual",
        to=None if to is None else f"+{to.removeprefix('+')}",
        recipient=recipient,
        **body,
        biz_opaque_callback_data=callback_data,
    )


def receipt(mark: MarkRead) -> JsonObject:
    """The whole request body that marks a message as read."""
    return some(
        messaging_product="whatsapp",
        status="read",
        message_id=mark.wa_message_id,
        typing_indicator={"type": "text"} if mark.typing else None,
    )


def _text(message: Text) -> tuple[str, Any]:
    return "text", some(body=nfc(message.body), preview_url=message.preview_url)


def _media(message: Media) -> tuple[str, Any]:
    return message.kind.value, media_body(message)


def _location(message: Location) -> tuple[str, Any]:
    return "location", location_body(message)


def _contacts(message: Contacts) -> tuple[str, Any]:
    return "contacts", [attrs.asdict(card, filter=_has_value) for card in message.contacts]


def _has_value(_attribute: "attrs.Attribute[Any]", value: Any) -> bool:
    return value is not None and value != ()


def _reaction(message: Reaction) -> tuple[str, Any]:
    return "reaction", {"message_id": message.wa_message_id, "emoji": message.emoji}


def _template(message: Template) -> tuple[str, Any]:
    return "template", template_body(message)


def _interactive(kind: str, action: Body, message: Any, header: Body | None = None) -> tuple[str, Any]:
    body, footer = words(message.body), words(getattr(message, "footer", None))
    return "interactive", some(
        type=kind,
        header=header,
        body=None if body is None else {"text": body},
        footer=None if footer is None else {"text": footer},
        action=action,
    )


def _header(header: Header | None) -> Body | None:
    if header is None:
        return None
    if header.media is not None:
        return _media_header(header.media)
    return {"type": "text", "text": words(header.text)}


def _media_header(media: Media) -> Body:
    kind = media.kind.value
    return {"type": kind, kind: media_body(media)}


def _text_header(text: str | None) -> Body | None:
    return None if text is None else {"type": "text", "text": nfc(text)}


def _buttons(message: Buttons) -> tuple[str, Any]:
    buttons = [{"type": "reply", "reply": {"id": one.id, "title": nfc(one.title)}} for one in message.buttons]
    return _interactive("button", {"buttons": buttons}, message, _header(message.header))


def _list(message: ListMessage) -> tuple[str, Any]:
    sections = [
        some(
            title=words(section.title),
            rows=[some(id=row.id, title=nfc(row.title), description=words(row.description)) for row in section.rows],
        )
        for section in message.sections
    ]
    action = {"button": nfc(message.button), "sections": sections}
    return _interactive("list", action, message, _text_header(message.header))


def _cta_url(message: CtaUrl) -> tuple[str, Any]:
    parameters = some(
        display_text=nfc(message.label),
        url=message.url,
        payment_link_preview=message.payment_link_preview,
    )
    return _interactive("cta_url", _named("cta_url", parameters), message, _header(message.header))


def _flow(message: Flow) -> tuple[str, Any]:
    payload = None if message.screen is None else some(screen=message.screen, data=message.data)
    parameters = some(
        flow_message_version=FLOW_MESSAGE_VERSION,
        flow_token=message.token,
        flow_id=message.flow_id,
        flow_name=message.flow_name,
        flow_cta=nfc(message.label),
        mode="draft" if message.is_draft else None,
        flow_action=message.action,
        flow_action_payload=payload,
    )
    return _interactive("flow", _named("flow", parameters), message, _header(message.header))


def _product(message: ProductMessage) -> tuple[str, Any]:
    action = {"catalog_id": message.catalog_id, "product_retailer_id": message.retailer_id}
    return _interactive("product", action, message)


def _product_list(message: ProductList) -> tuple[str, Any]:
    action = {"catalog_id": message.catalog_id, "sections": product_sections(message.sections)}
    return _interactive("product_list", action, message, _text_header(message.header))


def _catalog(message: CatalogMessage) -> tuple[str, Any]:
    parameters = some(thumbnail_product_retailer_id=message.thumbnail_retailer_id)
    return _interactive("catalog_message", _named("catalog_message", parameters or None), message)


def _carousel(message: Carousel) -> tuple[str, Any]:
    row: tuple[LinkCard | ReplyCard | ProductCard, ...] = message.cards
    cards = [{"card_index": place, **_card(card)} for place, card in enumerate(row)]
    return _interactive("carousel", {"cards": cards}, message)


def _card(card: LinkCard | ReplyCard | ProductCard) -> Body:
    if isinstance(card, ProductCard):
        action: Body = {"product_retailer_id": card.retailer_id, "catalog_id": card.catalog_id}
        return {"type": "product", "action": action}
    if isinstance(card, ReplyCard):
        replies = [{"id": one.id, "title": nfc(one.title)} for one in card.buttons]
        action = {"buttons": [{"type": "quick_reply", "quick_reply": one} for one in replies]}
    else:
        action = _named("cta_url", {"display_text": nfc(card.label), "url": card.url})
    return some(
        type="cta_url",  # of the cards with replies too
        header=_media_header(card.media),
        body=None if card.body is None else {"text": nfc(card.body)},
        action=action,
    )


def _voice_call(message: VoiceCall) -> tuple[str, Any]:
    parameters = some(display_text=words(message.label), ttl_minutes=message.ttl_minutes, payload=message.payload)
    return _interactive("voice_call", _named("voice_call", parameters or None), message, _header(message.header))


def _call_permission(message: CallPermissionRequest) -> tuple[str, Any]:
    return _interactive("call_permission_request", _named("call_permission_request", None), message)


def _location_request(message: LocationRequest) -> tuple[str, Any]:
    return _interactive("location_request_message", _named("send_location", None), message)


def _contact_request(message: ContactRequest) -> tuple[str, Any]:
    return _interactive("request_contact_info", _named("request_contact_info", None), message)


def _address_request(message: AddressRequest) -> tuple[str, Any]:
    parameters = some(
        country=message.country,
        values=None if message.values is None else dict(message.values),
        validation_errors=None if message.validation_errors is None else dict(message.validation_errors),
        saved_addresses=[dict(one) for one in message.saved_addresses] or None,
    )
    return _interactive("address_message", _named("address_message", parameters), message, _header(message.header))


def _order_details(message: OrderDetails) -> tuple[str, Any]:
    action = _named("review_and_pay", owed_body(message.owed))
    return _interactive("order_details", action, message, _header(message.header))


def _order_status(message: OrderStatus) -> tuple[str, Any]:
    order = some(status=message.status, description=words(message.description))
    payment = None if message.payment is None else some(status=message.payment.status, timestamp=message.payment.at)
    parameters = some(reference_id=message.reference_id, order=order, payment=payment)
    return _interactive("order_status", _named("review_order", parameters), message, _header(message.header))


def _named(name: str, parameters: Body | None) -> Body:
    return some(name=name, parameters=parameters)


_WRITERS: Mapping[type, Callable[[Any], tuple[str, Any]]] = {
    Text: _text,
    Media: _media,
    Location: _location,
    Contacts: _contacts,
    Reaction: _reaction,
    Template: _template,
    Buttons: _buttons,
    ListMessage: _list,
    CtaUrl: _cta_url,
    Flow: _flow,
    ProductMessage: _product,
    ProductList: _product_list,
    CatalogMessage: _catalog,
    Carousel: _carousel,
    LocationRequest: _location_request,
    ContactRequest: _contact_request,
    AddressRequest: _address_request,
    VoiceCall: _voice_call,
    CallPermissionRequest: _call_permission,
    OrderDetails: _order_details,
    OrderStatus: _order_status,
}
