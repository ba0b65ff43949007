"""A visit to the console: who comes, whether they may, and what the answer is when something is refused."""

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from litestar import MediaType, Request, Response

from wch.application.hub import Hub
from wch.application.operators import Session, TooManyChangesError, TooManyTriesError
from wch.domain.errors import ConflictError, NotFoundError, StoreUnavailableError, WchError
from wch.domain.operator import Operator, Right
from wch.entrypoints.http.pages.eyes import Eyes, clean
from wch.entrypoints.http.pages.files import PAGE_POLICY
from wch.entrypoints.http.pages.parts import Page

COOKIE = "wch_session"
PAGE_SIZE = 50

_Request = Request[Any, Any, Any]

NAVIGATION: tuple[tuple[str, str, Right], ...] = (
    ("", "Home", Right.SEE),
    ("inbox", "Inbox", Right.SEE),
    ("customers", "Customers", Right.SEE),
    ("carts", "Carts", Right.SEE),
    ("orders", "Orders", Right.SEE),
    ("notices", "Notices", Right.SEE),
    ("broadcasts", "Broadcasts", Right.SEE),
    ("templates", "Templates", Right.SEE),
    ("letters", "Dead letters", Right.SEE),
    ("sagas", "Sagas", Right.SEE),
    ("guards", "Breakers and limits", Right.SEE),
    ("sync", "Sync", Right.SEE),
    ("audit", "Audit log", Right.MEND),
    ("doctor", "Doctor", Right.MEND),
    ("settings", "Settings", Right.MANAGE),
    ("people", "Operators", Right.MANAGE),
)


class ForbiddenError(WchError):
    """Your role may not do this."""


class StaleFormError(WchError):
    """This form is too old, or did not come from here; go back, load the page again, and repeat."""


@attrs.frozen(kw_only=True)
class Visit:
    """One request of somebody who is signed in."""

    hub: Hub
    session: Session
    root: str
    asked: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def operator(self) -> Operator:
        """Who comes."""
        return self.session.operator

    @property
    def eyes(self) -> Eyes:
        """What they may see."""
        return Eyes(self.operator)

    @property
    def by(self) -> str:
        """How the audit log names them."""
        return self.operator.name

    def may(self, right: Right) -> bool:
        """Whether they have this right."""
        return self.operator.may(right)

    def number(self, name: str) -> int:
        """A number in the address.

        Raises:
            NotFoundError: it is none that a row can have.
        """
        word = self.asked.get(name) or self.query.get(name, "0")
        if not word.isdecimal() or len(word) > len("9223372036854775807") - 1:
            raise NotFoundError(kind=name)
        return int(word)

    def href(self, path: str, **query: object) -> str:
        """An address below the console."""
        asked = {name: value for name, value in query.items() if value is not None}
        return f"{self.root}/console{f'/{path}' if path else ''}{f'?{urlencode(asked)}' if asked else ''}"

    def word(self, name: str, *, most: int = 4096) -> str:
        """A field of the form."""
        return self.form.get(name, "").strip()[:most]


Show = Callable[[Visit], Awaitable[Page]]
Act = Callable[[Visit], Awaitable[str]]


class Route(NamedTuple):
    """A page, or a change, below the console; `{names}` in its path are asked for."""

    path: str
    right: Right
    does: Any

    def match(self, path: str) -> Mapping[str, str] | None:
        """What the path asks for, if it is this one."""
        found = _pattern(self.path).fullmatch(path)
        return None if found is None else found.groupdict()


@cache
def _pattern(path: str) -> "re.Pattern[str]":
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("wch.entrypoints.http.pages"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def rendered(visit: Visit, page: Page, marks: Mapping[str, str]) -> Response[str]:
    """A page as HTML."""
    places = [(visit.href(path), label, path == page.place) for path, label, right in NAVIGATION if visit.may(right)]
    told = TOLD.get(visit.query.get("done", ""))
    return html(
        page.template,
        status=page.status,
        page=page,
        visit=visit,
        places=places,
        told=told,
        marks=marks,
        root=visit.root,
        clean=clean,
        **page.values,
    )


def html(template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any) -> Response[str]:
    """A template as an answer that may load what this server ships and nothing else."""
    body = _environment().get_template(template).render(**values)
    # Without a referrer browsers send `Origin: null` with forms, and nobody could tell ours from a stranger's.
    policy = {"Content-Security-Policy": PAGE_POLICY, "Referrer-Policy": "same-origin", **(headers or {})}
    return Response(body, status_code=status, media_type=MediaType.HTML, headers=policy)


TOLD: Mapping[str, str] = {
    "sent": "Your message waits in the outbox.",
    "handoff": "The conversation is with you now; the assistant is silent.",
    "handback": "The assistant has the conversation again.",
    "noted": "The note is kept for your colleagues.",
    "unassigned": "The conversation waits for a person again.",
    "assign": "The conversation is assigned.",
    "resolve": "The conversation is resolved.",
    "seen": "Marked as read.",
    "tagged": "The tags are changed.",
    "consent": "The consent is written down.",
    "erasing": "The erasure has begun; its time line is below.",
    "expired": "The cart is ended.",
    "cancelled": "The order is cancelled.",
    "retried": "The notice waits again.",
    "replayed": "Replayed: the work waits again.",
    "rehearsed": "Tried and taken back: the replay would go through.",
    "edited": "The bytes are changed; the letter can be replayed.",
    "dismissed": "Dismissed.",
    "group": "The group is worked through; what is left is below.",
    "acted": "The saga goes on.",
    "breaker": "The breaker is changed.",
    "limit": "The hits are forgotten.",
    "enqueued": "It waits in the queue.",
    "broadcast": "The broadcast is changed.",
    "templates": "The templates are as WhatsApp tells them.",
    "operator": "The operator is changed.",
}
"""What is said at the top of a page after a change, by its word."""


def refusal_of(error: WchError) -> tuple[int, str]:
    """The status and the sentence of a refusal."""
    if isinstance(error, ForbiddenError | StaleFormError):
        return 403, str(error)
    if isinstance(error, NotFoundError):
        return 404, str(error)
    if isinstance(error, ConflictError):
        return 409, str(error)
    if isinstance(error, TooManyChangesError | TooManyTriesError):
        return 429, str(error)
    if isinstance(error, StoreUnavailableError):
        return 503, str(error)
    return 422, str(error)


def demand_own_form(request: _Request, session: Session, form: Mapping[str, str]) -> None:
    """Go no further unless the form was made by a page of this session.

    Raises:
        StaleFormError: it was not.
    """
    demand_same_origin(request)
    if not hmac.compare_digest(form.get("token", "").encode(), session.form_token.encode()):
        raise StaleFormError


def demand_same_origin(request: _Request) -> None:
    """Go no further when a browser says that the form stands on another site.

    Raises:
        StaleFormError: it does.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise StaleFormError


async def form_of(request: _Request) -> dict[str, str]:
    """The fields of a form, each once."""
    found = await request.form()
    return {name: value for name, value in found.items() if isinstance(value, str)}
