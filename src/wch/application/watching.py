"""Watching: one cheap look that tells which open pages have something new to show."""

import hashlib
from collections.abc import Iterable, Mapping

import attrs

from wch.application.ports import Database, UnitOfWork

LOOKED_AT = 50
"""Rows of a list that a page shows, and so those whose change it must hear of."""


@attrs.frozen(kw_only=True)
class Watching:
    """Marks of topics: a mark changes when what a page of that topic shows may have changed."""

    database: Database

    async def marks(self, topics: Iterable[str]) -> Mapping[str, str]:
        """The mark of each known topic, all from one snapshot; what nobody knows is left out."""
        asked = tuple(dict.fromkeys(topics))

        def work(uow: UnitOfWork) -> dict[str, str]:
            return {topic: _short(seen) for topic in asked if (seen := _seen(uow, topic)) is not None}

        return await self.database.read(work)


def _seen(uow: UnitOfWork, topic: str) -> object:  # noqa: PLR0911 - a list of topics
    kind, _, key = topic.partition(":")
    if kind == "inbox" and not key:
        return [
            (one.id, one.status, one.state, one.unread_count, one.assigned_agent_id, one.last_message_at)
            for one in uow.conversations.listed(limit=LOOKED_AT)
        ]
    if kind == "conversation" and key.isdecimal() and len(key) < len(str(2**63)):
        thread = uow.messages.thread(int(key), limit=LOOKED_AT)
        rows = [(one.id, one.status, one.updated_at, "handled" in one.content) for one in thread]
        talk = uow.conversations.get(int(key))
        return None if talk is None else (talk.status, talk.state, talk.assigned_agent_id, talk.unread_count, rows)
    if kind == "letters" and not key:
        return sorted((str(word), count) for word, count in uow.dead_letters.counts().items())
    if kind == "saga" and key:
        saga = uow.sagas.get(key)
        return None if saga is None else (saga.state, len(saga.log))
    if kind == "campaign" and key.isdecimal() and len(key) < len(str(2**63)):
        progress = uow.options.get(f"campaign.{key}.state")
        return None if progress is None else (progress.get("rev"), sorted(uow.recipients.counts(int(key)).items()))
    if kind == "breakers" and not key:
        return [(one.service, one.state, one.failures) for one in uow.breakers.listed()]
    return None


def _short(seen: object) -> str:
    return hashlib.sha256(repr(seen).encode("utf-8", "surrogatepass")).hexdigest()[:16]
