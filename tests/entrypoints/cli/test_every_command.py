"""What every command has in common: help with an example, one document for scripts, sentences for people."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from tests.entrypoints.cli.conftest import Line
from wch.entrypoints.cli.commands import wch

LISTS = [
    ("dead-letters", "list"),
    ("dead-letters", "stats"),
    ("sagas", "list"),
    ("conversations", "list"),
    ("conversations", "list", "--queue"),
    ("conversations", "search", "lamp"),
    ("conversations", "canned", "list"),
    ("carts", "list"),
    ("customers", "list"),
    ("orders", "list"),
    ("products", "views"),
    ("products", "views", "--each"),
    ("reengagement", "report"),
    ("notifications", "list"),
    ("sync", "list"),
    ("shop", "products"),
    ("breakers", "list"),
    ("operators", "list"),
    ("limits", "list"),
    ("keys", "list"),
    ("failpoints",),
    ("config", "show", "--all"),
]
OTHERS = [
    ("carts", "report"),
    ("stats",),
    ("verify",),
    ("version",),
    ("db", "version"),
    ("db", "check"),
    ("conversations", "show", "1"),
    ("replay", "conversation", "1"),
]
HEAVY = ["litestar", "uvicorn", "httpx2", "jinja2", "alembic", "sqlalchemy"]


def _leaves(group: click.Group, *above: str) -> Iterator[tuple[str, ...]]:
    for name, one in group.commands.items():
        yield from _leaves(one, *above, name) if isinstance(one, click.Group) else [(*above, name)]


COMMANDS = list(_leaves(wch))
PROMISED = """
analytics summary funnel carts broadcasts export; breakers list open close reset
broadcasts plan start pause resume cancel report list; carts list show remind expire; clock show advance; config show
conversations list show reply assign resolve handoff handback; customers list show tag export erase merge consent
db upgrade check drop version import-wordpress; dead-letters list show edit replay dismiss purge stats
demo; doctor; explain message cart recipient notification; idempotency show purge; init; keys create list revoke
limits list reset; notifications list retry; openapi; operators add list disable password
orders list show cancel refund accept-amount; products views; reengagement run report; replay conversation
sagas list show resume retry-step skip-step compensate; serve; shop import export products stock; stats
sync list run enqueue report; templates sync lint list; verify; version; worker
"""
"""What scripts rely on: a group and its commands, or a command alone."""


@pytest.mark.parametrize("line", re.split(r"[;\n]", PROMISED.strip()), ids=lambda line: line.split()[0])
def test_what_scripts_rely_on_is_there(line: str) -> None:
    group, *names = line.split()

    assert [name for name in names if (group, name) not in COMMANDS] == []
    assert names or (group,) in COMMANDS


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_shows_an_example_of_itself(bare: Line, words: tuple[str, ...]) -> None:
    """An example is what people copy; it must be of this command."""
    said = bare.text(*words, "--help")

    assert f"Example: wch {' '.join(words)}" in said


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_takes_a_database_and_json(bare: Line, words: tuple[str, ...]) -> None:
    """Scripts may add both to whatever they call; only serving has no document to print."""
    said = bare.text(*words, "--help")

    assert "--database-url" in said
    assert "--json" in said or words == ("serve",)


@pytest.mark.parametrize("words", [*LISTS, *OTHERS], ids=" ".join)
def test_json_is_one_document(line: Line, words: tuple[str, ...]) -> None:
    """Nothing else may stand on standard output, or a script cannot read it."""
    told = line.json(*words)

    assert isinstance(told, dict)
    assert ("data" in told) == (words in LISTS)


@pytest.mark.parametrize("words", [*LISTS, *OTHERS], ids=" ".join)
def test_text_is_for_people(line: Line, words: tuple[str, ...]) -> None:
    """Something readable is said, without the signs of a program's insides."""
    said = line.text(*words)

    assert said.strip()
    assert "object at 0x" not in said


@pytest.mark.parametrize("words", [words for words in LISTS if words[0] not in {"config", "failpoints"}], ids=" ".join)
def test_a_database_without_tables_names_the_way_out(bare: Line, words: tuple[str, ...]) -> None:
    """The first command of a new shop fails so; the sentence is the manual."""
    assert "wch db upgrade" in bare.refused(*words)


def test_help_loads_little() -> None:
    """Help that takes seconds is not asked for; the store and the web are loaded by what uses them."""
    program = (
        "import json, sys; from wch.entrypoints.cli.commands import wch; wch(['stats', '--help'], "
        "standalone_mode=False); print(json.dumps(sorted(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    loaded = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in HEAVY if name in loaded] == []


def test_an_unknown_command_is_wrong_usage(bare: Line) -> None:
    """Two is the code of a mistyped line, one of a refused act."""
    assert "No such command" in bare.refused("stast", code=2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("carts", "list", "--limit", "0"), "'0' is no whole number from 1 to 500; see `wch carts list --help`."),
        (("serve", "--port", "http"), "'http' is no whole number from 0 to 65535; see `wch serve --help`."),
        (("shop", "stock", "LAMP", "1.5"), "'1.5' is no whole number of 0 or more; see `wch shop stock --help`."),
        (("shop", "stock", "LAMP", "-5"), "it is no whole number of 0 or more; see `wch shop stock --help`."),
        (("conversations", "show", "-52"), "it is no whole number of 1 or more; see `wch conversations show --help`."),
        (
            ("analytics", "summary", "--from", "yesterday"),
            "'yesterday' is no day; write it like 2026-03-01; see `wch analytics summary --help`.",
        ),
        (("analytics", "carts", "--to", "2026-02-30"), "'2026-02-30' is no day"),
        (("stats", "-5"), "No such option '-5'; see `wch stats --help`."),
        (("carts", "show"), "Missing argument 'CART_ID'; see `wch carts show --help`."),
        (("carts", "shwo"), "see `wch carts --help`."),
        (("--verbose",), "see `wch --help`."),
        (("operators", "add", "ana"), "viewer, agent, operator, admin; see `wch operators add --help`."),
        (("breakers", "close", "a\nb"), "There is no breaker a\N{REPLACEMENT CHARACTER}b"),
    ],
    ids=lambda one: " ".join(one).replace("\n", " ") if isinstance(one, tuple) else "",
)
def test_a_refusal_is_one_line(line: Line, words: tuple[str, ...], told: str) -> None:
    """What is wrong, what is taken, where to look: a script shows the line as it is."""
    said = line.refused(*words, code=1 if words[0] == "breakers" else 2)

    assert said.startswith("wch: ")
    assert told in said
    assert said.count("\n") == 1


def test_a_group_alone_shows_what_is_in_it(bare: Line) -> None:
    """It is no mistake to ask what there is."""
    said = bare.refused("carts", code=2)

    assert "remind" in said
    assert "wch: " not in said


def test_an_unknown_database_is_refused(bare: Line) -> None:
    """A mistyped address must not end as an empty store."""
    assert "sqlite+aiosqlite" in bare.refused("stats", "--database-url", "foo://x")


def test_a_store_in_memory_is_not_installed(bare: Line) -> None:
    """It would be gone before the answer is printed."""
    assert "WCH_DATABASE_URL" in bare.refused("db", "upgrade", "--database-url", "memory://")


@pytest.mark.parametrize("words", [("db", "drop"), ("dead-letters", "purge"), ("orders", "cancel", "1")], ids=" ".join)
def test_what_destroys_asks_for_yes(line: Line, words: tuple[str, ...]) -> None:
    """Without a terminal nobody can be asked, so the line has to say it; nothing is done without."""
    before = line.json("stats")["tables"]

    assert "--yes" in line.refused(*words, code=2)

    assert line.json("stats")["tables"] == before


def test_unknown_work_is_a_sentence(line: Line) -> None:
    """A mistyped kind must not look like a hub with nothing to do."""
    assert "no work of kind foo" in line.refused("worker", "--only", "foo", "--once")


def test_dropped_tables_are_gone(line: Line) -> None:
    """With the word said it is done, and told."""
    assert line.json("db", "drop", "--yes") == {"dropped": True}

    assert line.json("db", "version") == {"version": None}


def test_a_broken_table_is_found(bare: Line) -> None:
    """Three tells a script that something was found; there are no tables at all here."""
    assert bare.json("db", "check", code=3)["ok"] is False


def test_the_doctor_finds_that_nobody_works(line: Line) -> None:
    """The sale's worker is gone; a hub without one is silent."""
    told = line.json("doctor", code=3)

    assert told["ok"] is False
