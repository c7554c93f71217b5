"""A whole cloud as it runs on hosts, without a hypervisor: daemons, RabbitMQ and MariaDB of its own, fake drivers."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from common.periodic import wait_for
from deploy import first, host, prepare, supervisor

ROOT = pathlib.Path(__file__).resolve().parents[1]


class DistributedCloud:
    """``offset`` is added to every port, the broker's and the database's too."""

    def __init__(self, offset: int):
        self.offset, self.sql_port, self.bus_port = offset, 3306 + offset, 5672 + offset
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="pileus-distributed-", dir="/var/tmp"))
        self.home.chmod(0o755)
        self.state = str(self.home)
        self.database: subprocess.Popen | None = None
        self.daemons: subprocess.Popen | None = None

    def start_database(self) -> None:
        self.database = subprocess.Popen(
            ["mariadbd", "--no-defaults", "--user=root", f"--datadir={self.home}/mysql", f"--port={self.sql_port}",
             "--bind-address=127.0.0.1", f"--socket={self.home}/sql.sock", "--max-connections=500",
             f"--pid-file={self.home}/sql.pid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: host.answers(self.sql_port), 30, what="MariaDB")

    def stop_database(self) -> None:
        if self.database is not None:
            self.database.kill()
            self.database.wait(20)

    def sql(self, text: str) -> str:
        done = subprocess.run(["mariadb", "--no-defaults", f"--socket={self.home}/sql.sock", "-Ne", text],
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def _make_database(self) -> None:
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.home}/mysql", "--user=root",
                        "--auth-root-authentication-method=normal", "--skip-test-db"], check=True, capture_output=True)
        self.start_database()

        def answers():
            with contextlib.suppress(RuntimeError):
                return self.sql("SELECT 1")
        wait_for(answers, 10, what="MariaDB's answer")
        self.sql("".join(f"CREATE DATABASE pileus_{n};" for n in ("identity", "image", "network", "volume", "compute"))
                 + "CREATE USER pileus@'127.0.0.1' IDENTIFIED BY 'pileus'; GRANT ALL ON *.* TO pileus@'127.0.0.1';")

    def start_broker(self) -> str:
        return host.ensure_broker(self.state, prepare.ensure_secrets(self.state)["service_password"], self.bus_port)

    def stop_broker(self) -> None:
        host.stop_broker(self.state)

    def start(self, extra: dict | None = None) -> first.Cloud:
        """Everything up, ready; returns the admin's client. ``extra`` is as for ``prepare.write_config``."""
        self._make_database()
        found = prepare.ensure_secrets(self.state)
        prepare.write_config(self.state, transport_url=self.start_broker(), host="distributed", my_ip="127.0.0.1",
                             offset=self.offset, driver="fake", extra=extra,
                             database=f"mysql+pymysql://pileus:pileus@127.0.0.1:{self.sql_port}")
        prepare.sync_databases(self.state)
        prepare.first_rows(self.state, found, "127.0.0.1", self.offset)
        os.makedirs(f"{self.state}/log", exist_ok=True)
        self.daemons = subprocess.Popen([sys.executable, "-m", "deploy.cli", "supervise", "--state", self.state,
                                         "--daemons-only"], cwd=ROOT)
        cloud = first.Cloud(found["admin_password"], offset=self.offset)
        cloud.wait_ready(60)
        return cloud

    def stop(self) -> None:
        if self.daemons:
            supervisor.stop(self.state)
        host.stop_broker(self.state)
        self.stop_database()
        shutil.rmtree(self.home, ignore_errors=True)
