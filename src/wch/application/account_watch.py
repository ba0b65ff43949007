"""Watching the account: when the token ends and how good the numbers are, which WhatsApp tells only to who asks."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import attrs

from wch.application.ports import AccountSource, Clock, Database, UnitOfWork
from wch.application.readings import Reading, Severity
from wch.domain.document import JsonObject, document
from wch.domain.errors import AccountUnavailableError
from wch.domain.moment import iso, of_iso

log = logging.getLogger(__name__)

STANDING = "whatsapp.account"
"""The option that says what was told of token and numbers, when it was asked last, and under whose token."""

ASKED_EVERY = timedelta(hours=1)

RENEW = "Make a new token for the system user with Meta, and set WCH_ACCESS_TOKEN."
WRITE_LESS = "Write less to people who do not answer; see in WhatsApp Manager what they reported."

QUALITIES = {"YELLOW": Severity.WARNING, "RED": Severity.DEGRADED}


@attrs.frozen(kw_only=True)
class AccountWatch:
    """The duty that asks once an hour, one process for all; where nobody answers, what is known stays.

    Attributes:
        source: the account; None where the host's WhatsApp has none, or there is no token.
        numbers: phone number ids.
        token: a digest of the token: what was told of another one counts no more.
        days: so long before the token ends it is a warning.
        rest: true while it looked only a moment ago.
    """

    kind: ClassVar[str] = "account"

    database: Database
    clock: Clock
    source: AccountSource | None
    numbers: Sequence[str]
    token: str
    days: int
    rest: Callable[[], bool]

    async def work(self) -> int:
        """Ask, if it is time; no row of work is done by it."""
        if self.source is None or self.rest() or not await self.database.transact(self._is_due):
            return 0
        try:
            told = await self.source.standing(self.numbers)
        except AccountUnavailableError as error:
            log.warning("the account cannot be asked: %s", error.facts.get("why"))
            return 0
        ends = None if told.token_ends_at is None else iso(told.token_ends_at)
        kept = document(token=self.token, good=told.is_token_good, ends_at=ends, quality=dict(told.quality))
        await self.database.transact(lambda uow: self._keep(uow, kept))
        return 0

    def _is_due(self, uow: UnitOfWork) -> bool:
        """Claim the turn, so that one of several workers asks."""
        now = self.clock.now()
        before = uow.options.get(STANDING, lock=True) or {}
        if before.get("token") == self.token and now - of_iso(str(before["asked_at"])) < ASKED_EVERY:
            return False
        known = before if before.get("token") == self.token else {}
        uow.options.put(STANDING, document(**{**known, "token": self.token, "asked_at": iso(now)}))
        return True

    def _keep(self, uow: UnitOfWork, told: JsonObject) -> None:
        uow.options.get(STANDING, lock=True)
        uow.options.put(STANDING, document(**{**told, "asked_at": iso(self.clock.now())}))

    def readings(self, uow: UnitOfWork, now: datetime) -> Iterator[Reading]:
        """What is wrong with token and numbers, as far as it was told of this token."""
        told = uow.options.get(STANDING) or {}
        if told.get("token") != self.token:
            return
        if told.get("good") is False:
            yield _token("WhatsApp does not take the token", Severity.CRITICAL, self.days)
        elif (ends := told.get("ends_at")) is not None and of_iso(str(ends)) - now < timedelta(days=self.days):
            yield _token(f"the token ends at {ends}", Severity.WARNING, self.days)
        for number, quality in sorted(dict(told.get("quality", {})).items()):
            if quality in QUALITIES:
                yield Reading(
                    severity=QUALITIES[quality],
                    value=f"the quality of number {number} is {quality}",
                    limit="YELLOW, RED",
                    what_to_do=WRITE_LESS,
                )


def _token(value: str, severity: Severity, days: int) -> Reading:
    return Reading(severity=severity, value=value, limit=f"{days} days", what_to_do=RENEW)
