"""``pileus audit``: compare what the databases say with what is on this host.

Each check yields findings (kind, id, text, repair or None). Nothing is changed
without ``--repair``. Resources on their way (a task runs, a row is in a
transient state for a short while) are not findings; stuck ones are.
"""

import dataclasses
import datetime
import pathlib
import typing

import sqlalchemy as sa

from common import conf, db, errors, rows
from common.db import Database
from common.service import default_url
from deploy.daemons import DATABASES

STUCK_S = 600
TRANSIENT_VOLUME = ("creating", "deleting", "attaching", "detaching", "reserved", "extending")


@dataclasses.dataclass
class Finding:
    kind: str
    what: str
    text: str
    repair: typing.Callable | None = None


class Auditor:
    """Reads all databases of one host's cloud and what its drivers say.

    :param stuck_s: seconds after which a transient state is a finding
    """

    def __init__(self, state: str, *, stuck_s: float = STUCK_S):
        from compute_agent import conf as agent_conf
        from compute_agent import virt
        from network import conf as network_conf
        from volume import conf as volume_conf
        from volume import drivers
        self.state, self.stuck_s = state, stuck_s
        self.dbs = {}
        for name in DATABASES:
            loaded = conf.load(name, {}, state)
            self.dbs[name] = Database(f"audit-{name}", loaded.database.connection or default_url(state, name))
        self.network_conf = conf.load("network", network_conf.OPTS, state)
        self.agent_conf = conf.load("compute-agent", agent_conf.OPTS, state)
        self.volume_conf = conf.load("volume", volume_conf.OPTS, state)
        self.host = self.agent_conf.host
        self.virt = virt.load(self.agent_conf)
        self.volumes = drivers.load(self.volume_conf)

    def _all(self, name: str, table, *where) -> list[dict]:
        with self.dbs[name].reader() as connection:
            return rows.many(connection, sa.select(table).where(*where))

    def _old(self, row: dict) -> bool:
        return db.now() - row["updated_at"] > datetime.timedelta(seconds=self.stuck_s)

    def run(self) -> list[Finding]:
        found: list[Finding] = []
        for check in (self.servers, self.claims, self.ports, self.volume_rows, self.snapshots, self.attachments, self.images,
                      self.journals, self.network_devices):
            found += list(check())
        return found

    def servers(self):
        """Guests and files without a server, servers without a guest, servers stuck."""
        from conductor.db import models
        known = {i["uuid"]: i for i in self._all("compute", models.instances)}
        here = {u for u, i in known.items() if i["host"] == self.host}
        states = self.virt.power_states()
        for uuid in set(states) | set(self.virt.directories()):
            if uuid not in here:
                yield Finding("guest", uuid, "is on this host, but no server", lambda u=uuid: (
                    self.virt.destroy(u), self.virt.remove_files(u)))
        for uuid in here:
            if known[uuid]["vm_state"] in ("active", "stopped") and uuid not in states and not known[uuid]["task_state"]:
                yield Finding("server", uuid, "has no guest on its host")
        for row in known.values():
            if row["task_state"] and self._old(row):
                yield Finding("server", row["uuid"], f"is stuck in {row['vm_state']}/{row['task_state']}")

    def claims(self):
        """A host's claims must be the sum of its servers."""
        from conductor.db import models
        instances = self._all("compute", models.instances)
        for node in self._all("compute", models.compute_nodes):
            own = [i for i in instances if i["host"] == node["host"]]
            true = {"vcpus_used": sum(i["vcpus"] for i in own), "memory_mb_used": sum(i["memory_mb"] for i in own),
                    "local_gb_used": sum(i["disk_gb"] for i in own), "running_vms": len(own)}
            wrong = {k: (node[k], v) for k, v in true.items() if node[k] != v}
            if wrong:
                yield Finding("claim", node["host"], ", ".join(f"{k} is {a}, should be {b}" for k, (a, b) in wrong.items()),
                              lambda n=node, t=true: self._fix_claim(n, t))

    def _fix_claim(self, node: dict, true: dict) -> None:
        from conductor.db import models
        table = models.compute_nodes
        with self.dbs["compute"].writer() as connection:
            connection.execute(sa.update(table).where(table.c.id == node["id"], table.c.generation == node["generation"])
                               .values(generation=node["generation"] + 1, **true))

    def ports(self):
        """Ports of servers that are gone; addresses of ports that are gone."""
        from conductor.db import models as compute
        from network import cleanup
        from network.db import models
        servers = {i["uuid"] for i in self._all("compute", compute.instances)}
        ports = self._all("network", models.ports)
        for port in ports:
            if port["relation"] == "compute" and port["device_id"] not in servers:
                yield Finding("port", port["id"], f"belongs to server {port['device_id']}, which is gone",
                              lambda p=port["id"]: cleanup.forget(self.dbs["network"], p))
        ids = {p["id"] for p in ports}
        for row in self._all("network", models.ip_allocations):
            if row["port_id"] not in ids:
                yield Finding("address", row["ip_address"], f"belongs to port {row['port_id']}, which is gone")

    def volume_rows(self):
        """Volumes without bytes, bytes without a volume, volumes stuck."""
        from volume.db import models
        known = {v["id"]: v for v in self._all("volume", models.volumes)}
        here = {i for i, v in known.items() if v["host"] == self.volume_conf.host}
        have = set(self.volumes.volumes())
        for volume_id in have - set(known):
            yield Finding("volume", volume_id, "has bytes on this host, but no row",
                          lambda v=volume_id: self.volumes.delete(v))
        for volume_id in here - have:
            if known[volume_id]["status"] in ("available", "in-use"):
                yield Finding("volume", volume_id, "has a row, but no bytes")
        for row in known.values():
            if row["status"] in TRANSIENT_VOLUME and self._old(row):
                yield Finding("volume", row["id"], f"is stuck in {row['status']}")

    def snapshots(self):
        """Snapshots without bytes, bytes without a snapshot, snapshots stuck."""
        from volume.db import models
        known, have = {s["id"]: s for s in self._all("volume", models.snapshots)}, set(self.volumes.snapshots())
        for snapshot_id in have - set(known):
            yield Finding("snapshot", snapshot_id, "has bytes on this host, but no row",
                          lambda s=snapshot_id: self.volumes.delete_snapshot(s))
        for row in known.values():
            if row["status"] == "available" and row["id"] not in have:
                yield Finding("snapshot", row["id"], "has a row, but no bytes")
            if row["status"] in ("creating", "deleting") and self._old(row):
                yield Finding("snapshot", row["id"], f"is stuck in {row['status']}")

    def attachments(self):
        """Attachments, exports, block devices and guests must agree."""
        from conductor.db import models as compute
        from volume.db import models
        held = {a["volume_id"]: a for a in self._all("volume", models.attachments)}
        devices = {d["volume_id"]: d for d in self._all("compute", compute.block_devices)}
        servers = {i["uuid"] for i in self._all("compute", compute.instances)}
        for volume_id in set(self.volumes.exports()) - set(held):
            yield Finding("export", volume_id, "is exported, but attached to nothing",
                          lambda v=volume_id: self.volumes.disconnect(v, ""))
        for volume_id, row in held.items():
            if row["instance_uuid"] and row["instance_uuid"] not in servers:
                yield Finding("attachment", row["id"], f"is of server {row['instance_uuid']}, which is gone")
            elif row["instance_uuid"] and volume_id not in devices:
                yield Finding("attachment", row["id"], "is of a server that has no such device")
        states = self.virt.power_states()
        for volume_id, device in devices.items():
            if device["attachment_id"] and volume_id not in held:
                yield Finding("device", volume_id, f"of server {device['instance_uuid']} has no attachment")
        for uuid in states:
            for volume_id in self.virt.attached_volumes(uuid):
                if volume_id not in devices:
                    yield Finding("guest", uuid, f"has volume {volume_id}, which is not its server's")

    def images(self):
        """Data without an image, images whose store has none. What is in a far store may be somebody else's: no repair."""
        from image import conf as image_conf
        from image import locations
        from image.db import models
        from image.stores import Stores
        loaded = conf.load("image", image_conf.OPTS, self.state)
        directory = pathlib.Path(loaded.image.store_path or f"{self.state}/images")
        known = {i["id"]: i for i in self._all("image", models.images)}
        for path in directory.rglob("*"):  # also what arrives, and what is staged for an import
            if path.is_file() and path.stem not in known:
                yield Finding("image", str(path.relative_to(directory)), "has bytes, but no row", path.unlink)
        try:
            stores = Stores(loaded, str(directory)).all
        except ValueError as error:
            yield Finding("image", "stores", f"cannot be looked at: {error}")
            return
        for name, store in stores.items():
            if store.read_only:
                continue
            try:
                there = store.stored()
            except errors.ServiceUnavailable as error:
                yield Finding("image", name, f"cannot be looked at: {error}")
                continue
            held = {i for i, row in known.items() if name in locations.held(row)}
            for image_id in sorted(there - held):
                row = known.get(image_id)
                if row is None and store.kind != "file" or row is not None and row["status"] == "active" and not (
                        row["progress"] or {}).get("to"):
                    yield Finding("image", image_id, f"has bytes in store {name}, which its locations do not name")
            for image_id in sorted(held - there):
                if known[image_id]["status"] == "active":
                    yield Finding("image", image_id, f"is active, but store {name} has no bytes of it")

    def journals(self):
        """Tasks that nobody finishes."""
        for path in pathlib.Path(self.state, "tasks").rglob("*.json"):
            age = datetime.datetime.now().timestamp() - path.stat().st_mtime
            if age > self.stuck_s:
                yield Finding("task", path.stem, "is unfinished in the journal")
        for path in pathlib.Path(self.state, "tasks").rglob("*.broken"):
            yield Finding("task", path.stem, "could not be read from the journal and was set aside; what it began may be left")

    def network_devices(self):
        """Bridges, taps, namespaces and filters that no network explains, and ports without a tap."""
        if self.network_conf.network.driver != "linux":
            return
        from network.agent import audit
        from network.db import state
        with self.dbs["network"].reader() as connection:
            wanted = state.of_host(connection, self.network_conf.host)
        for what, text in audit.compare(wanted):
            yield Finding("network", what, text)


def main(state: str, *, repair: bool = False) -> int:
    """0: nothing found, or all of it repaired; 1: something is left."""
    left = 0
    for finding in Auditor(state).run():
        mended = ""
        if repair and finding.repair:
            finding.repair()
            mended = " — repaired"
        else:
            left += 1
        print(f"{finding.kind} {finding.what} {finding.text}{mended}")
    print("audit: nothing left over" if not left else f"audit: {left} finding(s)"
          + ("" if repair else "; --repair mends what can be mended"))
    return 1 if left else 0
