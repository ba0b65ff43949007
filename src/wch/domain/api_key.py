"""An API key: what a program shows instead of a person, kept so that the store gives none away."""

import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

import attrs

from wch.domain.audit import LONGEST_ROLE, Actor
from wch.domain.document import JsonObject, document
from wch.domain.errors import WchError
from wch.domain.moment import iso, of_iso, utc_seconds

_WRITTEN = re.compile(r"wch_([0-9a-f]{12})_([0-9a-f]{40})\Z")


class UnknownScopeError(WchError):
    """There is no such scope."""


class KeyScope(StrEnum):
    """What a key may do; `read` without `pii` shows people masked."""

    READ = "read"
    PII = "pii"
    MESSAGES = "messages"
    CUSTOMERS = "customers"
    CARTS = "carts"
    BROADCASTS = "broadcasts"
    ORDERS = "orders"
    EXPORT = "export"
    ERASE = "erase"
    DEAD_LETTERS = "dead-letters"
    SAGAS = "sagas"
    SETTINGS = "settings"
    METRICS = "metrics"


def scopes_of(words: Iterable[str]) -> tuple[KeyScope, ...]:
    """The scopes that these words name, each once, in their own order.

    Raises:
        UnknownScopeError: a word is none, or there is no word at all.
    """
    named = {word.strip() for word in words}
    known = {scope.value for scope in KeyScope}
    if not named or not named <= known:
        raise UnknownScopeError(known=", ".join(sorted(known)))
    return tuple(scope for scope in KeyScope if scope.value in named)


def written(prefix: str, secret: str) -> str:
    """The key as it is shown once: 160 bits of chance behind a name that may be seen."""
    return f"wch_{prefix}_{secret}"


def prefix_of(text: str) -> str | None:
    """The name that a key bears in front; None when this is no key."""
    found = _WRITTEN.match(text)
    return found[1] if found else None


@attrs.frozen(kw_only=True)
class ApiKey:
    """One `key.<prefix>` of the options.

    Attributes:
        prefix: its name, by which it is found; no secret.
        digest: an HMAC of the whole key.
        expires_at: from this moment on it is refused; None: never.
        used_at: the hour of its latest use.
    """

    prefix: str
    digest: str = attrs.field(repr=False)
    scopes: tuple[KeyScope, ...]
    created_at: datetime = attrs.field(validator=utc_seconds)
    created_by: str
    expires_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    revoked_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    used_at: datetime | None = attrs.field(default=None, validator=utc_seconds)

    @property
    def actor(self) -> Actor:
        """How the audit log calls it: its role is its scopes, or how many where they are too long for a word."""
        scopes = " ".join(self.scopes)
        return Actor(f"key:{self.prefix}", scopes if len(scopes) <= LONGEST_ROLE else f"{len(self.scopes)} scopes")

    def opens(self, *, now: datetime) -> bool:
        """Whether it is neither revoked nor over."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def may(self, scope: KeyScope) -> bool:
        """Whether it has this scope."""
        return scope in self.scopes

    def revoked(self, *, now: datetime) -> Self:
        """It opens nothing from now on; the first revocation stays."""
        return self if self.revoked_at is not None else attrs.evolve(self, revoked_at=now)

    def used(self, *, now: datetime) -> Self:
        """Note the hour, so that a busy key is not written at every call."""
        return attrs.evolve(self, used_at=now.replace(minute=0, second=0))

    def to_json(self) -> JsonObject:
        """As the options keep it."""
        times = {name: getattr(self, name) for name in ("created_at", "expires_at", "revoked_at", "used_at")}
        return document(
            prefix=self.prefix,
            digest=self.digest,
            scopes=[scope.value for scope in self.scopes],
            created_by=self.created_by,
            **{name: None if at is None else iso(at) for name, at in times.items()},
        )

    @classmethod
    def of_json(cls, told: JsonObject) -> Self:
        """As it was kept; a scope that is not known any more opens nothing."""
        known = {scope.value for scope in KeyScope}
        times: dict[str, Any] = {
            name: of_iso(told[name]) for name in ("created_at", "expires_at", "revoked_at", "used_at") if name in told
        }
        return cls(
            prefix=told["prefix"],
            digest=told["digest"],
            scopes=tuple(KeyScope(word) for word in told["scopes"] if word in known),
            created_by=told["created_by"],
            **times,
        )
