"""The files to begin with, the routes' description, and what holds the hub back."""

import stat
from datetime import datetime
from pathlib import Path

import pytest

from tests.entrypoints.cli.conftest import Line
from wch import Settings
from wch.adapters.sql import soundness


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
    assert "#WCH_PHONE_NUMBER_ID=" in Path(".env").read_text()
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


def test_a_key_that_nothing_was_taken_under_is_said_so(line: Line) -> None:
    assert "Nothing was taken" in line.refused("idempotency", "show", "evt_none")


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


def test_a_caller_is_blocked_and_let_in_again(line: Line) -> None:
    """Told as a digest, with the end; twice lifted is said."""
    blocked = line.json("limits", "block", "--name", "auth", "--caller", "203.0.113.7", "--for", "7d")

    assert blocked["limit"] == "auth"
    assert "203.0.113.7" not in line.text("limits", "blocked")
    assert [one["until"] for one in line.json("limits", "blocked")["data"]] == [blocked["until"]]
    assert line.json("limits", "unblock", "--name", "auth", "--caller", "203.0.113.7") == {"unblocked": True}
    assert "was not blocked" in line.text("limits", "unblock", "--name", "auth", "--caller", "203.0.113.7")
    assert "Nobody is blocked." in line.text("limits", "blocked")
    line.refused("limits", "block", "--name", "auth", "--caller", "x", "--for", "never")


def test_the_doctor_is_content_with_a_sound_hub(bare: Line) -> None:
    """That Meta can't be reached from here is told, and no fault; a worker is alive."""
    bare.text("db", "upgrade")
    told = bare.json("doctor", code=3)
    assert [one["what"] for one in told["findings"] if one["severity"] != "unknown"] == [
        "workers: 0 alive (limit: 1 within 60 s)."
    ]

    bare.worker_beats()
    told = bare.json("doctor")
    assert told["ok"] is True
    assert {one["severity"] for one in told["findings"]} <= {"unknown"}


def test_the_doctor_says_that_there_are_no_tables(bare: Line) -> None:
    """And how to make them."""
    told = bare.run("doctor")

    assert told.exit_code == 3
    assert "wch db upgrade" in told.stdout


def test_the_doctor_finds_processes_that_share_a_log(bare: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers on one SQLite file of a version that can damage it."""
    monkeypatch.setattr(soundness, "corrupts_shared_wal", lambda _version: True)
    bare.text("db", "upgrade")
    bare.worker_beats("worker.one")
    bare.worker_beats("worker.two")

    assert "2 processes share" in bare.run("doctor").stdout
    assert bare.run("doctor", "--fix").exit_code == 3
