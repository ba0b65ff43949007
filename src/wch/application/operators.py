"""Operators: who may use the console, signing in, and what keeps somebody signed in."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import attrs

from wch.application.digests import Digests
from wch.application.limits import Limits
from wch.application.ports import Clock, Database, Ids, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.document import document
from wch.domain.errors import ConflictError, NotFoundError, WchError
from wch.domain.moment import unix
from wch.domain.operator import Operator, Role, checked_name, checked_password, hashed, is_right

PREFIX = "operator."
NUMBERS = "operators.last_number"
_NOBODY = ("00" * 16, "00" * 32)
"""The salt and the hash that a stranger's password is tried against, so that it takes as long."""


class SignInRefusedError(WchError):
    """Name or password is wrong."""


class TooManyTriesError(WchError):
    """Too many tries to sign in; wait a little."""

    retry_after: timedelta


class TooManyChangesError(WchError):
    """Too many changes in a short time; wait a little."""

    retry_after: timedelta


@attrs.frozen(kw_only=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        form_token: what every form of this session carries, and no other site knows.
    """

    operator: Operator
    form_token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Operators:
    """The people of the console; each change of theirs has its line in the audit log.

    Attributes:
        stays: how long somebody stays signed in.
    """

    database: Database
    clock: Clock
    ids: Ids
    digests: Digests
    limits: Limits
    stays: timedelta

    async def listed(self) -> Sequence[Operator]:
        """Everybody, by name."""
        found = await self.database.read(lambda uow: uow.options.named(PREFIX, limit=1_000))
        return [Operator.of(name.removeprefix(PREFIX), kept) for name, kept in found]

    async def add(self, name: str, role: Role, password: str, *, by: str) -> Operator:
        """Let somebody in from now on.

        Raises:
            OperatorRefusedError: the name or the password cannot be one.
            ConflictError: there is somebody of this name.
        """
        salt, secret = await self._hashed(checked_password(password))
        checked_name(name)

        def work(uow: UnitOfWork) -> Operator:
            last = uow.options.get(NUMBERS, lock=True)
            if uow.options.get(PREFIX + name, lock=True) is not None:
                message = "There is somebody of this name already, and nothing was changed; choose another name."
                raise ConflictError(message, operator=name)
            now = self.clock.now()
            number = 1 + (0 if last is None else int(last["last"]))
            made = Operator(name=name, number=number, role=role, salt=salt, secret=secret, created_at=now)
            uow.options.put(NUMBERS, {"last": number})
            self._save(uow, made, "add", by=by, now=now)
            return made

        return await self.database.transact(work)

    async def disable(self, name: str, *, by: str) -> Operator:
        """Keep somebody out, at once.

        Raises:
            NotFoundError: there is nobody of this name.
        """
        return await self._change(name, "disable", by=by, change=lambda one: one.disabled())

    async def set_password(self, name: str, password: str, *, by: str) -> Operator:
        """Give somebody a new password; all their browsers are signed out.

        Raises:
            OperatorRefusedError: it is too short.
            NotFoundError: there is nobody of this name.
        """
        salt, secret = await self._hashed(checked_password(password))
        return await self._change(name, "password", by=by, change=lambda one: one.with_password(salt, secret))

    async def sign_in(self, name: str, password: str, *, address: str) -> str:
        """The cookie of somebody who knows the password; as slow for strangers as for friends.

        Raises:
            TooManyTriesError: this address, or this account, was tried too often.
            SignInRefusedError: the name or the password is wrong, or the person is kept out.
        """
        for counted in (f"address:{address}", f"account:{name}"):
            admission = await self.limits.hit("auth", counted)
            if not admission.admitted:
                raise TooManyTriesError(retry_after=admission.retry_after)
        found = await self._found(name)
        salt, secret = _NOBODY if found is None else (found.salt, found.secret)
        tried = await asyncio.to_thread(hashed, password, salt)
        if not is_right(secret, tried) or found is None or found.is_disabled:
            await self.note(None if found is None else found, "sign_in.refused", about=None)
            raise SignInRefusedError

        def work(uow: UnitOfWork) -> Operator:
            now = self.clock.now()
            kept = uow.options.get(PREFIX + name, lock=True)
            if kept is None:
                raise SignInRefusedError
            signed = Operator.of(name, kept).signed_in(now=now)
            self._save(uow, signed, "sign_in", by=signed.actor, now=now)
            return signed

        signed = await self.database.transact(work)
        return self._cookie(signed, self.clock.now())

    async def of_cookie(self, cookie: str) -> Session | None:
        """Who this cookie was made for; None when it is not ours, is over, or the person has changed since."""
        name, _, rest = cookie.partition("|")
        epoch, _, rest = rest.partition("|")
        moment, _, signature = rest.partition("|")
        if not epoch.isdecimal() or not moment.isdecimal() or len(moment) > len("9999999999"):
            return None
        said = f"{name}|{epoch}|{moment}"
        if not any(hmac.compare_digest(signature, known) for known in self.digests.all(f"session:{said}")):
            return None
        if unix(self.clock.now()) >= int(moment) + self.stays.total_seconds():
            return None
        operator = await self._found(name)
        if operator is None or operator.is_disabled or operator.epoch != int(epoch):
            return None
        return Session(operator=operator, form_token=self.digests.of(f"form:{said}"))

    async def sign_out(self, operator: Operator) -> None:
        """Note that somebody left; the browser forgets its cookie."""
        await self.note(operator, "sign_out", about=None)

    async def count_change(self, operator: Operator) -> None:
        """Count one change of somebody's.

        Raises:
            TooManyChangesError: there were too many.
        """
        admission = await self.limits.hit("admin", f"operator:{operator.name}")
        if not admission.admitted:
            raise TooManyChangesError(retry_after=admission.retry_after)

    async def note(self, operator: Operator | None, action: str, *, about: str | None) -> None:
        """Write a line about somebody into the audit log: a refusal, an unmasking, a way out."""

        def work(uow: UnitOfWork) -> None:
            who = "stranger" if operator is None else operator.actor
            uow.audit.add(AuditEntry(at=self.clock.now(), actor=who, action=action, object=about))

        await self.database.transact(work)

    async def _found(self, name: str) -> Operator | None:
        kept = await self.database.read(lambda uow: uow.options.get(PREFIX + name))
        return None if kept is None else Operator.of(name, kept)

    async def _hashed(self, password: str) -> tuple[str, str]:
        salt = hashlib.sha256(f"salt:{self.ids.token()}".encode()).hexdigest()[:32]
        return salt, await asyncio.to_thread(hashed, password, salt)

    async def _change(self, name: str, action: str, *, by: str, change: Callable[[Operator], Operator]) -> Operator:
        def work(uow: UnitOfWork) -> Operator:
            kept = uow.options.get(PREFIX + name, lock=True)
            if kept is None:
                raise NotFoundError(kind="operator", id=name)
            changed = change(Operator.of(name, kept))
            self._save(uow, changed, action, by=by, now=self.clock.now())
            return changed

        return await self.database.transact(work)

    def _save(self, uow: UnitOfWork, operator: Operator, action: str, *, by: str, now: datetime) -> None:
        uow.options.put(PREFIX + operator.name, operator.plain())
        about, detail = f"operator:{operator.name}", document(role=operator.role.value)
        uow.audit.add(AuditEntry(at=now, actor=by, action=f"operator.{action}", object=about, detail=detail))

    def _cookie(self, operator: Operator, now: datetime) -> str:
        said = f"{operator.name}|{operator.epoch}|{unix(now)}"
        return f"{said}|{self.digests.of(f'session:{said}')}"
