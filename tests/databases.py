"""Database servers of a test's own: MariaDB and PostgreSQL on loopback, in a directory that goes with them."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from common.periodic import wait_for
from deploy import host

NAMES = ("identity", "image", "network", "volume", "compute")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class MariaDB:
    """:param home: the data goes to ``home/mysql``; by default to a directory that ``stop`` removes"""

    def __init__(self, port: int = 0, home: pathlib.Path | None = None):
        self.port, self._own = port or free_port(), home is None
        self.home = home or pathlib.Path(tempfile.mkdtemp(prefix="pileus-mariadb-", dir="/var/tmp"))
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        """Up to the database's name."""
        return f"mysql+pymysql://pileus:pileus@127.0.0.1:{self.port}/pileus_"

    def make(self) -> None:
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.home}/mysql", "--user=root",
                        "--auth-root-authentication-method=normal", "--skip-test-db"], check=True, capture_output=True)
        self.start()

        def answers():
            with contextlib.suppress(RuntimeError):
                return self.sql("SELECT 1")
        wait_for(answers, 60, what="MariaDB's answer")
        self.sql("".join(f"CREATE DATABASE pileus_{n};" for n in NAMES)
                 + "CREATE USER pileus@'127.0.0.1' IDENTIFIED BY 'pileus'; GRANT ALL ON *.* TO pileus@'127.0.0.1';")

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["mariadbd", "--no-defaults", "--user=root", f"--datadir={self.home}/mysql", f"--port={self.port}",
             "--bind-address=127.0.0.1", f"--socket={self.home}/sql.sock", "--max-connections=500",
             f"--pid-file={self.home}/sql.pid"], **_QUIET)
        wait_for(lambda: host.answers(self.port), 30, what="MariaDB")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)

    def sql(self, text: str) -> str:
        done = subprocess.run(["mariadb", "--no-defaults", f"--socket={self.home}/sql.sock", "-Ne", text],
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def stop(self) -> None:
        self.kill()
        if self._own:
            shutil.rmtree(self.home, ignore_errors=True)


class PostgreSQL:
    """Runs as the user ``postgres``: the server refuses to be root."""

    def __init__(self):
        self.port = free_port()
        tools = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not tools or os.getuid() != 0:
            pytest.skip("PostgreSQL is not installed, or this is not root, who alone may start it as another user")
        self.tool = tools[-1].parent
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="pileus-postgresql-", dir="/var/tmp"))
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        """Up to the database's name."""
        return f"postgresql+psycopg2://pileus@127.0.0.1:{self.port}/pileus_"

    def make(self) -> None:
        shutil.chown(self.home, "postgres", "postgres")
        run = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        subprocess.run([*run, self.tool / "initdb", "-D", self.home / "data", "-A", "trust", "-U", "pileus"], check=True,
                       capture_output=True, cwd=self.home)
        self.process = subprocess.Popen(
            [*run, self.tool / "postgres", "-D", self.home / "data", "-p", str(self.port), "-k", self.home, "-h", "127.0.0.1",
             "-c", "max_connections=300"], cwd=self.home, **_QUIET)
        wait_for(lambda: host.answers(self.port), 30, what="PostgreSQL")

        def made() -> bool:
            return all(subprocess.run([self.tool / "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "pileus",
                                       f"pileus_{n}"], capture_output=True).returncode == 0 for n in NAMES)
        wait_for(made, 10, what="its databases")

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # fast shutdown: SIGTERM waits for clients to leave
            self.process.wait(20)
        shutil.rmtree(self.home, ignore_errors=True)


def settings(url: str) -> list[str]:
    """What ``FakeCloud`` is told to use the databases of a server."""
    return [f"{name}.database.connection={url}{name}" for name in NAMES]


@contextlib.contextmanager
def running(server):
    """The database server while it runs. :param server: None for SQLite, which needs none"""
    try:
        if server is not None:
            server.make()
        yield server
    finally:
        if server is not None:
            server.stop()
