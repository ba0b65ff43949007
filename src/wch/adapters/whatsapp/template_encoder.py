"""Templates as the Cloud API's body has them."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from wch.domain.moment import unix
from wch.domain.outgoing import (
    BodyParameter,
    CatalogButton,
    CopyCodeButton,
    CurrencyParameter,
    DateTimeParameter,
    FlowButton,
    HeaderParameter,
    Location,
    LocationParameter,
    Media,
    MediaParameter,
    OrderDetailsButton,
    OrderState,
    Owed,
    ProductParameter,
    ProductsButton,
    ProductSection,
    QuickReplyButton,
    Template,
    TemplateButton,
    TemplateCard,
    TextParameter,
    UrlButton,
    VoiceCallButton,
    nfc,
)
from wch.domain.outgoing.payment import OFFSET

Body = dict[str, Any]


def some(**fields: Any) -> Body:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def words(text: str | None) -> str | None:
    """People's words in the form in which they were counted."""
    return None if text is None else nfc(text)


def media_body(media: Media) -> Body:
    """A file by id or link, with what is said about it."""
    return some(
        id=media.id,
        link=media.link,
        caption=words(media.caption),
        filename=words(media.filename),
        voice=media.voice,
    )


def location_body(location: Location) -> Body:
    """A place; the coordinates as text, so that no digit is lost."""
    return some(
        latitude=format(location.latitude, "f"),
        longitude=format(location.longitude, "f"),
        name=words(location.name),
        address=words(location.address),
    )


def product_sections(sections: tuple[ProductSection, ...]) -> list[Body]:
    """Products under their titles."""
    return [
        some(
            title=words(section.title),
            product_items=[{"product_retailer_id": one} for one in section.retailer_ids],
        )
        for section in sections
    ]


def owed_body(owed: Owed) -> Body:
    """What is to be paid: the parameters of a review, and of a template's button alike."""
    order = some(
        status=owed.status,
        items=[
            some(
                retailer_id=item.retailer_id,
                name=nfc(item.name),
                amount=_amount(item.amount),
                quantity=item.quantity,
                sale_amount=None if item.sale_amount is None else _amount(item.sale_amount),
                **item.more,
            )
            for item in owed.items
        ],
        subtotal=_amount(owed.subtotal),
        tax=some(**_amount(owed.tax.amount), description=words(owed.tax.description)),
        shipping=None
        if owed.shipping is None
        else some(**_amount(owed.shipping.amount), description=words(owed.shipping.description)),
        discount=None
        if owed.discount is None
        else some(
            **_amount(owed.discount.amount),
            description=words(owed.discount.description),
            discount_program_name=words(owed.discount.program),
        ),
        catalog_id=owed.catalog_id,
        expiration=None if owed.expiration is None else some(**attrs.asdict(owed.expiration)),
    )
    return some(
        reference_id=owed.reference_id,
        type=owed.goods,
        currency=owed.currency,
        total_amount=_amount(owed.total),
        payment_settings=[dict(one) for one in owed.payment_settings] or None,
        payment_type=owed.payment_type,
        payment_configuration=owed.payment_configuration,
        shipping_info=None if owed.shipping_info is None else dict(owed.shipping_info),
        beneficiaries=[dict(one) for one in owed.beneficiaries] or None,
        order=order,
    )


def _amount(hundredths: int) -> Body:
    return {"value": hundredths, "offset": OFFSET}


def template_body(template: Template) -> Body:
    """The name, the language, and the components that have something to fill."""
    components = _components(template)
    if template.offer_ends_at is not None:
        milliseconds = unix(template.offer_ends_at) * 1_000
        offer = {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": milliseconds}}
        components.append({"type": "limited_time_offer", "parameters": [offer]})
    if template.cards:
        cards = [{"card_index": place, "components": _components(card)} for place, card in enumerate(template.cards)]
        components.append({"type": "carousel", "cards": cards})
    if template.order is not None:
        components.append({"type": "order_status", "parameters": [_order_state(template.order)]})
    if template.tap_targets:
        pages = [{"url": one.url, "title": nfc(one.title)} for one in template.tap_targets]
        target = {"type": "tap_target_configuration", "tap_target_configuration": pages}
        components.append({"type": "tap_target_configuration", "parameters": [target]})
    components += [_button(button) for button in template.buttons]
    language = some(policy="deterministic" if template.is_deterministic else None, code=template.language)
    return some(name=template.name, language=language, components=components or None)


def _order_state(state: OrderState) -> Body:
    order = some(status=state.status, description=words(state.description))
    return {"type": "order_status", "order_status": {"reference_id": state.reference_id, "order": order}}


def _components(holder: Template | TemplateCard) -> list[Body]:
    """Header and body; a card's buttons too, since they belong to the card."""
    components: list[Body] = []
    if holder.header is not None:
        components.append({"type": "header", "parameters": [_parameter(holder.header)]})
    if holder.body:
        components.append({"type": "body", "parameters": [_parameter(one) for one in holder.body]})
    if isinstance(holder, TemplateCard):
        components += [_button(button) for button in holder.buttons]
    return components


def _parameter(parameter: HeaderParameter | BodyParameter) -> Body:
    return _PARAMETERS[type(parameter)](parameter)


def _text(parameter: TextParameter) -> Body:
    return some(type="text", parameter_name=parameter.name, text=nfc(parameter.text))


def _currency(parameter: CurrencyParameter) -> Body:
    value = {
        "fallback_value": nfc(parameter.fallback),
        "code": parameter.code,
        "amount_1000": parameter.amount_1000,
    }
    return some(type="currency", parameter_name=parameter.name, currency=value)


def _date_time(parameter: DateTimeParameter) -> Body:
    value = {"fallback_value": nfc(parameter.fallback), **parameter.parts}
    return some(type="date_time", parameter_name=parameter.name, date_time=value)


def _media(parameter: MediaParameter) -> Body:
    kind = parameter.media.kind.value
    return {"type": kind, kind: media_body(parameter.media)}


def _location(parameter: LocationParameter) -> Body:
    return {"type": "location", "location": location_body(parameter.location)}


def _product(parameter: ProductParameter) -> Body:
    product = {"product_retailer_id": parameter.retailer_id, "catalog_id": parameter.catalog_id}
    return {"type": "product", "product": product}


_PARAMETERS: Mapping[type, Callable[[Any], Body]] = {
    TextParameter: _text,
    CurrencyParameter: _currency,
    DateTimeParameter: _date_time,
    MediaParameter: _media,
    LocationParameter: _location,
    ProductParameter: _product,
}


def _button(button: TemplateButton) -> Body:
    sub_type, *parameters = _BUTTONS[type(button)](button)
    index = None if button.index is None else str(button.index)
    filled = [one for one in parameters if one]
    return some(type="button", sub_type=sub_type, index=index, parameters=filled or None)


def _quick_reply(button: QuickReplyButton) -> tuple[str, Body]:
    if button.text is not None:
        return "quick_reply", {"type": "text", "text": button.text}
    return "quick_reply", {"type": "payload", "payload": button.payload}


def _voice_call(button: VoiceCallButton) -> tuple[str, Body, Body]:
    minutes = {} if button.ttl_minutes is None else {"type": "ttl_minutes", "ttl_minutes": button.ttl_minutes}
    payload = {} if button.payload is None else {"type": "payload", "payload": button.payload}
    return "voice_call", minutes, payload


def _url(button: UrlButton) -> tuple[str, Body]:
    return "url", some(type="text", text=button.text, payment_link_preview=button.payment_link_preview)


def _copy_code(button: CopyCodeButton) -> tuple[str, Body]:
    return "copy_code", {"type": "coupon_code", "coupon_code": button.code}


def _catalog(button: CatalogButton) -> tuple[str, Body]:
    if button.thumbnail_retailer_id is None:
        return "catalog", {}
    return "catalog", _action({"thumbnail_product_retailer_id": button.thumbnail_retailer_id})


def _products(button: ProductsButton) -> tuple[str, Body]:
    action = {
        "thumbnail_product_retailer_id": button.thumbnail_retailer_id,
        "sections": product_sections(button.sections),
    }
    return "mpm", _action(action)


def _flow(button: FlowButton) -> tuple[str, Body]:
    action = some(flow_token=button.token, flow_action_data=None if button.data is None else dict(button.data))
    return "flow", _action(action) if action else {}


def _order_details(button: OrderDetailsButton) -> tuple[str, Body]:
    return "order_details", _action({"order_details": owed_body(button.owed)})


def _action(action: Body) -> Body:
    return {"type": "action", "action": action}


_BUTTONS: Mapping[type, Callable[[Any], tuple[str, *tuple[Body, ...]]]] = {
    QuickReplyButton: _quick_reply,
    UrlButton: _url,
    CopyCodeButton: _copy_code,
    CatalogButton: _catalog,
    ProductsButton: _products,
    FlowButton: _flow,
    OrderDetailsButton: _order_details,
    VoiceCallButton: _voice_call,
}
