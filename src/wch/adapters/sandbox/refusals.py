"""What the Graph API refuses to send, in its own words."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wch.adapters.sandbox.templates import TemplateBook
from wch.domain.document import JsonObject

MEDIA = ("image", "video", "audio", "document", "sticker")
KINDS = ("text", *MEDIA, "location", "contacts", "reaction", "interactive", "template")

CALLBACK_LENGTH = 512

TITLES: Mapping[int, str] = {
    1: "API Unknown",
    2: "API Service",
    4: "API Too Many Calls",
    100: "Invalid parameter",
    190: "Invalid OAuth access token",
    368: "Temporarily blocked for policies violations",
    80007: "Rate limit issues",
    130429: "Rate limit hit",
    130472: "User's number is part of an experiment",
    131000: "Something went wrong",
    131005: "Access denied",
    131008: "Required parameter is missing",
    131009: "Parameter value is not valid",
    131016: "Service unavailable",
    131021: "Recipient cannot be sender",
    131026: "Message undeliverable",
    131031: "Business account has been locked",
    131042: "Business eligibility payment issue",
    131047: "Re-engagement message",
    131048: "Spam rate limit hit",
    131049: "This message was not delivered to maintain healthy ecosystem engagement",
    131050: "User has stopped marketing messages",
    131051: "Unsupported message type",
    131053: "Media upload error",
    131056: "(Business Account, Consumer Account) pair rate limit hit",
    131057: "Account in maintenance mode",
    132000: "Number of parameters does not match the expected number of params",
    132001: "Template name does not exist in the translation",
    132012: "Parameter format does not match format in the created template",
    132015: "Template is paused",
    132016: "Template is disabled",
    133004: "Server temporarily unavailable",
    133010: "Phone number not registered",
    137000: "Recipient identity key hash mismatch",
}
"""The words of errors that the sandbox tells or is asked to tell; any other code is told without."""

_STATUSES: Mapping[int, int] = {
    0: 401, 1: 500, 2: 503, 3: 403, 10: 403, 131000: 500, 131005: 403, 131016: 500, 132001: 404, 133004: 503, 190: 401,
}  # fmt: skip
"""HTTP statuses that are not 400: throttling comes as 400 too."""

_PHONE = re.compile(r"\+?[0-9]{5,20}\Z")
_TEMPLATE = re.compile(r"[a-z0-9_]{1,512}\Z")


class GraphRefusalError(Exception):
    """The call is refused with this code."""

    def __init__(self, code: int, details: str) -> None:
        super().__init__(code)
        self.code = code
        self.details = details

    def answer(self, *, trace: str) -> tuple[int, JsonObject]:
        """HTTP status and body."""
        return http_status_of(self.code), error_body(self.code, self.details, trace=trace)


STATUS_DETAILS: Mapping[int, str] = {
    131047: "Message failed to send because more than 24 hours have passed since the customer last replied to this "
    "number.",
    131026: "Message Undeliverable.",
    131049: "In order to maintain a healthy ecosystem engagement, the message failed to be delivered.",
}
"""What a failed status says beside the title."""


def http_status_of(code: int) -> int:
    """The HTTP status that comes with this code."""
    permissions = range(200, 300)
    return 403 if code in permissions else _STATUSES.get(code, 400)


def error_body(code: int, details: str, *, trace: str) -> JsonObject:
    """An error in Graph's shape."""
    return {
        "error": {
            "message": f"(#{code}) {title_of(code)}",
            "type": "OAuthException",
            "code": code,
            "error_data": {"messaging_product": "whatsapp", "details": details},
            "fbtrace_id": trace,
        }
    }


def status_error(code: int) -> JsonObject:
    """The same fault in the shape of a failed status."""
    return {
        "code": code,
        "title": title_of(code),
        "message": title_of(code),
        "error_data": {"details": STATUS_DETAILS.get(code, title_of(code))},
        "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
    }


def title_of(code: int) -> str:
    """Graph's words for a code."""
    return TITLES.get(code, "An error that this sandbox was asked for")


def check(body: Any, templates: TemplateBook) -> JsonObject:
    """The body of a send, when WhatsApp would take it.

    Raises:
        GraphRefusalError: it would not.
    """
    if not isinstance(body, Mapping):
        raise GraphRefusalError(100, "The request body is not a JSON object.")
    if body.get("messaging_product") != "whatsapp":
        raise GraphRefusalError(100, "The parameter messaging_product is required.")
    _addressee(body)
    kind = body.get("type", "text")
    if kind not in KINDS:
        raise GraphRefusalError(100, f"Param type must be one of {{{', '.join(KINDS).upper()}}}.")
    callback = body.get("biz_opaque_callback_data")
    if callback is not None and not (isinstance(callback, str) and len(callback) <= CALLBACK_LENGTH):
        raise GraphRefusalError(100, f"Param biz_opaque_callback_data must be at most {CALLBACK_LENGTH} characters.")
    inner = body.get(kind)
    if kind == "contacts":
        if not isinstance(inner, list) or not inner:
            raise GraphRefusalError(131008, "Parameter contacts is missing.")
        return body
    if not isinstance(inner, Mapping):
        raise GraphRefusalError(131008, f"Parameter {kind} is missing.")
    if kind == "template":
        _template(inner, templates)
    else:
        _CHECKS.get(kind, _media)(inner)
    return body


def _addressee(body: JsonObject) -> None:
    to, recipient = body.get("to"), body.get("recipient")
    if not to and not recipient:
        raise GraphRefusalError(100, "The parameter to is required.")
    if to and not (isinstance(to, str) and _PHONE.match(to)):
        raise GraphRefusalError(131009, "Parameter to is not a phone number.")


def _text(inner: JsonObject) -> None:
    _length("text.body", inner.get("body"), 4096)


def _media(inner: JsonObject) -> None:
    if bool(inner.get("id")) == bool(inner.get("link")):
        raise GraphRefusalError(131009, "Exactly one of id and link is needed.")
    _optional("caption", inner.get("caption"), 1024)


def _location(inner: JsonObject) -> None:
    for name, most in (("latitude", 90), ("longitude", 180)):
        value = inner.get(name)
        if value is None:
            raise GraphRefusalError(131008, f"Parameter {name} is missing.")
        try:
            fits = -most <= float(value) <= most
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise GraphRefusalError(131009, f"Parameter {name} must be between -{most} and {most}.")


def _reaction(inner: JsonObject) -> None:
    if not inner.get("message_id"):
        raise GraphRefusalError(131008, "Parameter reaction.message_id is missing.")


def _interactive(inner: JsonObject) -> None:
    kind = str(inner.get("type")).lower()
    action = inner.get("action")
    if not isinstance(action, Mapping):
        raise GraphRefusalError(131008, "Parameter interactive.action is missing.")
    if kind != "product":
        _length("interactive.body.text", _part(inner, "body").get("text"), 1024)
    _optional("interactive.footer.text", _part(inner, "footer").get("text"), 60)
    header = _part(inner, "header")
    if header.get("type") == "text" or "text" in header:
        _length("interactive.header.text", header.get("text"), 60)
    if kind == "button":
        _buttons(action)
    elif kind == "list":
        _list(action)
    elif kind in {"order_details", "order_status"}:
        _order(kind, _part(action, "parameters"))
    elif kind == "cta_url":
        parameters = _part(action, "parameters")
        _length("display_text", parameters.get("display_text"), 20)
        _length("url", parameters.get("url"), 2000)
    elif kind not in _OTHER_INTERACTIVE:
        raise GraphRefusalError(131009, "Parameter interactive.type is not valid.")


_OTHER_INTERACTIVE = frozenset(
    {
        "product", "product_list", "catalog_message", "carousel", "flow", "location_request_message",
        "address_message", "contact_request", "request_contact_info", "voice_call",
        "call_permission_request",
    }
)  # fmt: skip


def _buttons(action: JsonObject) -> None:
    buttons = _many(action, "buttons", 3)
    replies = [_part(button, "reply") for button in buttons]
    for reply in replies:
        _length("Button title", reply.get("title"), 20)
        _length("Button id", reply.get("id"), 256)
    _unique("button ids", [reply["id"] for reply in replies])
    _unique("button titles", [reply["title"] for reply in replies])


def _list(action: JsonObject) -> None:
    _length("Button label", action.get("button"), 20)
    sections = _many(action, "sections", 10)
    rows: list[JsonObject] = []
    for section in sections:
        if len(sections) > 1:
            _length("Section title", section.get("title"), 24)
        else:
            _optional("Section title", section.get("title"), 24)
        rows += _many(section, "rows", 10)
    if len(rows) > 10:  # noqa: PLR2004 - ten, as the documentation has it
        raise GraphRefusalError(131009, "Total row count exceeds the maximum allowed count: 10.")
    for row in rows:
        _length("Row title", row.get("title"), 24)
        _length("Row id", row.get("id"), 200)
        _optional("Row description", row.get("description"), 72)
    _unique("row ids", [row["id"] for row in rows])


def _order(kind: str, told: JsonObject) -> None:
    """A bill, whose figures must add up to the last part, or a word about one."""
    _length("reference_id", told.get("reference_id"), 60)
    order = _part(told, "order")
    if kind == "order_status":
        _length("order.status", order.get("status"), 30)
        return
    if not told.get("payment_settings") and not told.get("payment_configuration"):
        raise GraphRefusalError(131008, "Parameter payment_settings is missing.")
    items = _many(order, "items", 999)
    for item in items:
        _length("item.name", item.get("name"), 60)
    subtotal = sum(_parts_of(item.get("sale_amount") or item.get("amount")) * item["quantity"] for item in items)
    if subtotal != _parts_of(order.get("subtotal")):
        raise GraphRefusalError(131009, "order.subtotal is not the sum of the items.")
    total = subtotal + _parts_of(order.get("tax")) + _parts_of(order.get("shipping") or {"value": 0})
    if total - _parts_of(order.get("discount") or {"value": 0}) != _parts_of(told.get("total_amount")):
        raise GraphRefusalError(131009, "total_amount is not subtotal + tax + shipping - discount.")


def _parts_of(amount: Any) -> int:
    value = amount.get("value") if isinstance(amount, Mapping) else None
    if not isinstance(value, int):
        raise GraphRefusalError(131008, "An amount is missing.")
    return value


def _template(inner: JsonObject, templates: TemplateBook) -> None:
    name, language = inner.get("name"), _part(inner, "language").get("code")
    if not isinstance(name, str) or not _TEMPLATE.match(name) or not isinstance(language, str):
        raise GraphRefusalError(131008, "A template needs a name and a language code.")
    template = templates.of(name, language)
    if template is None or template.status == "REJECTED":
        raise GraphRefusalError(132001, f"template name ({name}) does not exist in {language}")
    if template.status != "APPROVED":
        code = 132015 if template.status == "PAUSED" else 132016
        raise GraphRefusalError(code, f"template name ({name}) in {language} is {template.status.lower()}")
    components = [one for one in inner.get("components") or () if isinstance(one, Mapping)]
    for component in ("header", "body"):
        given = [
            parameter
            for one in components
            if str(one.get("type")).lower() == component
            for parameter in one.get("parameters") or ()
        ]
        _parameters(component, given, template.variables(component))


def _parameters(component: str, given: Sequence[Any], expected: Sequence[str]) -> None:
    if len(given) != len(expected):
        raise GraphRefusalError(
            132000,
            f"{component}: number of localizable_params ({len(given)}) does not match the expected number of params "
            f"({len(expected)})",
        )
    names = [variable for variable in expected if not variable.isdigit()]
    for parameter in given:
        text = parameter.get("text") if isinstance(parameter, Mapping) else None
        if names and parameter.get("parameter_name") not in names:
            raise GraphRefusalError(132012, f"{component}: parameter_name is missing or unknown.")
        if parameter.get("type") == "text" and (
            not isinstance(text, str) or not text or re.search(r"[\n\t]| {5}", text)
        ):
            raise GraphRefusalError(
                132012, f"{component}: param text cannot be empty or have new-line/tab characters or 5 spaces"
            )


def _part(whole: Any, name: str) -> JsonObject:
    part = whole.get(name) if isinstance(whole, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _many(whole: JsonObject, name: str, most: int) -> list[JsonObject]:
    found = whole.get(name)
    if not isinstance(found, list) or not found:
        raise GraphRefusalError(131008, f"Parameter {name} is missing.")
    if len(found) > most:
        raise GraphRefusalError(131009, f"Invalid {name} count. Min allowed: 1, Max allowed: {most}.")
    return [one if isinstance(one, Mapping) else {} for one in found]


def _length(name: str, value: Any, most: int) -> None:
    """Code points after NFC; blanks alone are nothing."""
    if not isinstance(value, str) or not value.strip():
        raise GraphRefusalError(131008, f"{name} is required and cannot be empty.")
    if len(unicodedata.normalize("NFC", value)) > most:
        raise GraphRefusalError(131009, f"{name} length invalid. Min length: 1, Max length: {most}.")


def _optional(name: str, value: Any, most: int) -> None:
    if value is not None:
        _length(name, value, most)


def _unique(name: str, values: Sequence[Any]) -> None:
    if len(set(values)) != len(values):
        raise GraphRefusalError(131009, f"Duplicated {name} are not allowed.")


_CHECKS: Mapping[str, Callable[[JsonObject], None]] = {
    "text": _text,
    "location": _location,
    "reaction": _reaction,
    "interactive": _interactive,
}
