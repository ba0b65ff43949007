"""A saga: steps that change the outside world, written down before and after each."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

import attrs

from wch.domain.document import JsonObject, document
from wch.domain.errors import ConflictError, LeaseLostError, TransitionError
from wch.domain.evolution import evolve
from wch.domain.lease import TERM
from wch.domain.moment import iso, of_iso, utc_seconds


class SagaState(StrEnum):
    """`failed` says in `context.outcome` whether it was compensated or parked."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    COMPENSATING = "compensating"


class Ev(StrEnum):
    """The words of the log."""

    START = "start"
    DONE = "done"
    REFUSED = "refused"
    WAIT = "wait"
    SIGNAL = "signal"
    UNDO = "undo"
    UNDONE = "undone"
    LEASE = "lease"
    PARK = "park"


OPEN = frozenset({SagaState.RUNNING, SagaState.COMPENSATING})

_PARKED = frozenset({"outcome", "reason", "step", "actions", "parked_in"})
"""What parking puts into the context, and resuming takes out again."""


@attrs.frozen(kw_only=True, slots=False)
class Saga:
    """One row of `saga_state`.

    `updated_at` of an unfinished saga is its next look: a minute ahead while leased, the
    end of a wait, now when a signal came. Every write demands that the last lease in the
    log is the writer's own, or that the row is still as the writer left it: the token is
    the fence, no clock is involved.

    Attributes:
        context: everything frozen at the beginning, and the results of the steps under `results`.
        log: entries `{"n", "ev", "step", "at", "key", ...}` in the order they were written.
    """

    saga_id: str = attrs.field(validator=attrs.validators.max_len(100))
    saga_type: str
    state: SagaState = SagaState.RUNNING
    context: JsonObject = attrs.field(factory=document)
    log: tuple[JsonObject, ...] = ()
    created_at: datetime = attrs.field(validator=utc_seconds)
    updated_at: datetime = attrs.field(validator=utc_seconds)

    @classmethod
    def begun(cls, saga_id: str, saga_type: str, context: JsonObject, *, now: datetime) -> Self:
        """A saga that any worker may take at once."""
        return cls(
            saga_id=saga_id, saga_type=saga_type, context={"version": 1, **context}, created_at=now, updated_at=now
        )

    @property
    def is_open(self) -> bool:
        """Whether there is still something to do by itself."""
        return self.state in OPEN

    @property
    def outcome(self) -> str | None:
        """`compensated` or `parked` once failed."""
        word = self.context.get("outcome")
        return word if isinstance(word, str) else None

    @property
    def results(self) -> Mapping[str, Any]:
        """What each step that is done answered, by its name."""
        known: Any = self.context.get("results", {})
        return known if isinstance(known, Mapping) else {}

    @property
    def token(self) -> str | None:
        """The token of the last lease."""
        return next((entry.get("token") for entry in reversed(self.log) if entry["ev"] == Ev.LEASE), None)

    def has_had(self, token: str) -> bool:
        """Whether a lease of it had this token: a second one of the same would let the first holder write."""
        return any(entry["ev"] == Ev.LEASE and entry.get("token") == token for entry in self.log)

    @property
    def customer(self) -> str | None:
        """The key of the customer whom it is about."""
        phone = self.context.get("customer", {}).get("phone")
        return phone if isinstance(phone, str) else None

    def key(self, step: str, *, undo: bool = False) -> str:
        """The idempotency key of a step: stable over retries and restarts."""
        return f"{self.saga_id}:{step}:undo" if undo else f"{self.saga_id}:{step}"

    def of_customer(self, phone: str, *, token: str, now: datetime) -> Self:
        """The same saga of a customer whose key is another one now.

        Whoever carries it on knows the old key: they lose it, and the next one begins where it stands.
        """
        context = {**self.context, "customer": {**self.context["customer"], "phone": phone}}
        renamed = evolve(self, context=context)
        if not self.lease_is_live(now=now):
            return renamed
        return renamed.leased(token, now=now, term=timedelta(0))

    def held_by(self, token: str) -> Self:
        """This saga, if the lease is still ours.

        Raises:
            LeaseLostError: another worker took it over, or it has ended.
        """
        if self.token != token or not self.is_open:
            raise LeaseLostError(saga_id=self.saga_id)
        return self

    def leased(self, token: str, *, now: datetime, term: timedelta = TERM) -> Self:
        """Taken by a worker for one term."""
        return self._logged(Ev.LEASE, None, now=now, next_look=now + term, token=token)

    def started(self, step: str, *, now: datetime, term: timedelta = TERM) -> Self:
        """The intent, committed before the call."""
        return self._logged(Ev.START, step, now=now, next_look=now + term, key=self.key(step))

    def done(self, step: str, result: JsonObject | None, *, now: datetime) -> Self:
        """The outcome, committed after the call."""
        context = self._with_result(step, result)
        return self._logged(Ev.DONE, step, now=now, next_look=self.updated_at, context=context, key=self.key(step))

    def waiting(self, step: str, until: datetime, *, now: datetime, because: str) -> Self:
        """Nothing to do before this moment, or before a signal comes."""
        return self._logged(Ev.WAIT, step, now=now, next_look=until, because=because, until=iso(until))

    def signalled(self, kind: str, facts: JsonObject, *, now: datetime, leased: bool = False) -> Self:
        """Something happened outside that this saga may wait for; it is due now unless a lease is live."""
        look = self.updated_at if leased else min(self.updated_at, now)
        return self._logged(Ev.SIGNAL, None, now=now, next_look=look, kind=kind, facts=dict(facts))

    def refused(self, step: str, error: str, *, now: datetime) -> Self:
        """The step will not work."""
        return self._logged(Ev.REFUSED, step, now=now, next_look=self.updated_at, error=error)

    def turned_back(self, *, now: datetime, reason: str, noted: JsonObject | None = None) -> Self:
        """Undo from here on, the step in doubt included.

        Args:
            now: the present.
            reason: the word of what failed.
            noted: what the end must know of it beside the word.

        Raises:
            TransitionError: it is not running.
        """
        if self.state is not SagaState.RUNNING:
            raise TransitionError(saga_id=self.saga_id, state=self.state)
        context = {**self.context, "failure": reason, **({} if noted is None else {"noted": noted})}
        return evolve(self, state=SagaState.COMPENSATING, context=context, updated_at=now)

    def undoing(self, step: str, *, now: datetime, term: timedelta = TERM) -> Self:
        """The intent to undo, committed before the call."""
        return self._logged(Ev.UNDO, step, now=now, next_look=now + term, key=self.key(step, undo=True))

    def undone(self, step: str, *, now: datetime, result: JsonObject | None = None) -> Self:
        """The step's effect is gone; what undoing answered is kept under `<step>:undo`."""
        key = self.key(step, undo=True)
        context = self._with_result(f"{step}:undo", result) if result else self.context
        return self._logged(Ev.UNDONE, step, now=now, next_look=self.updated_at, context=context, key=key)

    def completed(self, *, now: datetime) -> Self:
        """Everything is done."""
        if self.state is not SagaState.RUNNING:
            raise TransitionError(saga_id=self.saga_id, state=self.state)
        return evolve(self, state=SagaState.COMPLETED, updated_at=now)

    def compensated(self, *, now: datetime) -> Self:
        """Everything is undone."""
        if self.state is not SagaState.COMPENSATING or tuple(self.to_undo()):
            raise TransitionError(saga_id=self.saga_id, state=self.state)
        return evolve(self, state=SagaState.FAILED, context={**self.context, "outcome": "compensated"}, updated_at=now)

    def parked(self, reason: str, step: str | None, actions: tuple[str, ...], *, now: datetime) -> Self:
        """It can't finish by itself; an operator picks one of the actions."""
        logged = self._logged(Ev.PARK, step, now=now, next_look=now, reason=reason)
        parked = {
            "outcome": "parked",
            "reason": reason,
            "step": step,
            "actions": list(actions),
            "parked_in": self.state.value,
        }
        return evolve(logged, state=SagaState.FAILED, context={**self.context, **parked})

    def resumed(self, action: str, *, now: datetime) -> Self:
        """An operator lets it go on from where it stands.

        Raises:
            ConflictError: it is not parked, or this action is not open.
        """
        if self.outcome != "parked" or action not in self.context.get("actions", ()):
            raise ConflictError(saga_id=self.saga_id, action=action, state=self.state)
        frozen = {name: fact for name, fact in self.context.items() if name not in _PARKED}
        context = {**frozen, "waits_from": len(self.log)}
        state = SagaState(self.context["parked_in"])
        if action in {"compensate", "refund"}:
            state = SagaState.COMPENSATING
            context = {**context, "failure": action}
        return evolve(
            self._logged(Ev.SIGNAL, None, now=now, next_look=now, kind=f"operator.{action}", facts={}),
            state=state,
            context=context,
        )

    def is_done(self, step: str) -> bool:
        """Whether the step's outcome is in the log."""
        return step in self.done_steps

    @cached_property
    def done_steps(self) -> frozenset[str]:
        """The steps whose outcome is in the log; asked for again and again."""
        done = Ev.DONE  # looked up once, not for each entry
        return frozenset([entry["step"] for entry in self.log if entry["ev"] == done])

    def is_begun(self, step: str) -> bool:
        """Whether the step's intent is the latest that was written, signals aside: its call may be made."""
        last = next((entry for entry in reversed(self.log) if entry["ev"] != Ev.SIGNAL), None)
        return last is not None and last["ev"] == Ev.START and last["step"] == step

    def tries(self, step: str, ev: Ev = Ev.START) -> int:
        """How often the step was begun, since an operator last let the saga go on."""
        since = int(self.context.get("waits_from", 0))
        return sum(1 for entry in self.log[since:] if entry["ev"] == ev and entry["step"] == step)

    def to_undo(self) -> Iterator[str]:
        """The steps that were started and not undone, the latest first; the doubtful one is among them."""
        undone = {entry["step"] for entry in self.log if entry["ev"] == Ev.UNDONE}
        started = [entry["step"] for entry in self.log if entry["ev"] == Ev.START]
        for step in reversed(list(dict.fromkeys(started))):
            if step not in undone:
                yield step

    def signals(self, kind: str | None = None) -> tuple[JsonObject, ...]:
        """What was signalled, in order."""
        return tuple(
            entry for entry in self.log if entry["ev"] == Ev.SIGNAL and (kind is None or entry["kind"] == kind)
        )

    def lease_is_live(self, *, now: datetime) -> bool:
        """Whether a worker holds it: the last entry that sets a next look is a lease or an intent, still ahead."""
        last = next((entry for entry in reversed(self.log) if entry["ev"] != Ev.SIGNAL), None)
        if last is None or not self.is_open:
            return False
        return last["ev"] in {Ev.LEASE, Ev.START, Ev.UNDO, Ev.DONE, Ev.UNDONE} and self.updated_at > now

    def ends_waiting_at(self, step: str) -> datetime | None:
        """When the latest wait of this step ends."""
        found = next((entry for entry in reversed(self.log) if entry["ev"] == Ev.WAIT and entry["step"] == step), None)
        return None if found is None else of_iso(found["until"])

    def _with_result(self, name: str, result: JsonObject | None) -> JsonObject:
        return {**self.context, "results": {**self.results, name: dict(result or {})}}

    def _logged(
        self,
        ev: Ev,
        step: str | None,
        *,
        now: datetime,
        next_look: datetime,
        context: JsonObject | None = None,
        **more: Any,
    ) -> Self:
        entry = {"n": len(self.log) + 1, "ev": ev.value, "step": step, "at": iso(now), **more}
        return evolve(
            self,
            context=self.context if context is None else context,
            log=(*self.log, entry),
            updated_at=next_look,
        )
