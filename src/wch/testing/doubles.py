"""Stand-ins by what they do: time that stands still, chance that repeats, a WhatsApp that notes everything."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import attrs

from wch.domain.document import JsonObject
from wch.domain.send_result import Accepted, SendResult

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
"""Where a frozen clock stands unless told otherwise: a Monday."""


class FrozenClock:
    """Time that only moves when it is told to."""

    def __init__(self, at: datetime = NOON) -> None:
        self._now = at
        self._boot = 1000.0

    def now(self) -> datetime:
        """Where it stands."""
        return self._now

    def fraction(self) -> float:
        """It stands at the beginning of a second."""
        return 0.0

    def boot(self) -> float:
        """Moves along with `advance`."""
        return self._boot

    def advance(self, by: timedelta | float) -> datetime:
        """Move forward, by a span or by seconds."""
        span = by if isinstance(by, timedelta) else timedelta(seconds=by)
        self._now += span
        self._boot += span.total_seconds()
        return self._now

    def set(self, at: datetime) -> None:
        """Stand here from now on; a moment that is past already changes nothing."""
        if at > self._now:
            self.advance(at - self._now)


class SequentialIds:
    """Chance that gives the same in every run."""

    def __init__(self) -> None:
        self._latest = 0

    def token(self) -> str:
        """The next of 00...01, 00...02, ..."""
        return f"{self.number():032x}"

    def number(self) -> int:
        """The next of 1, 2, ..."""
        self._latest += 1
        return self._latest


class SeededIds:
    """Chance that looks like chance and is the same for the same seed."""

    def __init__(self, seed: int | str = 0) -> None:
        self._seed = str(seed)
        self._latest = 0

    def token(self) -> str:
        """32 hex digits."""
        self._latest += 1
        return hashlib.sha256(f"{self._seed}:{self._latest}".encode()).hexdigest()[:32]

    def number(self) -> int:
        """A positive number, later ones larger."""
        noise = int(self.token()[:2], 16)
        return self._latest << 8 | noise


@attrs.frozen(kw_only=True)
class Sent:
    """One message that a recording WhatsApp was given."""

    number: str
    message: JsonObject


class RecordingWhatsApp:
    """A WhatsApp that accepts everything, unless outcomes were laid out, and keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.read: list[str] = []
        self.outcomes: list[SendResult | Callable[[JsonObject], SendResult]] = []

    async def send(self, number: str, message: JsonObject) -> SendResult:
        """Keep it, and answer with the next outcome, else with an id."""
        self.sent.append(Sent(number=number, message=message))
        if self.outcomes:
            outcome = self.outcomes.pop(0)
            return outcome(message) if callable(outcome) else outcome
        return Accepted(wa_message_id=f"wamid.sent.{len(self.sent)}")

    async def mark_read(self, number: str, wa_message_id: str, *, typing: bool = False) -> bool:  # noqa: ARG002 - the port's argument
        """Keep what was read."""
        self.read.append(wa_message_id)
        return True

    @property
    def texts(self) -> list[str]:
        """The words of all that was sent, in order."""
        return [words(one.message) for one in self.sent]


def words(body: JsonObject) -> str:
    """The words of a Cloud API body."""
    inner = body.get(str(body.get("type")), {})
    if body.get("type") == "text":
        return str(inner.get("body"))
    if body.get("type") == "interactive":
        return str(inner.get("body", {}).get("text", ""))
    return f"template {inner.get('name')}" if body.get("type") == "template" else str(body.get("type"))
