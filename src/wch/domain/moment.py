"""Moments: aware, UTC, whole seconds, since that is what a DATETIME column keeps."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import attrs

SECOND = timedelta(seconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def whole(moment: datetime) -> datetime:
    """The same moment in UTC, cut to the second it lies in."""
    in_utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return in_utc.replace(microsecond=0) if in_utc.microsecond else in_utc


def is_zone(name: str) -> bool:
    """Whether there is a time zone of this IANA name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


@lru_cache(maxsize=4096)  # what comes together is of the same few seconds
def of_unix(seconds: int) -> datetime:
    """The moment so many seconds after 1970-01-01T00:00:00Z."""
    return EPOCH + timedelta(seconds=seconds)


def unix(moment: datetime) -> int:
    """Whole seconds since 1970-01-01T00:00:00Z."""
    return int((moment - EPOCH).total_seconds())


@lru_cache(maxsize=4096)  # most of those that are written together are the same few
def iso(moment: datetime) -> str:
    """RFC 3339 in UTC, as JSON columns and the API write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_iso(text: str) -> datetime:
    """The moment that `iso` wrote; a text without a zone is UTC, wherever it is read.

    Raises:
        ValueError: it is no moment that a column could hold.
    """
    moment = datetime.fromisoformat(text)
    try:
        return whole(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    except OverflowError as error:
        message = "the moment lies outside the years 1 to 9999"
        raise ValueError(message) from error


def utc_seconds(_instance: Any, attribute: "attrs.Attribute[Any]", value: datetime | None) -> None:
    """Refuse a moment that is naive, not UTC, or finer than a second."""
    if value is None:
        return
    if value.tzinfo is not UTC and (value.tzinfo is None or value.utcoffset() != timedelta(0)):
        message = f"{attribute.name} must be an aware moment in UTC"
        raise ValueError(message)
    if value.microsecond:
        message = f"{attribute.name} must be a whole second"
        raise ValueError(message)
