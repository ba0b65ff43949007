"""Request bodies of other projects, read back into the typed messages that should write them.

Only tests need this direction. What is no kind of ours is said by NotOursError.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from wch.domain.outgoing import (
    AddressRequest,
    BodyParameter,
    Button,
    Buttons,
    CallPermissionRequest,
    Carousel,
    CatalogButton,
    CatalogMessage,
    Charge,
    ContactAddress,
    ContactCard,
    ContactEmail,
    ContactName,
    ContactOrg,
    ContactPhone,
    ContactRequest,
    Contacts,
    ContactUrl,
    CopyCodeButton,
    CtaUrl,
    CurrencyParameter,
    DateTimeParameter,
    Expiration,
    Flow,
    FlowButton,
    Header,
    HeaderParameter,
    LinkCard,
    ListMessage,
    Location,
    LocationRequest,
    Media,
    MediaKind,
    MediaParameter,
    OrderDetails,
    OrderDetailsButton,
    OrderItem,
    OrderState,
    OrderStatus,
    Outgoing,
    Owed,
    Paid,
    ProductCard,
    ProductList,
    ProductMessage,
    ProductParameter,
    ProductsButton,
    ProductSection,
    QuickReplyButton,
    Reaction,
    ReplyCard,
    Row,
    Section,
    TapTarget,
    Template,
    TemplateButton,
    TemplateCard,
    Text,
    TextParameter,
    UrlButton,
    VoiceCall,
    VoiceCallButton,
)

Body = Mapping[str, Any]


class NotOursError(Exception):
    """A kind, or a part of one, that the hub does not send."""


# --- equal spellings -----------------------------------------------------------------------

_WORDS = {"type", "sub_type"}
_SHAPED = [
    (re.compile(r"^<?http\(s\)://"), "https://"),
    (re.compile(r"^(https://\S*)>$"), r"\1"),
]
_STAND_INS = {
    "<LOCATION_LATITUDE>": "1.5",
    "<LOCATION_LONGITUDE>": "2.5",
    "<EMOJI>": "😀",
    "<HEADER_TYPE>": "text",
    "<TEMPLATE_NAME>": "template_name",
    "template-name": "template_name",
    "{templateName}": "template_name",
    "language-and-locale-code": "en_US",
    "LANGUAGE_AND_LOCALE_CODE": "en_US",
}


def filled(value: Any) -> Any:
    """The body with a value of the right form wherever the documentation has a placeholder of a wrong one."""
    if isinstance(value, str):
        for pattern, instead in _SHAPED:
            value = pattern.sub(instead, value)
        return _STAND_INS.get(value, value)
    if isinstance(value, list):
        return [filled(one) for one in value]
    if isinstance(value, dict):
        return {key: filled(one) for key, one in value.items()}
    return value


def spelled(value: Any, key: str = "") -> Any:
    """The body in one spelling where WhatsApp takes two: words in capitals, and numbers as text."""
    if isinstance(value, list):
        return [spelled(one) for one in value]
    if isinstance(value, dict):
        is_contact = key in {"contacts", "phones", "emails", "addresses", "urls"}
        return {name: one if is_contact and name == "type" else spelled(one, name) for name, one in value.items()}
    if key in _WORDS and isinstance(value, str):
        return value.lower() if value.upper() == value else value
    if key in {"index", "latitude", "longitude"} and isinstance(value, int | float):
        return str(value)
    return value


# --- reading -------------------------------------------------------------------------------


def only(value: Body, *names: str) -> None:
    """Refuse what has more keys than these: it would be lost."""
    more = set(value) - set(names)
    if more:
        raise NotOursError(", ".join(sorted(more)))


def message_of(body: Body) -> Outgoing:
    """The typed message that this body says."""
    kind = body.get("type", "text" if "text" in body else None)
    if kind in {kind.value for kind in MediaKind}:
        return media(MediaKind(kind), body[kind])
    readers: Mapping[Any, Callable[[Any], Outgoing]] = {
        "text": text,
        "location": location,
        "contacts": contacts,
        "reaction": reaction,
        "template": template,
        "interactive": interactive,
    }
    if kind not in readers:
        raise NotOursError(str(kind))
    return readers[kind](body[str(kind)])


def text(inner: Body) -> Outgoing:
    only(inner, "body", "preview_url")
    return Text(body=inner["body"], preview_url=inner.get("preview_url"))


def media(kind: MediaKind, inner: Body) -> Media:
    only(inner, "id", "link", "caption", "filename", "voice")
    return Media(kind=kind, **inner)


def location(inner: Body) -> Location:
    only(inner, "latitude", "longitude", "name", "address")
    places = {name: Decimal(str(inner[name])) for name in ("latitude", "longitude")}
    return Location(**places, name=inner.get("name"), address=inner.get("address"))


def contacts(inner: list[Body]) -> Outgoing:
    return Contacts(contacts=tuple(card(one) for one in inner))


def card(inner: Body) -> ContactCard:
    return ContactCard(
        name=ContactName(**inner["name"]),
        phones=tuple(ContactPhone(**one) for one in inner.get("phones", ())),
        emails=tuple(ContactEmail(**one) for one in inner.get("emails", ())),
        addresses=tuple(ContactAddress(**one) for one in inner.get("addresses", ())),
        urls=tuple(ContactUrl(**one) for one in inner.get("urls", ())),
        org=ContactOrg(**inner["org"]) if "org" in inner else None,
        birthday=inner.get("birthday"),
    )


def reaction(inner: Body) -> Outgoing:
    return Reaction(wa_message_id=inner["message_id"], emoji=inner["emoji"])


def header(inner: Body | None) -> Header | None:
    if inner is None:
        return None
    kind = inner["type"].lower()
    if kind == "text":
        return Header(text=inner["text"])
    only(inner[kind], "id", "link", "filename")
    return Header(media=media(MediaKind(kind), inner[kind]))


def interactive(inner: Body) -> Outgoing:
    kind = inner["type"].lower()
    if kind == "order_details" and kind in inner:
        older = dict(inner[kind])
        inner = {"type": kind, **older, "action": {"name": "review_and_pay", "parameters": older["action"]}}
    readers = {
        "button": buttons,
        "list": listed,
        "cta_url": cta_url,
        "flow": flow,
        "product": product,
        "product_list": product_list,
        "catalog_message": catalog,
        "carousel": carousel,
        "location_request_message": location_request,
        "address_message": address,
        "request_contact_info": contact_request,
        "voice_call": voice_call,
        "call_permission_request": call_permission,
        "order_details": order_details,
        "order_status": order_status,
    }
    if kind not in readers:
        raise NotOursError(kind)
    only(inner, "type", "header", "body", "footer", "action")
    said = {
        "body": inner["body"]["text"] if "body" in inner else None,
        "footer": inner["footer"]["text"] if "footer" in inner else None,
        "header": header(inner.get("header")),
    }
    return readers[kind](inner["action"], {name: one for name, one in said.items() if one is not None})


def buttons(action: Body, said: dict[str, Any]) -> Outgoing:
    return Buttons(buttons=tuple(Button(**one["reply"]) for one in action["buttons"]), **said)


def listed(action: Body, said: dict[str, Any]) -> Outgoing:
    sections = tuple(
        Section(title=section.get("title"), rows=tuple(Row(**row) for row in section["rows"]))
        for section in action["sections"]
    )
    words = {"header": said.pop("header").text} if "header" in said else {}
    return ListMessage(button=action["button"], sections=sections, **said, **words)


def cta_url(action: Body, said: dict[str, Any]) -> Outgoing:
    parameters = action["parameters"]
    only(parameters, "display_text", "url", "payment_link_preview")
    return CtaUrl(
        label=parameters["display_text"],
        url=parameters["url"],
        payment_link_preview=parameters.get("payment_link_preview"),
        **said,
    )


def flow(action: Body, said: dict[str, Any]) -> Outgoing:
    parameters = action["parameters"]
    payload = parameters.get("flow_action_payload", {})
    return Flow(
        label=parameters["flow_cta"],
        flow_id=parameters.get("flow_id"),
        flow_name=parameters.get("flow_name"),
        token=parameters.get("flow_token"),
        is_draft=parameters.get("mode") == "draft",
        action=parameters.get("flow_action"),
        screen=payload.get("screen"),
        data=payload.get("data"),
        **said,
    )


def product(action: Body, said: dict[str, Any]) -> Outgoing:
    return ProductMessage(catalog_id=action["catalog_id"], retailer_id=action["product_retailer_id"], **said)


def sections_of(sections: list[Body]) -> tuple[ProductSection, ...]:
    return tuple(
        ProductSection(
            title=section.get("title"),
            retailer_ids=tuple(item["product_retailer_id"] for item in section["product_items"]),
        )
        for section in sections
    )


def product_list(action: Body, said: dict[str, Any]) -> Outgoing:
    words = said.pop("header").text
    return ProductList(header=words, catalog_id=action["catalog_id"], sections=sections_of(action["sections"]), **said)


def catalog(action: Body, said: dict[str, Any]) -> Outgoing:
    parameters = action.get("parameters", {})
    return CatalogMessage(thumbnail_retailer_id=parameters.get("thumbnail_product_retailer_id"), **said)


def carousel(action: Body, said: dict[str, Any]) -> Outgoing:
    cards = [carousel_card(one) for one in action["cards"]]
    return Carousel(cards=tuple(cards), **said)  # type: ignore[arg-type] # of one kind, which Carousel checks


def carousel_card(inner: Body) -> LinkCard | ReplyCard | ProductCard:
    action = inner["action"]
    if inner["type"] == "product":
        return ProductCard(catalog_id=action["catalog_id"], retailer_id=action["product_retailer_id"])
    above = header(inner["header"])
    assert above is not None
    assert above.media is not None
    if "buttons" in action:
        replies = tuple(Button(**one["quick_reply"]) for one in action["buttons"])
        return ReplyCard(media=above.media, body=inner.get("body", {}).get("text"), buttons=replies)
    parameters = action["parameters"]
    return LinkCard(
        media=above.media,
        body=inner.get("body", {}).get("text"),
        label=parameters["display_text"],
        url=parameters["url"],
    )


def contact_request(action: Body, said: dict[str, Any]) -> Outgoing:
    only(action, "name")
    return ContactRequest(**said)


def voice_call(action: Body, said: dict[str, Any]) -> Outgoing:
    parameters = action.get("parameters", {})
    only(parameters, "display_text", "ttl_minutes", "payload")
    return VoiceCall(
        label=parameters.get("display_text"),
        ttl_minutes=parameters.get("ttl_minutes"),
        payload=parameters.get("payload"),
        **said,
    )


def call_permission(action: Body, said: dict[str, Any]) -> Outgoing:
    only(action, "name")
    return CallPermissionRequest(**said)


def location_request(action: Body, said: dict[str, Any]) -> Outgoing:
    only(action, "name")
    return LocationRequest(**said)


def address(action: Body, said: dict[str, Any]) -> Outgoing:
    return AddressRequest(**action["parameters"], **said)


def order_details(action: Body, said: dict[str, Any]) -> Outgoing:
    return OrderDetails(owed=owed(action["parameters"]), **said)


def order_status(action: Body, said: dict[str, Any]) -> Outgoing:
    parameters = action["parameters"]
    only(parameters, "reference_id", "order", "payment")
    order, payment = parameters["order"], parameters.get("payment")
    return OrderStatus(
        reference_id=parameters["reference_id"],
        status=order["status"],
        description=order.get("description"),
        payment=None if payment is None else Paid(status=payment["status"], at=payment.get("timestamp")),
        **said,
    )


def charge(inner: Body | None) -> Charge | None:
    if inner is None:
        return None
    return Charge(
        amount=inner["value"], description=inner.get("description"), program=inner.get("discount_program_name")
    )


def owed(inner: Body) -> Owed:
    order = inner["order"]
    tax = charge(order["tax"])
    assert tax is not None
    return Owed(
        reference_id=inner["reference_id"],
        goods=inner["type"],
        currency=inner["currency"],
        items=tuple(order_item(one) for one in order["items"]),
        subtotal=order["subtotal"]["value"],
        tax=tax,
        shipping=charge(order.get("shipping")),
        discount=charge(order.get("discount")),
        total=inner["total_amount"]["value"],
        payment_settings=tuple(inner.get("payment_settings", ())),
        payment_type=inner.get("payment_type"),
        payment_configuration=inner.get("payment_configuration"),
        shipping_info=inner.get("shipping_info"),
        beneficiaries=tuple(inner.get("beneficiaries", ())),
        catalog_id=order.get("catalog_id"),
        expiration=Expiration(**order["expiration"]) if "expiration" in order else None,
        status=order.get("status"),
    )


def order_item(inner: Body) -> OrderItem:
    known = {"name", "amount", "quantity", "retailer_id", "sale_amount"}
    return OrderItem(
        name=inner["name"],
        amount=inner["amount"]["value"],
        quantity=inner["quantity"],
        retailer_id=inner.get("retailer_id"),
        sale_amount=inner["sale_amount"]["value"] if "sale_amount" in inner else None,
        more={name: one for name, one in inner.items() if name not in known},
    )


# --- templates -----------------------------------------------------------------------------


def template(inner: Body) -> Outgoing:
    language = inner["language"]
    filled_in: dict[str, Any] = {"buttons": ()}
    for component in inner.get("components", ()):
        kind = component["type"].lower()
        if kind == "limited_time_offer":
            milliseconds = component["parameters"][0]["limited_time_offer"]["expiration_time_ms"]
            filled_in["offer_ends_at"] = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
        elif kind == "tap_target_configuration":
            pages = component["parameters"][0]["tap_target_configuration"]
            filled_in["tap_targets"] = tuple(TapTarget(**page) for page in pages)
        elif kind == "order_status":
            told = component["parameters"][0]["order_status"]
            filled_in["order"] = OrderState(reference_id=told["reference_id"], **told["order"])
        elif kind == "carousel":
            filled_in["cards"] = tuple(template_card(one) for one in component["cards"])
        else:
            fill(component, kind, filled_in)
    return Template(
        name=inner["name"],
        language=language["code"],
        is_deterministic=language.get("policy") == "deterministic",
        **filled_in,
    )


def template_card(inner: Body) -> TemplateCard:
    filled_in: dict[str, Any] = {"buttons": ()}
    for component in inner["components"]:
        fill(component, component["type"].lower(), filled_in)
    return TemplateCard(**filled_in)


def fill(component: Body, kind: str, filled_in: dict[str, Any]) -> None:
    """Note what this component fills."""
    if kind == "header":
        (parameter,) = component["parameters"]
        filled_in["header"] = header_parameter(parameter)
    elif kind == "body":
        filled_in["body"] = tuple(body_parameter(one) for one in component["parameters"])
    elif kind == "button":
        read = call_button if component["sub_type"].lower() == "voice_call" else template_button
        filled_in["buttons"] = (*filled_in["buttons"], read(component))
    else:
        raise NotOursError(kind)


def header_parameter(inner: Body) -> HeaderParameter:
    kind = inner["type"]
    if kind == "text":
        return TextParameter(text=inner["text"], name=inner.get("parameter_name"))
    if kind == "product":
        return ProductParameter(
            catalog_id=inner["product"]["catalog_id"], retailer_id=inner["product"]["product_retailer_id"]
        )
    return MediaParameter(media=media(MediaKind(kind), inner[kind]))


def body_parameter(inner: Body) -> BodyParameter:
    kind, name = inner["type"], inner.get("parameter_name")
    if kind == "text":
        return TextParameter(text=inner["text"], name=name)
    if kind == "currency":
        value = inner["currency"]
        return CurrencyParameter(
            fallback=value["fallback_value"], code=value["code"], amount_1000=value["amount_1000"], name=name
        )
    if kind == "date_time":
        parts = dict(inner["date_time"])
        return DateTimeParameter(fallback=parts.pop("fallback_value"), parts=parts, name=name)
    raise NotOursError(kind)


def call_button(inner: Body) -> TemplateButton:
    told = {one["type"]: one[one["type"]] for one in inner.get("parameters", ())}
    return VoiceCallButton(index=int(inner["index"]) if "index" in inner else None, **told)


def template_button(inner: Body) -> TemplateButton:  # noqa: PLR0911 - a table
    if "index" not in inner or len(inner["parameters"]) != 1:
        raise NotOursError(inner["sub_type"])
    index, (parameter,) = int(inner["index"]), inner["parameters"]
    match inner["sub_type"].lower(), parameter["type"]:
        case "quick_reply", "payload":
            return QuickReplyButton(index=index, payload=parameter["payload"])
        case "quick_reply", "text":
            return QuickReplyButton(index=index, text=parameter["text"])
        case "url", "text":
            preview = parameter.get("payment_link_preview")
            return UrlButton(index=index, text=parameter["text"], payment_link_preview=preview)
        case "copy_code", "coupon_code":
            return CopyCodeButton(index=index, code=parameter["coupon_code"])
        case "catalog", "action":
            thumbnail = parameter["action"]["thumbnail_product_retailer_id"]
            return CatalogButton(index=index, thumbnail_retailer_id=thumbnail)
        case "mpm", "action":
            action = parameter["action"]
            thumbnail, sections = action["thumbnail_product_retailer_id"], sections_of(action["sections"])
            return ProductsButton(index=index, thumbnail_retailer_id=thumbnail, sections=sections)
        case "flow", "action":
            action = parameter["action"]
            return FlowButton(index=index, token=action.get("flow_token"), data=action.get("flow_action_data"))
        case "order_details", "action":
            return OrderDetailsButton(index=index, owed=owed(parameter["action"]["order_details"]))
    raise NotOursError(inner["sub_type"])


def canonical(value: Any) -> str:
    """One text for one JSON value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
