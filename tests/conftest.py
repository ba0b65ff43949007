"""What every test may count on: how hard Hypothesis looks, where the corpus is, a server, and closed sockets."""

import logging
import os
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import settings

# Shipped suites are tests too; before anything imports a part of them.
pytest.register_assert_rewrite("wch.testing.contract")

ROOT = Path(__file__).resolve().parent.parent
CORPUS = Path(os.environ.get("WCH_CORPUS") or ROOT.parent / "shared" / "corpus")
LOCAL_SERVER = "mysql+pymysql://root@127.0.0.1:3306/wch_test"

# What a plain `make test` leaves out, and the target that brings it back.
LEFT_OUT = {"mariadb": "make test-all", "crash": "make crash", "browser": "make browser-test"}
# Rooms that have no business on the network, not even on the loopback.
WITHOUT_SOCKETS = ("domain", "application")

settings.register_profile("dev", max_examples=50, stateful_step_count=30, deadline=None)
settings.register_profile(
    "short", max_examples=50, stateful_step_count=30, deadline=None, derandomize=True, print_blob=True
)
settings.register_profile(
    "ci", max_examples=200, stateful_step_count=50, deadline=None, derandomize=True, print_blob=True
)
settings.register_profile("thorough", max_examples=5_000, stateful_step_count=100, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

_left_out: Counter[str] = Counter()


@pytest.fixture
def restored_logs() -> Iterator[None]:
    """Logging is as it was before, once the test is over."""
    root, ours = logging.getLogger(), logging.getLogger("wch")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:], level, ours_level = before
    root.setLevel(level)
    ours.setLevel(ours_level)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of recorded deliveries; skipped, loudly, where it is not there."""
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}: set WCH_CORPUS to read recorded deliveries")
    return CORPUS


@pytest.fixture(scope="session")
def mariadb_url() -> str:
    """A server to test on, its database made: WCH_TEST_MYSQL_URL, else one on 127.0.0.1:3306, else skipped.

    Where several processes share the tests, each has a database of its own.
    """
    import pymysql  # noqa: PLC0415 -- an extra: the tests that need no server run without it

    named = os.environ.get("WCH_TEST_MYSQL_URL")
    url = named or LOCAL_SERVER
    parts = urlsplit(url)
    try:
        connection = pymysql.connect(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            connect_timeout=5,
        )
    except pymysql.err.OperationalError as error:
        if named:
            pytest.fail(f"the server of WCH_TEST_MYSQL_URL does not answer: {error.args[-1]}", pytrace=False)
        pytest.skip("no MariaDB on 127.0.0.1:3306 and no WCH_TEST_MYSQL_URL: nothing was tried on a server")
    with closing(connection), connection.cursor() as cursor:
        name = "_".join(filter(None, (parts.path.strip("/") or "wch_test", os.environ.get("PYTEST_XDIST_WORKER"))))
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4")
    return parts._replace(path=f"/{name}").geturl()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Close the sockets of the inner rooms, and mark what reads the corpus."""
    for item in items:
        if any(item.path.is_relative_to(ROOT / "tests" / room) for room in WITHOUT_SOCKETS):
            item.add_marker(pytest.mark.disable_socket)
        if "corpus" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.corpus)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count what `-m` left out, so that the summary can say so."""
    for item in items:
        if item.config.getoption("markexpr"):
            _left_out.update(name for name in LEFT_OUT if item.get_closest_marker(name))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes hands over what it counted."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(_left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each process leaves out the same, so the counts of one are those of all."""
    _left_out.update(Counter(getattr(node, "workeroutput", {}).get("left_out", {})) - _left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With WCH_REQUIRE_ALL=1 a skip is a failure: nothing passes by not being run."""
    report = yield
    if report.skipped and os.environ.get("WCH_REQUIRE_ALL") == "1" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        why = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.longrepr = f"WCH_REQUIRE_ALL=1 and yet {why}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not run, and how to run it."""
    for name, count in sorted(_left_out.items()):
        terminalreporter.write_line(f"LEFT OUT: {count} {name} tests ({LEFT_OUT[name]} runs them)", yellow=True)
    skipped = len(terminalreporter.stats.get("skipped", ()))
    if skipped:
        terminalreporter.write_line(f"SKIPPED: {skipped} tests, for the reasons above", yellow=True, bold=True)
