"""What the Graph API would refuse, in its own words."""

from collections.abc import Mapping
from typing import Any

KINDS = frozenset(
    {
        "text",
        "image",
        "video",
        "audio",
        "document",
        "sticker",
        "location",
        "contacts",
        "reaction",
        "interactive",
        "template",
    }
)


def error(code: int, message: str, details: str, *, status: int = 400) -> tuple[int, dict[str, Any]]:
    """An answer in Graph's shape."""
    return status, {
        "error": {
            "message": f"(#{code}) {message}",
            "type": "OAuthException",
            "code": code,
            "error_data": {"messaging_product": "whatsapp", "details": details},
            "fbtrace_id": "sandbox",
        }
    }


def refusal(body: Any) -> tuple[int, dict[str, Any]] | None:
    """The answer to a body that WhatsApp would not take; None when it would."""
    if not isinstance(body, Mapping) or body.get("messaging_product") != "whatsapp":
        return error(100, "Invalid parameter", "messaging_product must be whatsapp")
    kind = body.get("type", "text")
    if kind not in KINDS:
        return error(100, "Invalid parameter", f"Param type must be one of {', '.join(sorted(KINDS))}")
    if not body.get("to") and not body.get("recipient"):
        return error(100, "Invalid parameter", "The parameter to is required")
    inner = body.get(kind)
    if inner is None:
        return error(131008, "Required parameter is missing", f"Parameter {kind} is missing")
    if kind == "text":
        return _length("text.body", inner.get("body"), 4096)
    if kind == "interactive":
        return _interactive(inner)
    if kind == "template" and not (inner.get("name") and inner.get("language", {}).get("code")):
        return error(131008, "Required parameter is missing", "template needs a name and a language")
    return None


def _interactive(inner: Mapping[str, Any]) -> tuple[int, dict[str, Any]] | None:
    action = inner.get("action", {})
    body = inner.get("body", {}).get("text")
    if inner.get("type") in {"button", "list"}:
        found = _length("interactive.body.text", body, 1024)
        if found is not None:
            return found
    buttons = action.get("buttons", ())
    if inner.get("type") == "button" and not 1 <= len(buttons) <= 3:
        return error(131009, "Parameter value is not valid", "Between 1 and 3 buttons are allowed")
    for button in buttons:
        reply = button.get("reply", {})
        found = _length("button title", reply.get("title"), 20) or _length("button id", reply.get("id"), 256)
        if found is not None:
            return found
    rows = [row for section in action.get("sections", ()) for row in section.get("rows", ())]
    if inner.get("type") == "list" and not 1 <= len(rows) <= 10:
        return error(131009, "Parameter value is not valid", "Total row count exceeds the maximum allowed of 10")
    for row in rows:
        found = (
            _length("row title", row.get("title"), 24)
            or _length("row id", row.get("id"), 200)
            or (_length("row description", row["description"], 72) if "description" in row else None)
        )
        if found is not None:
            return found
    ids = [row.get("id") for row in rows] + [button.get("reply", {}).get("id") for button in buttons]
    if len(set(ids)) != len(ids):
        return error(131009, "Parameter value is not valid", "Duplicated ids are not allowed")
    return None


def _length(name: str, value: Any, most: int) -> tuple[int, dict[str, Any]] | None:
    if not isinstance(value, str) or not value.strip():
        return error(131008, "Required parameter is missing", f"{name} is required")
    if len(value) > most:
        return error(
            131009, "Parameter value is not valid", f"{name} length invalid. Min length: 1, max length: {most}"
        )
    return None
