"""A customer to talk as."""

from collections.abc import AsyncIterator

import pytest

from tests.application.dialogue.chat import Chat, chatting


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    """Sheena Nelson, who has not written yet."""
    async with chatting() as begun:
        yield begun
