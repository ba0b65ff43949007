"""Pacing: the gates between a message and its call. A verdict asks whether they are open, a send goes through and is counted."""

from datetime import datetime

import attrs

from wch.application import tiers
from wch.application.breakers import WHATSAPP, Breakers
from wch.application.limits import PAIR, TIER_COUNTED, Limits, tier
from wch.application.ports import Clock, UnitOfWork
from wch.application.speaking import Speaker
from wch.domain.circuit_breaker import Permit
from wch.domain.errors import WchError
from wch.domain.rate_limit import Pace, RateLimit


class HeldError(WchError):
    """This row does not leave now; `number` says whether nothing of its number does, `campaigns` whether no campaign does."""

    number: bool
    campaigns: bool


def number_breaker(number: str) -> str:
    """The breaker that is the pause of one number."""
    return f"whatsapp:{number}"


@attrs.frozen(kw_only=True)
class Shut:
    """A gate that is shut: `breaker`, `number`, `pair` or `tier`, and when it opens."""

    gate: str
    until: datetime


@attrs.frozen(kw_only=True)
class Pacing:
    """Breakers, the number's pace, what one customer may get, and the portfolio's tier.

    Attributes:
        number_rate: messages a second that a number may take and send together.
    """

    clock: Clock
    breakers: Breakers
    limits: Limits
    speaker: Speaker
    number_rate: int

    def shut(self, uow: UnitOfWork, phone: str, *, window_is_open: bool) -> Shut | None:
        """The gate that opens last of those that are shut for this customer now; nothing is counted or locked by asking."""
        thread = uow.conversations.latest_of(phone)
        number = self.speaker.first if thread is None else self.speaker.number_of(thread)
        told = [("breaker", self.breakers.shut_until(uow, service)) for service in _services(number)]
        told += [("pair", self.limits.full_until(uow, rule, f"{number}:{phone}")) for rule in self._of_the_pair]
        told.append(("number", self.limits.paced_until(uow, self._pace, number)))
        if not window_is_open:
            told.append(("tier", self._tier_until(uow, phone)))
        found = [Shut(gate=gate, until=until) for gate, until in told if until is not None]
        return max(found, key=lambda one: one.until, default=None)

    def permits(self, uow: UnitOfWork, number: str, phone: str) -> tuple[tuple[Permit, ...], float]:
        """Breakers, pauses and limits: leave to call, and in how many seconds.

        Raises:
            HeldError: one of them refused.
        """
        permits = []
        for service in _services(number):
            permit = self.breakers.ask_in(uow, service)
            if permit is None:
                raise HeldError(number=True, campaigns=False)
            permits.append(permit)
        for rule in self._of_the_pair:
            if not self.limits.hit_in(uow, rule, f"{number}:{phone}").admitted:
                raise HeldError(number=False, campaigns=False)
        leaves_in = self.limits.pace_in(uow, self._pace, number)
        if leaves_in is None:
            raise HeldError(number=True, campaigns=False)
        return tuple(permits), leaves_in

    def count_for_tier(self, uow: UnitOfWork, phone: str) -> None:
        """Outside a window so many different customers a day may be written to, and no more.

        Raises:
            HeldError: the tier is used up; replies inside windows go on.
        """
        most = tiers.most(uow)
        if most is None or not self.limits.hit_in(uow, TIER_COUNTED, phone).admitted:
            return
        if not self.limits.hit_in(uow, tier(most), tiers.PORTFOLIO).admitted:
            raise HeldError(number=False, campaigns=True)

    def _tier_until(self, uow: UnitOfWork, phone: str) -> datetime | None:
        most = tiers.most(uow)
        if most is None or self.limits.full_until(uow, TIER_COUNTED, phone) is not None:
            return None
        return self.limits.full_until(uow, tier(most), tiers.PORTFOLIO)

    @property
    def _of_the_pair(self) -> tuple[RateLimit, RateLimit]:
        return self.limits.rule("message_send"), PAIR

    @property
    def _pace(self) -> Pace:
        return Pace(name="whatsapp_number", per_second=max(1, self.number_rate * 4 // 5))


def _services(number: str) -> tuple[str, str]:
    return number_breaker(number), WHATSAPP
