"""API keys: made, asked, counted, revoked."""

import json
from datetime import timedelta

import pytest

from tests.application.rooms import Rooms, rooms
from wch.application.digests import Digests
from wch.application.keys import KeyRefusedError, Keys
from wch.domain.api_key import KeyScope, UnknownScopeError, prefix_of
from wch.domain.errors import NotFoundError, SettingsError
from wch.testing import SequentialIds


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


def keys_of(hub: Rooms, *secrets: str) -> Keys:
    return Keys(
        database=hub.database,
        clock=hub.clock,
        ids=SequentialIds(),
        digests=Digests(keys=secrets),
        limits=hub.limits,
    )


@pytest.fixture
def keys(hub: Rooms) -> Keys:
    return keys_of(hub, "a-secret")


async def test_a_key_opens_what_it_was_made_for(keys: Keys) -> None:
    """What comes back names the key, its scopes and how many calls are left."""
    made = await keys.create(["read", "carts"], by="cli")

    entry = await keys.admit(made.text)

    assert entry.key.scopes == (KeyScope.READ, KeyScope.CARTS)
    assert entry.key.prefix == prefix_of(made.text)
    assert (entry.admission.admitted, entry.admission.remaining) == (True, entry.rule.most - 1)


async def test_the_store_gives_no_key_away(hub: Rooms, keys: Keys) -> None:
    """Whoever reads the database finds neither key nor secret, in the options or in the audit log."""
    made = await keys.create(["read"], by="cli")
    secret = made.text.rpartition("_")[2]

    options = await hub.see(lambda uow: uow.options.named("key."))
    lines = await hub.see(lambda uow: uow.audit.listed())

    assert secret not in json.dumps([dict(told) for _, told in options]) + repr(lines)
    assert secret not in repr(made)


@pytest.mark.parametrize(
    "change",
    [lambda text: text[:-1] + "x", lambda text: text.upper(), lambda text: text + "0", lambda _: "", lambda _: "x"],
)
async def test_what_is_not_the_key_opens_nothing(keys: Keys, change: object) -> None:
    """One letter off is as far off as nothing at all."""
    made = await keys.create(["read"], by="cli")

    with pytest.raises(KeyRefusedError):
        await keys.admit(change(made.text))  # type: ignore[operator] # a function of the list above


async def test_another_secret_behind_a_known_prefix_opens_nothing(keys: Keys) -> None:
    """The prefix is shown in lists and logs; alone it is worth nothing."""
    made = await keys.create(["read"], by="cli")

    with pytest.raises(KeyRefusedError):
        await keys.admit(made.text[:-40] + "0" * 40)


async def test_a_revoked_key_opens_nothing_at_once(hub: Rooms, keys: Keys) -> None:
    """Revoking twice keeps the first moment; both are written down."""
    made = await keys.create(["read"], by="cli")
    await keys.admit(made.text)
    revoked = await keys.revoke(made.key.prefix, by="boss")
    hub.clock.advance(timedelta(minutes=1))

    again = await keys.revoke(made.key.prefix, by="boss")

    assert again.revoked_at == revoked.revoked_at is not None
    with pytest.raises(KeyRefusedError):
        await keys.admit(made.text)
    actions = [line.action for line in await hub.see(lambda uow: uow.audit.listed(actor="boss"))]
    assert actions == ["key.revoke", "key.revoke"]


async def test_a_key_ends_by_itself(hub: Rooms, keys: Keys) -> None:
    """To the second."""
    made = await keys.create(["read"], lives=timedelta(hours=1), by="cli")
    hub.clock.advance(timedelta(seconds=3599))
    await keys.admit(made.text)

    hub.clock.advance(timedelta(seconds=1))

    with pytest.raises(KeyRefusedError):
        await keys.admit(made.text)


async def test_calls_beyond_the_limit_are_not_admitted(keys: Keys) -> None:
    """Each key has a limit of its own, and hears how long to wait."""
    first, second = await keys.create(["read"], by="cli"), await keys.create(["read"], by="cli")
    most = keys.limits.rule("api").most

    entries = [await keys.admit(first.text) for _ in range(most + 1)]

    assert [entry.admission.admitted for entry in entries] == [True] * most + [False]
    assert entries[-1].admission.retry_after > timedelta(0)
    assert (await keys.admit(second.text)).admission.admitted


async def test_its_latest_hour_is_noted_and_a_revocation_is_not_undone_by_it(hub: Rooms, keys: Keys) -> None:
    """Noting the use writes the whole key, so it must write the key as it is by then."""
    made = await keys.create(["read"], by="cli")
    await keys.admit(made.text)
    hub.clock.advance(timedelta(hours=2))
    await keys.admit(made.text)
    await keys.revoke(made.key.prefix, by="boss")

    (listed,) = await keys.listed()

    assert listed.used_at == hub.clock.now().replace(minute=0, second=0)
    assert listed.revoked_at == hub.clock.now()


async def test_keys_outlive_a_change_of_the_secret_key(hub: Rooms) -> None:
    """While both are listed the old one still opens; once it is gone, it does not."""
    made = await keys_of(hub, "old").create(["read"], by="cli")

    assert (await keys_of(hub, "new", "old").admit(made.text)).key.prefix == made.key.prefix
    with pytest.raises(KeyRefusedError):
        await keys_of(hub, "new").admit(made.text)


async def test_without_a_secret_key_none_is_made(hub: Rooms) -> None:
    """A key that could not be hidden is not kept."""
    with pytest.raises(SettingsError):
        await keys_of(hub).create(["read"], by="cli")


async def test_wrong_scopes_and_unknown_prefixes_are_refused(keys: Keys) -> None:
    """Nothing is written for them."""
    with pytest.raises(UnknownScopeError):
        await keys.create(["everything"], by="cli")
    with pytest.raises(NotFoundError):
        await keys.revoke("0" * 12, by="cli")

    assert await keys.listed() == []


async def test_a_refused_scope_is_written_down(hub: Rooms, keys: Keys) -> None:
    """Who tries doors leaves a line."""
    made = await keys.create(["read"], by="cli")

    await keys.refuse(made.key, KeyScope.SETTINGS, what="reset")

    (line,) = await hub.see(lambda uow: uow.audit.listed(action="key.refused"))
    assert (line.actor, line.object, line.reason) == (f"key:{made.key.prefix}", "scope:settings", "reset")


async def test_keys_are_listed_page_by_page(keys: Keys) -> None:
    """By prefix."""
    made = sorted([(await keys.create(["read"], by="cli")).key.prefix for _ in range(3)])

    first = await keys.listed(limit=2)
    rest = await keys.listed(after=first[-1].prefix, limit=2)

    assert [key.prefix for key in (*first, *rest)] == made
