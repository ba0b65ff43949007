"""Errors as the routes tell them: RFC 9457, a sentence for people, and nothing of a person in it."""

from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from wch.application.exports import ExportRefusedError
from wch.application.requests import KeyReusedForAnotherError, StillRunningError
from wch.application.settings_desk import SettingsRefusedError
from wch.domain.catalogue_item import CatalogueError
from wch.domain.errors import (
    ConflictError,
    NotFoundError,
    StoreUnavailableError,
    TransitionError,
    VersionMovedError,
    WchError,
)
from wch.domain.payment import PaymentUnavailableError
from wch.domain.shop_error import ShopNotFoundError, ShopUnavailableError
from wch.entrypoints.http.answers import FAULT, PROBLEM, log_fault, problem_of
from wch.entrypoints.http.api.calls import CursorError, ForbiddenError, IdempotencyKeyError

_Request = Request[Any, Any, Any]
_Problem = Response[dict[str, Any]]


def problem(
    status: int, detail: str, *, code: str, errors: Any = (), headers: dict[str, str] | None = None
) -> _Problem:
    """An answer that tells a problem."""
    document = problem_of(status, HTTPStatus(status).phrase, detail, code=code, errors=errors)
    return Response(document, status_code=status, media_type=PROBLEM, headers=headers)


def refused(_request: _Request, error: WchError) -> _Problem:
    """What the hub refuses, in its own sentence."""
    if isinstance(error, ExportRefusedError):
        wait = max(1, int(error.facts["retry_after_s"]))
        return problem(429, f"{error} Wait {wait} s.", code="limited", headers={"Retry-After": str(wait)})
    if isinstance(error, SettingsRefusedError):
        faults = [{"key": name, "message": f"{name} {fault}."} for name, fault in error.faults.items()]
        return problem(422, str(error), code="settings_refused", errors=faults)
    status, code, headers = next(
        (row[1:] for row in _REFUSALS if isinstance(error, row[0])), (422, _word(type(error).__name__), {})
    )
    return problem(status, str(error), code=str(error.facts.get("code", code)), headers=dict(headers))


_LATER = {"Retry-After": "30"}

_REFUSALS: tuple[tuple[type[WchError], int, str, dict[str, str]], ...] = (
    (ForbiddenError, 403, "forbidden", {}),
    (CursorError, 400, "cursor", {}),
    (IdempotencyKeyError, 400, "idempotency_key", {}),
    (StoreUnavailableError, 503, "store_unavailable", _LATER),
    (ShopUnavailableError, 503, "shop_unavailable", _LATER),
    (CatalogueError, 503, "catalogue_unavailable", _LATER),
    (PaymentUnavailableError, 503, "payment_unavailable", _LATER),
    (NotFoundError, 404, "not_found", {}),
    (ShopNotFoundError, 404, "not_found", {}),
    (VersionMovedError, 412, "version_moved", {}),
    (StillRunningError, 409, "still_running", {"Retry-After": "1"}),
    (ConflictError, 409, "conflict", {}),
    (TransitionError, 409, "transition", {}),
    (KeyReusedForAnotherError, 422, "idempotency_key_reused", {}),
)
"""Status and word of what the hub refuses, the narrower class first; anything else is 422 under its own name."""


def of_http(_request: _Request, error: HTTPException) -> _Problem:
    """What the framework refuses: a route that is not there, a body that does not fit."""
    errors = error.extra if isinstance(error.extra, list) else []
    headers = {str(name): str(value) for name, value in (error.headers or {}).items()}
    detail = error.detail or HTTPStatus(error.status_code).phrase
    return problem(error.status_code, detail, code=_word(type(error).__name__), errors=errors, headers=headers)


def fault(_request: _Request, error: Exception) -> _Problem:
    """What nobody foresaw; the log says what and where, the answer does not."""
    log_fault(error)
    return Response(dict(FAULT), status_code=500, media_type=PROBLEM)


def _word(name: str) -> str:
    """`NotFoundException` as `not_found`."""
    stem = name.removesuffix("Exception").removesuffix("Error")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in stem).lstrip("_")
