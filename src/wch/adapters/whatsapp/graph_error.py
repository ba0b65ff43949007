"""An error as Graph writes it: in an answer, in a failed status, in a message it could not pass on."""

from typing import Any

from wch.adapters.whatsapp import lookup
from wch.domain.send_failure import GraphError


def graph_error(value: Any) -> GraphError:
    """The error in this object; what is missing or of another kind stays empty."""
    error = lookup.mapping(value)
    details = lookup.mapping(error.get("error_data")).get("details") or error.get("details")
    title = error.get("title") or error.get("message") or error.get("error_user_title")
    return GraphError(
        code=lookup.integer(error.get("code")),
        title=lookup.text(title) or "",
        details=lookup.text(details) or lookup.text(error.get("error_user_msg")) or "",
        subcode=lookup.integer(error.get("error_subcode")),
        is_transient=error.get("is_transient") is True,
        fbtrace_id=lookup.text(error.get("fbtrace_id")),
    )
