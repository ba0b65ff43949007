"""Failpoints: named places where a test can make the hub die, fail or dawdle."""

import os
import signal
import time
from collections.abc import Mapping
from typing import Self

import attrs

from wch.domain.errors import SettingsError, WchError

ACTIONS = frozenset({"kill", "raise", "delay", "lose_answer", "drop_connection"})

NAMES = frozenset(
    {
        "transact.begin",
        "transact.work",
        "transact.commit",
        "transact.after_commit",
        "ingress.parsed",
        "ingress.before_commit",
        "ingress.after_commit",
        "ingress.single",
        "inbound.taken",
        "inbound.before_finish",
        "inbound.finished",
        "inbound.renew",
        "outbound.taken",
        "outbound.before_call",
        "outbound.after_call",
        "outbound.before_outcome",
        "outbound.finished",
        "outbound.swept",
        "saga.taken",
        "saga.started",
        "saga.after_call",
        "saga.done",
        "saga.undo_call",
        "saga.undone",
        "saga.closed",
        "letter.before_commit",
        "letter.replayed",
    }
)
"""Every place there is; arming any other name is refused."""


class FailpointError(WchError):
    """A failpoint was armed to raise here."""


@attrs.frozen(kw_only=True)
class Armed:
    """What happens at a place, at the n-th passing."""

    action: str
    milliseconds: int = 0
    at: int = 1


class Failpoints:
    """Called at each named place; does nothing unless a test armed it."""

    def __init__(self, armed: Mapping[str, Armed]) -> None:
        self._armed = dict(armed)
        self._passed: dict[str, int] = {}

    @classmethod
    def disarmed(cls) -> Self:
        """Nothing ever happens."""
        return cls({})

    @classmethod
    def read(cls, text: str, *, testing: bool) -> Self:
        """What `name=action@n,name=delay:ms` arms.

        Raises:
            SettingsError: the setting that allows it is missing, or a name or action is not known.
        """
        if text and not testing:
            message = "Failpoints are armed only with WCH_TESTING=1; unset WCH_FAILPOINTS otherwise."
            raise SettingsError(message)
        armed: dict[str, Armed] = {}
        for part in filter(None, text.split(",")):
            name, _, rest = part.strip().partition("=")
            action, _, at = rest.partition("@")
            word, _, milliseconds = action.partition(":")
            if name not in NAMES or word not in ACTIONS:
                message = f"WCH_FAILPOINTS knows no {name}={word}; names are listed in the documentation."
                raise SettingsError(message)
            numbers = (milliseconds or "0", at or "1")
            if not all(number.isdecimal() for number in numbers):
                message = f"WCH_FAILPOINTS counts in whole numbers: {name}={rest} has none."
                raise SettingsError(message)
            armed[name] = Armed(action=word, milliseconds=int(numbers[0]), at=int(numbers[1]))
        return cls(armed)

    @property
    def is_armed(self) -> bool:
        """Whether anything may happen at all."""
        return bool(self._armed)

    def action(self, name: str) -> str | None:
        """What to do at this passing, for those who must do it themselves."""
        armed = self._armed.get(name)
        if armed is None:
            return None
        self._passed[name] = self._passed.get(name, 0) + 1
        return armed.action if self._passed[name] == armed.at else None

    def __call__(self, name: str) -> None:
        """Pass this place.

        A lost answer or a dropped connection is an error here; where there is a connection to
        drop, its owner asks for `action` and does it.

        Raises:
            FailpointError: it is armed to fail at this passing.
        """
        action = self.action(name) if self._armed else None
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "delay":
            time.sleep(self._armed[name].milliseconds / 1000)
        elif action is not None:
            raise FailpointError(place=name)
