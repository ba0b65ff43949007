"""Names say what a thing is for, and what is refused stays out."""

import re

import pytest

from tests.architecture.repository import ROOT, SOURCE, texts

BANNED = {
    "utils",
    "util",
    "helpers",
    "helper",
    "manager",
    "managers",
    "common",
    "base",
    "impl",
    "misc",
    "stuff",
    "core",
}
MODULES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_is_named_by_its_business(module: object) -> None:
    """A room called `utils` has no story, so everything ends up in it."""
    assert module in MODULES
    parts = re.split(r"[/._]", str(module)[len(str(SOURCE)) + 1 : -len(".py")])

    assert not BANNED & set(parts)
    assert parts[-1] not in {"service", "services"}


def test_no_insert_ignores_what_it_cannot_write() -> None:
    """MySQL's IGNORE swallows truncation and NULLs too: only a duplicate key may mean "there already"."""
    refused = re.compile(r"INSERT\s+(OR\s+)?IGNORE|prefix_with\(\s*[\"'](OR\s+)?IGNORE", re.IGNORECASE)

    assert not [path for path in MODULES if refused.search(path.read_text(encoding="utf-8"))]


def test_an_exception_to_a_rule_gives_its_reason_on_the_line() -> None:
    bare = re.compile(
        r"#\s*(noqa(:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*)?|type:\s*ignore(\[[\w, -]+\])?)\s*$", re.MULTILINE
    )

    found = [f"{path}: {match[0]}" for path, text in texts() if path.suffix == ".py" for match in bare.finditer(text)]

    assert not found


def test_the_repository_names_no_machine_and_no_registry() -> None:
    """A clone works anywhere: no path of somebody's disk, no address that a package came from."""
    # Put together here, so that this file is not the first one found.
    slash = "/"
    places = (f"{ROOT}{slash}", *(f"{slash}{top}{slash}" for top in ("work", "root", "Users")))
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("piwheels", "org"))
    ]
    refused = re.compile(
        "|".join(re.escape(word) for word in (*places, *hosts, f"file:{slash * 3}")) + rf"|{slash}home{slash}\w"
    )

    found = [f"{path}: {match[0]}" for path, text in texts() for match in refused.finditer(text)]

    assert not found
