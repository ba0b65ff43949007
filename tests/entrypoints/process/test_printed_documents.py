"""`--json`: one JSON document on standard output and nothing else there, in the shape that scripts rely on."""

import json
from pathlib import Path

import pytest

from tests.processes import Installed, Store, sqlite_store

TABLES = {
    "conversations",
    "messages",
    "carts",
    "customer_profiles",
    "broadcast_recipients",
    "sync_queue",
    "notification_log",
    "product_views",
    "reengagement",
    "rate_limits",
    "circuit_breakers",
    "saga_state",
    "dead_letter_queue",
    "webhook_idempotency",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The shapes do not depend on the store: SQLite alone."""
    return sqlite_store(tmp_path)


def test_version_needs_no_database(installed: Installed) -> None:
    """It is what is asked first when nothing works."""
    told = installed.json("version")

    assert told["schema"] == "2.6.0"
    assert told["version"].count(".") == 2
    assert list(installed.folder.glob("*.db*")) == []


def test_the_tables_version_is_told_before_and_after(installed: Installed) -> None:
    """No tables is an answer, not an error."""
    assert installed.json("db", "version") == {"version": None}
    assert installed.json("db", "upgrade") == {"version": "2.6.0"}
    assert installed.json("db", "version") == {"version": "2.6.0"}
    assert installed.json("db", "check")["ok"] is True


def test_a_renamed_column_is_found(installed: Installed) -> None:
    """Exit code 3 tells a script that something was found, not that the command failed."""
    installed.json("db", "upgrade")
    installed.store.change("ALTER TABLE wch_carts RENAME COLUMN coupon_code TO coupon")

    told = installed.json("db", "check", code=3)

    assert told["ok"] is False
    assert {one["table"] for one in told["differences"]} == {"wch_carts"}


def test_stats_has_the_promised_shape(installed: Installed) -> None:
    """Monitoring reads it."""
    installed.json("db", "upgrade")

    told = installed.json("stats")

    assert set(told["tables"]) == TABLES
    assert {"received", "processing", "processed", "dead"} <= set(told["tables"]["messages"]["inbound"])
    assert {"pending", "sending", "sent", "unconfirmed"} <= set(told["tables"]["messages"]["outbound"])
    figures = {name: told[name] for name in ("oldest_waiting_s", "leases_taken_over", "unconfirmed")}
    assert figures == {"oldest_waiting_s": 0, "leases_taken_over": 0, "unconfirmed": 0}
    assert told["dead_letters_pending"] == 0


def test_verify_has_the_promised_shape(installed: Installed) -> None:
    """Each check says what it counted, so that a person can see what it means."""
    installed.json("db", "upgrade")

    told = installed.json("verify")

    assert told["ok"] is True
    assert all(set(check) == {"name", "ok", "detail", "counts"} for check in told["checks"])
    assert all(isinstance(count, int) for check in told["checks"] for count in check["counts"].values())


def test_a_broken_conservation_law_is_found(installed: Installed) -> None:
    """`verify` is worth its name only if it can say no."""
    installed.json("db", "upgrade")
    installed.store.change(
        "INSERT INTO wch_messages (conversation_id, direction, type, content, status, retry_count, created_at, updated_at)"
        " VALUES (99, 'inbound', 'text', '{}', 'nowhere', 0, '2026-03-02 12:00:00', '2026-03-02 12:00:00')"
    )

    told = installed.json("verify", code=3)

    assert told["ok"] is False
    assert {"conservation", "states"} <= {check["name"] for check in told["checks"] if not check["ok"]}


def test_config_masks_every_secret(installed: Installed) -> None:
    """What is shown on a screen ends in a ticket."""
    done = installed.wch("config", "show", "--all", "--json")

    rows = {row["environment"]: row for row in json.loads(done.stdout)["data"]}
    assert rows["WCH_DATABASE_URL"]["origin"] != "default"
    secrets = ("WCH_APP_SECRET", "WCH_VERIFY_TOKEN", "WCH_ACCESS_TOKEN", "WCH_SECRET_KEY")
    assert [name for name in secrets if installed.environment[name] in done.stdout] == []


@pytest.mark.parametrize(
    "command",
    [
        ("conversations", "list"),
        ("carts", "list"),
        ("customers", "list"),
        ("dead-letters", "list"),
        ("sagas", "list"),
        ("shop", "products"),
        ("notifications", "list"),
        ("dead-letters", "stats"),
    ],
)
def test_a_list_is_one_document(installed: Installed, command: tuple[str, ...]) -> None:
    """An empty list is a list too."""
    installed.json("db", "upgrade")

    told = installed.json(*command)

    assert isinstance(told["data"], list)
