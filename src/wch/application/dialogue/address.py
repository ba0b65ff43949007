"""The address step: in free words, as a location, from a form, or one that was used before."""

from collections.abc import Mapping
from typing import Any

import attrs
import phonenumbers

from wch.application.dialogue.delivery import ask_shipping, keep, methods_of, price_words
from wch.application.dialogue.page import Choice, Page
from wch.application.dialogue.paying import ask_payment
from wch.application.dialogue.routes import Place, to
from wch.application.dialogue.steps import keep_checkout
from wch.application.dialogue.turn import Turn
from wch.application.texts import country_of_number, fit
from wch.domain.address import (
    Address,
    AddressFault,
    AddressRefusedError,
    address_from_json,
    address_to_json,
    checked,
    missing,
    standard_postcode,
)
from wch.domain.address_text import parse_address
from wch.domain.conversation import Event, State
from wch.domain.country import country_of
from wch.domain.document import JsonObject
from wch.domain.phone import is_number
from wch.domain.region import has_states, state_of

MOST_SHOWN = 9
SHORTEST = 3
"""Letters and digits without which a text is no address."""


def ask_address(turn: Turn) -> None:
    """Offer the addresses that are known, or ask for one."""
    keep_checkout(turn, draft=None, asking=None)
    known = _known(turn)
    if not known:
        ask_new(turn)
        return
    rows = [
        Choice(
            route=to(Place.SAVED_ADDRESS, number),
            title=address.address_1 or address.one_line(),
            description=address.one_line(),
        )
        for number, address in known[:MOST_SHOWN]
    ]
    turn.show(
        Page(
            body=turn.say("address.choose"),
            sheet=turn.say("list.addresses"),
            choices=(*rows, turn.choice("row.new_address", Place.NEW_ADDRESS)),
            prompt="address",
            lives=turn.policy.step_waits,
        )
    )


def _known(turn: Turn) -> list[tuple[int, Address]]:
    """The saved addresses by number, the latest first."""
    known = () if turn.profile.new_owner_since else turn.profile.saved_addresses
    saved = [one for one in known if isinstance(one.get("id"), int) and one["id"] > 0]
    return [(one["id"], address_from_json(one)) for one in reversed(saved)]


def ask_new(turn: Turn) -> None:
    """Ask for an address in the customer's own words."""
    keep_checkout(turn, draft=None, asking=None)
    turn.show(Page(body=turn.say("address.ask"), prompt="address", lives=turn.policy.step_waits, numbered=False))


async def use_saved(turn: Turn, number: int) -> None:
    """Take an address that was used before, if it still may be."""
    address = dict(_known(turn)).get(number)
    if address is None:
        ask_new(turn)
        return
    if await _refused(turn, address):
        return
    await _accept(turn, checked(_completed(turn, address)))


async def take_text(turn: Turn, text: str) -> bool:
    """Read an address, or the part of one that was asked for; False when there is none in it."""
    asking = turn.checkout.get("asking")
    draft = turn.checkout.get("draft")
    if isinstance(asking, str) and isinstance(draft, Mapping) and not _is_whole(turn, text):
        await _go_on(turn, _filled(address_from_json(draft), asking, text))
        return True
    read = parse_address(text, _default_country(turn)).address
    if sum(sign.isalnum() for sign in read.address_1) < SHORTEST and not read.city:
        return False
    await _go_on(turn, read)
    return True


def _is_whole(turn: Turn, text: str) -> bool:
    """Whether somebody who was asked for a part gave the whole address anew."""
    return "\n" in text.strip() and parse_address(text, _default_country(turn)).is_complete


def _filled(address: Address, field: str, text: str) -> Address:
    """The address with the part that was asked for."""
    if field == "name":
        return address.named(text[:100])
    value = text.strip()
    if field == "country":
        value = country_of(value) or value
    if field == "state":
        value = state_of(address.country, value) or ""
    part: dict[str, Any] = {field: value}
    return attrs.evolve(address, **part)


async def take_location(turn: Turn, content: JsonObject) -> None:
    """A place on the map: its words as an address, its coordinates kept."""
    words = content.get("address") or content.get("name") or ""
    read = parse_address(str(words), _default_country(turn)).address
    latitude, longitude = content.get("latitude"), content.get("longitude")
    located = attrs.evolve(
        read,
        latitude=None if latitude is None else float(str(latitude)),
        longitude=None if longitude is None else float(str(longitude)),
    )
    await _go_on(turn, located)


async def take_form(turn: Turn, data: JsonObject) -> None:
    """The answer of WhatsApp's own address form."""
    values = data.get("values")
    told: Mapping[str, Any] = values if isinstance(values, Mapping) else data
    house = [
        str(told[name]) for name in ("house_number", "floor_number", "tower_number", "building_name") if told.get(name)
    ]
    more = [str(told[name]) for name in ("landmark_area",) if told.get(name)]
    address = Address(
        address_1=", ".join([*house, str(told.get("address") or "")]).strip(", "),
        address_2=", ".join(more),
        city=str(told.get("city") or ""),
        state=str(told.get("state") or ""),
        postcode=str(told.get("in_pin_code") or told.get("sg_post_code") or told.get("postcode") or ""),
        country=str(told.get("country") or _default_country(turn)),
        phone=str(told.get("phone_number") or ""),
    )
    await _go_on(turn, address.named(str(told.get("name") or "")))


async def _go_on(turn: Turn, address: Address) -> None:
    """Ask for what is still missing or cannot be taken; show what is complete."""
    address = _completed(turn, address)
    if address.postcode and standard_postcode(address.country, address.postcode) is None:
        wrong = address.postcode
        _ask_part(
            turn,
            attrs.evolve(address, postcode=""),
            "postcode",
            turn.say("address.wrong.postcode", value=fit(wrong, 40)),
        )
        return
    if has_states(address.country) and address.state:
        address = attrs.evolve(address, state=state_of(address.country, address.state) or "")
    absent = missing(address)
    if absent:
        _ask_part(turn, address, absent[0], turn.say(f"address.ask.{absent[0]}"))
        return
    if await _refused(turn, address):
        return
    _show(turn, checked(address))


def _ask_part(turn: Turn, address: Address, field: str, question: str) -> None:
    keep_checkout(turn, draft=address_to_json(address), asking=field)
    turn.show(Page(body=question, prompt="address", lives=turn.policy.step_waits, numbered=False))


def _completed(turn: Turn, address: Address) -> Address:
    """With the name and the number that are known."""
    if not address.name and turn.profile.name:
        address = address.named(turn.profile.name[:100])
    phone = _phone(address.phone, address.country)
    if phone is None and is_number(turn.profile.phone):
        phone = f"+{turn.profile.phone}"
    return attrs.evolve(address, phone=phone or "", country=address.country or _default_country(turn))


def _phone(written: str, country: str) -> str | None:
    """A possible number in its international form; None when it is none."""
    if not written:
        return None
    try:
        number = phonenumbers.parse(written, country or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


async def _refused(turn: Turn, address: Address) -> bool:
    """Whether the address cannot be taken; then it is said why, and asked again."""
    served = (await turn.shop.about()).sells_to
    try:
        checked(_completed(turn, address), served=served or None)
    except AddressRefusedError as refusal:
        _say_why(turn, _completed(turn, address), refusal)
        return True
    return False


def _say_why(turn: Turn, address: Address, refusal: AddressRefusedError) -> None:
    if refusal.code is AddressFault.INCOMPLETE:
        field = refusal.fields[0]
        _ask_part(turn, address, field, turn.say(f"address.ask.{field}"))
    elif refusal.code is AddressFault.POSTCODE:
        question = turn.say("address.wrong.postcode", value=fit(address.postcode, 40))
        _ask_part(turn, attrs.evolve(address, postcode=""), "postcode", question)
    elif refusal.code is AddressFault.COUNTRY:
        turn.tell("address.wrong.country", country=turn.texts.country(address.country))
        ask_new(turn)
    else:
        turn.tell("address.wrong.too_long")
        ask_new(turn)


def _show(turn: Turn, address: Address) -> None:
    """Show what was understood; it must be accepted."""
    keep_checkout(turn, draft=address_to_json(address), asking=None)
    turn.show(
        Page(
            body=turn.say("address.confirm", address=_in_lines(turn, address)),
            choices=(
                turn.choice("button.use_address", Place.USE_ADDRESS),
                turn.choice("button.new_address", Place.NEW_ADDRESS),
                turn.choice("button.cancel", Place.CANCEL_CHECKOUT),
            ),
            prompt="address",
            lives=turn.policy.step_waits,
        )
    )


def repeat(turn: Turn) -> None:
    """Ask again for what was asked for: the part that is missing, or whether it is right."""
    draft = turn.checkout.get("draft")
    asking = turn.checkout.get("asking")
    if not isinstance(draft, Mapping):
        ask_address(turn)
    elif isinstance(asking, str):
        _ask_part(turn, address_from_json(draft), asking, turn.say(f"address.ask.{asking}"))
    else:
        _show(turn, address_from_json(draft))


def _in_lines(turn: Turn, address: Address) -> str:
    town = " ".join(part for part in (address.city, address.state, address.postcode) if part)
    lines = (
        address.name,
        address.address_1,
        address.address_2,
        town,
        turn.texts.country(address.country),
        address.phone,
    )
    return "\n".join(line for line in lines if line)


async def use_shown(turn: Turn) -> None:
    """The address that is shown is right."""
    draft = turn.checkout.get("draft")
    if not isinstance(draft, Mapping):
        ask_address(turn)
        return
    address = address_from_json(draft)
    if await _refused(turn, address):
        return
    await _accept(turn, checked(address))


async def _accept(turn: Turn, address: Address) -> None:
    """Keep it in the cart, the profile and the checkout, and go on to how it is brought."""
    stored = address_to_json(address)
    keep_checkout(turn, address=stored, draft=None, asking=None)
    methods = await methods_of(turn)
    if not methods:
        keep_checkout(turn, address=None)
        turn.tell("address.not_deliverable")
        ask_new(turn)
        return
    turn.cart = turn.basket().shipped_to(stored, now=turn.now)
    turn.profile = turn.profile.living_at(stored, now=turn.now)
    if len(methods) > 1:
        turn.move(Event.ADDRESS_SET, State.CHECKOUT_SHIPPING)
        await ask_shipping(turn, methods)
        return
    keep(turn, methods[0])
    turn.move(Event.ADDRESS_SET, State.CHECKOUT_PAYMENT)
    turn.tell("shipping.set", title=methods[0].title, price=price_words(turn, methods[0].price))
    await ask_payment(turn)


def _default_country(turn: Turn) -> str:
    return country_of_number(turn.profile.phone) or turn.policy.country
