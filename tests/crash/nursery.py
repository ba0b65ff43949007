"""Forks `wch` processes from one that has everything loaded, so that a campaign kills hundreds in a minute, not dozens."""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

ROOT = Path(__file__).resolve().parents[2]
LOADED = (
    *("wch.bootstrap", "wch.entrypoints.cli.commands", "wch.entrypoints.http.serving"),
    *(
        "wch.entrypoints.http.application",
        "wch.entrypoints.http.framework",
        "wch.adapters.sql.schema",
        "alembic.command",
        "aiosqlite",
        "pymysql",
    ),
)


@attrs.frozen
class Child:
    """One process of the hub; it is a child of the nursery, which is asked about its end."""

    pid: int
    nursery: "Nursery"

    def signal(self, word: int) -> None:
        """Send it this signal, if it is still there: a child that ended keeps its id until it is waited for."""
        os.kill(self.pid, word)

    def kill(self) -> int:
        """Take it away at once; how it ended."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def wait(self) -> int:
        """Its exit code, negative for the signal that ended it."""
        return int(self.nursery.ask("wait", pid=self.pid))

    @property
    def ended(self) -> bool:
        """Whether it is gone by itself; `wait` still tells how."""
        return bool(self.nursery.ask("ended", pid=self.pid))


class Nursery:
    """Where the processes of one campaign come from."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log
        self._living: set[int] = set()

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator["Nursery"]:
        """Ready to fork; at the end every child that is left is killed."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("WCH_")},
        )  # fmt: skip
        nursery = cls(process, folder / "nursery.log")
        try:
            yield nursery
        finally:
            for pid in nursery._living:
                os.kill(pid, signal.SIGKILL)
            process.communicate()

    def start(self, *arguments: str, environment: Mapping[str, str], altered: str = "") -> Child:
        """A process that runs `wch` with these arguments.

        Args:
            arguments: of the command line.
            environment: all of it.
            altered: a function of `tests.crash.alterations` that spoils something before it begins.
        """
        pid = self.ask("start", arguments=arguments, environment=dict(environment), altered=altered, log=str(self._log))
        self._living.add(pid)
        return Child(pid, self)

    def ask(self, word: str, **named: Any) -> Any:
        """One question, one answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"word": word, **named}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if word == "wait":
            self._living.discard(named["pid"])
        return answer

    @property
    def log(self) -> str:
        """All that its children wrote."""
        return self._log.read_text() if self._log.exists() else ""


# --- inside the nursery


def _become(order: Mapping[str, Any]) -> None:
    """In the child: be a `wch` of these arguments; never returns."""
    code = 1
    try:
        os.environ.clear()
        os.environ.update(order["environment"])
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        if order["altered"]:
            name, _, argument = order["altered"].partition(":")
            alterations = importlib.import_module("tests.crash.alterations")
            getattr(alterations, name)(*filter(None, [argument]))
        from wch.entrypoints.cli.commands import wch  # noqa: PLC0415 - loaded by the parent

        wch(args=order["arguments"], prog_name="wch")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _answer(order: Mapping[str, Any]) -> int | bool:
    if order["word"] == "wait":
        return os.waitstatus_to_exitcode(os.waitpid(order["pid"], 0)[1])
    if order["word"] == "ended":
        # Looked at, not collected: `wait` comes after it.
        return os.waitid(os.P_PID, order["pid"], os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    pid = os.fork()
    if not pid:
        _become(order)
    return pid


def _serve() -> None:
    for name in LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    _serve()
