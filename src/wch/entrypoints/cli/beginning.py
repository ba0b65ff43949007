"""Commands for beginning: files to fill in, and the description of the routes."""

import asyncio
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from wch.entrypoints.cli.running import Run, command, fail
from wch.settings import Row, Settings

TOML = "wch.toml"
ENVIRONMENT = ".env"
OWNER_ALONE = 0o600
BARE = frozenset({"bool", "int"})
"""Types that TOML writes without quotes."""


@click.command()
@command
async def init(run: Run) -> None:
    """Write `wch.toml` with every setting, and `.env` for the secrets; files that are there are left alone.

    Example: wch init
    """
    rows = Settings().describe()
    texts = {TOML: "\n".join(_toml(rows)) + "\n", ENVIRONMENT: "\n".join(_environment(rows)) + "\n"}
    if there := _there(texts):
        fail(
            f"{' and '.join(there)} {'are' if there[1:] else 'is'} there already, and nothing was written; move away what is, or go on with it."
        )
    for name, text in texts.items():
        await asyncio.to_thread(_write, Path(name), text)
    run.show(
        {"written": list(texts)},
        lambda console: console.print(
            f"Written: {TOML} (settings) and {ENVIRONMENT} (secrets). Fill in the secrets and the number's `phone_number_id`, load them into the "
            "environment (set -a; . ./.env), then look with `wch doctor`.",
            markup=False,
        ),
    )


def _there(names: Iterable[str]) -> list[str]:
    return [name for name in names if os.path.lexists(name)]


def _write(path: Path, text: str) -> None:
    """A new file that only its owner reads; one that came up meanwhile is not overwritten."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ALONE), "w", encoding="utf-8") as file:
        file.write(text)


def _is_secret(row: Row) -> bool:
    return row.type.startswith("secret")


def _toml(rows: list[Row]) -> Iterator[str]:
    yield "# The settings of wch. A line counts once its # is taken away; it shows the default."
    yield "# The environment wins over this file. Secrets belong into the environment (.env)."
    section = ""
    for row in rows:
        if _is_secret(row):
            continue
        if row.section != section:
            section = row.section
            yield f"\n[{section}]"
        value = row.default if row.type in BARE else json.dumps(row.default, ensure_ascii=False)
        yield f"# {row.meaning} ({row.type}; {row.environment})"
        yield f"#{row.key} = {value}"


def _environment(rows: list[Row]) -> Iterator[str]:
    yield "# The secrets of wch: keep this file out of version control. An empty one counts as not set;"
    yield "# each may be read from a file instead, named by the same variable with _FILE at its end."
    for row in rows:
        if _is_secret(row):
            yield f"\n# {row.meaning}\n{row.environment}="
    (number,) = (row for row in rows if (row.section, row.key) == ("whatsapp", "phone_number_id"))
    yield f"\n# no secret, yet nothing is served without it: here, where a container sees no {TOML}, or there"
    yield f"#{number.environment}="


@click.command()
@command
async def openapi(run: Run) -> None:
    """The description of all routes, as OpenAPI 3.1 in JSON.

    Example: wch openapi
    """
    from wch.bootstrap import open_hub  # noqa: PLC0415 - slow to load, and help does without
    from wch.entrypoints.http.application import asgi  # noqa: PLC0415 - needs the extra `http`

    settings, _, _ = Settings.load({}, {"database_url": "memory://"}, None)
    async with open_hub(settings) as hub:
        document: dict[str, Any] = asgi(hub).openapi()
    run.show(document, lambda _: click.echo(json.dumps(document, ensure_ascii=False, indent=2)))
