"""What the hub costs a machine before it does anything: memory, the time until it answers, the time of its import.

Run it with `make bench`, or `python benchmarks/bench_footprint.py [--quick]`.
"""

import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # narrower than mypy can see

MEGABYTE = 1024 * 1024
IDLE_SECONDS = 5.0
STARTS = 5
IMPORTS = 7
LONGEST = 120.0

BOUNDS = {"memory": 150.0, "start": 2.0, "import": 0.3}
"""At most so many MB, seconds, seconds."""


@contextmanager
def server(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", float, float]]:
    """A `wch serve` on SQLite, and the seconds from its start until it took deliveries and until everything else was there.

    It takes deliveries once it has told its address and answers `/livez` there; what else is asked waits until it is loaded.

    While others had the processors it could not start: that time is not the server's, and not counted. Its modules are
    compiled once and kept, as an installer does, whatever this process was told of bytecode.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("WCH_", "PYTHONDONTWRITE"))},
        "WCH_PROFILE": "test",
        "WCH_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/footprint.db",
        "WCH_APP_SECRET": "a-secret-of-the-app",
        "WCH_VERIFY_TOKEN": "a-token",
        "WCH_ACCESS_TOKEN": "an-access-token",
        "WCH_PHONE_NUMBER_ID": "*",
        "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough",
        "WCH_GRAPH_URL": "http://127.0.0.1:9",
    }
    output = folder / "serve.out"
    began = time.monotonic()
    with output.open("wb") as file, (folder / "serve.log").open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "wch", "serve", "--port", "0"],
            cwd=folder,
            env=environment,
            stdout=file,
            stderr=errors,
        )
    try:
        took = []
        for path in ("/livez", "/readyz"):
            while not answers(output, path):
                if process.poll() is not None or time.monotonic() - began > LONGEST:
                    sys.exit((folder / "serve.log").read_text()[-2000:] or "wch serve did not answer")
                time.sleep(0.005)
            took.append(time.monotonic() - began - waited(process.pid))
        yield process, took[0], took[1]
    finally:
        process.terminate()
        process.wait()


def waited(pid: int) -> float:
    """Seconds that threads of a process were ready to run and had no processor; 0 where the system does not tell."""
    told = [each.read_text().split() for each in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(nanoseconds) for _, nanoseconds, _ in told) / 1e9


def answers(output: Path, path: str) -> bool:
    """Whether the server that writes there answers this by now, be it that it is not ready."""
    first = output.read_text().partition("\n")
    if not first[1]:
        return False
    try:
        with urllib.request.urlopen(f"{first[0].split(' ')[-1]}{path}", timeout=LONGEST) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as told:
        return told.code == 503 and path == "/readyz"
    except (urllib.error.URLError, ConnectionError):
        return False


def memory(idle: float = IDLE_SECONDS) -> float:
    """The resident megabytes of a server that has been idle for some seconds, its children included."""
    with tempfile.TemporaryDirectory(prefix="wch-bench-") as folder, server(Path(folder)) as (process, *_):
        time.sleep(idle)
        one = psutil.Process(process.pid)
        return float(sum(each.memory_info().rss for each in (one, *one.children(recursive=True)))) / MEGABYTE


def starts(count: int) -> list[tuple[float, float]]:
    """Seconds until deliveries are taken, and until all is there: the first on a database that is made, the rest on the same."""
    with tempfile.TemporaryDirectory(prefix="wch-bench-") as folder:
        seconds = []
        for _ in range(count):
            with server(Path(folder)) as (_, *took):
                seconds.append((took[0], took[1]))
        return seconds


def imports(count: int) -> list[float]:
    """Seconds of `import wch` in a fresh interpreter: its own start, and what it waited for a processor, left out."""
    code = (
        "import os, time; told = f'/proc/{os.getpid()}/schedstat'\n"
        "def alone(): return time.perf_counter() - (int(open(told).read().split()[1]) / 1e9 if os.path.exists(told) else 0)\n"
        "began = alone(); import wch; print(alone() - began)"
    )
    return [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
        for _ in range(count)
    ]


def machine() -> str:
    """Where it was measured."""
    gigabytes = psutil.virtual_memory().total / 1024 / MEGABYTE
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {gigabytes:.0f} GB memory, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def table(resident: float, started: list[tuple[float, float]], imported: list[float]) -> str:
    """The figures and their bounds, as a Markdown table."""
    taking, whole = ([one[which] for one in started] for which in (0, 1))
    rows = [
        ("`wch serve` idle, resident memory", f"{resident:.0f} MB", f"{BOUNDS['memory']:.0f} MB"),
        ("start to `/livez`, on a new database", f"{taking[0]:.2f} s", f"{BOUNDS['start']:.1f} s"),
        (f"start to `/livez`, median of {len(taking)}", f"{statistics.median(taking):.2f} s", ""),
        (f"start to `/readyz`, median of {len(whole)}", f"{statistics.median(whole):.2f} s", ""),
        ("`import wch`, best", f"{min(imported):.3f} s", ""),
        (f"`import wch`, median of {len(imported)}", f"{statistics.median(imported):.3f} s", f"{BOUNDS['import']} s"),
    ]
    return "\n".join(["| figure | measured | bound |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in rows)])


def main() -> None:
    """Measure and print."""
    quick = "--quick" in sys.argv[1:]
    figures = table(memory(), starts(2 if quick else STARTS), imports(3 if quick else IMPORTS))
    print(machine(), figures, sep="\n\n")


if __name__ == "__main__":
    main()
