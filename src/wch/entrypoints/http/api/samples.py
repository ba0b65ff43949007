"""Bodies as people would send them: the examples of the document, which the tests send too."""

from litestar.openapi.spec import Example

REPLY = [Example(summary="a sentence", value={"text": "Your parcel leaves today.", "agent": 3})]
ASSIGNMENT = [Example(summary="to agent 3", value={"agent": 3})]
NEW_MESSAGE = [
    Example(summary="words", value={"to": "+34 600 111 222", "type": "text", "text": {"body": "Your parcel is here."}}),
    Example(
        summary="a template",
        value={
            "to": "+34 600 111 222",
            "type": "template",
            "template": {"name": "order_ready", "language": "es", "body": ["Maria", "1042"]},
        },
    ),
    Example(
        summary="a file",
        value={
            "to": "+34 600 111 222",
            "type": "document",
            "document": {"link": "https://shop.example/invoices/1042.pdf", "filename": "invoice-1042.pdf"},
        },
    ),
    Example(
        summary="a place",
        value={
            "to": "+34 600 111 222",
            "type": "location",
            "location": {"latitude": 40.4154, "longitude": -3.7074, "name": "The shop"},
        },
    ),
]
TAGS = [Example(summary="one more, one less", value={"add": ["VIP"], "remove": ["new"]})]
CONSENT = [Example(summary="out", value={"to": "out", "reason": "asked on the phone", "purpose": "marketing"})]
QUANTITY = [Example(summary="two of it", value={"product_id": 1, "quantity": 2})]
REASON = [Example(summary="a reason", value={"reason": "the customer was called"})]
LETTER_GROUP = [Example(summary="of one cause", value={"hook": "whatsapp.webhook", "reason": "validation_failed"})]
LETTER = [
    Example(
        summary="a delivery",
        value={"body": {"object": "whatsapp_business_account", "entry": []}},
    )
]
SAGA = [Example(summary="mended", value={"reason": "the shop answers again"})]
SYNC = [Example(summary="one order", value={"entity": "order", "entity_id": 1042, "action": "update"})]
NOTE = [Example(summary="a note", value={"text": "Prefers to be called in the evening."})]
SHOP_LINK = [Example(summary="the shop's customer 42", value={"shop_customer": 42})]
MERGE = [Example(summary="a new number", value={"keep": "34600111222", "gone": "34600333444"})]
AGE = [Example(summary="older than a quarter", value={"days": 90})]
BLOCK = [Example(summary="for a day", value={"caller": "203.0.113.7", "seconds": 86400})]
CAMPAIGN = [
    Example(
        summary="to good customers",
        value={
            "name": "Spring",
            "template": {"name": "spring_offer", "language": "customer"},
            "params": {"body": [{"var": "customer_name", "else": "friend"}, {"text": "20 %"}]},
            "audience": {"all": [{"segment": ["gold", "platinum"]}], "none": [{"broadcast_within_days": 7}]},
        },
    )
]
SETTINGS = [Example(summary="remind later", value={"settings": {"recovery.idle_minutes": "90"}})]
CANNED = [Example(summary="opening hours", value={"text": "Hello {name}, we are open from 9 to 18."})]
