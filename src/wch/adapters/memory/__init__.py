"""The store in memory: the same rules as the tables, for tests and for hosts that keep nothing."""

from wch.adapters.memory.database import MemoryDatabase
from wch.adapters.memory.media import MemoryMediaStore

__all__ = ["MemoryDatabase", "MemoryMediaStore"]
