"""An audience: criteria that somebody meets or not; `all` must hold, `none` take away."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.domain.campaign import CampaignError
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.moment import of_iso

_MOST_DAYS: Mapping[str, int] = {
    "ordered_within_days": 365,
    "cart_abandoned_within_days": 30,
    "last_contact_within_days": 365,
    "broadcast_within_days": 30,
}
_LISTS = ("tags_any", "tags_all", "segment", "language", "country", "bought_category")
_ONLY_NONE = frozenset({"broadcast_within_days"})
_SEGMENTS = frozenset({"new", "bronze", "silver", "gold", "platinum"})
CRITERIA = frozenset({*_MOST_DAYS, *_LISTS, "opted_in", "upload", "of_campaign"})
"""Every criterion there is; an unknown one refuses the plan."""


@attrs.frozen(kw_only=True)
class Known:
    """What criteria look at, beyond the profile.

    Attributes:
        segment: what the customer is called.
        language: the customer's, or the shop's.
        country: two letters; asked for where a criterion is about it, and empty elsewhere.
        abandoned_at: when a cart was last left lying, and no order came of it.
        reached: when a broadcast last left for them.
        uploaded: whether they stand in the plan's own list.
        word_in: the word of an earlier campaign's recipient.
    """

    segment: str
    language: str
    country: str
    abandoned_at: datetime | None = None
    reached: datetime | None = None
    uploaded: bool = False
    word_in: Callable[[int], str | None] = lambda _campaign: None


def checked(audience: JsonObject) -> JsonObject:
    """The audience, if every criterion of it is known and says something.

    Raises:
        CampaignError: it does not.
    """
    unknown = set(audience) - {"all", "none", "everyone"}
    if unknown:
        raise CampaignError(f"The audience has all, none and everyone, not {', '.join(sorted(unknown))}.")
    for part in ("all", "none"):
        for name, value in _parts(audience, part):
            _check(part, name, value)
    wanted = [name for name, _ in _parts(audience, "all") if name != "opted_in"]
    if not wanted and not audience.get("everyone"):
        raise CampaignError("The audience names nobody: give a criterion under `all`, or say `everyone = true`.")
    return audience


def _parts(audience: JsonObject, part: str) -> Iterable[tuple[str, Any]]:
    listed: Any = audience.get(part, ())
    if not isinstance(listed, (list, tuple)) or not all(isinstance(one, Mapping) for one in listed):
        raise CampaignError(f"`{part}` is a list of criteria, such as [{{ segment = ['gold'] }}].")
    return [(name, value) for one in listed for name, value in one.items()]


def _check(part: str, name: str, value: Any) -> None:
    if name not in CRITERIA or (name in _ONLY_NONE and part != "none"):
        raise CampaignError(f"`{part}` has no criterion {name}; there is {', '.join(sorted(CRITERIA))}.")
    if name in _MOST_DAYS and not (
        isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_DAYS[name]
    ):
        raise CampaignError(f"{name} is a number of days from 1 to {_MOST_DAYS[name]}.")
    if name in _LISTS and not (isinstance(value, (list, tuple)) and value and all(str(one).strip() for one in value)):
        raise CampaignError(f"{name} is a list that is not empty.")
    if name == "segment" and not set(map(str, value)) <= _SEGMENTS:
        raise CampaignError(f"A segment is one of {', '.join(sorted(_SEGMENTS))}.")
    if name == "of_campaign" and not (isinstance(value, Mapping) and isinstance(value.get("id"), int)):
        raise CampaignError("of_campaign is { id = NUMBER, statuses = ['failed'] }.")


def criteria(audience: JsonObject) -> frozenset[str]:
    """The names of all criteria that are asked for anywhere."""
    return frozenset(name for part in ("all", "none") for name, _ in _parts(audience, part))


def fits(audience: JsonObject, profile: CustomerProfile, known: Known, *, now: datetime) -> bool:
    """Whether somebody belongs to it: every criterion of `all`, none of `none`."""
    return all(_meets(name, value, profile, known, now) for name, value in _parts(audience, "all")) and not any(
        _meets(name, value, profile, known, now) for name, value in _parts(audience, "none")
    )


def _meets(name: str, value: Any, profile: CustomerProfile, known: Known, now: datetime) -> bool:
    if name in _MOST_DAYS:
        return _within(_moment_of(name, profile, known), int(value), now)
    return _PLAIN[name](value, profile, known)


def _tags(profile: CustomerProfile) -> set[str]:
    return {tag.casefold() for tag in profile.tags}


def _words(value: Any) -> set[str]:
    return {str(one).casefold() for one in value}


def _bought(value: Any, profile: CustomerProfile, _known: Known) -> bool:
    categories = profile.preferences.get("stats", {}).get("categories", {})
    return any(str(one) in categories for one in value)


def _stood(value: Any, _profile: CustomerProfile, known: Known) -> bool:
    word = known.word_in(int(value["id"]))
    return word is not None and word in set(value.get("statuses") or [word])


_PLAIN: Mapping[str, Callable[[Any, CustomerProfile, Known], bool]] = {
    "opted_in": lambda value, profile, _known: profile.opt_in_marketing is bool(value),
    "upload": lambda value, _profile, known: known.uploaded is bool(value),
    "tags_any": lambda value, profile, _known: bool(_words(value) & _tags(profile)),
    "tags_all": lambda value, profile, _known: _words(value) <= _tags(profile),
    "segment": lambda value, _profile, known: known.segment in _words(value),
    "language": lambda value, _profile, known: bool(
        _words(value) & {known.language.casefold(), known.language.partition("_")[0].casefold()}
    ),
    "country": lambda value, _profile, known: known.country.casefold() in _words(value),
    "bought_category": _bought,
    "of_campaign": _stood,
}


def _moment_of(name: str, profile: CustomerProfile, known: Known) -> datetime | None:
    if name == "ordered_within_days":
        told = profile.preferences.get("stats", {}).get("last_order_at")
        return None if told is None else of_iso(str(told))
    if name == "cart_abandoned_within_days":
        return known.abandoned_at
    return profile.last_interaction_at if name == "last_contact_within_days" else known.reached


def _within(moment: datetime | None, days: int, now: datetime) -> bool:
    return moment is not None and moment > now - timedelta(days=days)
