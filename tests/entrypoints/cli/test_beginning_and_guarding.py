"""The files to begin with, the routes' description, and what holds the hub back."""

import stat
from datetime import datetime
from pathlib import Path

import pytest

from tests.entrypoints.cli.conftest import Line
from wch import Settings


def test_the_written_settings_are_the_defaults(bare: Line) -> None:
    """Taking every # away must change nothing: so what the file shows is true."""
    bare.text("init")
    text = Path("wch.toml").read_text()
    Path("all.toml").write_text(
        "\n".join(row.removeprefix("#") if row[:2] != "# " else row for row in text.split("\n"))
    )

    read, _, warnings = Settings.load({}, {}, Path("all.toml"))

    assert warnings in ([], ())
    assert [row.value for row in read.describe()] == [row.default for row in Settings().describe()]


def test_secrets_go_into_the_environment_alone(bare: Line) -> None:
    """Settings are shown around and checked in; the other file is its owner's."""
    bare.text("init")

    assert "app_secret" not in Path("wch.toml").read_text()
    assert "WCH_APP_SECRET=" in Path(".env").read_text()
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600


def test_what_is_there_is_not_overwritten(bare: Line) -> None:
    """Neither file is written when one of them is there."""
    Path(".env").write_text("WCH_APP_SECRET=mine\n")

    assert ".env" in bare.refused("init")

    assert Path(".env").read_text() == "WCH_APP_SECRET=mine\n"
    assert not Path("wch.toml").exists()


def test_the_routes_are_described_without_a_database(bare: Line) -> None:
    """One document, with --json and without."""
    told = bare.json("openapi")

    assert told["openapi"].startswith("3.1")
    assert "/readyz" in told["paths"]
    assert bare.text("openapi").startswith("{")
    assert list(bare.folder.glob("*.db*")) == []


def test_a_breaker_is_opened_closed_and_reset(line: Line) -> None:
    """A person may know sooner than five failures."""
    assert line.json("breakers", "open", "whatsapp")["state"] == "open"
    assert line.json("breakers", "close", "whatsapp")["state"] == "closed"
    line.json("breakers", "open", "shop")

    told = line.json("breakers", "reset")

    assert [(one["service"], one["state"]) for one in told["data"]] == [("shop", "closed")]
    assert line.refused("breakers", "open", "no-such")


def test_limits_are_reset_by_name_only(line: Line) -> None:
    """Letting everybody in again must be said, never meant."""
    assert "--all" in line.refused("limits", "reset", code=2)
    assert line.json("limits", "reset", "--all")["forgotten"] >= 0


def test_living_claims_are_kept(line: Line) -> None:
    """A claim deleted too early would let a repeated delivery in."""
    before = line.json("stats")["tables"]["webhook_idempotency"]

    assert line.json("idempotency", "purge") == {"deleted": 0}

    assert line.json("stats")["tables"]["webhook_idempotency"] == before


def test_the_sandboxs_clock_goes_forward(line: Line) -> None:
    """Every process on the database follows it."""
    before = datetime.fromisoformat(line.json("clock", "show")["now"])

    after = datetime.fromisoformat(line.json("clock", "advance", "6h")["now"])

    assert 6 * 3600 <= (after - before).total_seconds() < 6 * 3600 + 60
    assert "written like" in line.refused("clock", "advance", "soon")


def test_a_real_shops_clock_is_not_moved(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that is not true would cancel and remind people who bought something."""
    monkeypatch.setenv("WCH_PROFILE", "prod")

    assert "prod" in line.refused("clock", "advance", "6h")
