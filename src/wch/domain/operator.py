"""Operators: the people who use the console, and what each role may do."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Self

import attrs

from wch.domain.audit import Actor
from wch.domain.document import JsonObject
from wch.domain.errors import WchError
from wch.domain.moment import iso, of_iso, utc_seconds

COST, BLOCK, PARALLEL, MEMORY = 2**14, 8, 1, 64 * 1024 * 1024
"""scrypt's measures: some 50 ms and 16 MiB for each try."""

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 200

_NAME = re.compile(r"[a-z][a-z0-9._-]{1,39}\Z")


class OperatorRefusedError(WchError):
    """This cannot be an operator; the sentence says why."""


class Role(StrEnum):
    """Who somebody is in the console."""

    VIEWER = "viewer"
    AGENT = "agent"
    OPERATOR = "operator"
    ADMIN = "admin"


class Right(StrEnum):
    """What a role may do; whatever is not listed for it is refused."""

    SEE = "see"
    """Pages, figures and states, people masked."""
    PEOPLE = "people"
    """Names, numbers and texts of the conversations that one may see."""
    ALL_PEOPLE = "all_people"
    """The same of every conversation."""
    CONVERSE = "converse"
    """Write, assign, hand over and back, resolve, tag."""
    CARTS = "carts"
    """Carts of a customer, and consent by request."""
    TRADE = "trade"
    """Broadcasts, notices, sync, templates, stock."""
    MEND = "mend"
    """Dead letters, sagas, breakers, limits, merges."""
    MANAGE = "manage"
    """Exports of people, erasure, settings, operators, keys."""


_AGENT = frozenset({Right.SEE, Right.PEOPLE, Right.CONVERSE, Right.CARTS})
_OPERATOR = _AGENT | {Right.ALL_PEOPLE, Right.TRADE, Right.MEND}

RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.SEE}),
    Role.AGENT: _AGENT,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: _OPERATOR | {Right.MANAGE},
}


@attrs.frozen(kw_only=True)
class Operator:
    """One person, as the options keep them.

    Attributes:
        number: what stands in `assigned_agent_id`.
        salt: of the password's hash, in hex.
        secret: the password's hash, in hex.
        epoch: grows with a new password, role or state; what was signed for an older one is over.
    """

    name: str
    number: int = attrs.field(validator=attrs.validators.gt(0))
    role: Role
    salt: str = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)
    epoch: int = 1
    is_disabled: bool = False
    created_at: datetime = attrs.field(validator=utc_seconds)
    signed_in_at: datetime | None = attrs.field(default=None, validator=utc_seconds)

    @property
    def actor(self) -> Actor:
        """How the audit log names them."""
        return Actor(self.name, self.role.value)

    def may(self, right: Right) -> bool:
        """Whether the role has this right, and the person still has the role."""
        return not self.is_disabled and right in RIGHTS[self.role]

    def with_password(self, salt: str, secret: str) -> Self:
        """Everybody who is signed in as this person is signed out."""
        return attrs.evolve(self, salt=salt, secret=secret, epoch=self.epoch + 1)

    def disabled(self) -> Self:
        """Nobody signs in as this person any more."""
        return attrs.evolve(self, is_disabled=True, epoch=self.epoch + 1)

    def signed_in(self, *, now: datetime) -> Self:
        """The password was right."""
        return attrs.evolve(self, signed_in_at=now)

    def plain(self) -> JsonObject:
        """As the options keep it."""
        return {
            "v": 1,
            "number": self.number,
            "role": self.role.value,
            "salt": self.salt,
            "secret": self.secret,
            "epoch": self.epoch,
            "disabled": self.is_disabled,
            "created_at": iso(self.created_at),
            "signed_in_at": None if self.signed_in_at is None else iso(self.signed_in_at),
        }

    @classmethod
    def of(cls, name: str, kept: JsonObject) -> Self:
        """What the options kept; a role that this program does not know may do nothing.

        Raises:
            OperatorRefusedError: the document is not one of ours.
        """
        try:
            signed = kept.get("signed_in_at")
            return cls(
                name=name,
                number=int(kept["number"]),
                role=Role(kept["role"]),
                salt=str(kept["salt"]),
                secret=str(kept["secret"]),
                epoch=int(kept["epoch"]),
                is_disabled=bool(kept["disabled"]),
                created_at=of_iso(str(kept["created_at"])),
                signed_in_at=None if signed is None else of_iso(str(signed)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise OperatorRefusedError("An operator's document cannot be read.") from error


def checked_name(name: str) -> str:
    """The name, if it can be one.

    Raises:
        OperatorRefusedError: it cannot; the sentence says what can.
    """
    if not _NAME.match(name):
        raise OperatorRefusedError("A name is 2 to 40 of a-z, 0-9, dot, dash and underscore, and begins with a letter.")
    return name


def checked_password(password: str) -> str:
    """The password, if it is long enough and not endless.

    Raises:
        OperatorRefusedError: it is not.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise OperatorRefusedError(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    return password


def hashed(password: str, salt: str) -> str:
    """The password under scrypt, in hex; slow on purpose."""
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=bytes.fromhex(salt),
        n=COST,
        r=BLOCK,
        p=PARALLEL,
        maxmem=MEMORY,
        dklen=32,
    ).hex()


def is_right(secret: str, hashed_password: str) -> bool:
    """Whether the two are the same, in a time that does not tell how far they agree."""
    return hmac.compare_digest(secret.encode(), hashed_password.encode())
