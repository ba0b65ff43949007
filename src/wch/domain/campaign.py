"""A campaign: the frozen plan of a broadcast, and what happens to it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, time
from enum import StrEnum
from typing import Any, Self

import attrs

from wch.domain.document import JsonObject, document
from wch.domain.errors import TransitionError, WchError
from wch.domain.moment import iso, of_iso

MOST_NAME = 100


class CampaignError(WchError):
    """The plan of a broadcast cannot be carried out as it is written; `why` says what is wrong."""

    why: str


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


MAY_BECOME: Mapping[CampaignState, frozenset[CampaignState]] = {
    CampaignState.DRAFT: frozenset({CampaignState.SCHEDULED, CampaignState.RUNNING}),
    CampaignState.SCHEDULED: frozenset({CampaignState.RUNNING, CampaignState.DRAFT, CampaignState.CANCELLED}),
    CampaignState.RUNNING: frozenset({CampaignState.PAUSED, CampaignState.COMPLETED, CampaignState.CANCELLED}),
    CampaignState.PAUSED: frozenset({CampaignState.RUNNING, CampaignState.CANCELLED}),
    CampaignState.COMPLETED: frozenset(),
    CampaignState.CANCELLED: frozenset(),
}
"""The only way of a campaign."""


@attrs.frozen(kw_only=True)
class Plan:
    """What a broadcast says to whom and when; nothing of it changes once it is scheduled or started.

    Attributes:
        id: the campaign's number, as recipients have it.
        name: for people.
        by: who wrote it.
        template: `{"name", "language": "customer" or a code, "hashes": {language: hash}}`.
        params: `{"body": [...], "header": {...}, "buttons": [...]}`.
        audience: `{"all": [...], "none": [...], "everyone": bool}`.
        schedule: `{"at", "zone", "utc", "ends"}`; empty: begins when it is started.
        send_window: the hours that it keeps to in the customer's zone.
        rate_per_minute: at most so many are queued in a minute.
        credit_days: an order within is credited.
        digest: over every other field, once frozen.
    """

    id: int
    name: str
    by: str
    template: JsonObject
    params: JsonObject = attrs.field(factory=dict)
    audience: JsonObject = attrs.field(factory=dict)
    schedule: JsonObject = attrs.field(factory=dict)
    send_window: tuple[str, str] | None = None
    rate_per_minute: int = 1200
    credit_days: int = 7
    digest: str | None = None

    @classmethod
    def of_json(cls, value: JsonObject) -> Self:
        """What `to_json` wrote."""
        fields = {field.name for field in attrs.fields(cls)}
        told = {name: one for name, one in value.items() if name in fields}
        window = told.get("send_window")
        return cls(**{**told, "send_window": None if window is None else (window[0], window[1])})

    def to_json(self) -> JsonObject:
        """As the option has it."""
        told = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
        window = None if self.send_window is None else list(self.send_window)
        return document(**{**told, "send_window": window})

    def frozen(self) -> Self:
        """The plan with the digest over all that it says."""
        return attrs.evolve(self, digest=self._digest())

    @property
    def is_tampered(self) -> bool:
        """Whether somebody changed it after it was frozen."""
        return self.digest is not None and self.digest != self._digest()

    @property
    def window(self) -> tuple[time, time] | None:
        """The hours that it keeps to."""
        if self.send_window is None:
            return None
        return time.fromisoformat(self.send_window[0]), time.fromisoformat(self.send_window[1])

    @property
    def utc(self) -> datetime | None:
        """When it begins by itself."""
        told = self.schedule.get("utc")
        return None if told is None else of_iso(str(told))

    def _digest(self) -> str:
        told = {name: value for name, value in self.to_json().items() if name != "digest"}
        return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@attrs.frozen(kw_only=True)
class Progress:
    """What happens to a campaign: one option beside its plan.

    Attributes:
        state: where it stands.
        phase: `snapshot` while recipients are written, `sending` from then on.
        rev: counts changes; the state is changed by whoever saw the latest.
        reason: why it was paused.
        started_at: when it began.
        ends_at: what is pending then is skipped.
        cursor: the last profile that the snapshot looked at.
        highest: the last profile that it will look at.
        place: the last recipient of the pass under way.
        resting_until: all that is left is held at least until then.
        minute: the minute in which recipients were last queued.
        in_minute: how many of them.
        log: state changes with their times.
    """

    state: CampaignState = CampaignState.DRAFT
    phase: str | None = None
    rev: int = 0
    reason: str | None = None
    started_at: datetime | None = None
    ends_at: datetime | None = None
    cursor: int = 0
    highest: int | None = None
    place: int = 0
    resting_until: datetime | None = None
    minute: datetime | None = None
    in_minute: int = 0
    log: tuple[JsonObject, ...] = ()

    def state_at(self, moment: datetime) -> CampaignState:
        """The state at an earlier moment, by the log."""
        later = [entry for entry in self.log if "from" in entry and str(entry["at"]) > iso(moment)]
        return CampaignState(later[0]["from"]) if later else self.state

    @classmethod
    def of_json(cls, value: JsonObject) -> Self:
        """What `to_json` wrote."""
        moments = {"started_at", "ends_at", "resting_until", "minute"}
        told: dict[str, Any] = {
            name: of_iso(one) if name in moments else one for name, one in value.items() if name != "v"
        }
        return cls(**{**told, "state": CampaignState(told["state"]), "log": tuple(told.get("log", ()))})

    def to_json(self) -> JsonObject:
        """As the option has it."""
        told: dict[str, Any] = {}
        for field in attrs.fields(type(self)):
            value = getattr(self, field.name)
            told[field.name] = iso(value) if isinstance(value, datetime) else value
        return document(**{**told, "state": self.state.value, "log": list(self.log)})

    def became(self, state: CampaignState, *, by: str, now: datetime, reason: str | None = None) -> Self:
        """The next state; one that is there already is no change.

        Raises:
            TransitionError: this state does not follow from the present one.
        """
        if state is self.state:
            return self
        if state not in MAY_BECOME[self.state]:
            raise TransitionError(
                f"A campaign that is {self.state} cannot become {state}.", state=self.state, wanted=state
            )
        entry = {"at": iso(now), "from": self.state.value, "to": state.value, "by": by, "reason": reason}
        return attrs.evolve(
            self, state=state, rev=self.rev + 1, reason=reason, log=(*self.log, entry)[-100:], resting_until=None
        )
