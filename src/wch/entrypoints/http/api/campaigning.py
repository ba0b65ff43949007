"""Routes about broadcasts and the templates they are made of."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import attrs
from litestar import Response, get, post
from litestar.params import Body, QueryParameter

from wch.application.broadcasts import Broadcasts
from wch.application.campaigns import Campaign
from wch.application.hub import Hub
from wch.application.template_findings import Lint
from wch.domain.api_key import KeyScope
from wch.domain.message_template import MessageTemplate
from wch.entrypoints.http.api import samples
from wch.entrypoints.http.api.calls import (
    Asked,
    Told,
    after_id,
    etag,
    key_of,
    needs,
    once,
    page,
    parts_of,
    sees,
    wanted_version,
)
from wch.entrypoints.http.api.machine_views import RecipientView
from wch.entrypoints.http.api.parameters import After, CampaignPlan, Id, Limit
from wch.entrypoints.http.api.views import Page
from wch.entrypoints.shown import plain


@attrs.frozen(kw_only=True)
class CampaignView:
    """A broadcast: its plan, and what happens to it; `version` is its ETag."""

    id: int
    name: str
    state: str
    reason: str | None
    version: int
    started_at: datetime | None
    plan: dict[str, Any]

    @classmethod
    def of(cls, one: Campaign) -> "CampaignView":
        """This campaign."""
        return cls(
            id=one.plan.id,
            name=one.plan.name,
            state=one.progress.state.value,
            reason=one.progress.reason,
            version=one.progress.rev,
            started_at=one.progress.started_at,
            plan=dict(plain(one.plan.to_json())),
        )


@attrs.frozen(kw_only=True)
class TemplateView:
    """A message template as WhatsApp told it last."""

    name: str
    language: str
    category: str
    status: str
    quality: str | None

    @classmethod
    def of(cls, one: MessageTemplate) -> "TemplateView":
        """This template."""
        return cls(name=one.name, language=one.language, category=one.category, status=one.status, quality=one.quality)


@attrs.frozen(kw_only=True)
class LintView:
    """What is wrong with a use of a template, and what to do."""

    use: str
    template: str
    language: str
    level: str
    what: str
    way_out: str

    @classmethod
    def of(cls, one: Lint) -> "LintView":
        """This finding."""
        return cls(**attrs.asdict(one))


def campaigning_routes(hub: Hub) -> list[Any]:  # noqa: C901 - a list of routes
    """Broadcasts: draft, rehearse, start, stop, report; templates: list, fetch, check."""
    told = Told(
        kind="broadcast",
        id_of=lambda one: one.plan.id,
        read=lambda row: hub.broadcasts.show(int(row)),
        view=lambda one, _: CampaignView.of(one),
    )

    def versioned(one: Campaign) -> Response[CampaignView]:
        return Response(CampaignView.of(one), headers=etag(str(one.progress.rev)))

    async def moved(
        request: Asked, campaign_id: int, act: Callable[..., Awaitable[Campaign]]
    ) -> Response[CampaignView]:
        by, version = key_of(request).actor, wanted_version(request)
        answer = await once(
            hub, request, told, hub.broadcasts, lambda room: act(room, campaign_id, by=by, version=version),
            row=campaign_id,
        )  # fmt: skip
        answer.headers |= etag(str(answer.content.version))
        return answer

    @get("/broadcasts", opt=needs(KeyScope.READ), summary="Broadcasts by id")
    async def campaigns(limit: Limit = 50, after: After = None) -> Page[CampaignView]:
        start = after_id(after)
        found = [one for one in await hub.broadcasts.listed() if one.plan.id > start]
        return page(found, limit, CampaignView.of, lambda one: (one.plan.id,))

    @post("/broadcasts", opt=needs(KeyScope.BROADCASTS), status_code=201, summary="Keep a plan as a draft")
    async def draft(
        request: Asked, data: Annotated[CampaignPlan, Body(examples=samples.CAMPAIGN)]
    ) -> Response[CampaignView]:
        """Nothing is sent; `GET /broadcasts/{id}/rehearsal` says what starting it would come to."""
        by = key_of(request).actor

        async def made(room: Broadcasts) -> Campaign:
            plan, _ = await room.draft(data.told(), by=by)
            return await hub.broadcasts.show(plan.id)

        answer = await once(hub, request, told, hub.broadcasts, made, status=201)
        answer.headers |= etag(str(answer.content.version))
        return answer

    @get("/broadcasts/{campaign_id:int}", opt=needs(KeyScope.READ), summary="One broadcast; its version is the ETag")
    async def campaign(campaign_id: Id) -> Response[CampaignView]:
        return versioned(await hub.broadcasts.show(campaign_id))

    @get("/broadcasts/{campaign_id:int}/rehearsal", opt=needs(KeyScope.READ), summary="What starting it would come to")
    async def rehearsal(campaign_id: Id) -> dict[str, Any]:
        report: dict[str, Any] = plain(await hub.broadcasts.rehearse((await hub.broadcasts.show(campaign_id)).plan))
        return report

    @get("/broadcasts/{campaign_id:int}/report", opt=needs(KeyScope.READ), summary="What came of it")
    async def report(campaign_id: Id) -> dict[str, Any]:
        found: dict[str, Any] = plain(await hub.broadcasts.report(campaign_id))
        return found

    @get("/broadcasts/{campaign_id:int}/recipients", opt=needs(KeyScope.READ), summary="Its recipients, by id")
    async def recipients(
        request: Asked, campaign_id: Id, limit: Limit = 50, after: After = None
    ) -> Page[RecipientView]:
        await hub.broadcasts.show(campaign_id)
        start = after_id(after)
        found = await hub.database.read(lambda uow: uow.recipients.listed(campaign_id, after=start, limit=limit + 1))
        return page(found, limit, lambda one: RecipientView.of(one, sees=sees(request)), lambda one: (one.id,))

    @post("/broadcasts/{campaign_id:int}/start", opt=needs(KeyScope.BROADCASTS), status_code=200, summary="Let it run")
    async def start(
        request: Asked,
        campaign_id: Id,
        now: Annotated[bool, QueryParameter(name="now", description="Whatever its schedule says.")] = False,  # noqa: FBT002 - a parameter of the query
    ) -> Response[CampaignView]:
        """Freeze the plan and begin: at its moment if it has one, else at once."""
        return await moved(request, campaign_id, partial(Broadcasts.start, now_at_once=now))

    @post(
        "/broadcasts/{campaign_id:int}/pause",
        opt=needs(KeyScope.BROADCASTS),
        status_code=200,
        summary="Once this is answered nothing more of it leaves",
    )
    async def pause(request: Asked, campaign_id: Id) -> Response[CampaignView]:
        return await moved(request, campaign_id, Broadcasts.pause)

    @post("/broadcasts/{campaign_id:int}/resume", opt=needs(KeyScope.BROADCASTS), status_code=200, summary="Go on")
    async def resume(request: Asked, campaign_id: Id) -> Response[CampaignView]:
        return await moved(request, campaign_id, Broadcasts.resume)

    @post(
        "/broadcasts/{campaign_id:int}/cancel",
        opt=needs(KeyScope.BROADCASTS),
        status_code=200,
        summary="End it; what waits is skipped",
    )
    async def cancel(request: Asked, campaign_id: Id) -> Response[CampaignView]:
        return await moved(request, campaign_id, Broadcasts.cancel)

    @post(
        "/broadcasts/{campaign_id:int}/unschedule",
        opt=needs(KeyScope.BROADCASTS),
        status_code=200,
        summary="Make a draft again of what waits for its moment",
    )
    async def unschedule(request: Asked, campaign_id: Id) -> Response[CampaignView]:
        return await moved(request, campaign_id, Broadcasts.unschedule)

    # --- templates

    @get("/templates", opt=needs(KeyScope.READ), summary="Every template that was ever seen, by name and language")
    async def templates(limit: Limit = 50, after: After = None) -> Page[TemplateView]:
        start = parts_of(after, str, str) or ("", "")
        rows = sorted(await hub.templates.listed(), key=lambda one: (one.name, one.language))
        found = [one for one in rows if (one.name, one.language) > start]
        return page(found, limit, TemplateView.of, lambda one: (one.name, one.language))

    @post(
        "/templates/sync",
        opt=needs(KeyScope.BROADCASTS),
        status_code=200,
        summary="Fetch the account's templates from WhatsApp now",
    )
    async def fetch() -> dict[str, Any]:
        return dict(await hub.templates.sync())

    @get(
        "/templates/lint",
        opt=needs(KeyScope.READ),
        summary="What is wrong with the templates in use; nothing is fetched",
    )
    async def lint() -> Page[LintView]:
        return Page(data=[LintView.of(one) for one in await hub.templates.lint()], next_cursor=None)

    return [
        campaigns, draft, campaign, rehearsal, report, recipients, start, pause, resume, cancel, unschedule,
        templates, fetch, lint,
    ]  # fmt: skip
