"""Campaigns: plan and progress as options; every change of state sees the latest, under its lock."""

from collections.abc import Iterator

import attrs

from wch.application.ports import UnitOfWork
from wch.domain.campaign import CampaignState, Plan, Progress
from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError
from wch.domain.message import Class, Message

PREFIX = "campaign."
STATE = ".state"
OPEN = frozenset({CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED})


@attrs.frozen(kw_only=True)
class Campaign:
    """A plan and what happens to it."""

    plan: Plan
    progress: Progress


def plan_of(uow: UnitOfWork, campaign_id: int) -> Plan:
    """The plan.

    Raises:
        NotFoundError: there is no such campaign.
    """
    value = uow.options.get(f"{PREFIX}{campaign_id}")
    if value is None:
        raise NotFoundError(
            "There is no campaign of this number; list them with `wch broadcasts list`.", id=campaign_id
        )
    return Plan.of_json(value)


def progress_of(uow: UnitOfWork, campaign_id: int, *, lock: bool = False) -> Progress:
    """What happens to it, locked before anything else of it is."""
    value = uow.options.get(f"{PREFIX}{campaign_id}{STATE}", lock=lock)
    if value is None:
        raise NotFoundError(
            "There is no campaign of this number; list them with `wch broadcasts list`.", id=campaign_id
        )
    return Progress.of_json(value)


def is_there(uow: UnitOfWork, campaign_id: int) -> bool:
    """Whether a campaign has this number."""
    return uow.options.get(f"{PREFIX}{campaign_id}", lock=True) is not None


def keep(uow: UnitOfWork, plan: Plan) -> None:
    """Write a plan."""
    uow.options.put(f"{PREFIX}{plan.id}", plan.to_json())


def keep_progress(uow: UnitOfWork, campaign_id: int, progress: Progress) -> None:
    """Write what happens to it."""
    uow.options.put(f"{PREFIX}{campaign_id}{STATE}", progress.to_json())


def forget(uow: UnitOfWork, campaign_id: int) -> None:
    """Take plan and progress away."""
    uow.options.remove(f"{PREFIX}{campaign_id}")
    uow.options.remove(f"{PREFIX}{campaign_id}{STATE}")


def all_of(uow: UnitOfWork) -> Iterator[Campaign]:
    """Every campaign, the oldest first."""
    after = PREFIX
    plans: dict[str, JsonObject] = {}
    while page := uow.options.named(PREFIX, after=after, limit=200):
        after = page[-1][0]
        plans |= dict(page)
    for name, value in sorted(plans.items(), key=lambda one: int(one[0].split(".")[1])):
        if not name.endswith(STATE) and f"{name}{STATE}" in plans:
            yield Campaign(plan=Plan.of_json(value), progress=Progress.of_json(plans[f"{name}{STATE}"]))


def campaign_of(uow: UnitOfWork, row: Message) -> int | None:
    """The campaign that a message is of."""
    origin = row.content.get("origin")
    ref = str(origin.get("ref", "")) if isinstance(origin, dict) else ""
    kind, _, number = ref.partition(":")
    if row.class_ is not Class.CAMPAIGN or kind != "recipient" or not number.isdigit():
        return None
    recipient = uow.recipients.get(int(number))
    return None if recipient is None else recipient.campaign_id
