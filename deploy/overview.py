"""The state of a cloud according to its databases: hosts and agents, servers and volumes by status, operations in
progress.

Each query has the same number of statements for any size of the cloud.
"""

import dataclasses
import datetime
import typing

import sqlalchemy as sa

from common import conf, db, rows
from common.db import Database
from common.service import default_url
from conductor import conf as compute_conf
from conductor.db import hosts
from conductor.db import models as compute_models
from conductor.db import state_counts as compute_state_counts
from network import roles
from network.db import models as network_models
from volume import conf as volume_conf
from volume.db import models as volume_models
from volume.db import state_counts as volume_state_counts

COMPUTE_AGENT, VOLUME_AGENT, NETWORK_AGENT = "nova-compute", "cinder-volume", roles.BINARIES[roles.BRIDGE]
# Exceptions of a database that does not respond, or has an unexpected schema.
UNREADABLE = (sa.exc.DBAPIError, sa.exc.TimeoutError)
UNSAID = "1.0"  # the RPC version of releases that do not report it
STUCK_S = 600  # operations in progress for longer are stuck
_OPTS = {"compute": compute_conf.OPTS, "volume": volume_conf.OPTS, "network": {}}


@dataclasses.dataclass(frozen=True)
class Agent:
    """A service of a host, with its OpenStack name. ``heard``: its last report, UTC; ``rpc_version``: of its
    interface."""
    service: str
    binary: str
    host: str
    up: bool
    enabled: bool
    heard: datetime.datetime
    rpc_version: str


@dataclasses.dataclass(frozen=True)
class Compute:
    """``nodes``: rows of ``hosts.all_nodes``. ``servers``: {status: count}. ``under_way``: as ``state_counts.in_progress``."""
    agents: list[Agent]
    nodes: list[dict]
    servers: dict[str, int]
    under_way: list[dict]


@dataclasses.dataclass(frozen=True)
class Volume:
    """``backends``: {host: capabilities}; ``volumes``, ``under_way``: as in ``state_counts``; ``snapshots``: {status: count}."""
    agents: list[Agent]
    backends: dict[str, dict]
    volumes: list[dict]
    snapshots: dict[str, int]
    under_way: list[dict]


class Overview:
    """Opens the databases of the cloud in a state directory.

    :param name: the program's name in metrics of statements
    """

    def __init__(self, state: str, name: str):
        self.confs = {each: conf.load(each, opts, state) for each, opts in _OPTS.items()}
        self.down_time_s = self.confs["compute"].service_down_time
        self._databases = {each: Database(f"{name}-{each}", loaded.database.connection or default_url(state, each), pool_size=1)
                           for each, loaded in self.confs.items()}

    def close(self) -> None:
        for database in self._databases.values():
            database.engine.dispose()

    def database(self, name: str) -> Database:
        return self._databases[name]

    def read(self, name: str, work: typing.Callable):
        """Run ``work(connection)`` on one of the databases.

        :raises UNREADABLE: it does not respond
        """
        with self._databases[name].reader() as connection:
            return work(connection)

    def compute(self) -> Compute:
        return self.read("compute", lambda c: Compute(
            self._compute_agents(c), hosts.all_nodes(c), compute_state_counts.servers(c), compute_state_counts.in_progress(c)))

    def volume(self) -> Volume:
        def work(connection):
            services = rows.many(connection, sa.select(volume_models.services))
            return Volume(self._volume_agents(services), {row["host"]: row["capabilities"] for row in services
                                                          if row["binary"] == VOLUME_AGENT},
                          volume_state_counts.volumes(connection), volume_state_counts.snapshots(connection),
                          volume_state_counts.in_progress(connection))
        return self.read("volume", work)

    def network(self) -> list[Agent]:
        return self.read("network", self._network_agents)

    def agents(self) -> list[Agent]:
        """The agents of all three services."""
        return [*self.read("compute", self._compute_agents), *self.network(), *self.read("volume", lambda c: self._volume_agents(
            rows.many(c, sa.select(volume_models.services))))]

    def _compute_agents(self, connection) -> list[Agent]:
        return [Agent("compute", row["binary"], row["host"], hosts.is_up(row, self.down_time_s), not row["disabled"],
                      row["updated_at"], row["rpc_version"] or UNSAID) for row in rows.many(
                          connection, sa.select(compute_models.services))]

    def _volume_agents(self, services: list[dict]) -> list[Agent]:
        return [Agent("volume", row["binary"], row["host"], self._alive("volume", row["updated_at"]), not row["disabled"],
                      row["updated_at"], row["rpc_version"] or UNSAID) for row in services]

    def _network_agents(self, connection) -> list[Agent]:
        a = network_models.agents.c
        return [Agent("network", roles.BINARIES[kind], host, self._alive("network", heard), enabled, heard, version or UNSAID)
                for kind, host, enabled, heard, version in connection.execute(
                    sa.select(a.agent_type, a.host, a.admin_state_up, a.heartbeat_at, a.rpc_version))]

    def _alive(self, service: str, heard: datetime.datetime) -> bool:
        """Whether an agent is up according to its own service: network agents report less often."""
        return (db.now() - heard).total_seconds() < self.confs[service].service_down_time
