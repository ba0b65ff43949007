"""Wrong use, by real processes: one clear sentence with the way out on standard error, and nothing is changed."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.processes import Installed, Store, sqlite_store

PORT_HELD = 0
AS_A_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Root may write anywhere; without this right it is stopped by a file's mode as everybody is."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """What is wrong here is wrong on every store: SQLite alone."""
    return sqlite_store(tmp_path)


def refused(done: "subprocess.CompletedProcess[str]", *words: str, code: int = 1) -> None:
    """One sentence for people that has these words in it, no traceback, nothing on standard output."""
    said = done.stderr.strip()
    assert done.returncode == code, (done.returncode, done.stdout, said)
    assert done.stdout == ""
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1, said
    assert said.startswith("wch: ")
    assert [word for word in words if word not in said] == [], said


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("stats",), ("db", "upgrade")])
def test_an_unknown_database_url_is_refused(installed: Installed, command: Sequence[str]) -> None:
    """A mistyped URL must not end as an empty store somewhere."""
    done = installed.wch(*command, "--database-url", "postgresql://root@127.0.0.1/wch")

    refused(done, "WCH_DATABASE_URL", "sqlite")
    assert list(installed.folder.glob("*.db*")) == []


@pytest.mark.parametrize(
    "name", ["WCH_APP_SECRET", "WCH_VERIFY_TOKEN", "WCH_ACCESS_TOKEN", "WCH_PHONE_NUMBER_ID", "WCH_SECRET_KEY"]
)
def test_serving_without_a_secret_is_refused(installed: Installed, name: str) -> None:
    """Without it the hub would take anybody's word, or could not answer: it says which one, and does not start."""
    done = installed.wch("serve", "--port", "0", without=[name])

    refused(done, name, "not set")
    assert list(installed.folder.glob("*.db*")) == []


def test_a_taken_port_is_said(installed: Installed) -> None:
    """The most usual reason for not starting; the way out is another port."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", PORT_HELD))
        holder.listen()
        port = str(holder.getsockname()[1])

        done = installed.wch("serve", "--port", port)

    refused(done, port, "--port")
    assert list(installed.folder.glob("*.db*")) == []


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("stats",), ("db", "upgrade"), ("worker", "--once")])
def test_a_database_of_a_newer_version_is_left_alone(installed: Installed, command: Sequence[str]) -> None:
    """An old program does not know what the newer one's rows mean."""
    installed.json("db", "upgrade")
    installed.store.change("UPDATE wch_schema_version SET version_num = '9.9.9'")
    before = _dump(installed.store)

    done = installed.wch(*command)

    refused(done, "9.9.9", "install")
    assert _dump(installed.store) == before


@pytest.mark.parametrize("command", [("stats",), ("worker", "--once")])
def test_a_database_without_tables_is_said(installed: Installed, command: Sequence[str]) -> None:
    """A command that only reads makes no tables; a worker may."""
    done = installed.wch(*command)

    if command[0] == "worker":
        assert done.returncode == 0, done.stderr
    else:
        refused(done, "wch db upgrade")


def test_a_folder_is_no_database(installed: Installed) -> None:
    """It is refused in a sentence, as everything else that cannot be opened."""
    done = installed.wch("serve", "--port", "0", "--database-url", f"sqlite:///{installed.folder}")

    refused(done, "open")


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("db", "upgrade"), ("shop", "stock", "MUG-001", "7")])
def test_a_read_only_file_is_said(installed: Installed, command: Sequence[str]) -> None:
    """A hub that cannot keep anything must not say 200 to anybody."""
    installed.json("db", "upgrade")
    installed.store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    before = _dump(installed.store)
    for path in installed.folder.glob("wch.db-*"):
        path.unlink()
    (installed.folder / "wch.db").chmod(0o444)
    installed.folder.chmod(0o555)
    try:
        done = _as_a_user(installed, *command)
    finally:
        installed.folder.chmod(0o755)
        (installed.folder / "wch.db").chmod(0o644)

    refused(done, "written", "right to write")
    assert _dump(installed.store) == before


def test_an_import_with_bad_lines_changes_nothing(installed: Installed) -> None:
    """Half an import is worse than none: every bad line is named, and the good ones are not taken either."""
    installed.json("db", "upgrade")
    file = installed.folder / "products.csv"
    file.write_text(
        "sku,name,type,price,stock\nNEW-1,Lamp,simple,12.50,3\nNEW-2,Cup,simple,y,3\nNEW-3,Pot,simple,x,3\n"
    )
    installed.json("stats")  # the first hub on a database draws its tag
    before = _dump(installed.store)

    done = installed.wch("shop", "import", str(file))
    document = installed.json("shop", "import", str(file), code=1)

    assert done.returncode == 1
    assert re.findall(r"line (\d+)", done.stdout + done.stderr) == ["3", "4"]
    assert "nothing was changed" in done.stderr
    assert "Traceback" not in done.stderr
    assert [one["line"] for one in document["errors"]] == [3, 4]
    assert _dump(installed.store) == before


@pytest.mark.parametrize(
    "command",
    [("serve", "--nonsense"), ("nonsense",), ("db", "drop"), ("dead-letters", "purge"), ("serve", "--port", "70000")],
)
def test_a_command_that_is_not_one_is_usage(installed: Installed, command: Sequence[str]) -> None:
    """Exit code 2 tells a script that it is the script that is wrong."""
    done = installed.wch(*command)

    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert list(installed.folder.glob("*.db*")) == []


def test_the_sandbox_is_refused_in_profile_prod(installed: Installed) -> None:
    """It would let anybody in."""
    installed.more = {"WCH_PROFILE": "prod", "WCH_GRAPH_URL": "https://graph.facebook.com"}

    done = installed.wch("serve", "--sandbox", "--port", "0")

    refused(done, "prod")


def _as_a_user(installed: Installed, *arguments: str) -> "subprocess.CompletedProcess[str]":
    prefix: list[str] = []
    if os.geteuid() == 0:
        if shutil.which(AS_A_USER[0]) is None:
            pytest.skip("root without setpriv: no file is read-only for it")
        prefix = AS_A_USER
    return subprocess.run(
        [*prefix, sys.executable, "-m", "wch", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=installed.folder,
        env=installed.environment,
        timeout=60,
    )


def _dump(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the file."""
    names = [name for (name,) in store.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return {name: store.rows(f'SELECT * FROM "{name}"') for name in names}  # noqa: S608 - our own tables
