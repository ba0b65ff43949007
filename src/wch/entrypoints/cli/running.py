"""How a command runs: settings in, a hub around it, text or one JSON document out, errors in a sentence."""

import asyncio
import functools
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import attrs
import click
from rich.console import Console
from rich.table import Table

from wch.domain.audit import Actor
from wch.domain.errors import NotFoundError, WchError
from wch.entrypoints.shown import plain
from wch.settings import Settings

if TYPE_CHECKING:
    from wch.application.hub import Hub

BY = Actor("cli", "admin")
"""Who did it, as the audit log has it; whoever has the shell may do everything."""

FILE_WIDTH = 400
"""Columns where nobody looks at a terminal: rows are not broken there, so that a line is a row."""

DONE, FAILED, USAGE, FOUND_PROBLEMS = 0, 1, 2, 3

R = TypeVar("R")
Command = Callable[..., Awaitable[int | None]]


class Tree(click.Group):
    """The commands of the program: a line that cannot be read is answered in a sentence, like any other refusal."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read what stands before the command."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise _misread(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Read the command and run it."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _misread(error) from None


def _misread(error: click.UsageError) -> BaseException:
    if error.ctx is None or isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    is_number = isinstance(error, click.NoSuchOption) and error.option_name[1:].isdigit()
    told = (_below_nought(error.ctx) if is_number else None) or error
    sentence = " ".join(told.format_message().split()).removesuffix(".")
    return failure(f"{sentence}; see `{error.ctx.command_path} --help`.", USAGE)


def _below_nought(ctx: click.Context) -> click.UsageError | None:
    """What is wrong with `-5` where a number is expected: it looks like an option, and is none."""
    for param in ctx.command.params:
        if isinstance(param, click.Argument) and isinstance(param.type, click.types.IntParamType):
            wanted = param.type if isinstance(param.type, Whole) else Whole(1)
            return click.BadParameter(f"it is no whole number {wanted.bounds}", ctx, param)
    return None


class Whole(click.IntRange):
    """A whole number; whoever writes another word reads which are taken."""

    @property
    def bounds(self) -> str:
        """Which are taken."""
        return f"of {self.min} or more" if self.max is None else f"from {self.min} to {self.max}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{str(value)!r} is no whole number {self.bounds}", param, ctx)


@attrs.frozen(kw_only=True)
class Run:
    """One call of a command: its settings and where its answer goes."""

    settings: Settings
    as_json: bool

    async def settled(self) -> Settings:
        """The settings with what the console set in their database, if there is one."""
        from wch.bootstrap import settled  # noqa: PLC0415 - slow to load, and help does without

        return await settled(self.settings)

    @asynccontextmanager
    async def hub(self) -> AsyncIterator["Hub"]:
        """The hub on the database that the settings name, in the sandbox's time where that is a sandbox's."""
        from wch.bootstrap import at_home, open_hub  # noqa: PLC0415 - slow to load, and help does without

        settings, sandbox = await at_home(self.settings)
        async with open_hub(settings, sandbox=sandbox) as hub:
            yield hub

    def show(self, document: Any, text: Callable[[Console], None]) -> None:
        """Print the answer: the document alone with --json, else the text for people."""
        if self.as_json:
            click.echo(json.dumps(plain(document), ensure_ascii=False, indent=2))
        else:
            people = sys.stdout.isatty()
            text(Console(file=sys.stdout, highlight=False, soft_wrap=not people, width=None if people else FILE_WIDTH))

    def rows(self, rows: Sequence[Any], columns: Mapping[str, Callable[[Any], Any]], *, empty: str) -> None:
        """Print rows as a table, or whole as JSON."""

        def text(console: Console) -> None:
            if not rows:
                console.print(empty)
                return
            table = Table(box=None, pad_edge=False, header_style="bold")
            for title in columns:
                # What names the row stays whole: it is copied into the next command.
                table.add_column(title, overflow="fold", no_wrap=not table.columns)
            for row in rows:
                table.add_row(*(_cell(value(row)) for value in columns.values()))
            console.print(table)

        self.show({"data": [plain(row) for row in rows]}, text)


def _cell(value: Any) -> str:
    shown = plain(value)
    if shown is None:
        return "-"
    return _printable(shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def failure(sentence: str, code: int = FAILED) -> SystemExit:
    """One sentence on one line of standard error, with what to do next; raise what comes back."""
    click.echo(f"wch: {_printable(sentence)}", err=True)
    return SystemExit(code)


def fail(sentence: str, code: int = FAILED) -> NoReturn:
    """Say it, and out."""
    raise failure(sentence, code)


def load(arguments: Mapping[str, Any], *, sandbox: bool = False) -> Settings:
    """The settings: arguments win over the environment, that over `wch.toml`."""
    given = {name: value for name, value in arguments.items() if value is not None}
    toml = Path("wch.toml")
    settings, _, warnings = Settings.load(os.environ, given, toml if toml.exists() else None, sandbox=sandbox)
    for warning in warnings:
        click.echo(f"wch: {warning}", err=True)
    return settings


def command(work: Command) -> Callable[..., None]:
    """Make a click command of an asynchronous function that takes a `Run` first.

    Adds `--database-url` and `--json`; every refusal of the hub becomes one sentence and
    exit code 1.
    """

    @click.option("--database-url", metavar="URL", help="Where the tables are; WCH_DATABASE_URL otherwise.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
    @functools.wraps(work)
    def run(database_url: str | None, as_json: bool, **given: Any) -> None:  # noqa: FBT001 - click's calling form
        logging.getLogger("wch").addHandler(logging.NullHandler())
        try:
            settings = load({"database_url": database_url})
            code = asyncio.run(_awaited(work(Run(settings=settings, as_json=as_json), **given)))
        except WchError as error:
            fail(sentence_of(error))
        except OSError as error:
            fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
        raise SystemExit(code or DONE)

    return run


async def _awaited(work: Awaitable[R]) -> R:
    return await work


def sentence_of(error: WchError) -> str:
    """The error's sentence with the facts that help, none of which is personal."""
    if (
        isinstance(error, NotFoundError)
        and {"kind", "id"} <= error.facts.keys()
        and str(error) == NotFoundError.__doc__
    ):
        return f"There is no {error.facts['kind']} {error.facts['id']}{_listed_by()}."
    facts = ", ".join(
        f"{name} {plain(value)}"
        for name, value in error.facts.items()
        if value is not None and isinstance(plain(value), (str, int)) and str(value) not in str(error)
    )
    return f"{error}{f' ({facts})' if facts else ''}"


def _listed_by() -> str:
    """Which command tells those that there are, if a neighbour of the one that runs does."""
    context = click.get_current_context(silent=True)
    room = context.parent if context is not None else None
    if room is None or not isinstance(room.command, click.Group) or "list" not in room.command.commands:
        return ""
    return f"; `{room.command_path} list` tells those that there are"
