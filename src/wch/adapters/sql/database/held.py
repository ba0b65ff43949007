"""The connection of the thread that writes to a file: taken from the pool once, not for each transaction."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine

R = TypeVar("R")


class Held:
    """One connection of an engine, kept between transactions while all goes well.

    To take it from the pool and give it back costs as much as a short transaction. After an error it goes
    back, and the next transaction begins as with a new one.

    Attributes:
        keeps: whether it does; what is a host's goes back each time, since the host may dispose of it.
        is_idle: whether one is kept, and nothing runs on it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self.keeps = True
        self.is_idle = False

    def run(self, work: Callable[[Connection], R]) -> R:
        """What the work returns or raises; one at a time, and it leaves no transaction open."""
        connection = self._connection or self._engine.connect()
        self._connection, self.is_idle = None, False
        try:
            result = work(connection)
        except BaseException:
            connection.close()
            raise
        if self.keeps and not connection.in_transaction() and not connection.invalidated:
            self._connection, self.is_idle = connection, True
        else:
            # Where SQLAlchemy has begun one of its own, the next would not be as on a new connection.
            connection.close()
        return result

    def give_back(self) -> None:
        """Keep none."""
        connection, self._connection, self.is_idle = self._connection, None, False
        if connection is not None:
            connection.close()


__all__ = ["Held"]
