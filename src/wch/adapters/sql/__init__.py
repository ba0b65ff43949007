"""The tables: SQLAlchemy Core, one code for SQLite and for MySQL and MariaDB."""

from wch.adapters.sql.database import SqlDatabase

__all__ = ["SqlDatabase"]
