"""The sandbox's routes about the world around the hub: what went to it and may go again, the account's templates."""

from typing import Annotated, Any

import attrs
from litestar import get, post
from litestar.openapi.spec import Example
from litestar.params import Body, PathParameter, QueryParameter

from wch.domain.errors import WchError
from wch.entrypoints.http.sandbox import SandboxPort


@attrs.frozen(kw_only=True)
class OnceMore:
    """How a delivery goes again: `once`, `twice`, `out_of_order` or with a `wrong_signature`."""

    how: str = "once"


@attrs.frozen(kw_only=True)
class TemplateDecision:
    """What WhatsApp decides about a template: its new status, its new quality, or both."""

    status: str | None = None
    quality: str | None = None


@attrs.frozen(kw_only=True)
class BeginAnew:
    """Whether all rows of the sandbox's customers shall go; nothing happens without `yes`."""

    yes: bool = False


class UnaskedError(WchError):
    """This deletes every customer, message, cart and saga of the hub's database: send `yes` if that is wanted."""


def world_routes(sandbox: SandboxPort) -> list[Any]:
    """The routes."""

    @get("/sandbox/api/deliveries", summary="Every signed delivery that went to the hub, the oldest first")
    async def delivered(
        after: Annotated[int, QueryParameter(name="after", ge=0, description="Only those after this one.")] = 0,
    ) -> dict[str, Any]:
        return {"data": sandbox.deliveries(after=after)}

    @post("/sandbox/api/deliveries/{number:int}", status_code=200, summary="Let a delivery go to the hub once more")
    async def again(
        number: Annotated[int, PathParameter(description="The delivery, as the list has it.")],
        data: Annotated[OnceMore, Body(examples=[Example(value={"how": "twice"})])],
    ) -> dict[str, Any]:
        """As it was, twice at once, the one behind it first, or signed with another secret; the hub's statuses."""
        return {"statuses": list(await sandbox.deliver_again(number, data.how))}

    @get("/sandbox/api/templates", summary="The account's message templates as they stand")
    async def templates() -> dict[str, Any]:
        return {"data": sandbox.templates.plain()}

    @post(
        "/sandbox/api/templates/{name:str}/{language:str}",
        status_code=200,
        summary="Approve, pause, reject or disable a template, or change its quality",
    )
    async def decide(
        name: Annotated[str, PathParameter(description="The template's name.")],
        language: Annotated[str, PathParameter(description="Its language.")],
        data: Annotated[TemplateDecision, Body(examples=[Example(value={"status": "PAUSED"})])],
    ) -> dict[str, Any]:
        """Decide as WhatsApp would; the hub hears of it by a signed webhook before this answers."""
        await sandbox.change_template(name, language, status=data.status, quality=data.quality)
        return {"data": sandbox.templates.plain()}

    @post("/sandbox/api/anew", status_code=200, summary="Start anew: empty the phones and the hub's rows")
    async def anew(data: Annotated[BeginAnew, Body(examples=[Example(value={"yes": True})])]) -> dict[str, Any]:
        """Forget phones, logs, payments and faults, and delete the rows; operators, keys, texts and the shop stay."""
        if not data.yes:
            raise UnaskedError
        return {"dropped": await sandbox.begin_anew()}

    routes = [anew, delivered, again, templates, decide]
    for route in routes:
        route.tags = ["sandbox"]
    return list(routes)
