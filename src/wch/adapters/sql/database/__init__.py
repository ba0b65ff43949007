"""The database: a transaction is a plain function, run whole, redone when the engine asks for it."""

from wch.adapters.sql.database.transactions import SqlDatabase

__all__ = ["SqlDatabase"]
