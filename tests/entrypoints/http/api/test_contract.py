"""The OpenAPI document is kept: whatever is sent, no answer breaks it and none is a fault."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tests.entrypoints.http.api.conftest import Desk

EXAMPLES = 12
TRIED = settings(
    max_examples=EXAMPLES,
    phases=[Phase.generate],
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
NOT_OURS = [checks.ignored_auth, checks.unsupported_method, checks.positive_data_acceptance]
"""Each has a test of its own, or is no promise: a conflict is a right answer to a well-formed request."""

CRITICAL = 503
BY_HAND = ("/webhooks/", "/livez", "/readyz")


def _drawn(operation: Any, mode: GenerationMode) -> list[Any]:
    cases: list[Any] = []

    @TRIED
    @given(case=operation.as_strategy(generation_mode=mode))
    def draw(case: Any) -> None:
        cases.append(case)

    draw()
    return cases


async def _sent(client: httpx2.AsyncClient, case: Any) -> httpx2.Response:
    asked = case.as_transport_kwargs(base_url="http://hub.test")
    data = asked.pop("data", None)
    if data is not None:
        asked["content"] = data
    asked.pop("cookies", None)
    given_headers = asked.pop("headers", {})
    return await client.request(headers=given_headers, **asked)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: str(mode.value))
async def test_no_answer_breaks_the_document(desk: Desk, caller: httpx2.AsyncClient, mode: GenerationMode) -> None:
    """Every operation, with what fits and with what does not: no 5xx, no status, type or body that is not described."""
    document = (await caller.get("/openapi.json")).json()
    document["components"].pop("securitySchemes")  # the door has tests of its own
    for methods in document["paths"].values():
        for described in methods.values():
            described.pop("security", None)
    schema = schemathesis.openapi.from_dict(document)
    broken: list[str] = []
    seen: set[tuple[str, str]] = set()
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr] # a broken document raises here, as it should
        if operation.path.startswith(BY_HAND):
            continue
        try:
            cases = _drawn(operation, mode)
        except Unsatisfiable:
            if mode is GenerationMode.POSITIVE:
                raise
            continue  # an operation without parameters: there is nothing wrong to send
        for case in cases:
            desk.clock.advance(timedelta(seconds=1))
            answered = await _sent(caller, case)
            seen.add((operation.method, operation.path))
            told_well = operation.path.startswith("/healthz") and answered.status_code == CRITICAL
            excluded = [*NOT_OURS, *([not_a_server_error] if told_well else [])]
            try:
                case.validate_response(answered, excluded_checks=excluded)
            except BaseExceptionGroup as faults:
                broken += [f"{operation.method} {operation.path}: {one}" for one in faults.exceptions]

    assert not broken, "\n\n".join(broken)
    assert len(seen) > 30
