"""Every adapter is the port it stands for: the type checkers read these assignments, a run only imports them."""

from datetime import UTC, datetime

from wch.adapters.clock import ShiftedClock, SystemClock
from wch.adapters.ids import SystemIds
from wch.adapters.memory import MemoryDatabase
from wch.adapters.memory.database import MemoryUnitOfWork
from wch.adapters.memory.rows import Journal
from wch.adapters.memory.tables import Tables
from wch.adapters.sql.database import SqlDatabase
from wch.application.ports import Clock, Database, Ids, UnitOfWork, WhatsApp
from wch.testing import FrozenClock, RecordingWhatsApp, SeededIds, SequentialIds

memory: Database = MemoryDatabase()
unit: UnitOfWork = MemoryUnitOfWork(Tables(), Journal(read_only=True))
clocks: tuple[Clock, ...] = (SystemClock(), ShiftedClock(SystemClock()), FrozenClock())
chance: tuple[Ids, ...] = (SystemIds(), SequentialIds(), SeededIds("seed"))
whatsapp: WhatsApp = RecordingWhatsApp()


def of_sql(database: SqlDatabase) -> Database:
    """A database of tables is a database."""
    return database


def test_clocks_tell_whole_seconds_in_utc() -> None:
    """Every one of them, and none goes back."""
    for clock in clocks:
        first, second = clock.now(), clock.now()
        assert isinstance(first, datetime)
        assert (first.tzinfo, first.microsecond) == (UTC, 0)
        assert first <= second
        assert 0 <= clock.fraction() < 1
        assert clock.boot() >= 0


def test_chance_gives_words_and_numbers_of_the_promised_shape() -> None:
    """32 hex digits, and a positive number that JSON's readers keep exactly."""
    for ids in chance:
        words = {ids.token() for _ in range(100)}
        assert len(words) == 100
        assert all(len(word) == 32 and int(word, 16) >= 0 for word in words)
        assert all(0 < ids.number() < 2**53 for _ in range(100))
