"""The first operator comes from the command line, and passwords are shown once or never."""

import asyncio

from tests.entrypoints.cli.conftest import Line
from wch import Settings, open_hub


def test_a_password_is_made_and_shown_once(line: Line) -> None:
    """There is no default one, and a script that gives none is told the one that was made."""
    made = line.json("operators", "add", "maria", "--role", "admin")

    assert made["role"] == "admin"
    assert len(made["password"]) >= 16
    assert "password" not in line.json("operators", "list")["data"][0]
    assert made["password"] not in line.text("operators", "list")


def test_somebody_is_kept_out(line: Line) -> None:
    """And stands in the list as such."""
    line.json("operators", "add", "maria", "--role", "viewer")

    changed = line.json("operators", "disable", "maria")

    assert changed["state"] == "disabled"
    assert line.json("operators", "list")["data"][0]["state"] == "disabled"


def test_whoever_has_the_shell_acts_as_admin(line: Line) -> None:
    """The role in the line is of who acted, not of the person it was done to."""
    line.json("operators", "add", "maria", "--role", "viewer")

    async def lines() -> list[tuple[str, str | None, str]]:
        async with open_hub(
            Settings(database_url=f"sqlite+aiosqlite:///{line.folder}/wch.db", secret_key="k" * 32, access_token="t")
        ) as hub:
            found = await hub.database.read(lambda uow: uow.audit.listed(action="operator.add"))
        return [(one.actor, one.role, one.detail["role"]) for one in found]

    assert asyncio.run(lines()) == [("cli", "admin", "viewer")]


def test_a_new_password_replaces_the_old_one(line: Line) -> None:
    """Shown once, too."""
    first = line.json("operators", "add", "maria", "--role", "viewer")

    second = line.json("operators", "password", "maria")

    assert second["password"] != first["password"]


def test_what_cannot_be_is_said_in_a_sentence(line: Line) -> None:
    """With exit code 1 and nothing on standard output."""
    line.json("operators", "add", "maria", "--role", "viewer")

    for words in (("add", "maria", "--role", "viewer"), ("add", "M!", "--role", "viewer"), ("disable", "nobody")):
        assert line.refused("operators", *words).startswith("wch: ")
