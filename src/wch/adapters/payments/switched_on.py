"""The gateways that the settings name, in their order."""

import attrs

from wch.application.ports import Gateway
from wch.domain.errors import NotFoundError
from wch.domain.payment import NotOffered, Offer, OrderFacts


@attrs.frozen
class SwitchedOnPayments:
    """The ways to pay that this hub takes."""

    gateways: tuple[Gateway, ...]

    def offers(self, facts: OrderFacts) -> tuple[Offer | NotOffered, ...]:
        """What each of them says to this order."""
        return tuple(gateway.offers(facts) for gateway in self.gateways)

    def gateway(self, name: str) -> Gateway:
        """The one of this name.

        Raises:
            NotFoundError: it is not switched on.
        """
        for gateway in self.gateways:
            if gateway.name == name:
                return gateway
        raise NotFoundError
