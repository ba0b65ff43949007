"""Stand-ins for Stripe, Razorpay, Mercado Pago and WhatsApp's own payments: their APIs as far as a shop needs them, and what they post."""

import attrs
import httpx2

from wch.adapters.sandbox.gateways.book import Book
from wch.adapters.sandbox.gateways.mercadopago_api import MercadoPagoApi
from wch.adapters.sandbox.gateways.razorpay_api import RazorpayApi
from wch.adapters.sandbox.gateways.stripe_api import StripeApi
from wch.adapters.sandbox.gateways.till import SimulatedGateways
from wch.adapters.sandbox.gateways.whatsapp_pay_api import WhatsAppPayApi
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
    app_secret: str = "sandbox-app-secret"  # noqa: S105 - nobody's


def simulated(
    *,
    hub: str,
    clock: Clock,
    ids: Ids,
    http: httpx2.AsyncClient,
    secrets: Secrets | None = None,
    waba_id: str = "1",
) -> SimulatedGateways:
    """All of them around a hub at this address; `waba_id` is the account that WhatsApp's own news name."""
    known = secrets or Secrets()
    book = Book(clock=clock, ids=ids)
    return SimulatedGateways(
        book=book,
        in_chat=WhatsAppPayApi(book=book, secret=known.app_secret, waba_id=waba_id, hub=hub),
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
