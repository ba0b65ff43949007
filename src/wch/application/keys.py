"""API keys: made, listed, revoked, and asked at every call."""

import hmac
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

import attrs

from wch.application.digests import Digests
from wch.application.draws import unused
from wch.application.limits import Limits
from wch.application.ports import Clock, Database, Ids, UnitOfWork
from wch.domain.api_key import ApiKey, KeyScope, prefix_of, scopes_of, written
from wch.domain.audit import AuditEntry
from wch.domain.errors import NotFoundError, WchError
from wch.domain.rate_limit import Admission, RateLimit

OPTION = "key."
LIMIT = "api"
PAGE = 100
PREFIX_DIGITS = 12
SECRET_DIGITS = 40


class KeyRefusedError(WchError):
    """This key opens nothing: it is unknown, revoked or over."""


def prefixes(uow: UnitOfWork) -> Iterator[str]:
    """The beginning of every key there is, revoked ones too."""
    after, page = "", uow.options.named(OPTION, limit=PAGE)
    while page:
        for name, _ in page:
            yield name.removeprefix(OPTION)
        after = page[-1][0]
        page = uow.options.named(OPTION, after=after, limit=PAGE)


@attrs.frozen(kw_only=True)
class NewKey:
    """A key that was just made.

    Attributes:
        text: the key itself; it is shown now and never again.
    """

    key: ApiKey
    text: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Entry:
    """A call that bears a good key, and whether there is room for it."""

    key: ApiKey
    admission: Admission
    rule: RateLimit


@attrs.frozen(kw_only=True)
class Keys:
    """Who may use the HTTP API; each change has its line in the audit log."""

    database: Database
    clock: Clock
    ids: Ids
    digests: Digests
    limits: Limits

    async def create(self, scopes: Iterable[str], *, lives: timedelta | None = None, by: str) -> NewKey:
        """Make a key with these scopes that ends after so long.

        Raises:
            UnknownScopeError: a scope does not exist, or none is named.
            SettingsError: no secret key is set, so the key could not be hidden.
        """
        named = scopes_of(scopes)

        def work(uow: UnitOfWork) -> NewKey:
            prefix = unused(
                lambda: self.ids.token()[-PREFIX_DIGITS:],
                lambda drawn: uow.options.get(OPTION + drawn, lock=True) is not None,
            )
            text = written(prefix, (self.ids.token() + self.ids.token())[-SECRET_DIGITS:])
            digest = self.digests.of(text)
            now = self.clock.now()
            key = ApiKey(
                prefix=prefix,
                digest=digest,
                scopes=named,
                created_at=now,
                created_by=by,
                expires_at=None if lives is None else now + lives,
            )
            uow.options.put(OPTION + prefix, key.to_json())
            uow.audit.add(AuditEntry(at=now, actor=by, action="key.create", object=f"key:{prefix}"))
            return NewKey(key=key, text=text)

        return await self.database.transact(work)

    async def listed(self, *, after: str = "", limit: int = PAGE) -> Sequence[ApiKey]:
        """Keys by prefix, revoked ones too."""
        start = OPTION + after if after else ""
        found = await self.database.read(lambda uow: uow.options.named(OPTION, after=start, limit=limit))
        return [ApiKey.of_json(told) for _, told in found]

    async def revoke(self, prefix: str, *, by: str) -> ApiKey:
        """Let a key open nothing from now on.

        Raises:
            NotFoundError: there is none with this prefix.
        """

        def work(uow: UnitOfWork) -> ApiKey:
            told = uow.options.get(OPTION + prefix, lock=True)
            if told is None:
                raise NotFoundError(kind="key", id=prefix)
            now = self.clock.now()
            key = ApiKey.of_json(told).revoked(now=now)
            uow.options.put(OPTION + prefix, key.to_json())
            uow.audit.add(AuditEntry(at=now, actor=by, action="key.revoke", object=f"key:{prefix}"))
            return key

        return await self.database.transact(work)

    async def admit(self, text: str) -> Entry:
        """Look at the key of one call, and count the call.

        Raises:
            KeyRefusedError: it is no key, unknown, revoked or over.
        """
        prefix = prefix_of(text)
        seen = None if prefix is None else await self.database.read(lambda uow: self._good(uow, prefix, text))
        if prefix is None or seen is None:
            raise KeyRefusedError

        def work(uow: UnitOfWork) -> Entry:
            rule = self.limits.rule(LIMIT)
            now = self.clock.now()
            unnoted = seen.used_at is None or now - seen.used_at >= timedelta(hours=1)
            key = self._good(uow, prefix, text, lock=unnoted)
            if key is None:
                raise KeyRefusedError
            if unnoted:
                uow.options.put(OPTION + prefix, key.used(now=now).to_json())
            admission = self.limits.hit_in(uow, rule, key.actor)
            return Entry(key=key, admission=admission, rule=rule)

        return await self.database.transact(work)

    async def refuse(self, key: ApiKey, scope: KeyScope, *, what: str) -> None:
        """Write down that a key asked for more than it may."""
        await self.database.transact(
            lambda uow: uow.audit.add(
                AuditEntry(
                    at=self.clock.now(), actor=key.actor, action="key.refused", object=f"scope:{scope}", reason=what
                )
            )
        )

    def _good(self, uow: UnitOfWork, prefix: str, text: str, *, lock: bool = False) -> ApiKey | None:
        """The key of this text, if it opens anything; all secret keys are tried, so that they can be changed."""
        told = uow.options.get(OPTION + prefix, lock=lock)
        if told is None:
            return None
        key = ApiKey.of_json(told)
        matches = [hmac.compare_digest(digest, key.digest) for digest in self.digests.all(text)]
        return key if any(matches) and key.opens(now=self.clock.now()) else None
