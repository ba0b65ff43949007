"""A language model behind an address that takes OpenAI's chat completions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from wch.domain.completion import Completion, ModelUnavailableError, ToolCall
from wch.domain.document import JsonObject

LONGEST_ANSWER = 400
SECONDS = 8.0


class ChatCompletionsModel:
    """Asks `{url}/chat/completions`; the key goes there and nowhere else."""

    def __init__(self, *, url: str, key: str, model: str, http: httpx2.AsyncClient | None = None) -> None:
        """Keep the address; a client that the host hands over stays the host's.

        Args:
            url: up to and without `/chat/completions`.
            key: sent as a bearer token.
            model: as the provider calls it.
            http: the host's own client.
        """
        self._address = f"{url.rstrip('/')}/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._model = model
        self._is_ours = http is None
        self._http = http or httpx2.AsyncClient(timeout=SECONDS, follow_redirects=False, trust_env=False)

    async def complete(self, messages: Sequence[JsonObject], tools: Sequence[JsonObject]) -> Completion:
        """One answer.

        Raises:
            ModelUnavailableError: it did not come, or cannot be read.
        """
        body = {
            "model": self._model,
            "messages": [dict(one) for one in messages],
            "tools": [dict(one) for one in tools],
            "max_tokens": LONGEST_ANSWER,
        }
        try:
            answer = await self._http.post(self._address, json=body, headers=self._headers, follow_redirects=False)
            answer.raise_for_status()
            return _read(answer.json())
        except (httpx2.HTTPError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise ModelUnavailableError from error

    async def aclose(self) -> None:
        """Give the connections back, unless the client is the host's."""
        if self._is_ours:
            await self._http.aclose()


def _read(told: Any) -> Completion:
    message = told["choices"][0]["message"]
    usage: Any = told.get("usage") or {}
    return Completion(
        text=str(message.get("content") or ""),
        calls=tuple(_call(one) for one in message.get("tool_calls") or ()),
        input_tokens=int(usage.get("prompt_tokens", 0)),
        output_tokens=int(usage.get("completion_tokens", 0)),
    )


def _call(told: Any) -> ToolCall:
    function = told["function"]
    arguments = json.loads(function.get("arguments") or "{}")
    return ToolCall(
        id=str(told["id"]),
        name=str(function["name"]),
        arguments=arguments if isinstance(arguments, Mapping) else {},
    )
