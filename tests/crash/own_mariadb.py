"""A MariaDB of a test's own, in a folder and on a port of its own, so that it may be killed."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.processes import until

SECONDS_TO_START = 60
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class OwnMariaDb:
    """One server, with the settings that `doctor` wants; killed and started again at will."""

    def __init__(self, folder: Path, server: str) -> None:
        self._folder = folder
        self._server = server
        self.port = free_port()
        self.url = f"mysql+pymysql://root@127.0.0.1:{self.port}/wch"
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def installed(cls) -> Iterator["OwnMariaDb"]:
        """An empty one, not running yet; skipped, loudly, where there is no server program."""
        server, install = (shutil.which(name, path=PLACES) for name in ("mariadbd", "mariadb-install-db"))
        if server is None or install is None:
            pytest.skip("no mariadbd on this machine: its kills were not tried")
        folder = Path(mkdtemp(prefix="wch-mariadb-"))  # short: a socket's path has 107 characters
        as_user = []
        if os.geteuid() == 0:
            shutil.chown(folder, "mysql")
            as_user = ["--user=mysql"]
        subprocess.run(
            [install, "--no-defaults", *as_user, f"--datadir={folder}/data", "--skip-test-db",
             "--auth-root-authentication-method=normal"],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        one = cls(folder, server)
        try:
            yield one
        finally:
            one.kill()
            shutil.rmtree(folder, ignore_errors=True)

    async def start(self) -> None:
        """Start it, and wait until it answers; its database is there."""
        as_user = ["--user=mysql"] if os.geteuid() == 0 else []
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it is begun, not waited for
                [self._server, "--no-defaults", *as_user, f"--datadir={self._folder}/data",
                 f"--socket={self._folder}/socket", f"--pid-file={self._folder}/pid",
                 "--bind-address=127.0.0.1", f"--port={self.port}", "--innodb-flush-log-at-trx-commit=1",
                 "--max-allowed-packet=64M"],
                stdout=log, stderr=log,
            )  # fmt: skip
        await until(self._answers, SECONDS_TO_START)

    def _answers(self) -> bool:
        import pymysql  # noqa: PLC0415 - an extra, there where a server is

        try:
            connection = pymysql.connect(host="127.0.0.1", port=self.port, user="root", connect_timeout=3)
        except pymysql.err.OperationalError:
            return False
        with closing(connection), connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE IF NOT EXISTS wch CHARACTER SET utf8mb4")
        return True

    def signal(self, word: int) -> None:
        """Send it this signal."""
        assert self._process is not None
        self._process.send_signal(word)

    def kill(self) -> None:
        """As a power cut does, as far as a process can."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
