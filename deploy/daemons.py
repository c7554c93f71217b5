"""Every daemon: its class, and whether it is an API on eventlet or a worker on plain threads."""

import dataclasses
import importlib


@dataclasses.dataclass(frozen=True)
class Daemon:
    name: str
    path: str
    green: bool

    def load(self):
        module, _, cls = self.path.partition(":")
        return getattr(importlib.import_module(module), cls)


DAEMONS = {d.name: d for d in (
    Daemon("identity-api", "identity.service:IdentityApi", True),
    Daemon("image-api", "image.service:ImageApi", True),
    Daemon("network-api", "network.service:NetworkApi", True),
    Daemon("volume-api", "volume.service:VolumeApi", True),
    Daemon("compute-api", "compute_api.service:ComputeApi", True),
    Daemon("console-proxy", "compute_api.console.service:ConsoleProxy", True),
    Daemon("dashboard", "dashboard.service:Dashboard", True),
    Daemon("conductor", "conductor.service:Conductor", False),
    Daemon("scheduler", "scheduler.service:Scheduler", False),
    Daemon("volume-scheduler", "volume.service:VolumeScheduler", False),
    Daemon("volume-agent", "volume.service:VolumeAgent", False),
    Daemon("network-agent", "network.agent.service:NetworkAgent", False),
    Daemon("compute-agent", "compute_agent.service:ComputeAgent", False),
    Daemon("exporter", "deploy.exporter:Exporter", False),
)}
# The daemons of a compute-only host.
HOST_DAEMONS = ("compute-agent", "network-agent", "exporter")
PORTS = {"identity": 5000, "image": 9292, "network": 9696, "volume": 8776, "compute": 8774, "metadata": 8775, "placement": 8778,
         "console": 6080, "dashboard": 8080, "identity-admin": 35357}
METRICS_PORT = 9180  # has an address of its own
# Alembic home of each database.
DATABASES = {"identity": "identity.db", "image": "image.db", "network": "network.db", "volume": "volume.db",
             "compute": "conductor.db"}
