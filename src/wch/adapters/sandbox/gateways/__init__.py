"""Stand-ins for Stripe, Razorpay and Mercado Pago: their APIs as far as a shop needs them, and what they post."""

import attrs
import httpx2

from wch.adapters.sandbox.gateways.book import Book
from wch.adapters.sandbox.gateways.mercadopago_api import MercadoPagoApi
from wch.adapters.sandbox.gateways.razorpay_api import RazorpayApi
from wch.adapters.sandbox.gateways.stripe_api import StripeApi
from wch.adapters.sandbox.gateways.till import SimulatedGateways
from wch.application.ports import Clock, Ids

__all__ = ["Secrets", "SimulatedGateways", "simulated"]


@attrs.frozen(kw_only=True, repr=False)
class Secrets:
    """What calls must carry and events are signed with."""

    stripe_key: str = "sandbox-stripe-key"
    stripe_webhook: str = "sandbox-stripe-webhook"
    razorpay_id: str = "sandbox-razorpay-id"
    razorpay_key: str = "sandbox-razorpay-key"
    razorpay_webhook: str = "sandbox-razorpay-webhook"
    mercadopago_token: str = "sandbox-mercadopago-token"  # noqa: S105 - nobody's
    mercadopago_webhook: str = "sandbox-mercadopago-webhook"


def simulated(
    *, hub: str, clock: Clock, ids: Ids, http: httpx2.AsyncClient, secrets: Secrets | None = None
) -> SimulatedGateways:
    """All three around a hub at this address."""
    known = secrets or Secrets()
    book = Book(clock=clock, ids=ids)
    return SimulatedGateways(
        book=book,
        gateways=(
            StripeApi(book=book, key=known.stripe_key, secret=known.stripe_webhook, hub=hub),
            RazorpayApi(
                book=book,
                key_id=known.razorpay_id,
                key_secret=known.razorpay_key,
                secret=known.razorpay_webhook,
                hub=hub,
            ),
            MercadoPagoApi(book=book, token=known.mercadopago_token, secret=known.mercadopago_webhook, hub=hub),
        ),
        http=http,
    )
