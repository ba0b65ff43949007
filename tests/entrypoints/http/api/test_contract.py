"""The OpenAPI document is kept: whatever is sent, no answer breaks it and none is a fault."""

from collections import Counter
from collections.abc import Callable
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

EXAMPLES_OF = (
    "ConversationView", "MessageView", "CustomerView", "PlacementView", "OrderView", "NotificationView",
    "SyncTaskView", "DeadLetterView", "LetterCountView", "SagaView", "BreakerView", "LimitPartView", "AuditView",
    "CartView", "ComponentView", "CampaignView", "RecipientView", "TemplateView", "LintView", "ProductView",
    "CannedView", "TallyView", "LookView", "ContactFiguresView", "BlockView",
)  # fmt: skip
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
async def test_no_answer_breaks_the_document(
    desk: Desk, caller: httpx2.AsyncClient, mode: GenerationMode, record_property: Callable[[str, object], None]
) -> None:
    """Every operation, with what fits and with what does not: no 5xx, no status, type or body that is not described."""
    document = (await caller.get("/openapi.json")).json()
    document["components"].pop("securitySchemes")  # the door has tests of its own
    for methods in document["paths"].values():
        for described in methods.values():
            described.pop("security", None)
    schema = schemathesis.openapi.from_dict(document)
    broken: list[str] = []
    seen: set[tuple[str, str]] = set()
    answers: Counter[str] = Counter()
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
            answers[
                "/healthz telling that something is critical" if told_well else f"{answered.status_code // 100}xx"
            ] += 1
            excluded = [*NOT_OURS, *([not_a_server_error] if told_well else [])]
            try:
                case.validate_response(answered, excluded_checks=excluded)
            except BaseExceptionGroup as faults:
                broken += [f"{operation.method} {operation.path}: {one}" for one in faults.exceptions]

    told = ", ".join(f"{count} {kind}" for kind, count in sorted(answers.items()))
    record_property("figures", f"{mode.value} cases: {answers.total()} at {len(seen)} operations, answered {told}")
    assert not broken, "\n\n".join(broken)
    wanted = {(method, path) for path, method in _operations(document)}
    assert mode is GenerationMode.NEGATIVE or seen == wanted


def _operations(document: Any) -> list[tuple[str, str]]:
    """Every path and method that is not answered by hand."""
    return [
        (path, method)
        for path, methods in document["paths"].items()
        if not path.startswith(BY_HAND)
        for method in methods
    ]


async def test_every_view_has_an_example_of_its_own_shape(caller: httpx2.AsyncClient) -> None:
    """Rows that a sale left, whole: a field that comes or goes is noticed here."""
    schemas = (await caller.get("/openapi.json")).json()["components"]["schemas"]
    pages = {name: schema for name, schema in schemas.items() if name.startswith("PageOf")}
    views = [name for name in EXAMPLES_OF if name in schemas]

    assert len(views) == len(EXAMPLES_OF)
    for name in views:
        (example,) = schemas[name]["examples"]
        assert set(example) == set(schemas[name]["properties"]), name
    assert {name for name, schema in pages.items() if "examples" not in schema} <= {"PageOfHit"}


async def test_every_body_has_an_example(caller: httpx2.AsyncClient) -> None:
    """What is to be sent is shown as it would be sent."""
    document = (await caller.get("/openapi.json")).json()
    bare = [
        (method, path)
        for path, method in _operations(document)
        if (body := document["paths"][path][method].get("requestBody"))
        and "examples" not in (body["content"]["application/json"])
        and "examples" not in str(body)
        and "examples" not in schemas_of(document, body)
    ]

    assert bare == []


def schemas_of(document: Any, body: Any) -> Any:
    """The schema that a body refers to."""
    name = body["content"]["application/json"]["schema"].get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"].get(name, {})
