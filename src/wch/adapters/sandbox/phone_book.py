"""The phones that there are, found by number or user id; people set theirs up, and take other numbers."""

import re
from collections.abc import Iterator
from typing import Any

import attrs

from wch.adapters.sandbox.deliveries import user_id_of
from wch.adapters.sandbox.phones import Phone
from wch.adapters.sandbox.sayings import SayingRefusedError
from wch.domain.document import JsonObject
from wch.domain.errors import ConflictError
from wch.domain.moment import is_zone

NAME_LENGTH = 80
LANGUAGE_LENGTH = 12

_WA_ID = re.compile(r"[0-9]{5,20}\Z")


class NumberTakenError(ConflictError):
    """This number is this customer's already, or another phone's: change to one that nobody has here."""


class ZoneUnknownError(SayingRefusedError):
    """A time zone is a name such as Europe/Madrid or America/Sao_Paulo."""


@attrs.define
class PhoneBook:
    """Every phone of the sandbox."""

    _phones: dict[str, Phone] = attrs.field(factory=dict, init=False)
    _by_user_id: dict[str, str] = attrs.field(factory=dict, init=False)
    _left: set[str] = attrs.field(factory=set, init=False)

    def __iter__(self) -> Iterator[Phone]:
        return iter(self._phones.values())

    def find(self, wa_id: str) -> Phone | None:
        """The phone of this number, if there is one."""
        return self._phones.get(wa_id)

    def of(self, wa_id: str) -> Phone:
        """The phone of this number, made now if nobody had it.

        Raises:
            SayingRefusedError: this is no number.
        """
        phone = self._phones.get(wa_id)
        if phone is None:
            phone = Phone(wa_id=_number(wa_id), name=f"Customer {wa_id[-4:]}")
            self._put(phone)
        return phone

    def addressee(self, body: JsonObject) -> Phone:
        """Whose phone a send is for; at a number that was left there is nobody, until somebody writes from it."""
        to = str(body.get("to") or "").removeprefix("+")
        recipient = str(body.get("recipient"))
        wa_id = to or self._by_user_id.get(recipient)
        if wa_id is None:
            wa_id = str(int.from_bytes(recipient.encode(), "big") % 10**15 + 10**15)
        if wa_id in self._left or recipient in self._left:
            return Phone(wa_id=wa_id, name="", has_whatsapp=False)
        return self.of(wa_id)

    def set_up(self, wa_id: str, wishes: JsonObject) -> Phone:
        """Give a phone a name, a language, a zone, or hide its number; what is not named stays.

        Raises:
            ZoneUnknownError: there is no such zone.
        """
        zone = wishes.get("timezone")
        if isinstance(zone, str) and not is_zone(zone):
            raise ZoneUnknownError
        phone = self.of(wa_id)
        told: dict[str, Any] = {key: value for key, value in wishes.items() if value not in (None, "")}
        phone.name = str(told.get("name", phone.name))[:NAME_LENGTH]
        phone.language = str(told.get("language", phone.language))[:LANGUAGE_LENGTH]
        phone.timezone = str(told.get("timezone", phone.timezone))
        phone.hides_number = bool(told.get("hides_number", phone.hides_number))
        phone.blocks = bool(told.get("blocks", phone.blocks))
        return phone

    def renumber(self, wa_id: str, new: str) -> Phone:
        """Give a phone another number, and with it another user id, as WhatsApp does.

        Raises:
            NumberTakenError: it is somebody's, perhaps this customer's own.
            SayingRefusedError: this is no number.
        """
        phone = self.of(wa_id)
        if _number(new) in self._phones:
            raise NumberTakenError
        del self._phones[wa_id]
        self._by_user_id.pop(user_id_of(wa_id), None)
        self._left |= {wa_id, user_id_of(wa_id)}
        phone.wa_id = new
        self._put(phone)
        return phone

    def tell_read(self, message_id: str) -> None:
        """The hub says that it has read this message, and so all before it."""
        for phone in self:
            said = [spoken for spoken in phone.spoken if spoken.direction == "inbound"]
            at = next((at for at, spoken in enumerate(said) if spoken.id == message_id), None)
            if at is None:
                continue
            for spoken in said[: at + 1]:
                if not spoken.is_read:
                    spoken.is_read = True
                    spoken.statuses.append("read")
            return

    def clear(self) -> None:
        """Forget everybody."""
        self._phones.clear()
        self._by_user_id.clear()
        self._left.clear()

    def _put(self, phone: Phone) -> None:
        self._phones[phone.wa_id] = phone
        self._by_user_id[user_id_of(phone.wa_id)] = phone.wa_id
        self._left -= {phone.wa_id, user_id_of(phone.wa_id)}


def _number(text: str) -> str:
    if not _WA_ID.match(text):
        message = "A customer is named by 5 to 20 digits."
        raise SayingRefusedError(message)
    return text
