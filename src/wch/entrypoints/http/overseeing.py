"""Several processes on one listening socket: started one after the first, watched, ended together."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable

import attrs

from wch.domain.errors import WchError

log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""How long the place of a dead process stays empty, so that a fault at start does not spin."""

_HEARD = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}

Serving = Callable[[Callable[[], None], int], int]
"""Serves in a child: takes what to call once it answers, and a file that ends with the overseer."""


@attrs.define(kw_only=True)
class _Children:
    serving: Serving
    life_line: tuple[int, int]
    living: set[int] = attrs.field(factory=set)

    def start(self) -> bool:
        """Start one process and wait until it answers; whether it does."""
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os._exit(self._in_child(told, tell))
        os.close(tell)
        self.living.add(child)
        with os.fdopen(told, "rb") as ready:
            return ready.read(1) == b"1"

    def _in_child(self, told: int, tell: int) -> int:
        """Serve; a child never comes back into the overseer's code."""
        os.close(told)
        os.close(self.life_line[1])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)

        def ready() -> None:
            os.write(tell, b"1")
            os.close(tell)

        try:
            return self.serving(ready, self.life_line[0])
        except WchError as refusal:
            sys.stderr.write(f"wch: {refusal}\n")
            sys.stderr.flush()
            return 1
        except BaseException:
            log.exception("a process could not serve")
            return 1

    def reap(self) -> int:
        """Forget those that ended; how many."""
        ended = 0
        for child in tuple(self.living):
            if os.waitpid(child, os.WNOHANG)[0] == child:
                self.living.discard(child)
                ended += 1
        return ended

    def tell(self, word: signal.Signals) -> None:
        """Send a signal to all."""
        for child in self.living:
            os.kill(child, word)


def oversee(serving: Serving, *, processes: int, announce: Callable[[], None]) -> int:
    """Keep so many processes serving until SIGTERM or SIGINT; the exit code.

    The first one is alone until it answers, so that the tables are made by one. Were this
    process killed, the others would see its end of the life line close, and stop.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    life_line = os.pipe()
    children = _Children(serving=serving, life_line=life_line)
    try:
        if not all(children.start() for _ in range(processes)):
            return 1
        announce()
        return _watch(children)
    finally:
        children.tell(signal.SIGTERM)
        for child in children.living:
            os.waitpid(child, 0)
        for end in life_line:
            os.close(end)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch(children: _Children) -> int:
    while True:
        if signal.sigwait(_HEARD) != signal.SIGCHLD:
            return 0
        for _ in range(children.reap()):
            log.error("a serving process ended by itself; another one is started")
            time.sleep(PAUSE_SECONDS)
            if not children.start():
                log.error("the process in its place could not be started")
