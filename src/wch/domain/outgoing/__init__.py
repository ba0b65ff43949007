"""What can be said to a customer: each kind knows its limits and refuses to be built beyond them.

Limits are counted in code points after NFC. Source: the Cloud API's pages on messages; where
pages differ, the smaller figure.
"""

from wch.domain.outgoing.interactive import (
    AddressRequest,
    Button,
    Buttons,
    CallPermissionRequest,
    Carousel,
    CatalogMessage,
    ContactRequest,
    CtaUrl,
    Flow,
    Header,
    LinkCard,
    ListMessage,
    LocationRequest,
    ProductCard,
    ProductList,
    ProductMessage,
    ProductSection,
    ReplyCard,
    Row,
    Section,
    VoiceCall,
)
from wch.domain.outgoing.limit import MessageLimitError, measured, nfc
from wch.domain.outgoing.payment import (
    Charge,
    Expiration,
    OrderDetails,
    OrderItem,
    OrderStatus,
    Owed,
    Paid,
)
from wch.domain.outgoing.plain import (
    ContactAddress,
    ContactCard,
    ContactEmail,
    ContactName,
    ContactOrg,
    ContactPhone,
    Contacts,
    ContactUrl,
    Location,
    MarkRead,
    Media,
    MediaKind,
    Reaction,
    Text,
)
from wch.domain.outgoing.template import (
    BodyParameter,
    CatalogButton,
    CopyCodeButton,
    CurrencyParameter,
    DateTimeParameter,
    FlowButton,
    HeaderParameter,
    LocationParameter,
    MediaParameter,
    OrderDetailsButton,
    OrderState,
    ProductParameter,
    ProductsButton,
    QuickReplyButton,
    TapTarget,
    Template,
    TemplateButton,
    TemplateCard,
    TextParameter,
    UrlButton,
    VoiceCallButton,
)

Interactive = (
    Buttons
    | ListMessage
    | CtaUrl
    | Flow
    | ProductMessage
    | ProductList
    | CatalogMessage
    | Carousel
    | LocationRequest
    | ContactRequest
    | AddressRequest
    | VoiceCall
    | CallPermissionRequest
    | OrderDetails
    | OrderStatus
)
"""Every kind that WhatsApp calls interactive."""

Outgoing = Text | Media | Location | Contacts | Reaction | Interactive | Template
"""Everything that can be said."""

__all__ = [
    "AddressRequest",
    "BodyParameter",
    "Button",
    "Buttons",
    "CallPermissionRequest",
    "Carousel",
    "CatalogButton",
    "CatalogMessage",
    "Charge",
    "ContactAddress",
    "ContactCard",
    "ContactEmail",
    "ContactName",
    "ContactOrg",
    "ContactPhone",
    "ContactRequest",
    "ContactUrl",
    "Contacts",
    "CopyCodeButton",
    "CtaUrl",
    "CurrencyParameter",
    "DateTimeParameter",
    "Expiration",
    "Flow",
    "FlowButton",
    "Header",
    "HeaderParameter",
    "Interactive",
    "LinkCard",
    "ListMessage",
    "Location",
    "LocationParameter",
    "LocationRequest",
    "MarkRead",
    "Media",
    "MediaKind",
    "MediaParameter",
    "MessageLimitError",
    "OrderDetails",
    "OrderDetailsButton",
    "OrderItem",
    "OrderState",
    "OrderStatus",
    "Outgoing",
    "Owed",
    "Paid",
    "ProductCard",
    "ProductList",
    "ProductMessage",
    "ProductParameter",
    "ProductSection",
    "ProductsButton",
    "QuickReplyButton",
    "Reaction",
    "ReplyCard",
    "Row",
    "Section",
    "TapTarget",
    "Template",
    "TemplateButton",
    "TemplateCard",
    "Text",
    "TextParameter",
    "UrlButton",
    "VoiceCall",
    "VoiceCallButton",
    "measured",
    "nfc",
]
