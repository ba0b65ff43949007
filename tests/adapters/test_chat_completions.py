"""The protocol that most models speak: asked once, read strictly, failing in one way."""

import json
from typing import Any

import httpx2
import pytest

from wch.adapters.assistant.chat_completions import ChatCompletionsModel
from wch.domain.completion import Completion, ModelUnavailableError, ToolCall

ANSWER: dict[str, Any] = {
    "choices": [
        {
            "message": {
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "show_cart", "arguments": '{"a": 1}'}}
                ],
            }
        }
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
}


def model(status: int, body: Any, asked: list[httpx2.Request]) -> ChatCompletionsModel:
    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(status, json=body)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return ChatCompletionsModel(url="https://models.example/v1/", key="K", model="m", http=http)


async def test_an_answer_is_read() -> None:
    """Words, tools with their arguments, and what was used."""
    asked: list[httpx2.Request] = []

    found = await model(200, ANSWER, asked).complete([{"role": "user", "content": "hi"}], [{"type": "function"}])

    assert found == Completion(
        calls=(ToolCall(id="c1", name="show_cart", arguments={"a": 1}),), input_tokens=7, output_tokens=3
    )
    assert str(asked[0].url) == "https://models.example/v1/chat/completions"
    assert asked[0].headers["authorization"] == "Bearer K"
    assert json.loads(asked[0].content)["model"] == "m"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, ANSWER),
        (429, {}),
        (302, {}),
        (200, {}),
        (200, []),
        (200, {"choices": []}),
        (200, {"choices": [{"message": {"tool_calls": [{"id": 1}]}}]}),
        (200, {"choices": [{"message": {"tool_calls": [{"id": 1, "function": {"name": "x", "arguments": "{"}}]}}]}),
    ],
)
async def test_anything_else_is_no_answer(status: int, body: Any) -> None:
    """One error, whatever went wrong."""
    with pytest.raises(ModelUnavailableError):
        await model(status, body, []).complete([], [])
