"""Deliveries over HTTP: the hub's webhook against the least that could do it, and against what would be picked instead.

Run it with `make bench`, or `python benchmarks/bench_ingress.py [--quick]`. It wants `wrk`
(`apt-get install wrk`) and two cores: servers are pinned to the second, wrk to the first.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deliveries import delivery, environment, signature
from measuring import Measure, Target, arguments, judged, keep, rounds

HERE = Path(__file__).parent
PATH = "/webhooks/whatsapp"
CONNECTIONS = 32
DELIVERIES = 24_000
"""New ones for each turn: more than the fastest that looks at ids takes in one, or it would meet its own."""
FIRST_PORT = 41000
STARTS_WITHIN = 60.0
TITLE_OF_WAITS = "Ingress over HTTP: within what 99 of 100 were answered, at the same load"

LUA = """
local requests, count, turn = {}, 0, 0
function init(args)
  for line in io.lines("%s") do
    local signature, body = line:match("^(%%S+) (.*)$")
    count = count + 1
    requests[count] = wrk.format("POST", "%s", {
      ["Content-Type"] = "application/json", ["X-Hub-Signature-256"] = signature, ["Host"] = "localhost"}, body)
  end
  turn = 0
end
function request()
  turn = turn %% count + 1
  return requests[turn]
end
"""


@contextmanager
def served(command: list[str], port: int, folder: Path, **more: str) -> Iterator[int]:
    """A server on the second core, once it answers."""
    pinned = ["taskset", "-c", "1", *command]
    process = subprocess.Popen(
        pinned, cwd=HERE, env=environment(BENCH_FOLDER=str(folder), **more), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ends = time.monotonic() + STARTS_WITHIN
        while not answers(port):
            if process.poll() is not None or time.monotonic() > ends:
                message = f"{command[-1]} did not answer"
                raise RuntimeError(message)
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    """Whether something takes a delivery here, even if it refuses it."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", data=b"{}")
    try:
        urllib.request.urlopen(request, timeout=1)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


class Files:
    """Deliveries for wrk, new ones for each turn: what was seen before would be answered without work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = 0

    def next(self) -> Path:
        """A script over deliveries that nobody has seen."""
        lines = []
        for number in range(self.made, self.made + DELIVERIES):
            body = delivery(number)
            lines.append(f"{signature(body)} {body.decode()}\n")
        self.made += DELIVERIES
        (self.folder / "deliveries.txt").write_text("".join(lines))
        script = self.folder / "deliveries.lua"
        script.write_text(LUA % (self.folder / "deliveries.txt", PATH))
        return script


def loaded(files: Files, port: int, seconds: int, late: dict[int, list[float]]) -> float:
    """Requests a second; refused ones break the measure. The 99th of a hundred is kept in milliseconds."""
    told = subprocess.run(
        ["taskset", "-c", "0", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s",
         str(files.next()), f"http://127.0.0.1:{port}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if "Non-2xx" in told:
        message = "some deliveries were refused"
        raise RuntimeError(message)
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", told)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if found is None or rate is None:
        message = f"wrk said: {told[:200]}"
        raise RuntimeError(message)
    late.setdefault(port, []).append(float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]])
    return float(rate[1])


def commands(folder: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Every variant: how it is started, `{port}` left open, and what is set for it."""
    uvicorn = [sys.executable, "-m", "uvicorn", "--factory", "--loop", "uvloop", "--http", "httptools",
               "--log-level", "critical", "--no-access-log", "--port", "{port}"]  # fmt: skip
    serve = ["serve", "--no-worker", "--port", "{port}"]
    hub = [sys.executable, "-m", "wch", *serve]
    return {
        "raw ASGI, nothing stored": ([*uvicorn, "apps:nothing_stored"], {}),
        "floor: group commit in a thread": ([*uvicorn, "apps:group_commit"], {}),
        "floor: the message alone, group commit": ([*uvicorn, "apps:group_claim"], {}),
        "floor: one commit each": ([*uvicorn, "apps:one_commit_each"], {}),
        "wch, sqlite3": (hub, {"WCH_DATABASE_URL": f"sqlite:///{folder}/hub.db"}),
        "wch, aiosqlite": (hub, {"WCH_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/aio.db"}),
        ONE_EACH: (
            [sys.executable, "-c", _ONE_EACH, *serve],
            {"WCH_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/one.db"},
        ),
        NORMAL: (
            [sys.executable, "-c", _NORMAL, *serve],
            {"WCH_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/normal.db"},
        ),
        "pywa, asynchronous, nothing stored": ([*uvicorn, "apps:pywa_handler"], {}),
        "FastAPI and SQLAlchemy's ORM": ([*uvicorn, "apps:fastapi_and_orm"], {}),
    }


OURS = "wch, aiosqlite"
FLOOR = "floor: group commit in a thread"
CLAIM = "floor: the message alone, group commit"
PYWA = "pywa, asynchronous, nothing stored"
ORM = "FastAPI and SQLAlchemy's ORM"
ONE_EACH = "wch, aiosqlite, one delivery a commit"
NORMAL = "wch, aiosqlite, synchronous=NORMAL"

_ONE_EACH = (
    "from wch.application import gathering; gathering.MOST_TOGETHER = 1; from wch.entrypoints.cli import main; main()"
)
_NORMAL = (
    "from wch.adapters.sql.database import engines;"
    "engines.PRAGMAS = tuple(one.replace('FULL', 'NORMAL') for one in engines.PRAGMAS);"
    "from wch.entrypoints.cli import main; main()"
)
"""The hub as it is not to be run: to see what grouping and full durability bring and cost."""

TARGETS = (
    Target(number="1", what="against the floor", over=OURS, under="floor: group commit in a thread", least=0.5),
    Target(number="1", what="against raw ASGI, nothing stored", over=OURS, under="raw ASGI, nothing stored", least=0.2),
    Target(number="1", what="against one commit each", over=OURS, under="floor: one commit each", least=1.5),
    Target(
        number="1",
        what="against pywa, which stores nothing",
        over=OURS,
        under="pywa, asynchronous, nothing stored",
        least=1.2,
    ),
    Target(number="1", what="against FastAPI and the ORM", over=OURS, under=ORM, least=12.0),
    Target(number="2", what="against the message alone", over=OURS, under=CLAIM, least=0.65),
    Target(number="2", what="against pywa, which stores nothing", over=OURS, under=PYWA, least=1.6),
    Target(number="2", what="against FastAPI and the ORM", over=OURS, under=ORM, least=12.0),
    Target(number="3", what="groups against one each over HTTP", over=OURS, under=ONE_EACH, least=1.8),
    Target(number="3b", what="FULL against NORMAL", over=OURS, under=NORMAL, least=0.65),
)
WAITS = (
    Target(number="1b", what="99th of 100 against the floor's", over=OURS, under=FLOOR, most=2.0),
    Target(number="1b", what="99th of 100 against pywa's", over=OURS, under=PYWA, most=1.0),
)  # fmt: skip


def main() -> None:
    """All variants side by side, one under load at a time."""
    quick = arguments().quick
    seconds, count = (2, 3) if quick else (3, 7)
    if shutil.which("wrk") is None or (os.cpu_count() or 1) < 2:
        sys.exit("This wants wrk (apt-get install wrk) and two cores.")
    late: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, ExitStack() as stack:
        folder = Path(name)
        files = Files(folder)

        def measure(port: int) -> Measure:
            return lambda: loaded(files, port, seconds, late)

        variants = {}
        ports = {}
        for place, (variant, (command, more)) in enumerate(commands(folder).items()):
            port = FIRST_PORT + place
            started = [part.format(port=port) for part in command]
            stack.enter_context(served(started, port, folder, **more))
            variants[variant], ports[variant] = measure(port), port
        table = rounds(
            f"Ingress over HTTP: {CONNECTIONS} connections, the server on one core",
            variants,
            TARGETS,
            unit="deliveries/s",
            count=count,
            note="Every stored variant commits with synchronous=FULL before it answers, unless its name says otherwise. "
            "Messages are new in each turn. The hub has no way to store less and do the rest later: for target 2 its "
            "whole handling is held against what stores the message alone.",
        )
        waits = {variant: late[port] for variant, port in ports.items() if variant in table["rows"]}
        about = {name: table[name] for name in ("rounds", "before", "after", "failed")}
        slowest = judged(waits, WAITS, {**about, "title": TITLE_OF_WAITS, "unit": "ms", "note": ""})
    keep("ingress", [table, slowest], quick=quick)


if __name__ == "__main__":
    main()
