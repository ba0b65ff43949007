"""A setting that nothing reads is a promise that is not kept."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import pytest

import wch
from wch.settings.sections import SECTIONS

SOURCES = Path(wch.__file__).parent
DECLARED = SOURCES / "settings"
EVERYTHING = "*"
"""Stands for all of a section, where it is handed on as a whole."""

LISTED = [(section, field.name) for section, kind in SECTIONS.items() for field in attrs.fields(kind)]
KINDS = {kind.__name__: section for section, kind in SECTIONS.items()}


def _named(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that stand for a section in a module: assigned from it, or declared to be of its class."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            both = (node.targets[0], node.value)
            pairs = zip(*(one.elts if isinstance(one, ast.Tuple) else [one] for one in both), strict=False)
            for target, value in pairs:
                if isinstance(target, ast.Name) and isinstance(value, ast.Attribute) and value.attr in SECTIONS:
                    yield target.id, value.attr
        elif isinstance(node, ast.arg) and isinstance(node.annotation, ast.Name) and node.annotation.id in KINDS:
            yield node.arg, KINDS[node.annotation.id]


def _sections_of(node: ast.expr, names: Mapping[str, set[str]]) -> set[str]:
    """The sections that an expression may be: `settings.worker`, or a name that stands for it."""
    if isinstance(node, ast.Attribute):
        return {node.attr}
    return names.get(node.id, set()) if isinstance(node, ast.Name) else set()


def _read_by(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What a module asks of sections: one setting, or all of them."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for name, section in _named(tree):
        names[name].add(section)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from ((section, node.attr) for section in _sections_of(node.value, names))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"attrs.asdict", "attrs.fields", "getattr"}:
            for one in node.args:
                yield from ((section, EVERYTHING) for section in _sections_of(one, names))


READ = {
    pair
    for path in sorted(SOURCES.rglob("*.py"))
    if DECLARED not in path.parents
    for pair in _read_by(ast.parse(path.read_text()))
}


@pytest.mark.parametrize(("section", "field"), LISTED)
def test_every_setting_is_read_by_something(section: str, field: str) -> None:
    """Whoever sets it sees a difference."""
    assert {(section, field), (section, EVERYTHING)} & READ
