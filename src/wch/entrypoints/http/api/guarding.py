"""Routes about what waits for a person, what was done, and how much there is."""

import json
from datetime import date
from typing import Annotated, Any, Literal

from litestar import Response, get, patch, post
from litestar.params import Body, PathParameter, QueryParameter

from wch.application.audit_log import AuditFilter
from wch.application.dead_letters import MOST_AT_ONCE
from wch.application.hub import Hub
from wch.domain.api_key import KeyScope
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.saga import SagaState
from wch.entrypoints.http.api import samples
from wch.entrypoints.http.api.calls import Asked, Told, after_id, after_word, csv_of, key_of, needs, once, page, sees
from wch.entrypoints.http.api.machine_views import (
    AuditView,
    DeadLetterView,
    GroupRehearsalView,
    LetterCountView,
    SagaView,
)
from wch.entrypoints.http.api.parameters import (
    After,
    Age,
    Because,
    Id,
    LetterChange,
    LetterGroup,
    Limit,
    SagaAct,
    Text,
    Word,
)
from wch.entrypoints.http.api.rows import saga_told
from wch.entrypoints.http.api.views import Page

Touched = Annotated[
    str | None,
    QueryParameter(
        name="object", max_length=255, description="What was done to, such as `saga:17`, letter for letter."
    ),
]
FirstDay = Annotated[date | None, QueryParameter(name="from", description="The first day in the shop's zone.")]
LastDay = Annotated[date | None, QueryParameter(name="until", description="The last day.")]


def guarding_routes(hub: Hub) -> list[Any]:  # noqa: C901 - a list of routes
    """Dead letters, sagas, audit, figures."""
    letter_told = Told(
        kind="dead_letter",
        id_of=lambda one: one.id,
        read=lambda row: hub.dead_letters.show(int(row)),
        view=lambda one, request: DeadLetterView.of(one, sees=sees(request)),
    )
    saga_row = saga_told(hub)

    # --- dead letters

    @get("/dead-letters", opt=needs(KeyScope.READ), summary="What failed for good, by id")
    async def letters(
        request: Asked,
        *,
        status: Annotated[DeadLetterStatus | None, QueryParameter(name="status", description="Only these.")] = None,
        hook: Text = None,
        reason: Text = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Page[DeadLetterView]:
        found = await hub.dead_letters.listed(
            status=status, hook=hook, reason=reason, after=after_id(after), limit=limit + 1
        )
        return page(found, limit, lambda one: DeadLetterView.of(one, sees=sees(request)), lambda one: (one.id,))

    @get("/dead-letters/stats", opt=needs(KeyScope.READ), summary="How many letters stand where")
    async def letter_counts() -> Page[LetterCountView]:
        counts = await hub.dead_letters.stats()
        rows = [
            LetterCountView(status=status, hook=hook, reason=reason, count=count)
            for (status, hook, reason), count in sorted(counts.items())
        ]
        return Page(data=rows, next_cursor=None)

    @get("/dead-letters/{letter_id:int}", opt=needs(KeyScope.READ), summary="One letter")
    async def letter(request: Asked, letter_id: Id) -> DeadLetterView:
        return DeadLetterView.of(await hub.dead_letters.show(letter_id), sees=sees(request))

    @post(
        "/dead-letters/{letter_id:int}/replay",
        opt=needs(KeyScope.DEAD_LETTERS),
        status_code=200,
        summary="Let the work wait again",
    )
    async def replay(
        request: Asked,
        letter_id: Id,
        *,
        dry_run: Annotated[bool, QueryParameter(name="dry_run", description="Do all of it, and take it back.")] = False,
    ) -> Response[DeadLetterView]:
        """Each letter is replayed once, however many ask; the second hears 409."""
        by = key_of(request).actor
        if dry_run:
            tried = await hub.dead_letters.rehearse(letter_id, by=by)
            return Response(DeadLetterView.of(tried.letter, sees=sees(request)))
        return await once(hub, request, letter_told, hub.dead_letters, lambda room: room.replay(letter_id, by=by))

    @post(
        "/dead-letters/rehearsal",
        opt=needs(KeyScope.DEAD_LETTERS),
        status_code=200,
        summary="What a replay of the pending letters of a group would come to",
    )
    async def rehearsal(
        request: Asked, data: Annotated[LetterGroup, Body(examples=samples.LETTER_GROUP)]
    ) -> GroupRehearsalView:
        """Each of the oldest 1,000 is tried by itself and taken back: nothing is changed."""
        found = await hub.dead_letters.listed(hook=data.hook, reason=data.reason, limit=MOST_AT_ONCE)
        return GroupRehearsalView.of(await hub.dead_letters.rehearse_all(found, by=key_of(request).actor))

    @post(
        "/dead-letters/{letter_id:int}/dismiss",
        opt=needs(KeyScope.DEAD_LETTERS),
        status_code=200,
        summary="Decide that nothing more is done",
    )
    async def dismiss(
        request: Asked, letter_id: Id, data: Annotated[Because, Body(examples=samples.REASON)]
    ) -> Response[DeadLetterView]:
        by = key_of(request).actor
        return await once(
            hub,
            request,
            letter_told,
            hub.dead_letters,
            lambda room: room.dismiss(letter_id, reason=data.reason, by=by),
        )

    @post(
        "/dead-letters/purge",
        opt=needs(KeyScope.DEAD_LETTERS),
        status_code=200,
        summary="Delete letters that were decided long ago; pending ones never",
    )
    async def purge(request: Asked, data: Annotated[Age, Body(examples=samples.AGE)]) -> dict[str, int]:
        return {"deleted": await hub.dead_letters.purge(days=data.days, by=key_of(request).actor)}

    @patch("/dead-letters/{letter_id:int}", opt=needs(KeyScope.DEAD_LETTERS), summary="Mend the bytes of a letter")
    async def edit(
        request: Asked, letter_id: Id, data: Annotated[LetterChange, Body(examples=samples.LETTER)]
    ) -> DeadLetterView:
        """Put another delivery in the place of the one that could not be used; a replay takes it."""
        body = json.dumps(data.body, ensure_ascii=False, separators=(",", ":")).encode()
        edited = await hub.dead_letters.edit(letter_id, body, by=key_of(request).actor)
        return DeadLetterView.of(edited, sees=sees(request))

    # --- sagas

    @get("/sagas", opt=needs(KeyScope.READ), summary="Sagas by id")
    async def sagas(
        request: Asked,
        where: Annotated[SagaState | None, QueryParameter(name="state", description="Only these.")] = None,
        kind: Annotated[str | None, QueryParameter(name="type", max_length=100, description="Only these.")] = None,
        *,
        needs_operator: Annotated[
            bool, QueryParameter(name="needs_operator", description="Only those that wait for a person.")
        ] = False,
        limit: Limit = 50,
        after: After = None,
    ) -> Page[SagaView]:
        found = await hub.sagas.listed(
            saga_type=kind, state=where, needs_operator=needs_operator, after=after_word(after), limit=limit + 1
        )
        return page(found, limit, lambda one: SagaView.of(one, sees=sees(request)), lambda one: (one.saga_id,))

    @get("/sagas/{saga_id:str}", opt=needs(KeyScope.READ), summary="One saga as a time line")
    async def saga(request: Asked, saga_id: Word) -> SagaView:
        return SagaView.of(await hub.sagas.show(saga_id), sees=sees(request))

    @post(
        "/sagas/{saga_id:str}/{action:str}",
        opt=needs(KeyScope.SAGAS),
        status_code=200,
        summary="Let a parked saga go on",
    )
    async def act(
        request: Asked,
        saga_id: Word,
        action: Annotated[
            Literal["resume", "retry-step", "skip-step", "compensate"], PathParameter(description="One of its actions.")
        ],
        data: Annotated[SagaAct, Body(examples=samples.SAGA)],
    ) -> Response[SagaView]:
        """Only what its `actions` name is open; the second of two who press hears 409."""
        by = key_of(request).actor
        return await once(
            hub,
            request,
            saga_row,
            hub.sagas,
            lambda room: room.act(saga_id, action, by=by, reason=data.reason, result=data.result),
        )

    # --- what was done, and how much there is

    @get("/audit", opt=needs(KeyScope.READ), summary="What people and keys did, by id")
    async def audit(
        request: Asked,
        *,
        actor: Text = None,
        action: Text = None,
        touched: Touched = None,
        first: FirstDay = None,
        last: LastDay = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Page[AuditView]:
        which = AuditFilter(actor=actor, action=action, object=touched, first=first, last=last)
        found = await hub.audit.listed(which, after=after_id(after), limit=limit + 1)
        return page(found, limit, lambda one: AuditView.of(one, sees=sees(request)), lambda one: (one.id,))

    @get(
        "/audit/export",
        opt=needs(KeyScope.EXPORT),
        summary="The same as CSV, safe in a spreadsheet; three exports an hour",
        media_type="text/csv",
    )
    async def audit_export(
        request: Asked,
        *,
        actor: Text = None,
        action: Text = None,
        touched: Touched = None,
        first: FirstDay = None,
        last: LastDay = None,
    ) -> Response[str]:
        which = AuditFilter(actor=actor, action=action, object=touched, first=first, last=last)
        return csv_of("audit", await hub.audit.exported(which, by=key_of(request).actor, sees=sees(request)))

    @get("/stats", opt=needs(KeyScope.READ), summary="Every table counted by state, and what waits longest")
    async def stats() -> dict[str, Any]:
        return dict(await hub.statistics.snapshot())

    @get("/verify", opt=needs(KeyScope.READ), summary="Whether everything accepted is accounted for")
    async def verify() -> dict[str, Any]:
        return dict(await hub.verification.run())

    return [
        letters,
        letter_counts,
        letter,
        replay,
        rehearsal,
        dismiss,
        purge,
        edit,
        sagas,
        saga,
        act,
        audit,
        audit_export,
        stats,
        verify,
    ]
