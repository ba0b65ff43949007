"""The sandbox's routes about customers' phones: how each is set up, and its change of number."""

from typing import Annotated, Any

import attrs
from litestar import post
from litestar.openapi.spec import Example
from litestar.params import Body

from wch.entrypoints.http.sandbox import SandboxPort, WaId


@attrs.frozen(kw_only=True)
class PhoneSetUp:
    """What shall change of a phone; what is left out stays.

    Attributes:
        timezone: where the customer is, such as `Europe/Madrid`.
        hides_number: whether the business knows the customer by the user id (BSUID) alone, from the next message on.
        blocks: whether the customer has blocked the business: nothing arrives, nothing can be written.
        takes_offers: WhatsApp's own switch for marketing messages; the hub hears of it by webhook.
    """

    name: str | None = None
    language: str | None = None
    timezone: str | None = None
    hides_number: bool | None = None
    blocks: bool | None = None
    takes_offers: bool | None = None


@attrs.frozen(kw_only=True)
class NumberChange:
    """The customer's new number, digits only."""

    to: str


def phone_routes(sandbox: SandboxPort) -> list[Any]:
    """The routes."""

    @post("/sandbox/api/customers/{wa_id:str}", status_code=200, summary="Set up a customer's phone")
    async def set_up(
        wa_id: WaId, data: Annotated[PhoneSetUp, Body(examples=[Example(value={"hides_number": True})])]
    ) -> dict[str, Any]:
        """Give it a name, a language or a zone, hide its number, block the business, or stop its offers; how it is then."""
        return dict(await sandbox.set_up(wa_id, attrs.asdict(data)))

    @post("/sandbox/api/customers/{wa_id:str}/number", status_code=200, summary="Change a customer's number")
    async def renumber(
        wa_id: WaId, data: Annotated[NumberChange, Body(examples=[Example(value={"to": "34600999888"})])]
    ) -> dict[str, Any]:
        """The hub hears of it by a signed webhook before this answers; the old number is nobody's until somebody writes from it."""
        return dict(await sandbox.change_number(wa_id, data.to))

    for route in (set_up, renumber):
        route.tags = ["sandbox"]
    return [set_up, renumber]
