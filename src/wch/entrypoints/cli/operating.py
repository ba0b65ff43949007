"""Commands about running the hub: serve, worker, database, sagas, figures, settings."""

import asyncio
import contextlib
import json
import signal
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING

import click
from rich.console import Console

from wch.domain.errors import SchemaError, SettingsError, StoreUnavailableError, WchError
from wch.domain.saga import Saga, SagaState
from wch.entrypoints import shown
from wch.entrypoints.cli.running import BY, FOUND_PROBLEMS, USAGE, Run, Whole, command, fail, load, sentence_of

if TYPE_CHECKING:
    from wch.application.worker import Worker
    from wch.bootstrap import Installation


MOST_PORT = 65_535


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=Whole(0, 65535))
@click.option("--sandbox", is_flag=True, help="Stand in for WhatsApp and its customers; never in profile prod.")
@click.option("--no-worker", is_flag=True, help="Take deliveries only; `wch worker` does the work.")
@click.option("--workers", default=1, show_default=True, type=Whole(1, 64), help="Processes for HTTP.")
@click.option("--database-url", metavar="URL", help="Where the tables are; WCH_DATABASE_URL otherwise.")
def serve(host: str, port: int, database_url: str | None, *, sandbox: bool, no_worker: bool, workers: int) -> None:
    """Take deliveries over HTTP and, unless told not to, do the work.

    Example: wch serve --sandbox --port 8080
    """
    from wch.entrypoints.http.serving import serve as run_server  # noqa: PLC0415 - needs the extra `http`

    try:
        arguments: dict[str, object] = {"database_url": database_url}
        settings = load(arguments, sandbox=sandbox)
        settings = settings.for_sandbox() if sandbox else settings
        settings.require_for_serving()
        code = run_server(settings, host=host, port=port, sandbox=sandbox, with_worker=not no_worker, processes=workers)
    except WchError as error:
        fail(sentence_of(error))
    raise SystemExit(code)


class Address(click.ParamType[tuple[str, int]]):
    """A host and a port, such as `127.0.0.1:9108` or `[::1]:9108`."""

    name = "HOST:PORT"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Cut it in two."""
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or int(port) > MOST_PORT:
            self.fail(f"{value!r} is no host and port; write it like 127.0.0.1:9108.", param, ctx)
        return host.strip("[]"), int(port)


@click.command()
@click.option("--once", is_flag=True, help="One pass over all kinds of work.")
@click.option("--drain", is_flag=True, help="Until nothing is due.")
@click.option("--only", metavar="KIND,...", help="Only these kinds of work.")
@click.option(
    "--metrics",
    metavar="HOST:PORT",
    type=Address(),
    help="Answer /metrics there with what this process counted, and /livez, /readyz, /healthz.",
)
@command
async def worker(run: Run, only: str | None, metrics: tuple[str, int] | None, *, once: bool, drain: bool) -> int | None:
    """Do the work that the tables hold.

    Example: wch worker --metrics 127.0.0.1:9108
    """
    if metrics is not None and (once or drain):
        fail("--metrics is for a worker that stays: leave it out, or --once and --drain.", USAGE)
    from wch.bootstrap import at_home, open_living  # noqa: PLC0415 - slow to load, and help does without
    from wch.entrypoints.following import keep_working  # noqa: PLC0415 - see above
    from wch.entrypoints.logs import begin_logs  # noqa: PLC0415 - see above

    settings, sandbox = await at_home(run.settings)
    settings.require_for_sending()
    if not (once or drain):
        begin_logs(settings)
    kinds = frozenset(only.split(",")) if only else None
    if metrics is not None:
        from wch.entrypoints.http.serving import work  # noqa: PLC0415 - needs the extra `http`

        host, port = metrics
        return await work(settings, host=host, port=port, kinds=kinds, in_sandbox=sandbox)
    async with open_living(settings, install=True, sandbox=sandbox) as living:

        def busy() -> "Worker":
            return living.hub.worker.only(kinds) if kinds is not None else living.hub.worker

        if once or drain:
            done = await (busy().once() if once else busy().drain())
            run.show({"done": done}, lambda console: console.print(f"{done} rows of work done."))
            return None
        stop = asyncio.Event()
        for word in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(word, stop.set)
        await keep_working(living, busy, stop)
    return None


def _installation(run: Run) -> "AbstractAsyncContextManager[Installation]":
    from wch.bootstrap import Installation  # noqa: PLC0415 - slow to load, and help does without

    return Installation.open(run.settings)


@click.group()
def db() -> None:
    """The tables: install, compare, remove."""


@db.command()
@command
async def upgrade(run: Run) -> None:
    """Install all tables, or bring them to this program's version.

    Example: wch db upgrade --database-url sqlite+aiosqlite:///wch.db
    """
    async with _installation(run) as installation:
        version = await installation.upgrade()
    run.show({"version": version}, lambda console: console.print(f"The tables are at version {version}."))


@db.command()
@command
async def check(run: Run) -> int:
    """Compare the tables with the data model; exit code 3 when they differ.

    Example: wch db check
    """
    async with _installation(run) as installation:
        found = await installation.check()

    def text(console: Console) -> None:
        for difference in found:
            console.print(f"{difference.table}: {difference.what}", markup=False)
        if not found:
            console.print("The tables are as the data model has them.")

    run.show({"ok": not found, "differences": found}, text)
    return FOUND_PROBLEMS if found else 0


@db.command()
@click.option("--yes", is_flag=True, help="Do it; without it nothing is done.")
@command
async def drop(run: Run, *, yes: bool) -> None:
    """Remove all tables and everything in them.

    Example: wch db drop --yes
    """
    if not yes:
        fail("this deletes every table of the hub and all that is in them; add --yes to do it.", USAGE)
    async with _installation(run) as installation:
        await installation.drop()
    run.show({"dropped": True}, lambda console: console.print("All tables of the hub are gone."))


@db.command()
@command
async def version(run: Run) -> None:
    """The version that the tables have.

    Example: wch db version
    """
    async with _installation(run) as installation:
        found = await installation.version()
    run.show(
        {"version": found}, lambda console: console.print(found or "There are no tables yet: run `wch db upgrade`.")
    )


@click.group()
def sagas() -> None:
    """Orders and other long walks, step by step."""


@sagas.command(name="list")
@click.option("--state", type=click.Choice([word.value for word in SagaState]))
@click.option("--type", "saga_type")
@click.option("--needs-operator", is_flag=True, help="Only those that can't go on by themselves.")
@click.option("--limit", default=50, show_default=True, type=Whole(1, 500))
@command
async def sagas_list(run: Run, state: str | None, saga_type: str | None, limit: int, *, needs_operator: bool) -> None:
    """Sagas by id.

    Example: wch sagas list --needs-operator
    """
    async with run.hub() as hub:
        found = await hub.sagas.listed(
            state=None if state is None else SagaState(state),
            saga_type=saga_type,
            needs_operator=needs_operator,
            limit=limit,
        )
    run.rows(
        found,
        {
            "saga": lambda one: one.saga_id,
            "type": lambda one: one.saga_type,
            "state": lambda one: one.state,
            "outcome": lambda one: one.outcome,
            "reason": lambda one: one.context.get("reason") or one.context.get("failure"),
            "actions": lambda one: ", ".join(one.context.get("actions") or ()),
            "next look": lambda one: one.updated_at,
        },
        empty="No sagas.",
    )


def _time_line(saga: Saga, console: Console) -> None:
    console.print(f"{saga.saga_id}  {saga.saga_type}  {saga.state}  {saga.outcome or ''}")
    for entry in saga.log:
        more = entry.get("error") or entry.get("because") or entry.get("kind") or entry.get("reason") or ""
        console.print(f"  {entry['at']}  {entry['ev']:<8} {entry['step'] or '':<14} {more}", markup=False)
    if saga.outcome == "parked":
        console.print(f"  waits for you: {', '.join(saga.context.get('actions', ()))}")


@sagas.command(name="show")
@click.argument("saga_id")
@command
async def sagas_show(run: Run, saga_id: str) -> None:
    """One saga as a time line.

    Example: wch sagas show order-3-1764000000
    """
    async with run.hub() as hub:
        saga = await hub.sagas.show(saga_id)
    run.show(saga, lambda console: _time_line(saga, console))


def _action(name: str, help_text: str) -> None:
    @sagas.command(name=name, help=f"{help_text}\n\nExample: wch sagas {name} order-3-1764000000 --reason mended")
    @click.argument("saga_id")
    @click.option("--reason", help="Why; it is written into the audit log.")
    @click.option("--result", help="For skip-step: what the step would have answered, as JSON.")
    @command
    async def act(run: Run, saga_id: str, reason: str | None, result: str | None) -> None:
        try:
            stated = None if result is None else json.loads(result)
        except ValueError:
            fail("--result is not JSON; write it like '{\"order_id\": 1042}'.", USAGE)
        async with run.hub() as hub:
            saga = await hub.sagas.act(saga_id, name, by=BY, reason=reason, result=stated)
        run.show(saga, lambda console: _time_line(saga, console))


_action("resume", "Let a parked saga go on from where it stands.")
_action("retry-step", "Try the step again that it was parked at.")
_action("skip-step", "Take the step as done; --result says what it answered.")
_action("compensate", "Undo what was done, the latest first; only before the point of no return.")


@click.command()
@command
async def stats(run: Run) -> None:
    """Counts by table and state, and what waits longest.

    Example: wch stats --json
    """
    async with run.hub() as hub:
        figures = await hub.statistics.snapshot()

    def text(console: Console) -> None:
        for table, states in figures["tables"].items():
            flat = (
                {f"{side} {word}": n for side, words in states.items() for word, n in words.items()}
                if table == "messages"
                else states
            )
            shown = ", ".join(f"{n} {word}" for word, n in flat.items() if n)
            console.print(f"{table}: {shown or 'empty'}")
        for name in ("oldest_waiting_s", "leases_taken_over", "unconfirmed", "dead_letters_pending"):
            console.print(f"{name}: {figures[name]}")

    run.show(figures, text)


@click.command()
@command
async def verify(run: Run) -> int:
    """Count whether everything accepted is accounted for; exit code 3 when it is not.

    Example: wch verify --json
    """
    async with run.hub() as hub:
        report = await hub.verification.run()

    def text(console: Console) -> None:
        for one in report["checks"]:
            console.print(f"{'ok ' if one['ok'] else 'BROKEN'} {one['name']}: {one['detail']}", markup=False)

    run.show(report, text)
    return 0 if report["ok"] else FOUND_PROBLEMS


@click.command()
@click.option("--fix", is_flag=True, help="Set right at once what a statement or a call can set right.")
@command
async def doctor(run: Run, *, fix: bool) -> int:
    """Look for what would make the hub unsafe or silent; exit code 3 when something is found.

    Settings and secrets, the database, what Meta tells of token, numbers and subscription, and the work that waits.

    Example: wch doctor --fix
    """
    from wch.bootstrap import examine  # noqa: PLC0415 - opens everything

    async with AsyncExitStack() as stack:
        checkup = None
        with contextlib.suppress(SchemaError, StoreUnavailableError, SettingsError):
            checkup = (await stack.enter_async_context(run.hub())).checkup
        findings = await examine(await run.settled(), checkup=checkup, fix=fix)
    is_well = all(one.mended or one.severity == "unknown" for one in findings)

    def text(console: Console) -> None:
        for one in findings:
            done = "mended: " if one.mended else ""
            console.print(f"{done}{one.severity}: {one.what} {one.way_out}", markup=False)
        if not findings:
            console.print("Nothing found.")

    run.show({"ok": is_well, "findings": findings}, text)
    return 0 if is_well else FOUND_PROBLEMS


@click.group()
def config() -> None:
    """The settings."""


@config.command(name="show")
@click.option("--all", "every", is_flag=True, help="Those with their default value too.")
@command
async def config_show(run: Run, *, every: bool) -> None:
    """Every setting with where it came from; secrets are masked.

    Example: wch config show --all
    """
    settings = await run.settled()
    rows = [row for row in settings.describe() if every or row.origin != "default"]
    run.rows(
        rows,
        {
            "setting": lambda one: f"{one.section}.{one.key}",
            "type": lambda one: one.type,
            "value": lambda one: one.value,
            "from": lambda one: one.origin,
            "variable": lambda one: one.environment,
        },
        empty="Nothing is set; `wch config show --all` lists the defaults.",
    )


@click.command(name="version")
@command
async def program_version(run: Run) -> None:
    """The program's version, and that of the tables it knows.

    Example: wch version
    """
    from wch.adapters.sql.schema import VERSION as SCHEMA_VERSION  # noqa: PLC0415 - slow to load, and help does without

    program = shown.program_version()
    run.show(
        {"version": program, "schema": SCHEMA_VERSION},
        lambda console: console.print(f"wch {program}, tables {SCHEMA_VERSION}"),
    )
