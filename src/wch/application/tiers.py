"""The portfolio's tier: how many customers a day may be written to outside a window, and how many were."""

from wch.application.accounts import LIMITS, UNLIMITED
from wch.application.limits import TIER_UNKNOWN, Limits, tier
from wch.application.ports import UnitOfWork

PORTFOLIO = "portfolio"
"""Under what name the whole account is counted."""


def most(uow: UnitOfWork) -> int | None:
    """Customers in any 24 hours; None for no limit."""
    told = (uow.options.get(LIMITS) or {}).get("tier", TIER_UNKNOWN)
    known = told if isinstance(told, int) else TIER_UNKNOWN
    return None if known == UNLIMITED else max(1, known)


def used(uow: UnitOfWork, limits: Limits) -> int:
    """Customers who were written to outside a window within the last 24 hours, as the sends counted them."""
    return limits.used_in(uow, tier(most(uow) or 1), PORTFOLIO)


def used_part(uow: UnitOfWork, limits: Limits) -> float:
    """How much of it is used up, from 0 to 1; 0 where there is no limit."""
    allowed = most(uow)
    return 0.0 if allowed is None else used(uow, limits) / allowed
