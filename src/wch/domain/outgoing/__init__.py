"""What can be said to a customer: each kind knows its limits and refuses to be built beyond them.

Limits are counted in code points after NFC. Source: the Cloud API's pages on messages; where
pages differ, the smaller figure.
"""

from wch.domain.outgoing.interactive import (
    AddressRequest,
    Button,
    Buttons,
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
    Row,
    Section,
)
from wch.domain.outgoing.limit import MessageLimitError, measured, nfc
from wch.domain.outgoing.payment import Charge, Expiration, OrderDetails, OrderItem, OrderStatus, Owed
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
    ProductParameter,
    ProductsButton,
    QuickReplyButton,
    Template,
    TemplateButton,
    TemplateCard,
    TextParameter,
    UrlButton,
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
    "OrderStatus",
    "Outgoing",
    "Owed",
    "ProductCard",
    "ProductList",
    "ProductMessage",
    "ProductParameter",
    "ProductSection",
    "ProductsButton",
    "QuickReplyButton",
    "Reaction",
    "Row",
    "Section",
    "Template",
    "TemplateButton",
    "TemplateCard",
    "Text",
    "TextParameter",
    "UrlButton",
    "measured",
    "nfc",
]
