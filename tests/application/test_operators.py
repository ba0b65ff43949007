"""Signing in is for those who know the password, is limited, and ends when it must."""

from datetime import timedelta

import pytest

from tests.application.rooms import Rooms, rooms
from wch.application.operators import Operators, SignInRefusedError, TooManyChangesError, TooManyTriesError
from wch.domain.errors import ConflictError, NotFoundError
from wch.domain.operator import Operator, OperatorRefusedError, Role
from wch.testing import SequentialIds

PASSWORD = "correct horse battery"
HOME = "198.51.100.7"
STAYS = timedelta(hours=12)


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


@pytest.fixture
def operators(hub: Rooms) -> Operators:
    return Operators(
        database=hub.database,
        clock=hub.clock,
        ids=SequentialIds(),
        digests=hub.digests,
        limits=hub.limits,
        stays=STAYS,
    )


@pytest.fixture
async def maria(operators: Operators) -> Operator:
    return await operators.add("maria", Role.ADMIN, PASSWORD, by="cli")


async def actions(hub: Rooms) -> list[str]:
    return [line.action for line in await hub.see(lambda uow: uow.audit.listed())]


async def test_who_knows_the_password_is_let_in(hub: Rooms, operators: Operators, maria: Operator) -> None:
    """The cookie leads back to the person, and both moments are written down."""
    cookie = await operators.sign_in("maria", PASSWORD, address=HOME)

    session = await operators.of_cookie(cookie)
    assert session is not None
    assert (session.operator.name, session.operator.number) == ("maria", maria.number)
    assert session.operator.signed_in_at == hub.clock.now()
    assert await actions(hub) == ["operator.add", "operator.sign_in"]


@pytest.mark.parametrize(("name", "password"), [("maria", "wrong horse battery"), ("nobody", PASSWORD), ("", "")])
@pytest.mark.usefixtures("maria")
async def test_nobody_else_is(hub: Rooms, operators: Operators, name: str, password: str) -> None:
    """A wrong password and an unknown name are refused in the same words; the refusal is written down."""
    with pytest.raises(SignInRefusedError):
        await operators.sign_in(name, password, address=HOME)

    assert (await actions(hub))[-1] == "sign_in.refused"


@pytest.mark.usefixtures("maria")
async def test_the_sixth_try_is_one_too_many(hub: Rooms, operators: Operators) -> None:
    """Whoever guesses is slowed down, even with the right word in the end; another address is, for that account."""
    for _ in range(5):
        with pytest.raises(SignInRefusedError):
            await operators.sign_in("maria", "wrong horse battery", address=HOME)

    with pytest.raises(TooManyTriesError) as refused:
        await operators.sign_in("maria", PASSWORD, address=HOME)
    with pytest.raises(TooManyTriesError):
        await operators.sign_in("maria", PASSWORD, address="203.0.113.9")
    hub.clock.advance(refused.value.retry_after)
    hub.clock.advance(60)
    assert await operators.sign_in("maria", PASSWORD, address=HOME)


@pytest.mark.usefixtures("maria")
async def test_a_cookie_that_was_touched_is_none(operators: Operators) -> None:
    """Name, epoch, moment and signature belong together."""
    cookie = await operators.sign_in("maria", PASSWORD, address=HOME)
    name, epoch, moment, signature = cookie.split("|")

    for touched in (
        "",
        "maria",
        f"vera|{epoch}|{moment}|{signature}",
        f"{name}|2|{moment}|{signature}",
        f"{name}|{epoch}|{int(moment) + 1}|{signature}",
        f"{name}|{epoch}|{moment}|{'0' * 64}",
        f"{name}|{epoch}|{'9' * 40}|{signature}",
        f"{name}|\N{SUPERSCRIPT TWO}|{moment}|{signature}",
    ):
        assert await operators.of_cookie(touched) is None, touched


@pytest.mark.usefixtures("maria")
async def test_a_session_ends_after_its_time(hub: Rooms, operators: Operators) -> None:
    """To the second."""
    cookie = await operators.sign_in("maria", PASSWORD, address=HOME)

    hub.clock.advance(STAYS - timedelta(seconds=1))
    assert await operators.of_cookie(cookie) is not None
    hub.clock.advance(1)
    assert await operators.of_cookie(cookie) is None


@pytest.mark.usefixtures("maria")
async def test_a_new_password_and_being_kept_out_end_it_at_once(operators: Operators) -> None:
    """The other browser is refused at its next request."""
    first = await operators.sign_in("maria", PASSWORD, address=HOME)
    await operators.set_password("maria", "another horse battery", by="cli")
    second = await operators.sign_in("maria", "another horse battery", address=HOME)

    assert await operators.of_cookie(first) is None
    assert await operators.of_cookie(second) is not None
    await operators.disable("maria", by="cli")
    assert await operators.of_cookie(second) is None
    with pytest.raises(SignInRefusedError):
        await operators.sign_in("maria", "another horse battery", address=HOME)


@pytest.mark.usefixtures("maria")
async def test_forms_of_two_sessions_are_not_alike(hub: Rooms, operators: Operators) -> None:
    """What one browser's forms carry is of no use to another."""
    first = await operators.of_cookie(await operators.sign_in("maria", PASSWORD, address=HOME))
    hub.clock.advance(1)
    second = await operators.of_cookie(await operators.sign_in("maria", PASSWORD, address=HOME))

    assert first is not None
    assert second is not None
    assert first.form_token != second.form_token


@pytest.mark.usefixtures("maria")
async def test_a_name_is_given_once_and_a_number_never_again(operators: Operators) -> None:
    """The number stands in threads: it must go on meaning one person."""
    with pytest.raises(ConflictError, match="somebody of this name"):
        await operators.add("maria", Role.VIEWER, PASSWORD, by="cli")
    vera = await operators.add("vera", Role.VIEWER, PASSWORD, by="cli")

    assert vera.number == 2
    assert [one.name for one in await operators.listed()] == ["maria", "vera"]


async def test_bad_words_are_refused(operators: Operators) -> None:
    """Before anything is written."""
    with pytest.raises(OperatorRefusedError):
        await operators.add("maria", Role.ADMIN, "short", by="cli")
    with pytest.raises(OperatorRefusedError):
        await operators.add("Maria Garcia", Role.ADMIN, PASSWORD, by="cli")
    with pytest.raises(NotFoundError):
        await operators.disable("nobody", by="cli")

    assert await operators.listed() == []


async def test_neither_password_nor_hash_of_it_is_in_the_log(hub: Rooms, operators: Operators, maria: Operator) -> None:
    """The audit log says that, not what."""
    await operators.set_password("maria", "another horse battery", by="cli")

    lines = repr(await hub.see(lambda uow: uow.audit.listed()))
    assert "horse" not in lines
    assert maria.secret not in lines


async def test_too_many_changes_are_refused(operators: Operators, maria: Operator) -> None:
    """Thirty a minute are a person's; more are a script's."""
    for _ in range(30):
        await operators.count_change(maria)

    with pytest.raises(TooManyChangesError):
        await operators.count_change(maria)


async def test_leaving_is_noted(hub: Rooms, operators: Operators, maria: Operator) -> None:
    """With name and role."""
    await operators.sign_out(maria)

    (*_, line) = await hub.see(lambda uow: uow.audit.listed())
    assert (line.actor, line.role, line.action) == ("maria", "admin", "sign_out")
