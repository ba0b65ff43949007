"""The hub says in words what keeps it from its work, and never hangs over the question."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest

from wch.adapters.memory import MemoryDatabase
from wch.application import health
from wch.application.health import STOPPED, Health
from wch.application.ports import Database, UnitOfWork
from wch.domain.errors import SchemaError, StoreUnavailableError

R = TypeVar("R")


async def known() -> None:
    """The tables are the ones this program knows."""


async def other() -> None:
    raise SchemaError


async def hangs() -> None:
    await asyncio.Event().wait()


class Gone(MemoryDatabase):
    """A store that does not answer, or not in time."""

    def __init__(self, *, hanging: bool) -> None:
        super().__init__()
        self.hanging = hanging

    async def read(self, work: Callable[[UnitOfWork], R]) -> R:  # noqa: ARG002 - the port's argument
        if self.hanging:
            await asyncio.Event().wait()
        raise StoreUnavailableError


def asked(
    database: Database | None = None, schema: Callable[[], object] = known, missing: tuple[str, ...] = ()
) -> Health:
    return Health(database=database or MemoryDatabase(), schema=schema, missing=missing)  # type: ignore[arg-type]  # each is a coroutine function


async def test_nothing_wrong_is_said_with_nothing() -> None:
    """No word, no fault."""
    assert await asked().ready() == ()
    assert await asked().ready_for_ingress() == ()


async def test_secrets_that_are_missing_are_said_without_naming_them() -> None:
    """The answer goes to whoever asks: a word, no names, no values."""
    assert await asked(missing=("WCH_APP_SECRET",)).ready() == ("secrets",)


@pytest.mark.parametrize("hanging", [False, True])
async def test_a_database_that_does_not_answer_is_one_word_within_its_time(
    monkeypatch: pytest.MonkeyPatch, *, hanging: bool
) -> None:
    """A question that hangs keeps a broken hub in the balancer's list; the schema can't be asked either."""
    monkeypatch.setattr(health, "ANSWERS_WITHIN", 0.01)
    found = await asked(Gone(hanging=hanging), schema=other, missing=("X",)).ready()

    assert found == ("secrets", "database")


@pytest.mark.parametrize("schema", [other, hangs])
async def test_tables_of_another_version_are_one_word(
    monkeypatch: pytest.MonkeyPatch, schema: Callable[[], object]
) -> None:
    """Nor may this question hang."""
    monkeypatch.setattr(health, "ANSWERS_WITHIN", 0.05)

    assert await asked(schema=schema).ready_for_ingress() == ("schema",)


async def test_a_refused_sign_in_keeps_nobody_from_storing_deliveries() -> None:
    """WhatsApp would drop what is not taken; sending can wait until a person has signed in again."""
    store = MemoryDatabase()
    await store.transact(lambda uow: uow.options.put(STOPPED, {"code": 190}))

    assert await asked(store).ready() == ("sign_in",)
    assert await asked(store).ready_for_ingress() == ()
