"""Customers' phones: what each shows, and what can be tapped on it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs
import phonenumbers
from phonenumbers import timezone as number_zones

from wch.adapters.sandbox.deliveries import DISPLAY, user_id_of
from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError
from wch.domain.moment import iso

MOST_KEPT = 10_000
"""Messages that one phone keeps; the oldest go first."""


@attrs.define(kw_only=True)
class Spoken:
    """One message on a phone.

    Attributes:
        direction: as the hub sees it: `inbound` is the customer's.
        body: the Cloud API body without its envelope.
        statuses: what was reported of it, in order.
        webhook: for the customer's: the HTTP status with which the hub took it.
        error: why it failed.
        number: the phone number id at the business's end.
        quiet: nothing is ever reported of it.
        withheld: it came while the customer had blocked the business, and never reached the phone.
        unnumbered: its statuses name the user id alone.
    """

    id: str
    direction: str
    type: str
    body: JsonObject
    at: datetime
    number: str
    statuses: list[str] = attrs.field(factory=list)
    callback_data: str | None = None
    category: str = "service"
    webhook: int | None = None
    error: JsonObject | None = None
    quiet: bool = False
    withheld: bool = False
    unnumbered: bool = False
    is_read: bool = False
    buttons: tuple[str, ...] = ()

    def plain(self) -> JsonObject:
        """As the JSON interface tells it."""
        told: dict[str, Any] = {
            "id": self.id,
            "direction": self.direction,
            "type": self.type,
            "body": self.body,
            "at": iso(self.at),
            "statuses": list(self.statuses),
        }
        if self.direction == "inbound":
            told["webhook"] = self.webhook
        if self.withheld:
            told["withheld"] = True
        if self.error is not None:
            told["error"] = self.error
        return told

    def offers(self) -> Iterator[tuple[str, JsonObject]]:
        """What can be tapped: the kind of the reply, and its id and title."""
        interactive = self.body.get("interactive")
        action = interactive.get("action") if isinstance(interactive, Mapping) else None
        if isinstance(action, Mapping):
            for button in action.get("buttons") or ():
                yield "button_reply", button["reply"]
            for section in action.get("sections") or ():
                for row in section.get("rows") or ():
                    yield "list_reply", row
        for label in self.buttons:
            yield "button", {"id": label, "title": label}


@attrs.define(kw_only=True)
class Phone:
    """One customer's.

    Attributes:
        language: of the customer's first words, as the page wants to know it again.
        timezone: where the customer is; the phone shows its times there, WhatsApp never tells it.
        hides_number: the business knows this customer by the user id alone.
        blocks: the customer has blocked the business.
        takes_offers: marketing is welcome, as far as WhatsApp's own switch goes.
        has_whatsapp: there is somebody at this number at all.
    """

    wa_id: str
    name: str
    language: str = "en"
    timezone: str = attrs.field(default=attrs.Factory(lambda self: zone_of(self.wa_id), takes_self=True))
    hides_number: bool = False
    blocks: bool = False
    takes_offers: bool = True
    has_whatsapp: bool = True
    spoken: list[Spoken] = attrs.field(factory=list)
    wrote_at: datetime | None = None

    def plain(self) -> JsonObject:
        """As the JSON interface tells it."""
        return {
            "wa_id": self.wa_id,
            "name": self.name,
            "language": self.language,
            "timezone": self.timezone,
            "hides_number": self.hides_number,
            "blocks": self.blocks,
            "takes_offers": self.takes_offers,
            "user_id": user_id_of(self.wa_id),
            "messages": len(self.spoken),
        }

    def show(self, spoken: Spoken) -> None:
        """Add a message."""
        self.spoken.append(spoken)
        del self.spoken[:-MOST_KEPT]

    def unread(self) -> list[Spoken]:
        """What the business said and nobody has looked at, and takes looking at for read from now on."""
        found = [
            one for one in self.spoken if one.direction == "outbound" and not (one.is_read or one.quiet or one.withheld)
        ]
        for one in found:
            one.is_read = True
        return [one for one in found if one.error is None]

    def tapped(self, word: str) -> JsonObject:
        """The reply made by tapping this id or title on the latest message that offers it.

        Raises:
            NotFoundError: nothing on the phone offers it; the sentence says what is offered last.
        """
        latest: list[str] = []
        for spoken in reversed(self.spoken):
            offers = list(spoken.offers()) if spoken.direction == "outbound" and not spoken.withheld else []
            latest = latest or [str(offer.get("id")) for _, offer in offers]
            for kind, offer in offers:
                if word == offer.get("id") or word.casefold() == str(offer.get("title")).casefold():
                    return {**_reply(kind, offer), "context": {"from": DISPLAY, "id": spoken.id}}
        message = (
            f"Nothing on this phone offers {word[:200]!r} to tap; the latest offer is: {', '.join(latest) or 'none'}."
        )
        raise NotFoundError(message)


def zone_of(wa_id: str) -> str:
    """The time zone of a number's area, if that has one only; else UTC, until the phone is told another."""
    try:
        zones = number_zones.time_zones_for_number(phonenumbers.parse(f"+{wa_id}"))
    except phonenumbers.NumberParseException:
        return "UTC"
    return "UTC" if len(zones) > 1 or number_zones.UNKNOWN_TIMEZONE in zones else zones[0]


def _reply(kind: str, offer: JsonObject) -> JsonObject:
    if kind == "button":
        return {"type": "button", "button": {"payload": offer["id"], "text": offer["title"]}}
    kept = {key: offer[key] for key in ("id", "title", "description") if key in offer}
    return {"type": "interactive", "interactive": {"type": kind, kind: kept}}
