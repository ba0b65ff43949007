"""What is said, as the Cloud API's body has it."""

from collections.abc import Callable, Mapping
from typing import Any

from wch.domain.document import JsonObject
from wch.domain.outgoing import (
    Buttons,
    CatalogMessage,
    ContactRequest,
    Contacts,
    CtaUrl,
    Flow,
    Header,
    Interactive,
    ListMessage,
    Location,
    LocationRequest,
    Media,
    Outgoing,
    ProductList,
    ProductMessage,
    Reaction,
    Row,
    Template,
    Text,
)

Body = dict[str, Any]


def _some(**fields: Any) -> Body:
    return {name: value for name, value in fields.items() if value is not None}


def encode(message: Outgoing) -> JsonObject:
    """The body without its envelope: `{"type": ..., <type>: {...}}`."""
    if isinstance(message, (Text, Media, Location, Contacts, Reaction, Template)):
        kind, inner = _PLAIN[type(message)](message)
        return {"type": kind, kind: inner}
    return {"type": "interactive", "interactive": _INTERACTIVE[type(message)](message)}


def _text(message: Text) -> tuple[str, Any]:
    return "text", _some(body=message.body, preview_url=message.preview_url)


def _media(message: Media) -> tuple[str, Any]:
    return message.kind.value, _media_body(message)


def _media_body(message: Media) -> Body:
    return _some(
        id=message.id, link=message.link, caption=message.caption, filename=message.filename, voice=message.voice
    )


def _location(message: Location) -> tuple[str, Any]:
    return "location", _some(
        latitude=float(message.latitude),
        longitude=float(message.longitude),
        name=message.name,
        address=message.address,
    )


def _contacts(message: Contacts) -> tuple[str, Any]:
    return "contacts", [dict(card) for card in message.contacts]


def _reaction(message: Reaction) -> tuple[str, Any]:
    return "reaction", {"message_id": message.wa_message_id, "emoji": message.emoji}


def _template(message: Template) -> tuple[str, Any]:
    body: Body = {"name": message.name, "language": {"code": message.language}}
    if message.components:
        body["components"] = [dict(component) for component in message.components]
    return "template", body


def _header(header: Header | None) -> Body | None:
    if header is None:
        return None
    if header.media is not None:
        kind = header.media.kind.value
        return {"type": kind, kind: _media_body(header.media)}
    return {"type": "text", "text": header.text}


def _wrapped(kind: str, action: Body, message: Any, header: Body | None = None) -> Body:
    footer = getattr(message, "footer", None)
    return _some(
        type=kind,
        header=header,
        body=None if message.body is None else {"text": message.body},
        footer=None if footer is None else {"text": footer},
        action=action,
    )


def _buttons(message: Buttons) -> Body:
    buttons = [{"type": "reply", "reply": {"id": one.id, "title": one.title}} for one in message.buttons]
    return _wrapped("button", {"buttons": buttons}, message, _header(message.header))


def _row(row: Row) -> Body:
    return _some(id=row.id, title=row.title, description=row.description)


def _list(message: ListMessage) -> Body:
    sections = [_some(title=one.title, rows=[_row(row) for row in one.rows]) for one in message.sections]
    header = None if message.header is None else {"type": "text", "text": message.header}
    return _wrapped("list", {"button": message.button, "sections": sections}, message, header)


def _cta(message: CtaUrl) -> Body:
    parameters = {"display_text": message.label, "url": message.url}
    return _wrapped("cta_url", {"name": "cta_url", "parameters": parameters}, message, _header(message.header))


def _flow(message: Flow) -> Body:
    parameters = {**message.parameters, "flow_cta": message.label}
    return _wrapped("flow", {"name": "flow", "parameters": parameters}, message, _header(message.header))


def _product(message: ProductMessage) -> Body:
    action = {"catalog_id": message.catalog_id, "product_retailer_id": message.retailer_id}
    return _wrapped("product", action, message)


def _product_list(message: ProductList) -> Body:
    sections = [
        _some(title=one.title, product_items=[{"product_retailer_id": each} for each in one.retailer_ids])
        for one in message.sections
    ]
    action = {"catalog_id": message.catalog_id, "sections": sections}
    return _wrapped("product_list", action, message, {"type": "text", "text": message.header})


def _catalog(message: CatalogMessage) -> Body:
    action: Body = {"name": "catalog_message"}
    if message.thumbnail_retailer_id is not None:
        action["parameters"] = {"thumbnail_product_retailer_id": message.thumbnail_retailer_id}
    return _wrapped("catalog_message", action, message)


def _location_request(message: LocationRequest) -> Body:
    return _wrapped("location_request_message", {"name": "send_location"}, message)


def _contact_request(message: ContactRequest) -> Body:
    return _wrapped("request_contact_info", {"name": "request_contact_info"}, message)


def _other(message: Interactive) -> Body:
    return _wrapped(message.kind, dict(message.action), message, _header(message.header))


_PLAIN: Mapping[type, Callable[[Any], tuple[str, Any]]] = {
    Text: _text,
    Media: _media,
    Location: _location,
    Contacts: _contacts,
    Reaction: _reaction,
    Template: _template,
}
_INTERACTIVE: Mapping[type, Callable[[Any], Body]] = {
    Buttons: _buttons,
    ListMessage: _list,
    CtaUrl: _cta,
    Flow: _flow,
    ProductMessage: _product,
    ProductList: _product_list,
    CatalogMessage: _catalog,
    LocationRequest: _location_request,
    ContactRequest: _contact_request,
    Interactive: _other,
}


def envelope(body: JsonObject, *, to: str | None, recipient: str | None, callback_data: str | None) -> JsonObject:
    """The whole request body: to a number with its plus, or to a BSUID, never both.

    A number without a plus may be read as a local one, and go to a stranger.
    """
    address = {"to": f"+{to}"} if to is not None else {"recipient": recipient}
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **address,
        **body,
        "biz_opaque_callback_data": callback_data,
    }
