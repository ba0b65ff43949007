"""architecture.md is true: what it names is there, and what is there it names."""

import re
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, SOURCE

PAGE = ROOT / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
ENDINGS = (".py", ".md", ".toml", ".txt", ".yml", "/")


def named_paths(text: str) -> list[str]:
    """Every path of the repository that a page names: the first word of a line of a tree, and words in backticks.

    A path has a slash or an ending; one that begins with a slash is a route, one with `<`
    or `*` a form, one with a blank a command.
    """
    trees = [
        line.split()[0]
        for block in re.findall(r"```\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.strip()
    ]
    words = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    looks_like_one = re.compile(r"[\w.][\w./-]*")
    return [
        word
        for word in dict.fromkeys([*trees, *words])
        if looks_like_one.fullmatch(word) and ("/" in word or word.endswith(ENDINGS))
    ]


def exists(path: str) -> bool:
    """Paths are written from the top, or from the package when it is clear what is meant."""
    return any((start / path).exists() for start in (ROOT, SOURCE))


@pytest.mark.parametrize("path", named_paths(TEXT))
def test_what_architecture_names_is_there(path: str) -> None:
    """A map with a street that is gone leads people into a wall."""
    assert exists(path)


@pytest.mark.parametrize(
    "package",
    sorted(
        str(path.parent.relative_to(ROOT))
        for path in SOURCE.rglob("__init__.py")
        if len(path.relative_to(SOURCE).parts) <= 3
    ),
)
def test_architecture_names_every_room(package: str) -> None:
    assert re.search(rf"{re.escape(package)}/", TEXT)


@pytest.mark.parametrize("page", sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("*.md")))
def test_a_link_between_pages_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", (ROOT / page).read_text(encoding="utf-8"))

    assert [link for link in links if not (ROOT / Path(page).parent / link).exists()] == []


def test_paths_are_told_from_routes_forms_and_commands() -> None:
    page = "see `src/wch/hub.py`, `/livez`, `make test`, `campaign.<id>`, `Cart`\n```\ndocs/  pages\n```\n"

    assert named_paths(page) == ["docs/", "src/wch/hub.py"]
