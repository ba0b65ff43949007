"""What the routes are, for programs (OpenAPI 3.1) and for people (one page without any script)."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from typing import Any

from litestar import Litestar
from litestar.openapi import OpenAPIConfig

from wch.entrypoints.http import api
from wch.entrypoints.http.webhooks import SIGNATURE
from wch.entrypoints.shown import program_version

TITLE = "wch"
DESCRIPTION = "A WhatsApp Commerce Hub: it takes deliveries, holds conversations, fills carts and places orders."

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {"type": "array", "items": {}},
    },
}
_KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key that `wch keys create` made; in the header only, never in an address.",
}
_A_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}

_DELIVERY = {
    "object": "whatsapp_business_account",
    "entry": [
        {
            "id": "102290129340398",
            "changes": [
                {
                    "field": "messages",
                    "value": {
                        "messaging_product": "whatsapp",
                        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
                        "contacts": [{"profile": {"name": "Sheena Nelson"}, "wa_id": "16505551234"}],
                        "messages": [
                            {
                                "from": "16505551234",
                                "id": "wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
                                "timestamp": "1749416383",
                                "type": "text",
                                "text": {"body": "hi"},
                            }
                        ],
                    },
                }
            ],
        }
    ],
}


def _plain(description: str, example: str) -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}, "example": example}}
    return {"description": description, "content": content}


def _asked(name: str, example: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": True, "schema": {"type": "string", **schema}, "example": example}


_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer"}}
}

_HEX = "^[0-9a-f]{64}$"


def _taken(well: Mapping[str, Any], *, most: str) -> dict[str, Any]:
    """What a door for signed deliveries answers, and how when all is well."""
    return {
        "200": well,
        "401": _plain("The signature is missing, repeated or wrong; nothing is kept.", "bad signature"),
        "408": _plain("The body took too long.", "too slow"),
        "413": _plain(f"The body is over {most}.", "too large"),
        "429": {**_plain("Too many bad signatures from here.", "too many"), "headers": _RETRY_AFTER},
        "503": {**_plain("The store cannot take it now.", "not available now"), "headers": _RETRY_AFTER},
    }


def _header(name: str, description: str, *, required: bool = True, **schema: Any) -> dict[str, Any]:
    schema = {"type": "string", **schema}
    return {"name": name, "in": "header", "required": required, "schema": schema, "description": description}


def _body(example: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": example}},
    }


BY_HAND: Mapping[str, Any] = {
    "/webhooks/whatsapp": {
        "get": {
            "tags": ["webhooks"],
            "operationId": "WhatsAppHandshake",
            "summary": "Meta's handshake",
            "description": "Answers the bare challenge when the token is the one that was set.",
            "parameters": [
                _asked("hub.mode", "subscribe", const="subscribe"),
                _asked("hub.verify_token", "a-word-of-yours"),
                _asked("hub.challenge", "1158201444", pattern="^[A-Za-z0-9_-]{1,256}$"),
            ],
            "responses": {
                "200": _plain("The challenge.", "1158201444"),
                "400": _plain("Not a handshake.", "not a handshake"),
                "403": _plain("The token is wrong or missing.", "wrong token"),
            },
        },
        "post": {
            "tags": ["webhooks"],
            "operationId": "WhatsAppDelivery",
            "summary": "A delivery of WhatsApp's",
            "description": "Signed over the bytes as sent. Answered 200 once every event in it is durable; whatever "
            "was not answered 200 can be sent again without harm.",
            "parameters": [
                _header(
                    SIGNATURE.decode().title(),
                    "HMAC-SHA256 of the body under the app secret.",
                    pattern=f"^sha256={_HEX[1:]}",
                )
            ],
            "requestBody": _body(_DELIVERY),
            "responses": _taken({"description": "Every event is durable."}, most="4 MiB"),
        },
    },
    "/webhooks/woocommerce": {
        "post": {
            "tags": ["webhooks"],
            "operationId": "WooCommerceDelivery",
            "summary": "A delivery of a WooCommerce shop's",
            "description": "Signed over the bytes as sent. Its unsigned ping is answered 200 and changes nothing.",
            "parameters": [
                _header(
                    "X-Wc-Webhook-Signature",
                    "Base64 of the HMAC-SHA256 of the body under the webhook's secret.",
                    required=False,
                ),
                _header("X-Wc-Webhook-Topic", "What it is about, such as order.updated.", required=False),
                _header("X-Wc-Webhook-Id", "The number of the webhook.", required=False),
            ],
            "requestBody": _body({"id": 1042, "status": "processing", "date_modified_gmt": "2026-03-02T12:00:00"}),
            "responses": _taken(_plain("What it tells is noted, or known already.", "ok"), most="4 MiB"),
        }
    },
    "/webhooks/payments/{gateway}": {
        "post": {
            "tags": ["webhooks"],
            "operationId": "PaymentDelivery",
            "summary": "A delivery of a payment gateway's",
            "description": "Signed in the gateway's own way. It is a hint: the hub asks the gateway itself what was paid.",
            "parameters": [
                {
                    "name": "gateway",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string", "enum": ["stripe", "razorpay", "mercadopago"]},
                    "example": "stripe",
                },
                _header("Stripe-Signature", "Stripe's: t=...,v1=...", required=False),
                _header("X-Razorpay-Signature", "Razorpay's: hex of an HMAC-SHA256.", required=False),
                _header("X-Signature", "Mercado Pago's: ts=...,v1=...", required=False),
            ],
            "requestBody": _body({"id": "evt_1NG8Du2eZvKYlo2C", "type": "checkout.session.completed"}),
            "responses": {
                **_taken(_plain("It is noted, or of no concern here.", "ok"), most="1 MiB"),
                "404": _plain("There is no such gateway, or it is switched off.", "not found"),
            },
        }
    },
    "/livez": {
        "get": {
            "tags": ["health"],
            "operationId": "Livez",
            "summary": "Whether the process is alive",
            "responses": {"200": _plain("It is.", "alive")},
        }
    },
}
"""The routes that the framework does not know, since they are answered by hand."""


def configuration() -> OpenAPIConfig:
    """What the framework writes into the document."""
    return OpenAPIConfig(
        title=TITLE, version=program_version(), description=DESCRIPTION, use_handler_docstrings=True, render_plugins=()
    )


def document_of(app: Litestar, *, root: str) -> dict[str, Any]:
    """The OpenAPI document of everything that is served below `root`."""
    document: dict[str, Any] = dict(app.openapi_schema.to_schema())
    document["servers"] = [{"url": root or "/"}]
    document["paths"] = {**BY_HAND, **document.get("paths", {})}
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components["securitySchemes"] = {"key": _KEY}
    for operation in _operations(document["paths"]):
        responses = operation.setdefault("responses", {})
        for response in responses.values():
            if _is_the_frameworks_error(response):
                response["content"] = _A_PROBLEM
        responses.setdefault("default", {"description": "A problem.", "content": _A_PROBLEM})
    _exemplify(components["schemas"])
    return json.loads(_PAGE_OF.sub(r"PageOf\1", json.dumps(document, default=str)))  # type: ignore[no-any-return] # what went in


def _exemplify(schemas: dict[str, Any]) -> None:
    """Give each view, and each page of views, a row as a sale left it."""
    for view, row in json.loads(files(api).joinpath("examples.json").read_text(encoding="utf-8")).items():
        for name, schema in schemas.items():
            if name == view:
                schema["examples"] = [row]
            elif name.startswith("Page_") and name.endswith(f".{view}_"):
                schema["examples"] = [{"data": [row], "next_cursor": "WzQyXQ"}]


_PAGE_OF = re.compile(r"Page_wch\.[a-z_.]+\.(\w+?)View_")
"""How the framework calls a page of rows, which is nothing to write in a client."""


def _operations(paths: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for path in paths.values():
        for method, operation in path.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                yield operation


def _is_the_frameworks_error(response: Mapping[str, Any]) -> bool:
    """Whether it describes an error as the framework would tell it, which is never what is sent."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return "status_code" in schema.get("properties", {})


STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f23;"
    "background:#fff}h2{font:600 1rem/1.5 ui-monospace,monospace;margin:2rem 0 .25rem;padding-top:1rem;"
    "border-top:1px solid #d0d7de}b{display:inline-block;min-width:4rem}pre{background:#f6f8fa;padding:.75rem;"
    "overflow:auto}dt{font:600 .9rem ui-monospace,monospace}dd{margin:0 0 .25rem 1.5rem}"
)

PAGE_POLICY = (
    "default-src 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)
"""What the page may load: its own style, and nothing else."""


def page_of(document: Mapping[str, Any]) -> str:
    """The document as a page to read."""
    info = document["info"]
    blocks = [
        _block(method, path, operation)
        for path, methods in sorted(document["paths"].items())
        for method, operation in methods.items()
        if isinstance(operation, Mapping)
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head><body>'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info.get('description', ''))}</p>"
        f'<p>For programs: <a href="openapi.json">openapi.json</a>.</p>{"".join(blocks)}</body></html>'
    )


def _block(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<h2><b>{escape(method.upper())}</b>{escape(path)}</h2>"]
    parts += [f"<p>{escape(str(operation[key]))}</p>" for key in ("summary", "description") if operation.get(key)]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        parts += [f"<pre>{escape(json.dumps(example, indent=2))}</pre>" for example in _examples(content)]
    answers = operation.get("responses", {})
    lines = (
        f"<dt>{escape(str(status))}</dt><dd>{escape(str(one.get('description', '')))}</dd>"
        for status, one in answers.items()
    )
    return "".join([*parts, "<dl>", *lines, "</dl>"])


def _examples(content: Mapping[str, Any]) -> Iterable[Any]:
    if "example" in content:
        yield content["example"]
    for example in content.get("examples", {}).values():
        yield example.get("value")
    yield from content.get("schema", {}).get("examples", ())
