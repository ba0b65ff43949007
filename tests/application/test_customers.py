"""Customers are found by any spelling of their number, and what is changed for them leaves evidence."""

import pytest

from wch.adapters.memory import MemoryDatabase
from wch.application.customers import Customers
from wch.domain.customer import CustomerProfile
from wch.domain.errors import NotFoundError
from wch.testing import FrozenClock

ANNA = "16505551234"
MEXICAN = ("5215512345678", "525512345678")


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def customers(request: pytest.FixtureRequest) -> Customers:
    return Customers(database=MemoryDatabase(twice=request.param), clock=FrozenClock())


async def met(customers: Customers, *phones: str) -> None:
    for phone in phones:
        await customers.database.transact(lambda uow, phone=phone: uow.customers.lock(phone, now=customers.clock.now()))  # type: ignore[misc]  # bound early


@pytest.mark.parametrize("text", [ANNA, "+1 (650) 555-1234", "001 650 555 1234"])
async def test_a_customer_is_found_by_any_spelling(customers: Customers, text: str) -> None:
    """A person reads the number from a letter, a phone or a screen."""
    await met(customers, ANNA)

    assert (await customers.show(text)).phone == ANNA


async def test_numbers_that_may_be_the_same_person_are_found_by_each_other(customers: Customers) -> None:
    """Mexico's mobile numbers come with and without their 1."""
    await met(customers, MEXICAN[0])

    assert (await customers.show(MEXICAN[1])).phone == MEXICAN[0]


async def test_a_number_that_may_mean_two_is_not_guessed_at(customers: Customers) -> None:
    """The exact form comes first in the list; asked for one, nobody is picked."""
    await met(customers, *MEXICAN)

    assert [one.phone for one in await customers.found(MEXICAN[1])] == [MEXICAN[1], MEXICAN[0]]
    with pytest.raises(NotFoundError) as error:
        await customers.show(MEXICAN[1])
    assert error.value.facts["matches"] == 2


@pytest.mark.parametrize("text", ["49123456789", "nobody", ""])
async def test_nobody_is_said_to_be_nobody(customers: Customers, text: str) -> None:
    """Without digits there is nothing to spell in another way."""
    with pytest.raises(NotFoundError) as error:
        await customers.show(text)
    assert error.value.facts["matches"] == 0


async def test_a_key_without_number_is_taken_letter_for_letter(customers: Customers) -> None:
    """Its digits are no telephone number."""
    await met(customers, "u16505551234", ANNA)

    assert (await customers.show("u16505551234")).phone == "u16505551234"


async def test_customers_are_listed_in_pages(customers: Customers) -> None:
    """By id, after the last one seen."""
    await met(customers, ANNA, *MEXICAN)
    first = await customers.listed(limit=2)

    assert [one.phone for one in (*first, *await customers.listed(after=first[-1].id))] == [ANNA, *MEXICAN]


async def test_tags_are_added_once_and_taken_away(customers: Customers) -> None:
    """Each change has its line; a tag that is there already stays one."""
    await met(customers, ANNA)
    await customers.tag(ANNA, add=("vip", "vip"), by="ana")
    await customers.tag("+1 650 555 1234", add=("wholesale",), remove=("vip", "never"), by="ben")

    assert tuple((await customers.show(ANNA)).tags) == ("wholesale",)
    lines = await customers.database.read(lambda uow: uow.audit.listed())
    assert [(line.actor, line.action) for line in lines] == [("ana", "customer.tag"), ("ben", "customer.tag")]
    assert ANNA not in str(lines)


@pytest.mark.parametrize(
    ("purpose", "to", "expected"),
    [("marketing", "out", (False, False)), ("all", "out", (False, True)), ("marketing", "in", (True, False))],
)
async def test_consent_that_is_set_for_a_customer_keeps_its_evidence(
    customers: Customers, purpose: str, to: str, expected: tuple[bool, bool]
) -> None:
    """Who wrote down what the customer said, where, and when: asked for years later."""
    await met(customers, ANNA)
    decided = await customers.consent(ANNA, purpose=purpose, to=to, reason="on the phone", by="ana")

    profile: CustomerProfile = await customers.show(ANNA)
    assert profile == decided
    assert (profile.opt_in_marketing, profile.notification_opt_out) == expected
    evidence = profile.preferences["consent"]["log"][-1]
    assert {name: evidence[name] for name in ("source", "purpose", "to", "words", "by")} == {
        "source": "console",
        "purpose": purpose,
        "to": to,
        "words": "on the phone",
        "by": "ana",
    }
    (line,) = await customers.database.read(lambda uow: uow.audit.listed())
    assert (line.action, line.reason, line.object) == ("customer.consent", "on the phone", f"customer:{profile.id}")
