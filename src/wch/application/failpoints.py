"""Failpoints: named places where a test can make the hub die, fail or dawdle."""

import os
import signal
import time
from collections.abc import Mapping
from typing import Self

import attrs

from wch.domain.errors import SettingsError, WchError

ACTIONS = frozenset({"kill", "raise", "delay", "lose_answer", "drop_connection"})

NAMES: Mapping[str, str] = {
    "transact.begin": "a transaction is about to begin",
    "transact.work": "its work has returned, nothing is committed",
    "transact.commit": "right before COMMIT; the place to lose its answer",
    "transact.after_commit": "committed, and nobody was told yet",
    "transact.in_doubt": "the answer to COMMIT was lost, the redo is about to begin",
    "ingress.parsed": "a delivery was read, nothing is stored",
    "ingress.before_commit": "its events are applied, not committed",
    "ingress.after_commit": "its events are durable, 200 is not answered yet",
    "ingress.single": "events are stored one by one after an error",
    "inbound.taken": "a customer's line is taken, nothing is thought yet",
    "inbound.before_finish": "the answer is made up, nothing is written",
    "inbound.finished": "the answer and its effects are committed",
    "inbound.renew": "the leases of a line were renewed",
    "outbound.taken": "a row is taken to be sent",
    "outbound.before_call": "right before the call",
    "outbound.after_call": "WhatsApp has answered, nothing is written down",
    "outbound.before_outcome": "right before the outcome is written down",
    "outbound.finished": "the outcome is committed",
    "outbound.swept": "sends in doubt were looked at",
    "fanout.listed": "whom a campaign is for is written down and committed",
    "fanout.before_commit": "up to 50 recipients have their messages, not committed",
    "fanout.after_commit": "up to 50 recipients have their messages",
    "notice.before_commit": "a notice has its message, not committed",
    "sync.taken": "a row of the sync queue is taken",
    "sync.after_call": "the shop has answered, nothing is written down",
    "sync.finished": "the row and what followed from it are committed",
    "saga.taken": "a saga is taken under a token",
    "saga.started": "the intent of a step is committed, its call is not made",
    "saga.after_call": "the call of a step is made, nothing is written down",
    "saga.done": "the outcome of a step is committed",
    "saga.undo_call": "the intent of an undoing is committed, its call is not made",
    "saga.after_undo": "the call of an undoing is made, nothing is written down",
    "saga.undone": "the outcome of an undoing is committed",
    "saga.closed": "a step that is one transaction is committed",
    "saga.signal": "a saga was told something, not committed",
    "letter.before_commit": "a dead letter is replayed, not committed",
    "letter.replayed": "its replay is committed",
    "breaker.permit": "a probe has its permit, not committed",
    "breaker.told": "a breaker heard of a failure or a probe, not committed",
    "limit.admitted": "a hit is counted, not committed",
    "slot.taken": "a reminder has its slot and its message, not committed",
    "reengagement.planned": "whom and what a re-engagement is for is decided, page by page",
    "reengagement.coupon": "a re-engagement's coupon is made, nothing of it is written",
    "erase.table": "a page of a table was emptied of somebody, not committed",
    "payment.claimed": "what a gateway told is claimed and committed",
    "migrate.step": "a table of the schema is there, the next is not looked at",
    "migrate.version": "every table is there, the version is not written",
}
"""Every place there is and where it stands; arming any other name is refused."""


class FailpointError(WchError):
    """A failpoint was armed to raise here."""

    action: str


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
                message = f"WCH_FAILPOINTS knows no {name}={word}; `wch failpoints` lists the names."
                raise SettingsError(message)
            numbers = (milliseconds or "0", at or "1")
            if not all(number.isdecimal() for number in numbers):
                message = f"WCH_FAILPOINTS counts in whole numbers: {name}={rest} has none."
                raise SettingsError(message)
            armed[name] = Armed(action=word, milliseconds=int(numbers[0]), at=int(numbers[1]))
        return cls(armed)

    @property
    def armed(self) -> Mapping[str, Armed]:
        """What happens where, by name."""
        return dict(self._armed)

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
        if not self._armed:
            return
        action = self.action(name)
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "delay":
            time.sleep(self._armed[name].milliseconds / 1000)
        elif action is not None:
            raise FailpointError(place=name, action=action)
