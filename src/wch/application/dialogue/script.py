"""Conversations as files: who says what, and what must come back; a line each, for people to read and write.

    # A lamp, and a change of mind
    phone: 34612345678

    > busco Blue Lamp
    < Blue Lamp
    = state viewing_product
    > [add_to_cart_]
    < @add.done
    = cart 1 Blue Lamp
    ~ 16 minutes
    > hola
    = silence none

`>` is what the customer writes, or in brackets the beginning of the id of what is tapped.
`<` must stand in what is shown, `!` must not; `@` names a text of the catalogues, in the
language that is spoken. `=` is what the hub knows afterwards, `~` lets time pass, `+`
something that happens elsewhere, such as `+ placed`. Lines with `#` are the title.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import attrs

from wch.domain.errors import WchError

_HEADER = re.compile(r"([a-z_]+):\s*(.*)")
_TAP = re.compile(r"\[(.+)\]")


class ScriptError(WchError, ValueError):
    """A line of a conversation file cannot be read."""


class Kind(StrEnum):
    """What a line is, by its first character."""

    SAYS = ">"
    SHOWS = "<"
    HIDES = "!"
    KNOWS = "="
    WAITS = "~"
    HAPPENS = "+"


@attrs.frozen(kw_only=True)
class Line:
    """One line of a conversation."""

    kind: Kind
    text: str
    number: int = 0

    @property
    def tap(self) -> str | None:
        """The beginning of the id of what is tapped; None when something is written."""
        found = _TAP.fullmatch(self.text) if self.kind is Kind.SAYS else None
        return None if found is None else found[1]


@attrs.frozen(kw_only=True)
class Script:
    """A conversation: its title, what is given, and its lines."""

    title: str
    given: Mapping[str, str] = attrs.field(factory=dict)
    lines: tuple[Line, ...]


def read_script(text: str) -> Script:
    """The conversation in this text.

    Raises:
        ScriptError: a line is none of these, or nobody says anything.
    """
    titles: list[str] = []
    given: dict[str, str] = {}
    lines: list[Line] = []
    for number, written in enumerate(text.splitlines(), start=1):
        stripped = written.strip()
        if not stripped:
            continue
        if stripped.startswith("#"):
            titles.append(stripped.lstrip("# "))
        elif stripped[0] in set(Kind) and stripped[1:2] in {" ", ""}:
            said = stripped[1:].strip().replace("\\n", "\n")
            lines.append(Line(kind=Kind(stripped[0]), text=said, number=number))
        elif not lines and (header := _HEADER.fullmatch(stripped)):
            given[header[1]] = header[2]
        else:
            message = f"Line {number} begins with none of {' '.join(Kind)}."
            raise ScriptError(message, line=number)
    if not any(line.kind is Kind.SAYS for line in lines):
        message = "Nobody says anything."
        raise ScriptError(message)
    return Script(title=" ".join(titles), given=given, lines=tuple(lines))


def write_script(script: Script) -> str:
    """The text that `read_script` reads back."""
    head = [f"# {script.title}", *(f"{name}: {value}" for name, value in script.given.items()), ""]
    return "\n".join([*head, *_written(script.lines)]) + "\n"


def _written(lines: Sequence[Line]) -> Iterable[str]:
    for line in lines:
        text = line.text.replace("\n", "\\n")
        yield f"{line.kind.value} {text}"
