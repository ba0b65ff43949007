"""Campaigns and templates on the command line: plan, start, stop, report, explain."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from tests.application.campaigning import OFFER
from tests.entrypoints.cli.conftest import ENVIRONMENT, Line
from tests.sale.script import ANNA
from wch import Settings, open_hub
from wch.application.ports import UnitOfWork
from wch.domain.message_template import MessageTemplate, option_of

PLAN = """
name = "Spring"
rate_per_minute = 600
[template]
name = "offer"
[params]
body = [{ var = "customer_name", else = "friend" }, { text = "20 %" }]
[audience]
everyone = true
[schedule]
at = "2030-03-01T10:00"
zone = "Europe/Madrid"
"""


@pytest.fixture
def ready(line: Line) -> Line:
    """A shop whose customer opted in, with an approved template."""

    async def prepare() -> None:
        url = f"sqlite+aiosqlite:///{line.folder}/wch.db"
        settings, _, _ = Settings.load({**ENVIRONMENT, "WCH_DATABASE_URL": url}, {}, None)
        async with open_hub(settings) as hub:
            await hub.database.transact(lambda uow: uow.options.put(option_of("offer", "en"), OFFER.to_json()))
            await hub.customers.consent(ANNA, purpose="marketing", to="in", reason="fair", by="test")

    asyncio.run(prepare())
    return line


def test_a_plan_from_a_file_is_a_draft_with_its_dry_run(ready: Line) -> None:
    """It starts at its moment; unscheduled it is a draft, and can be deleted."""
    file = Path(ready.folder / "spring.toml")
    file.write_text(PLAN)
    told = ready.json("broadcasts", "plan", str(file))
    number = str(told["campaign"])

    assert told["recipients"] == 1
    assert told["starts_at"] == "2030-03-01T09:00:00Z"
    assert ready.json("broadcasts", "start", number)["progress"]["state"] == "scheduled"
    assert ready.json("broadcasts", "unschedule", number)["progress"]["state"] == "draft"
    assert ready.run("broadcasts", "delete", number).exit_code == 2
    ready.text("broadcasts", "delete", number, "--yes")
    assert ready.json("broadcasts", "list")["data"] == []


def test_a_plan_from_options_runs_pauses_and_is_cancelled(ready: Line) -> None:
    """Each answer is the campaign as it stands now."""
    options = [
        "--name",
        "Now",
        "--template",
        "offer",
        "--all",
        "segment=bronze,silver",
        "--body",
        "customer_name|friend",
    ]
    told = ready.json("broadcasts", "plan", *options, "--body", "=20 %")
    number = str(told["campaign"])

    states = [
        ready.json("broadcasts", word, number)["progress"]["state"] for word in ("start", "pause", "resume", "cancel")
    ]

    assert states == ["running", "paused", "running", "cancelled"]
    assert ready.json("broadcasts", "report", number)["state"] == "cancelled"
    assert ready.text("broadcasts", "report", number, "--csv").startswith("phone,name,status")
    assert "cannot become" in ready.refused("broadcasts", "resume", number)


def test_a_wrong_plan_is_a_sentence(ready: Line) -> None:
    """With the way out; nothing is kept."""
    assert "names nobody" in ready.refused("broadcasts", "plan", "--name", "x", "--template", "offer")
    assert "templates sync" in ready.refused("broadcasts", "plan", "--name", "x", "--template", "no", "--everyone")
    assert "NAME=VALUE" in ready.refused("broadcasts", "plan", "--all", "gold", code=2)


def test_templates_are_listed_linted_and_previewed(ready: Line) -> None:
    """Lint exits with 3 while something is wrong."""
    assert [one["name"] for one in ready.json("templates", "list")["data"]] == ["offer"]
    assert ready.json("templates", "preview", "offer")["shown"]["body"] == "Hello [1], [2] off!"
    assert any(one["what"] == "it is not known" for one in ready.json("templates", "lint", code=3)["data"])
    assert "WCH_WABA_ID" in ready.refused("templates", "sync")


def test_three_wrong_templates_are_three_findings(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Growth, example 41: a missing parameter, a notice in a marketing template, a name of 101 letters; no network."""
    long_name = "n" * 101
    used = f'shipped = "ship"\ndelivered = "done"\nrefunded = "{long_name}"\nstatus_failed = "good"\n'
    (line.folder / "wch.toml").write_text(f"[templates.map]\n{used}")

    async def store() -> None:
        url = f"sqlite+aiosqlite:///{line.folder}/wch.db"
        settings, _, _ = Settings.load({**ENVIRONMENT, "WCH_DATABASE_URL": url}, {}, line.folder / "wch.toml")
        async with open_hub(settings) as hub:
            uses, variables = hub.templates.uses, hub.templates.variables
            assert list(uses) == ["shipped", "delivered", "refunded", "status_failed"]
            for use, name in uses.items():
                wanted = variables.get(use, ())
                many = len(wanted) + (use == "shipped")
                gaps = " ".join(f"{{{{{place}}}}}" for place in range(1, many + 1))
                marketing = use == "delivered" or use not in variables
                made = MessageTemplate(
                    name=name,
                    language="en",
                    category="MARKETING" if marketing else "UTILITY",
                    components=({"type": "BODY", "text": f"Hello {gaps}!"}, {"type": "FOOTER", "text": "STOP ends it"}),
                )
                await hub.database.transact(partial(_stored, made))

    asyncio.run(store())
    monkeypatch.setattr("socket.socket.connect", _no_network)
    monkeypatch.setattr("socket.getaddrinfo", _no_network)

    found = line.json("templates", "lint", code=3)["data"]

    assert [(one["use"], one["level"]) for one in found] == [
        ("shipped", "error"), ("delivered", "error"), ("refunded", "error")
    ]  # fmt: skip
    assert [one["what"].split(",")[0] for one in found] == [
        "its body has the gaps 1", "it is MARKETING", "the name has 101 characters"
    ]  # fmt: skip


def _stored(template: MessageTemplate, uow: UnitOfWork) -> None:
    uow.options.put(option_of(template.name, template.language), template.to_json())


def _no_network(*_: object) -> None:
    message = "linting asks nobody"
    raise AssertionError(message)


def test_a_message_is_explained(ready: Line) -> None:
    """By what became of it; one that is not there is a sentence."""
    told = ready.json("explain", "message", "2")

    assert told["subject"] == "message:2"
    assert told["outcome"] == "done"
    assert "written" in ready.text("explain", "message", "2")
    ready.refused("explain", "recipient", "99")
    ready.refused("explain", "message", "2", "--at", "soon", code=2)
    before = ready.json("explain", "message", "2", "--at", "2020-01-01T00:00:00Z")
    assert (before["at"], before["history"]) == ("2020-01-01T00:00:00Z", [])
