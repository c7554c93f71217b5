"""A whole cloud as it runs on hosts, without a hypervisor: daemons, RabbitMQ and MariaDB of its own, fake drivers."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from deploy import broker, first, prepare, supervisor
from tests.databases import MariaDB

ROOT = pathlib.Path(__file__).resolve().parents[1]


class DistributedCloud:
    """``offset`` is added to every port, the broker's and the database's too."""

    def __init__(self, offset: int):
        self.offset, self.sql_port, self.bus_port = offset, 3306 + offset, 5672 + offset
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="pileus-distributed-", dir="/var/tmp"))
        self.home.chmod(0o755)
        self.state = str(self.home)
        self.database = MariaDB(self.sql_port, self.home)
        self.daemons: subprocess.Popen | None = None

    def start_database(self) -> None:
        self.database.start()

    def stop_database(self) -> None:
        self.database.kill()

    def sql(self, text: str) -> str:
        return self.database.sql(text)

    def start_broker(self) -> str:
        return broker.ensure_broker(self.state, prepare.ensure_secrets(self.state)["bus_password"], self.bus_port)

    def stop_broker(self) -> None:
        broker.stop_broker(self.state)

    def start(self, extra: dict | None = None) -> first.Cloud:
        """Everything up, ready; returns the admin's client. ``extra`` is as for ``prepare.write_config``."""
        self.database.make()
        found = prepare.ensure_secrets(self.state)
        prepare.write_config(self.state, transport_url=self.start_broker(), host="distributed", my_ip="127.0.0.1",
                             offset=self.offset, driver="fake", extra=extra,
                             database=self.database.url.removesuffix("/pileus_"))
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
        broker.stop_broker(self.state)
        self.stop_database()
        shutil.rmtree(self.home, ignore_errors=True)
