"""A visit to the console: who comes, whether they may, and what the answer is when something is refused."""

import csv
import hmac
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from litestar import MediaType, Request, Response
from litestar.datastructures import UploadFile

from wch.application.broadcasts import TooManyStartsError
from wch.application.exports import ExportRefusedError
from wch.application.hub import Hub
from wch.application.operators import Session, TooManyChangesError, TooManyTriesError
from wch.domain.audit import Actor
from wch.domain.errors import ConflictError, NotFoundError, StoreUnavailableError, WchError
from wch.domain.moment import of_iso
from wch.domain.operator import Operator, Right
from wch.domain.shop_error import ShopNotFoundError
from wch.entrypoints.http.pages.eyes import Eyes, clean
from wch.entrypoints.http.pages.files import PAGE_POLICY
from wch.entrypoints.http.pages.parts import Cell, Choice, Facts, Page

COOKIE = "wch_session"
PAGE_SIZE = 50

_Request = Request[Any, Any, Any]

GROUPS = {"inbox": "Customers", "broadcasts": "Reaching out", "letters": "Work", "audit": "House"}
"""What stands above an entry of the navigation where a group begins."""

NAVIGATION: tuple[tuple[str, str, Right], ...] = (
    ("", "Home", Right.SEE),
    ("analytics", "Analytics", Right.SEE),
    ("inbox", "Inbox", Right.SEE),
    ("customers", "Customers", Right.SEE),
    ("carts", "Carts", Right.SEE),
    ("orders", "Orders", Right.SEE),
    ("notices", "Notices", Right.SEE),
    ("broadcasts", "Broadcasts", Right.SEE),
    ("winning-back", "Winning back", Right.SEE),
    ("templates", "Templates", Right.SEE),
    ("letters", "Dead letters", Right.SEE),
    ("sagas", "Sagas", Right.SEE),
    ("guards", "Breakers and limits", Right.SEE),
    ("sync", "Sync", Right.SEE),
    ("audit", "Audit log", Right.MEND),
    ("doctor", "Doctor", Right.MEND),
    ("settings", "Settings", Right.MANAGE),
    ("people", "Operators and keys", Right.MANAGE),
)


class ForbiddenError(WchError):
    """Your role may not do this."""


class StaleFormError(WchError):
    """This form is too old, or did not come from here; go back, load the page again, and repeat."""


@attrs.frozen(kw_only=True)
class Visit:
    """One request of somebody who is signed in.

    Attributes:
        webhooks_a_minute: how many this process accepted, over the last five minutes.
    """

    hub: Hub
    session: Session
    root: str
    asked: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str] = attrs.field(factory=dict)
    files: Mapping[str, bytes] = attrs.field(factory=dict)
    webhooks_a_minute: float = 0.0

    @property
    def operator(self) -> Operator:
        """Who comes."""
        return self.session.operator

    @property
    def eyes(self) -> Eyes:
        """What they may see."""
        return Eyes(self.operator)

    @property
    def by(self) -> Actor:
        """How the audit log names them."""
        return self.operator.actor

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

    def told(self, moment: str) -> tuple[str, str]:
        """A moment in the shop's zone, and the same in UTC to stand beside it; where both are one, date and hour."""
        at = of_iso(moment)
        here = at.astimezone(ZoneInfo(self.hub.analytics.days.zone)).replace(tzinfo=None)
        if here == at.replace(tzinfo=None):
            return moment[:10], f"{moment[11:19]} UTC"
        beside = moment[11:16] if here.date() == at.date() else f"{moment[5:10]} {moment[11:16]}"
        return str(here), f"{beside} UTC"

    def href(self, path: str, **query: object) -> str:
        """An address below the console."""
        asked = {name: value for name, value in query.items() if value is not None}
        return f"{self.root}/console{f'/{path}' if path else ''}{f'?{urlencode(asked)}' if asked else ''}"

    def word(self, name: str, *, most: int = 4096) -> str:
        """A field of the form."""
        return self.form.get(name, "").strip()[:most]


class Route(NamedTuple):
    """A page, or a change, below the console; `{names}` in its path are asked for.

    A page is made by `does`. A change answers with the address of the page that shows what came of
    it, with a page of its own where something is shown once or asked first, or with a file.
    """

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


def states_of(words: Iterable[StrEnum]) -> list[tuple[str, str]]:
    """What a list is filtered by: everything, or one of these states."""
    return [("", "All"), *((one.value, one.value.capitalize()) for one in words)]


def filters(
    visit: Visit,
    place: str,
    words: Iterable[tuple[str, str]],
    chosen: str | None,
    *,
    by: str = "status",
    **kept: object,
) -> list[Choice]:
    """The ways to filter a list.

    Args:
        visit: who looks.
        place: the list.
        words: each way's word and its label; the empty word filters nothing.
        chosen: the word that is in force; None where it is none of them.
        by: the name of the word in the address.
        kept: what else stays in the address.
    """
    return [
        Choice(label=label, href=visit.href(place, **{by: word or None}, **kept), is_chosen=word == chosen)
        for word, label in words
    ]


def more_of(visit: Visit, path: str, rows: Sequence[Any]) -> str | None:
    """Where the next page of a list by id is, if this one is full."""
    if len(rows) < PAGE_SIZE:
        return None
    kept = {name: value for name, value in visit.query.items() if name == "status"}
    return visit.href(path, after=rows[-1].id, **kept)


def rendered(visit: Visit, page: Page, marks: Mapping[str, str]) -> Response[str]:
    """A page as HTML."""
    places = [
        (visit.href(path), label, path == page.place, GROUPS.get(path, ""))
        for path, label, right in NAVIGATION
        if visit.may(right)
    ]
    count = visit.query.get("n", "")
    told = TOLD.get(visit.query.get("done", ""), "").replace("{n}", count if count.isdecimal() else "some")
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
    "customer": "The profile is changed.",
    "blocked": "The customer is blocked: nothing is said to them by itself.",
    "unblocked": "The block is lifted.",
    "linked": "Linked: orders of that customer of the shop are shown in the chat.",
    "unlinked": "The link is taken away, and does not come back by itself.",
    "merged": "They are one customer now; it can be undone below for thirty days.",
    "unmerged": "They are two customers again.",
    "cart": "The cart is changed.",
    "reminded": "The reminder waits in the outbox.",
    "settled": "Settled: no money moves here.",
    "refunding": "The refund has begun; its time line is below.",
    "draft": "The draft is kept. Nothing is sent before it is started.",
    "bad-lines": "The draft is kept, but lines of the list name nobody: they are told below.",
    "tested": "The test message waits in the outbox; it is counted nowhere.",
    "deleted": "The draft is gone.",
    "won-back": "The run is over; what it began is below.",
    "run": "The full run has begun; the worker carries it on.",
    "fixing": "What differs waits to be sent again.",
    "key": "The key is revoked: it opens nothing any more.",
    "setting": "The setting is changed; every process follows within five seconds.",
    "assigned-all": "The conversations are assigned.",
    "resolved-all": "The conversations are resolved.",
    "erasing": "The erasure has begun; its time line is below.",
    "expired": "The cart is ended.",
    "cancelled": "The order is cancelled.",
    "retried": "The notice waits again.",
    "retold": "The notice waits to be told once more.",
    "replayed": "Replayed: the work waits again.",
    "edited": "The bytes are changed; the letter can be replayed.",
    "dismissed": "Dismissed.",
    "group": "The group is worked through: {n} decided by you just now; what is left is below.",
    "acted": "The saga goes on.",
    "breaker": "The breaker is changed.",
    "limit": "The hits are forgotten.",
    "enqueued": "It waits in the queue.",
    "broadcast": "The broadcast is changed.",
    "templates": "The templates are as WhatsApp tells them.",
    "operator": "The operator is changed.",
    "settings": "The settings are changed; all processes act on them within five seconds.",
}
"""What is said at the top of a page after a change, by its word."""


def refusal_of(error: WchError) -> tuple[int, str]:
    """The status and the sentence of a refusal."""
    if isinstance(error, ForbiddenError | StaleFormError):
        return 403, str(error)
    if isinstance(error, NotFoundError | ShopNotFoundError):
        return 404, str(error)
    if isinstance(error, ConflictError):
        return 409, str(error)
    if isinstance(error, TooManyChangesError | TooManyTriesError | TooManyStartsError | ExportRefusedError):
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


async def form_of(request: _Request) -> tuple[dict[str, str], dict[str, bytes]]:
    """The fields of a form and its files, each once; a field without a file is none."""
    found = await request.form()
    files: dict[str, bytes] = {}
    for name, value in found.items():
        if isinstance(value, UploadFile) and (content := await value.read()):
            files[name] = content
    return {name: value for name, value in found.items() if isinstance(value, str)}, files


def moved_meanwhile(visit: Visit, title: str, rows: Sequence[tuple[str, Cell]], *, place: str, back: str) -> Page:
    """What is answered when somebody else changed a row first: what was wanted, and how it stands now."""
    return Page(
        title=title,
        place=place,
        status=409,
        lead="Somebody changed this while you were looking at it. Nothing of yours was done; look, and repeat it.",
        sections=(Facts(title="Both versions", rows=rows),),
        back=(visit.href(back), "Look at it as it is now"),
    )


def sheet_of(name: str, rows: Iterable[Sequence[str]]) -> Response[str]:
    """A table as a CSV to be kept."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return file_to_keep(f"{name}.csv", out.getvalue(), "text/csv")


def file_to_keep(name: str, content: str, media_type: str) -> Response[str]:
    """A file that browsers keep and never show."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, status_code=200, media_type=media_type, headers=headers)
