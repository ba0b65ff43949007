"""Failpoints do nothing unless a test armed them."""

import asyncio
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import wch
from tests.application.rooms import Hasty, rooms
from wch.application.failpoints import NAMES, FailpointError, Failpoints
from wch.application.intake import Source
from wch.domain.errors import SettingsError


def test_nothing_arms_without_the_setting() -> None:
    """A production process cannot be told to die."""
    with pytest.raises(SettingsError, match="WCH_TESTING"):
        Failpoints.read("inbound.taken=kill", testing=False)
    assert not Failpoints.read("", testing=False).is_armed


@pytest.mark.parametrize(
    "text", ["nonsense=kill", "inbound.taken=explode", "inbound.taken=kill@x", "inbound.taken=delay:x"]
)
def test_what_is_not_known_is_refused(text: str) -> None:
    """A typing error must not look like a passed test."""
    with pytest.raises(SettingsError):
        Failpoints.read(text, testing=True)


def test_it_fails_at_the_named_passing_only() -> None:
    """The n-th, once."""
    points = Failpoints.read("inbound.taken=raise@2, outbound.taken=lose_answer", testing=True)

    points("inbound.taken")
    with pytest.raises(FailpointError):
        points("inbound.taken")
    points("inbound.taken")
    with pytest.raises(FailpointError):
        points("outbound.taken")
    assert points.is_armed
    assert points.action("saga.taken") is None


def test_it_dies_and_dawdles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Like a power cut, and like a slow disk."""
    killed: list[tuple[int, int]] = []
    slept: list[float] = []
    monkeypatch.setattr(os, "kill", lambda pid, word: killed.append((pid, word)))
    monkeypatch.setattr(time, "sleep", slept.append)
    points = Failpoints.read("inbound.taken=kill,outbound.taken=delay:250", testing=True)

    points("inbound.taken")
    points("outbound.taken")

    assert [word for _, word in killed] == [signal.SIGKILL]
    assert slept == [0.25]


def test_every_place_in_the_code_has_its_name_and_every_name_its_place() -> None:
    """A name that nobody wrote down cannot be armed; one that nobody passes tries nothing."""
    package = Path(wch.__file__).parent
    passed = {
        name
        for path in package.rglob("*.py")
        for name in re.findall(r"""failpoints?\("([a-z_]+\.[a-z_]+)"\)""", path.read_text())
    }

    assert passed == set(NAMES)


def test_disarmed_costs_nothing() -> None:
    """Every name may be passed."""
    points = Failpoints.disarmed()
    for name in NAMES:
        points(name)


async def test_the_names_of_these_rooms_are_passed() -> None:
    """A name that nobody passes is a test that never fails."""
    passed: set[str] = set()

    class Noting(Failpoints):
        def __call__(self, name: str) -> None:
            passed.add(name)

    points: Any = Noting({})
    hub = rooms(failpoints=points, leasing=Hasty())
    script = hub.assistant.script

    async def slow(scene: Any) -> Any:
        await asyncio.sleep(0.02)
        return await script(scene)

    hub.assistant.script = slow
    await hub.hear("hi")
    await hub.worker().drain()
    await hub.inbox._single(  # noqa: SLF001 - the way after an error
        hub.inbox.codec.read(b'{"object":"whatsapp_business_account","entry":[{}]}', now=hub.clock.now())[0],
        Source(body=b"x"),
    )
    (letter,) = await hub.letters()
    await hub.dead_letters.replay(letter.id, by="ann")

    ours = {name for name in NAMES if name.partition(".")[0] in {"ingress", "inbound", "outbound", "letter"}}
    assert ours <= passed
