"""Style sheets, scripts and whole pages: read once from the package, sent with a name for their content."""

import functools
import hashlib
from importlib.resources import files
from typing import Any

import attrs
from litestar import Request, Response
from litestar.exceptions import NotFoundException

_TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "html": "text/html",
}

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may load: what this server ships, and nothing that stands in the page itself."""


@attrs.frozen
class File:
    """One file as it is sent."""

    content: bytes
    media_type: str
    etag: str


@functools.cache
def file_of(name: str) -> File:
    """A shipped file.

    Raises:
        NotFoundException: there is none of this name.
    """
    kind = _TYPES.get(name.rpartition(".")[2])
    place = files("wch.entrypoints.http.pages").joinpath("static", name)
    if kind is None or "/" in name or not place.is_file():
        raise NotFoundException
    content = place.read_bytes()
    return File(content=content, media_type=kind, etag=f'"{hashlib.sha256(content).hexdigest()[:20]}"')


def sent(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
    """The file, or that the browser has it already.

    Raises:
        NotFoundException: there is none of this name.
    """
    file = file_of(name)
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
    if file.media_type.startswith("text/html"):
        headers["Content-Security-Policy"] = PAGE_POLICY
    if request.headers.get("if-none-match") == file.etag:
        return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)
