"""What HTTP asks of the hub."""

from typing import TYPE_CHECKING, Protocol

from wch.application.doors import Doors
from wch.entrypoints.http.payment_webhooks import PaymentsPort
from wch.entrypoints.http.shop_webhooks import ShopNewsPort
from wch.entrypoints.http.webhooks import InboxPort, LimitsPort

if TYPE_CHECKING:
    from wch.entrypoints.http.sandbox import ShelfPort, StatisticsPort, TracesPort


class HealthPort(Protocol):
    """What `/readyz` asks."""

    async def ready(self) -> tuple[str, ...]:
        """What keeps the hub from its work."""
        ...

    async def ready_for_ingress(self) -> tuple[str, ...]:
        """What keeps a delivery from being stored."""
        ...


class HubPort(Protocol):
    """What HTTP asks of the hub."""

    @property
    def inbox(self) -> InboxPort:
        """Takes deliveries."""
        ...

    @property
    def payments(self) -> PaymentsPort:
        """Takes what gateways tell."""
        ...

    @property
    def shop_news(self) -> ShopNewsPort:
        """Takes what the shop tells."""
        ...

    @property
    def limits(self) -> LimitsPort:
        """Counts bad signatures."""
        ...

    @property
    def health(self) -> HealthPort:
        """Knows what is wrong."""
        ...

    @property
    def statistics(self) -> "StatisticsPort":
        """Counts the rows."""
        ...

    @property
    def traces(self) -> "TracesPort":
        """Follows one customer."""
        ...

    @property
    def shop(self) -> "ShelfPort":
        """Sells."""
        ...

    @property
    def doors(self) -> Doors:
        """Says who is let in."""
        ...
