"""The operators' console: who is let in, which page or change an address means, and live updates."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
from litestar import MediaType, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect, Stream

from wch.application.hub import Hub
from wch.application.operators import Session, SignInRefusedError, TooManyTriesError
from wch.domain.errors import NotFoundError, WchError
from wch.entrypoints.http.pages import (
    answering,
    campaigning,
    caring,
    composing,
    explaining,
    figures,
    house,
    inbox,
    knowing,
    mending,
    notices,
    overview,
    rehearsing,
    staffing,
    syncing,
    trading,
    winning_back,
)
from wch.entrypoints.http.pages.files import sent
from wch.entrypoints.http.pages.live import Live, TooManyStreamsError
from wch.entrypoints.http.pages.parts import Page
from wch.entrypoints.http.pages.visiting import (
    COOKIE,
    ForbiddenError,
    Route,
    StaleFormError,
    Visit,
    demand_own_form,
    demand_same_origin,
    form_of,
    html,
    refusal_of,
    rendered,
)

OF_THE_CONSOLE = ("look.css", "console.css", "console.js", "icon.svg")

_ROOMS = (
    overview, inbox, answering, knowing, caring, trading, notices, composing, campaigning, winning_back, figures, mending, rehearsing, syncing, staffing, house,
)  # fmt: skip
PAGES: tuple[Route, ...] = (*(route for room in _ROOMS for route in room.PAGES), *explaining.PAGES)
ACTS: tuple[Route, ...] = tuple(route for room in _ROOMS for route in room.ACTS)

MOST_TOPICS = 8
_PLACE = re.compile(r"[a-z0-9][a-z0-9/_-]{0,200}\Z")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})

_Request = Request[Any, Any, Any]


@attrs.frozen(kw_only=True)
class Console:
    """The pages of one hub.

    Attributes:
        root_of: where the application is mounted, of a request.
        live: the open streams.
        a_minute: how many deliveries this process accepted in a minute, as of a moment.
    """

    hub: Hub
    live: Live
    root_of: Any
    a_minute: Callable[[datetime], float]

    async def session(self, request: _Request) -> Session | None:
        """Who comes, if they are signed in."""
        cookie = request.cookies.get(COOKIE, "")
        return await self.hub.operators.of_cookie(cookie) if cookie else None

    async def show(self, request: _Request, path: str) -> Response[Any]:
        """A page, or the way to the sign-in."""
        session = await self.session(request)
        if session is None:
            return self._to_the_door(request, path)
        route, asked = _found(PAGES, path)
        visit = self._visit(request, session, asked)
        try:
            self._demand(visit, route)
            page: Page = await route.does(visit)
        except WchError as error:
            return await self._refused(visit, error)
        marks = await self.hub.watching.marks(page.topics)
        return rendered(visit, page, marks)

    async def change(self, request: _Request, path: str) -> Response[Any]:
        """A change, then the page that shows what came of it."""
        session = await self.session(request)
        if session is None:
            return self._to_the_door(request, "")
        form, files = await form_of(request)
        route, asked = _found(ACTS, path)
        visit = self._visit(request, session, asked, form, files)
        try:
            demand_own_form(request, session, form)
            self._demand(visit, route)
            await self.hub.operators.count_change(session.operator)
            return _answer(visit, await route.does(visit))
        except WchError as error:
            if isinstance(error, ForbiddenError):
                await self.hub.operators.note(session.operator, "refused", about=f"console:{route.path}"[:100])
            return await self._refused(visit, error)

    async def sign_in_page(self, request: _Request, *, wrong: str = "", status: int = 200) -> Response[str]:
        """The door."""
        root = self.root_of(request.scope)
        return html("sign_in.html", status=status, root=root, wrong=wrong, place=_place(request.query_params))

    async def sign_in(self, request: _Request) -> Response[Any]:
        """Let somebody in who knows the password."""
        try:
            demand_same_origin(request)
        except StaleFormError as error:
            return await self.sign_in_page(request, wrong=str(error), status=403)
        form, _ = await form_of(request)
        address = request.client.host if request.client else ""
        try:
            cookie = await self.hub.operators.sign_in(
                form.get("name", "").strip().lower()[:40], form.get("password", "")[:1000], address=address
            )
        except SignInRefusedError as error:
            return await self.sign_in_page(request, wrong=str(error), status=401)
        except TooManyTriesError as error:
            refused = await self.sign_in_page(request, wrong=str(error), status=429)
            refused.headers["Retry-After"] = str(max(1, int(error.retry_after.total_seconds())))
            return refused
        root = self.root_of(request.scope)
        place = _place(request.query_params)
        answer = Redirect(f"{root}/console{f'/{place}' if place else ''}", status_code=303)
        answer.set_cookie(
            COOKIE,
            cookie,
            max_age=int(self.hub.operators.stays.total_seconds()),
            path=f"{root}/console",
            httponly=True,
            samesite="lax",
            secure=(request.url.hostname or "") not in _LOOPBACK,
        )
        return answer

    async def sign_out(self, request: _Request) -> Response[Any]:
        """Let the browser forget."""
        session = await self.session(request)
        root = self.root_of(request.scope)
        if session is not None:
            try:
                demand_own_form(request, session, (await form_of(request))[0])
            except StaleFormError as error:
                return await self._refused(self._visit(request, session, {}), error)
            await self.hub.operators.sign_out(session.operator)
        answer = Redirect(f"{root}/console/sign-in", status_code=303)
        answer.delete_cookie(COOKIE, path=f"{root}/console")
        return answer

    async def events(self, request: _Request) -> Response[Any]:
        """The stream of a live page: what may have changed, never what it says."""
        topics = tuple(request.query_params.get("topics", "").split(",")[:MOST_TOPICS])

        async def may_hear() -> tuple[str, ...] | None:
            session = await self.session(request)
            if session is None:
                return None
            return tuple([topic for topic in topics if await self._may_hear(session, topic)])

        heard = await may_hear()
        if heard is None:
            return Response("", status_code=401, media_type=MediaType.TEXT)
        try:
            stream = self.live.open(heard, may_hear)
        except TooManyStreamsError:
            return Response("", status_code=503, media_type=MediaType.TEXT, headers={"Retry-After": "30"})
        return Stream(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def _may_hear(self, session: Session, topic: str) -> bool:
        kind, _, key = topic.partition(":")
        if kind != "conversation":
            return True
        visit = Visit(hub=self.hub, session=session, root="", asked={"id": key}, query={})
        try:
            shown = await self.hub.conversations.show(visit.number("id"), limit=1)
        except NotFoundError:
            return False
        return visit.eyes.finds(shown.conversation)

    def _visit(
        self,
        request: _Request,
        session: Session,
        asked: Mapping[str, str],
        form: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> Visit:
        query = {name: str(value)[:200] for name, value in request.query_params.items()}
        return Visit(
            hub=self.hub,
            session=session,
            root=self.root_of(request.scope),
            asked=asked,
            query=query,
            form=form or {},
            files=files or {},
            webhooks_a_minute=self.a_minute(self.hub.clock.now()),
        )

    def _demand(self, visit: Visit, route: Route) -> None:
        if not visit.may(route.right):
            raise ForbiddenError

    def _to_the_door(self, request: _Request, path: str) -> Response[Any]:
        place = f"?next={path}" if _PLACE.match(path) else ""
        return Redirect(f"{self.root_of(request.scope)}/console/sign-in{place}", status_code=303)

    async def _refused(self, visit: Visit, error: WchError) -> Response[str]:
        status, sentence = refusal_of(error)
        title = {403: "Not allowed", 404: "Not there", 409: "Somebody was first", 429: "Too fast"}.get(
            status, "That did not work"
        )
        if status == 409:  # noqa: PLR2004 - a conflict
            sentence = f"{sentence} Nothing of yours was changed."
        if error.facts.get("code") == "window_closed":
            title, sentence = "The window is closed", f"{sentence} Your words were not sent."
        page = Page(title=title, place="", template="refused.html", status=status, values={"sentence": sentence})
        return rendered(visit, page, {})


def _answer(visit: Visit, came: str | Page | Response[Any]) -> Response[Any]:
    if isinstance(came, Page):
        return rendered(visit, came, {})
    return Redirect(came, status_code=303) if isinstance(came, str) else came


def _found(routes: Sequence[Route], path: str) -> tuple[Route, Mapping[str, str]]:
    for route in routes:
        asked = route.match(path)
        if asked is not None:
            return route, asked
    raise NotFoundException


def _place(query: Mapping[str, str]) -> str:
    """Where to go after the sign-in: a page of this console and nothing else."""
    place = str(query.get("next", ""))
    return place if _PLACE.match(place) else ""


def console_pages(console: Console) -> list[Any]:
    """Every route of the console."""

    @get("/console/static/{name:str}", include_in_schema=False)
    async def loaded(request: _Request, name: FromPath[str]) -> Response[bytes]:
        if name not in OF_THE_CONSOLE:
            raise NotFoundException
        return sent(request, name)

    @get("/console/sign-in", include_in_schema=False)
    async def door(request: _Request) -> Response[Any]:
        return await console.sign_in_page(request)

    @post("/console/sign-in", include_in_schema=False)
    async def enter(request: _Request) -> Response[Any]:
        return await console.sign_in(request)

    @post("/console/sign-out", include_in_schema=False)
    async def leave(request: _Request) -> Response[Any]:
        return await console.sign_out(request)

    @get("/console/events", include_in_schema=False)
    async def events(request: _Request) -> Response[Any]:
        return await console.events(request)

    @get("/console", include_in_schema=False)
    async def home(request: _Request) -> Response[Any]:
        return await console.show(request, "")

    @get("/console/{place:path}", include_in_schema=False)
    async def page(request: _Request, place: FromPath[str]) -> Response[Any]:
        return await console.show(request, place.strip("/"))

    @post("/console/{place:path}", include_in_schema=False)
    async def change(request: _Request, place: FromPath[str]) -> Response[Any]:
        return await console.change(request, place.strip("/"))

    return [loaded, door, enter, leave, events, home, page, change]
