"""The page of figures."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.entrypoints.http.consoles import ANNA, Shop, shop
from wch.domain.operator import Role


@pytest.fixture
async def town() -> AsyncIterator[Shop]:
    async with shop() as made:
        yield made


async def test_figures_are_plotted_with_the_same_values_in_words(town: Shop) -> None:
    """Nobody needs to see the picture: its label and a table say the same; no script draws it."""
    await town.hears("hi", name="Anna")
    browser = await town.signed_in("vera", Role.VIEWER)

    page = (await browser.get("/analytics")).text

    assert page.count("<svg") == page.count('role="img"') == 3
    assert "Messages from customers: 1 messages in 30 bars" in page
    assert page.count("<details>") == 3
    assert "style=" not in page
    assert len(page.encode()) < 100_000
    assert ANNA not in page


async def test_a_period_may_be_chosen_and_must_be_one(town: Shop) -> None:
    """In the address, so that it can be kept."""
    browser = await town.signed_in("vera", Role.VIEWER)

    week = (await browser.get("/analytics?from=2026-01-01&to=2026-01-07")).text
    wrong = await browser.get("/analytics?from=soon")
    long = await browser.get("/analytics?days=366")

    assert "From 2026-01-01 until 2026-01-07" in week
    assert wrong.status_code == 422
    assert "2026-03-02" in wrong.text
    assert len(long.content) < 100_000
    assert "Week from" in long.text


async def test_a_period_stands_beside_the_one_before(town: Shop) -> None:
    """As many days, in words and as pale bars; of nothing there is no change to tell."""
    await town.hears("hi")
    town.clock.advance(timedelta(days=30))
    await town.hears("hi again")
    await town.hears("and again")
    browser = await town.signed_in("vera", Role.VIEWER)

    month = " ".join((await browser.text("/analytics")).split())
    day = " ".join((await browser.text("/analytics?days=1")).split())
    plots = (await browser.get("/analytics")).text

    assert "Beside the 30 days before" in month
    assert "Messages from customers 2 1 +100 %" in month
    assert "New customers 0 1 -100 %" in month
    assert "Revenue 0.00 USD 0.00 USD \N{EN DASH}" in month
    assert "Beside the day before" in day
    assert "Messages from customers 2 0 \N{EN DASH}" in day
    assert "Messages from customers: 2 messages in 30 bars" in plots
    assert "The period before: 1." in plots
    assert plots.count('class="former"') == 60
