"""Commands about the people of the console."""

import secrets
import sys
from collections.abc import Callable

import click

from wch.domain.operator import Operator, Role
from wch.entrypoints.cli.running import BY, Run, command, fail


@click.group()
def operators() -> None:
    """Who may use the console.

    Example: wch operators list
    """


_COLUMNS: dict[str, Callable[[Operator], object]] = {
    "name": lambda one: one.name,
    "number": lambda one: one.number,
    "role": lambda one: one.role,
    "state": lambda one: "disabled" if one.is_disabled else "active",
    "since": lambda one: one.created_at,
    "signed_in": lambda one: one.signed_in_at,
}


def _told(operator: Operator, password: str | None = None) -> dict[str, object]:
    """What may be known of an operator; a password that was made here is told once."""
    told: dict[str, object] = {name: value(operator) for name, value in _COLUMNS.items()}
    return told if password is None else {**told, "password": password}


def _chosen_password(*, from_stdin: bool) -> tuple[str, bool]:
    """The password, and whether it was made here."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), False
    if sys.stdin.isatty() and sys.stderr.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)), False
    return secrets.token_urlsafe(15), True


_STDIN = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@operators.command(name="add")
@click.argument("name")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What they may do.")
@_STDIN
@command
async def operators_add(run: Run, name: str, role: str, *, password_stdin: bool) -> None:
    """Let somebody in; without a terminal a password is made and shown once.

    Example: wch operators add maria --role admin
    """
    password, is_made = _chosen_password(from_stdin=password_stdin)
    async with run.hub() as hub:
        made = await hub.operators.add(name, Role(role), password, by=BY)
    _show(run, made, f"{made.name} may sign in at /console as {made.role}.", password if is_made else None)


@operators.command(name="list")
@command
async def operators_list(run: Run) -> None:
    """Everybody who may, or may not any more.

    Example: wch operators list
    """
    async with run.hub() as hub:
        found = await hub.operators.listed()
    if run.as_json:
        run.show({"data": [_told(one) for one in found]}, lambda _console: None)
        return
    run.rows(found, _COLUMNS, empty="Nobody yet: wch operators add NAME --role admin.")


@operators.command(name="disable")
@click.argument("name")
@command
async def operators_disable(run: Run, name: str) -> None:
    """Keep somebody out, at once and in every browser.

    Example: wch operators disable maria
    """
    async with run.hub() as hub:
        changed = await hub.operators.disable(name, by=BY)
    _show(run, changed, f"{changed.name} is kept out.", None)


@operators.command(name="password")
@click.argument("name")
@_STDIN
@command
async def operators_password(run: Run, name: str, *, password_stdin: bool) -> None:
    """Set a new password; all browsers of this person are signed out.

    Example: wch operators password maria
    """
    password, is_made = _chosen_password(from_stdin=password_stdin)
    if not password:
        fail("there is no password on standard input; give one, such as: echo ... | wch operators password NAME")
    async with run.hub() as hub:
        changed = await hub.operators.set_password(name, password, by=BY)
    _show(run, changed, f"{changed.name} has a new password.", password if is_made else None)


def _show(run: Run, operator: Operator, sentence: str, password: str | None) -> None:
    shown = sentence if password is None else f"{sentence} The password, shown this once: {password}"
    run.show(_told(operator, password), lambda console: console.print(shown, markup=False))
