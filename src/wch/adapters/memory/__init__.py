"""The store in memory: the same rules as the tables, for tests and for hosts that keep nothing."""

from wch.adapters.memory.database import MemoryDatabase

__all__ = ["MemoryDatabase"]
