"""What must be true of several settings together."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wch.domain.moment import is_zone
from wch.settings.choices import CouponKind, Profile
from wch.settings.kinds import Address, is_loopback, without_password
from wch.settings.sections import BY_NAME, ENTRIES

if TYPE_CHECKING:
    from wch.settings import Settings

ALL_OF_IT = 100


def faults(settings: "Settings", *, but: Collection[str] = ()) -> tuple[str, ...]:
    """A sentence for each rule that is broken, leaving out those that rest on the settings in `but`."""
    found: list[str] = []
    for names, sentence in broken(settings):
        if not any(name in but for name in names):
            subject = " and ".join(BY_NAME[name].variable for name in names)
            found.append(f"{subject}: {sentence}.")
    return tuple(found)


def broken(settings: "Settings") -> Iterator[tuple[tuple[str, ...], str]]:
    """The rules that are broken: the settings that each is about, by `section.key`, and what to say."""
    yield from _addresses(settings)
    if not is_zone(settings.general.timezone):
        yield ("general.timezone",), f"{settings.general.timezone!r} is not a time zone: give one like Europe/Madrid"
    if settings.security.failpoints and not settings.security.testing:
        yield ("security.failpoints",), "failpoints are armed for tests only: set WCH_TESTING=1 or take them away"
    least, most = settings.checkout.min_total, settings.checkout.max_total
    if 0 < most < least:
        yield ("checkout.min_total", "checkout.max_total"), f"{least} is above {most}: no order would fit"
    segments = settings.segments
    if not segments.silver < segments.gold < segments.platinum:
        names = ("segments.silver", "segments.gold", "segments.platinum")
        shown = f"{segments.silver}, {segments.gold}, {segments.platinum}"
        yield names, f"{shown} do not go up: give three amounts, smallest first"
    if settings.assistant.url and not settings.assistant.model:
        yield ("assistant.url", "assistant.model"), "an address without a model asks nobody: name the model too"
    recovery = settings.recovery
    if recovery.coupon_kind is CouponKind.PERCENT and recovery.coupon_amount > ALL_OF_IT:
        yield ("recovery.coupon_amount",), f"{recovery.coupon_amount} is more than 100 percent"


def _addresses(settings: "Settings") -> Iterator[tuple[tuple[str, ...], str]]:
    profile = settings.general.profile
    for entry in ENTRIES:
        if not isinstance(entry.kind, Address):
            continue
        url = getattr(getattr(settings, entry.section), entry.key)
        if not url or urlsplit(url).scheme == "https":
            continue
        shown = without_password(url)
        if profile is Profile.PROD:
            yield (entry.name,), f"{shown!r} is not https, which profile prod asks for: give an https address"
        elif not is_loopback(url):
            yield (entry.name,), f"{shown!r} is http and not on this machine: give an https address"
