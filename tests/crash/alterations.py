"""What is spoilt in a process before it begins: a message that kills its worker, a host whose clock is wrong."""

import os
import signal
from datetime import timedelta
from typing import Any

import attrs

POISON = "poison"


def poisoned() -> None:
    """A message that says so kills whoever thinks about it, as running out of memory does."""
    from wch.application.dialogue.routing import Dialogue  # noqa: PLC0415 - in the child only

    answer = Dialogue.answer

    async def fatal(dialogue: Any, scene: Any) -> Any:
        if any(POISON in str(message.content) for message in scene.messages):
            os.kill(os.getpid(), signal.SIGKILL)
        return await answer(dialogue, scene)

    setattr(Dialogue, "answer", fatal)  # noqa: B010 - that is the alteration


def clock_off(seconds: str) -> None:
    """The host's clock is so many seconds ahead of what it should be."""
    from wch.adapters.clock import SystemClock  # noqa: PLC0415 - in the child only

    right = SystemClock.seconds

    def wrong(clock: SystemClock) -> float:
        return right(clock) + int(seconds)

    setattr(SystemClock, "seconds", wrong)  # noqa: B010 - that is the alteration


def probe_lease(seconds: str) -> None:
    """A probe that says nothing is given up after so many seconds instead of 60: a test does not wait a minute."""
    from wch.application.breakers import Breakers  # noqa: PLC0415 - in the child only

    rule = Breakers.rule

    def shorter(breakers: Breakers, service: str) -> Any:
        return attrs.evolve(rule(breakers, service), probe_lease=timedelta(seconds=int(seconds)))

    setattr(Breakers, "rule", shorter)  # noqa: B010 - that is the alteration
