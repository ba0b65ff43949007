"""The page with the phone on which anyone buys something; it talks to the sandbox's own interface."""

from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from wch.entrypoints.http.pages.files import sent

OF_THE_PHONE = (
    "look.css",
    "sandbox.css",
    "sandbox.js",
    "asking.js",
    "bubbles.js",
    "deliveries.js",
    "handset.js",
    "payments.js",
    "templates.js",
    "icon.svg",
)


def sandbox_pages() -> list[Any]:
    """The page and what it loads; its addresses are relative, so that it works wherever the hub is mounted."""

    @get("/sandbox", include_in_schema=False)
    async def page(request: Request[Any, Any, Any]) -> Response[bytes]:
        return sent(request, "sandbox.html")

    @get("/sandbox/static/{name:str}", include_in_schema=False)
    async def loaded(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
        if name not in OF_THE_PHONE:
            raise NotFoundException
        return sent(request, name)

    return [page, loaded]
