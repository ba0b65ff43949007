"""Customers are found by any spelling of their number, and what is changed for them leaves evidence."""

from collections.abc import AsyncIterator

import pytest

from wch.adapters.memory import MemoryDatabase
from wch.application.customers import Customers
from wch.application.ports import UnitOfWork
from wch.domain.customer import CustomerProfile
from wch.domain.errors import NotFoundError, StoreMisusedError
from wch.domain.order_figures import Counting
from wch.testing import NOON, FrozenClock
from wch.testing.scripted_shop import ScriptedShop

ANNA = "16505551234"
MEXICAN = ("5215512345678", "525512345678")


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def customers(request: pytest.FixtureRequest) -> AsyncIterator[Customers]:
    clock = FrozenClock()
    shop = await ScriptedShop.selling(clock=clock)
    yield Customers(
        country="ES",
        counting=Counting(home="EUR"),
        database=MemoryDatabase(twice=request.param),
        clock=clock,
        shop=shop,
    )
    await shop.aclose()


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


@pytest.mark.parametrize("written", ["+34 612 34 56 78", "0034612345678", "612345678", "34612345678", "612 34 56 78"])
async def test_a_number_is_found_in_every_spelling(customers: Customers, written: str) -> None:
    """With its country, or without in the shop's own."""
    await met(customers, "34612345678")

    (found,) = await customers.found(written)

    assert found.phone == "34612345678"


async def test_two_that_answer_are_both_told(customers: Customers) -> None:
    """A pick would be wrong half the time."""
    await met(customers, *MEXICAN)

    assert {one.phone for one in await customers.found(MEXICAN[0])} == set(MEXICAN)


async def test_a_key_that_was_merged_leads_to_who_was_kept(customers: Customers) -> None:
    """Its own customer is gone; the alias stays."""
    await met(customers, ANNA)
    await customers.database.transact(lambda uow: uow.options.put("customer.alias.34600", {"v": 1, "to": ANNA}))

    (found,) = await customers.found("+34600")

    assert found.phone == ANNA


async def test_a_tag_that_is_no_tag_changes_nothing(customers: Customers) -> None:
    """Not even the good ones beside it."""
    await met(customers, ANNA)

    with pytest.raises(StoreMisusedError, match="1 to 50 characters"):
        await customers.tag(ANNA, add=("good", "x" * 51), by="ana")

    assert (await customers.show(ANNA)).tags == ()


async def test_a_note_and_a_block_are_written_down(customers: Customers) -> None:
    """Names of the acts, never their words, in the audit log."""
    await met(customers, ANNA)
    await customers.note(ANNA, "prefers mornings", by="ana")
    blocked = await customers.block(ANNA, "abuse", by="ana")
    free = await customers.block(ANNA, None, by="ben")

    assert blocked.is_blocked
    assert not free.is_blocked
    assert free.preferences["notes"][0]["text"] == "prefers mornings"
    lines = await customers.database.read(lambda uow: uow.audit.listed())
    assert [line.action for line in lines] == ["customer.note", "customer.block", "customer.unblock"]
    assert "mornings" not in str(lines)


async def test_the_oldest_address_follows_the_default(customers: Customers) -> None:
    """A customer with addresses has a default one."""
    await met(customers, ANNA)

    def live(uow: UnitOfWork) -> None:
        profile = uow.customers.lock(ANNA, now=NOON)
        for place in range(3):
            profile = profile.living_at({"address_1": f"Street {place}", "country": "ES"}, now=NOON)
        uow.customers.save(profile)

    await customers.database.transact(live)

    left = await customers.forget_address(ANNA, 1, by="ana")

    assert [(one["id"], one["is_default"]) for one in left.saved_addresses] == [(2, True), (3, False)]
