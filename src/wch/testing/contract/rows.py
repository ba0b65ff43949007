"""What holds for a row of every kind: it comes back as it was, needs its lock, and can be taken back."""

from functools import partial
from typing import Any

import attrs
import pytest

from wch.application.ports import Database, UnitOfWork
from wch.domain.errors import NotLockedError, ReadOnlyError
from wch.testing.contract.samples import CHANGED, KINDS, Kind

every_kind = pytest.mark.parametrize("kind", list(KINDS.values()), ids=list(KINDS))
every_changed = pytest.mark.parametrize("kind", [KINDS[name] for name in CHANGED], ids=list(CHANGED))


class _BoomError(Exception):
    """Raised to have a transaction rolled back."""


def _as_full(kind: Kind, row: Any) -> Any:
    """The bare row with everything of the full one that does not name it."""
    names = {"id", "customer_phone", "phone", "campaign_id", "entity_type", "entity_id", "action", "service", "saga_id"}
    fields = [field.name for field in attrs.fields(type(row)) if field.name not in names]
    return attrs.evolve(row, **{name: getattr(kind.full, name) for name in fields})


class TestRows:
    """Each kind of row, written and read."""

    @every_kind
    def test_the_full_sample_leaves_no_column_at_its_default(self, kind: Kind) -> None:
        """Otherwise a column that is never written would pass unnoticed."""
        for field in attrs.fields(type(kind.full)):
            if field.name == "id":
                continue
            value = getattr(kind.full, field.name)
            assert value is not None, field.name
            default = field.default
            made = default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]  # attrs.Factory is a class at run time
            assert value != made or field.name in {"status", "direction", "state"}, field.name

    @every_kind
    @pytest.mark.parametrize("sample", ["full", "bare"])
    async def test_every_field_comes_back_as_it_was(self, database: Database, kind: Kind, sample: str) -> None:
        """What is read is equal to what was written, absent values included."""
        written = await database.transact(lambda uow: kind.add(uow, getattr(kind, sample)))
        found = await database.read(lambda uow: kind.find(uow, written, lock=False))

        assert found == written
        assert attrs.evolve(written, **_id_of(getattr(kind, sample))) == getattr(kind, sample)

    @every_kind
    async def test_a_transaction_that_raises_leaves_nothing(self, database: Database, kind: Kind) -> None:
        """Whatever was added is gone, and what was raised comes out as it is."""
        seen: list[Any] = []

        def work(uow: UnitOfWork) -> None:
            seen.append(kind.add(uow, kind.full))
            raise _BoomError

        with pytest.raises(_BoomError):
            await database.transact(work)

        assert await database.read(lambda uow: kind.find(uow, seen[-1], lock=False)) is None

    @every_changed
    async def test_a_change_is_written_whole(self, database: Database, kind: Kind) -> None:
        """Saving writes every column, also those that were empty."""
        bare = await database.transact(lambda uow: kind.add(uow, kind.bare))
        whole = _as_full(kind, bare)

        await database.transact(partial(_change, kind=kind, found=bare, saved=whole))

        assert await database.read(lambda uow: kind.find(uow, bare, lock=False)) == whole

    @every_changed
    async def test_a_change_that_is_rolled_back_leaves_the_old_row(self, database: Database, kind: Kind) -> None:
        """All of the row, and its place in every list, is as before."""
        bare = await database.transact(lambda uow: kind.add(uow, kind.bare))

        def work(uow: UnitOfWork) -> None:
            kind.find(uow, bare, lock=True)
            _save(uow, kind, _as_full(kind, bare))
            raise _BoomError

        with pytest.raises(_BoomError):
            await database.transact(work)

        assert await database.read(lambda uow: kind.find(uow, bare, lock=False)) == bare

    @every_changed
    async def test_a_transaction_sees_its_own_changes(self, database: Database, kind: Kind) -> None:
        """Reading after writing gives what was written."""

        def work(uow: UnitOfWork) -> tuple[Any, Any]:
            bare = kind.add(uow, kind.bare)
            whole = _as_full(kind, bare)
            _save(uow, kind, whole)
            return whole, kind.find(uow, bare, lock=False)

        written, found = await database.transact(work)

        assert found == written

    @every_changed
    async def test_saving_demands_the_lock(self, database: Database, kind: Kind) -> None:
        """A row that is not held may have been changed by others since it was looked at."""
        bare = await database.transact(lambda uow: kind.add(uow, kind.bare))

        with pytest.raises(NotLockedError):
            await database.transact(partial(_save, kind=kind, row=_as_full(kind, bare)))

        assert await database.read(lambda uow: kind.find(uow, bare, lock=False)) == bare

    @every_changed
    async def test_a_lock_ends_with_its_transaction(self, database: Database, kind: Kind) -> None:
        """A lock of the transaction before is worth nothing."""
        bare = await database.transact(lambda uow: kind.add(uow, kind.bare))
        await database.transact(lambda uow: kind.find(uow, bare, lock=True))

        with pytest.raises(NotLockedError):
            await database.transact(partial(_save, kind=kind, row=bare))

    @every_changed
    async def test_a_lock_is_of_one_row(self, database: Database, kind: Kind) -> None:
        """Holding one row allows nothing about another."""
        bare = await database.transact(lambda uow: kind.add(uow, kind.bare))
        stranger = _renamed(bare)

        with pytest.raises(NotLockedError):
            await database.transact(partial(_change, kind=kind, found=bare, saved=stranger))

    @every_kind
    async def test_nothing_is_added_in_a_read(self, database: Database, kind: Kind) -> None:
        """A read is one snapshot; it never writes."""
        with pytest.raises(ReadOnlyError):
            await database.read(lambda uow: kind.add(uow, kind.bare))

        added = await database.transact(lambda uow: kind.add(uow, kind.full))
        assert await database.read(lambda uow: kind.find(uow, added, lock=False)) == added

    @every_changed
    async def test_nothing_is_locked_in_a_read(self, database: Database, kind: Kind) -> None:
        """A listing must never queue behind a writer."""
        bare = await database.transact(lambda uow: kind.add(uow, kind.bare))

        with pytest.raises(ReadOnlyError):
            await database.read(lambda uow: kind.find(uow, bare, lock=True))

    @every_changed
    async def test_nothing_is_saved_in_a_read(self, database: Database, kind: Kind) -> None:
        """Not even a row as it is."""
        bare = await database.transact(lambda uow: kind.add(uow, kind.bare))

        with pytest.raises(ReadOnlyError):
            await database.read(partial(_save, kind=kind, row=bare))


def _change(uow: UnitOfWork, kind: Kind, found: Any, saved: Any) -> None:
    """Lock one row, save one."""
    kind.find(uow, found, lock=True)
    _save(uow, kind, saved)


def _save(uow: UnitOfWork, kind: Kind, row: Any) -> None:
    assert kind.save is not None
    kind.save(uow, row)


def _id_of(row: Any) -> dict[str, Any]:
    return {"id": row.id} if hasattr(row, "id") else {}


def _renamed(row: Any) -> Any:
    """A row of the same kind that is not there."""
    if hasattr(row, "id"):
        return attrs.evolve(row, id=row.id + 1000)
    name = "service" if hasattr(row, "service") else "saga_id"
    return attrs.evolve(row, **{name: "somebody-else"})
