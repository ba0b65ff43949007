"""How many characters each column of the data model takes; every store refuses more, none cuts."""

from collections.abc import Mapping

from wch.domain.broadcast import BroadcastRecipient
from wch.domain.cart import Cart
from wch.domain.circuit_breaker import CircuitBreaker
from wch.domain.claim import Claim
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter
from wch.domain.message import Message
from wch.domain.notification import Notification
from wch.domain.product_view import ProductView
from wch.domain.rate_limit import RateLimitWindow
from wch.domain.reengagement import Reengagement
from wch.domain.saga import Saga
from wch.domain.sync import SyncTask

PHONE = 20
OPTION_NAME = 191

WIDTHS: Mapping[type, Mapping[str, int]] = {
    Conversation: {"customer_phone": PHONE, "wa_conversation_id": 255, "status": 20, "state": 50},
    Message: {"type": 50, "wa_message_id": 255, "status": 20},
    Cart: {"customer_phone": PHONE, "coupon_code": 50, "status": 20, "recovery_coupon_code": 50},
    CustomerProfile: {"phone": PHONE, "name": 255, "email": 255},
    BroadcastRecipient: {"phone": PHONE, "wa_message_id": 255, "status": 20},
    SyncTask: {"entity_type": 50, "action": 50, "status": 20},
    Notification: {
        "notification_type": 50,
        "customer_phone": PHONE,
        "template_name": 100,
        "wa_message_id": 255,
        "status": 20,
    },
    ProductView: {"customer_phone": PHONE},
    Reengagement: {"customer_phone": PHONE, "campaign_type": 50},
    DeadLetter: {"hook": 255, "reason": 100, "status": 20},
    Claim: {"message_id": 255, "scope": 100},
    RateLimitWindow: {"identifier_hash": 64, "limit_type": 50},
    CircuitBreaker: {"service": 100, "state": 20},
    Saga: {"saga_id": 100, "saga_type": 100, "state": 50},
}
