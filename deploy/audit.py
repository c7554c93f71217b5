"""``pileus audit``: compares the databases with the resources on the hosts. A host that does not respond is a
finding.

Each check yields findings (kind, id, text, repair or None). Nothing is changed without ``--repair``. Resources in
transition (a task is running, or a row has been in a transient state for a short time) are not findings; stuck ones
are.
"""

import dataclasses
import datetime
import json
import pathlib
import typing

import sqlalchemy as sa

from common import conf, db, errors, rows
from common.db import Database
from common.service import default_url
from deploy.daemons import DATABASES
from deploy.inventory import Inventory
from deploy.overview import STUCK_S
from volume.db.state_counts import TRANSIENT, TRANSIENT_SNAPSHOT


@dataclasses.dataclass
class Finding:
    kind: str
    what: str
    text: str
    repair: typing.Callable | None = None


class Auditor:
    """Reads all databases of a cloud, inspects this host, and queries the agents of the others.

    :param stuck_s: seconds after which a transient state is a finding
    """

    def __init__(self, state: str, *, stuck_s: float = STUCK_S):
        self.state, self.stuck_s = state, stuck_s
        self.dbs = {}
        for name in DATABASES:
            loaded = conf.load(name, {}, state)
            self.dbs[name] = Database(f"audit-{name}", loaded.database.connection or default_url(state, name))
        self.inventory = Inventory(state)
        self._found: dict[str, dict[str, dict | None]] = {}

    def _hosts(self, kind: str) -> dict[str, dict | None]:
        """{host: inventory, or None} of the hosts that run an agent; queried once per run."""
        if kind not in self._found:
            from conductor.db import models as compute
            from network import roles
            from network.db import models as network
            from volume.db import models as volume
            rows_of = {"compute": lambda: self._all("compute", compute.compute_nodes),
                       "network": lambda: self._all("network", network.agents, network.agents.c.agent_type == roles.BRIDGE),
                       "volume": lambda: self._all("volume", volume.services, volume.services.c.binary == "cinder-volume")}
            self._found[kind] = self.inventory.of(kind, {row["host"] for row in rows_of[kind]()})
        return self._found[kind]

    def _answering(self, kind: str) -> dict[str, dict]:
        return {host: found for host, found in self._hosts(kind).items() if found is not None}

    def _all(self, name: str, table, *where) -> list[dict]:
        with self.dbs[name].reader() as connection:
            return rows.many(connection, sa.select(table).where(*where))

    def _old(self, since: datetime.datetime) -> bool:
        return db.now() - since > datetime.timedelta(seconds=self.stuck_s)

    def run(self) -> list[Finding]:
        found: list[Finding] = []
        self._found = {}
        try:
            for check in (self.hosts, self.servers, self.operations, self.claims, self.ports, self.volume_rows, self.snapshots,
                          self.attachments, self.images, self.journals, self.network_devices):
                found += list(check())
        finally:
            for database in self.dbs.values():
                database.engine.dispose()  # a long-running process that audits often must not keep a connection from each run
        return found

    def hosts(self):
        """Hosts that do not respond."""
        for kind in ("compute", "volume", "network"):
            for host, found in self._hosts(kind).items():
                if found is None:
                    yield Finding("host", host, f"does not respond: its {kind} agent was not checked")

    def servers(self):
        """Guests and files without a server, servers without a guest, stuck servers."""
        from conductor.db import models, server_migrations, state_counts
        with self.dbs["compute"].reader() as connection:
            moving = set(server_migrations.held(connection))
        known = {i["uuid"]: i for i in self._all("compute", models.instances)}
        for host, found in self._answering("compute").items():
            own = {u: i for u, i in known.items() if i["host"] == host}
            for uuid in (set(found["guests"]) | set(found["directories"])) - set(own) - {u for u, h in moving if h == host}:
                guest = found["guests"].get(uuid)
                if guest and guest["owner"] != [self.inventory.cloud_id, host]:
                    yield Finding("guest", uuid, f"is on host {host}, but was not created by it")
                else:
                    yield Finding("guest", uuid, f"is on host {host}, but no server of it",
                                  lambda u=uuid, h=host: self._remove_guest(u, h))
            for uuid, row in own.items():
                if row["vm_state"] == "active" and not row["task_state"]:
                    if uuid not in found["guests"]:
                        yield Finding("server", uuid, f"has no guest on its host {host}")
                    elif found["guests"][uuid]["power"] != row["power_state"]:
                        yield Finding("server", uuid, f"is active, but its guest on host {host} is not")
        with self.dbs["compute"].reader() as connection:
            under_way = state_counts.in_progress(connection)
        for row in under_way:
            if self._old(row["since"]):
                yield Finding("server", row["uuid"], f"is stuck in {row['vm_state']}/{row['task_state']}")

    def operations(self):
        """Operations across hosts that are stuck."""
        from conductor.db import models
        for row in self._all("compute", models.operations):
            if self._old(row["created_at"]):
                hosts = sorted({row["data"].get(name) for name in ("host", "source", "target")} - {None})
                yield Finding("operation", row["id"], f"{row['kind']} of server {row['instance_uuid']} on {', '.join(hosts)} is "
                                                      f"stuck at {row['phase']} {row['step']}")

    def _remove_guest(self, uuid: str, host: str) -> None:
        if host != self.inventory.host:
            self.inventory.reconcile("compute", host)
            return
        self.inventory.virt.destroy(uuid)
        self.inventory.virt.remove_files(uuid)

    def claims(self):
        """The claims of a host must equal those of its servers."""
        from conductor.db import allocations
        with self.dbs["compute"].reader() as connection:
            found = allocations.inconsistencies(connection)
        for host, texts in found.items():
            yield Finding("claim", host, ", ".join(texts), lambda h=host: self.dbs["compute"].transact(allocations.repair, h))

    def ports(self):
        """Ports of deleted servers; addresses of deleted ports."""
        from conductor.db import models as compute
        from network import cleanup
        from network.db import models
        servers = {i["uuid"] for i in self._all("compute", compute.instances)}
        ports = self._all("network", models.ports)
        for port in ports:
            if port["relation"] == "compute" and port["device_id"] not in servers:
                yield Finding("port", port["id"], f"belongs to server {port['device_id']}, which does not exist",
                              lambda p=port: cleanup.release_port(self.dbs["network"], p["id"], p["device_id"]))
        ids = {p["id"] for p in ports}
        for row in self._all("network", models.ip_allocations):
            if row["port_id"] not in ids:
                yield Finding("address", row["ip_address"], f"belongs to port {row['port_id']}, which does not exist")

    def _local(self, host: str, repair: typing.Callable) -> typing.Callable | None:
        """Data is deleted on this host only."""
        return repair if host == self.inventory.host else None

    def volume_rows(self):
        """Volumes without data, data without a volume, volumes whose size differs from their rows, stuck volumes."""
        from volume.db import models
        known = {v["id"]: v for v in self._all("volume", models.volumes)}
        for host, found in self._answering("volume").items():
            here = {i for i, v in known.items() if v["host"] == host}
            for volume_id in set(found["volumes"]) - set(known):
                yield Finding("volume", volume_id, f"has data on host {host}, but no row",
                              self._local(host, lambda v=volume_id: self.inventory.volumes.delete(v)))
            for volume_id in here - set(found["volumes"]):
                if known[volume_id]["status"] in ("available", "in-use"):
                    yield Finding("volume", volume_id, "has a row, but no data")
            for volume_id, size_gb in found.get("sizes", {}).items():
                row = known.get(volume_id)
                if row and row["status"] in ("available", "in-use") and row["size"] != size_gb:
                    yield Finding("volume", volume_id, f"has {size_gb} GiB in its backend, {row['size']} in its row")
        shelved = self._of_shelved_servers()
        for row in known.values():
            if (row["status"] in TRANSIENT or row["status"] == "reserved" and row["id"] not in shelved) and self._old(
                    row["updated_at"]):
                yield Finding("volume", row["id"], f"is stuck in {row['status']}")

    def _of_shelved_servers(self) -> set[str]:
        """The volumes of servers that no host has: they are reserved for them."""
        from conductor.db import models
        shelved = {i["uuid"] for i in self._all("compute", models.instances) if i["vm_state"] == "shelved_offloaded"}
        return {d["volume_id"] for d in self._all("compute", models.block_devices) if d["instance_uuid"] in shelved}

    def snapshots(self):
        """Snapshots without data, data without a snapshot, stuck snapshots."""
        from volume.db import models
        known = {s["id"]: s for s in self._all("volume", models.snapshots)}
        of_volumes = self._all("volume", models.volumes)
        host_of = {v["id"]: v["host"] for v in of_volumes}
        # A volume in use has a snapshot while it is uploaded, with the id of the image.
        uploaded = {v["upload_image_id"] for v in of_volumes if v["status"] == "uploading"}
        for host, found in self._answering("volume").items():
            for snapshot_id in set(found["snapshots"]) - set(known) - uploaded:
                yield Finding("snapshot", snapshot_id, f"has data on host {host}, but no row",
                              self._local(host, lambda s=snapshot_id: self.inventory.volumes.delete_snapshot(s)))
            for row in known.values():
                if host_of[row["volume_id"]] == host and row["status"] == "available" and row["id"] not in found["snapshots"]:
                    yield Finding("snapshot", row["id"], "has a row, but no data")
        for row in known.values():
            if row["status"] in TRANSIENT_SNAPSHOT and self._old(row["updated_at"]):
                yield Finding("snapshot", row["id"], f"is stuck in {row['status']}")

    def attachments(self):
        """Attachments, exports, block devices and guests must agree."""
        from conductor.db import models as compute
        from volume.db import models
        attached = self._all("volume", models.attachments)
        held = {a["volume_id"] for a in attached}
        of_servers = {(a["instance_uuid"], a["volume_id"]) for a in attached}
        devices = {(d["instance_uuid"], d["volume_id"]): d for d in self._all("compute", compute.block_devices)}
        servers = {i["uuid"] for i in self._all("compute", compute.instances)}
        exported: dict[str, str] = {v: host for host, found in self._answering("volume").items() for v in found["exports"]}
        for volume_id in set(exported) - held:
            yield Finding("export", volume_id, "is exported, but not attached",
                          self._local(exported[volume_id], lambda v=volume_id: self.inventory.volumes.unexport(v)))
        for row in attached:
            if row["instance_uuid"] and row["instance_uuid"] not in servers:
                yield Finding("attachment", row["id"], f"is of server {row['instance_uuid']}, which does not exist")
            elif row["instance_uuid"] and (row["instance_uuid"], row["volume_id"]) not in devices:
                yield Finding("attachment", row["id"], "is of a server that has no such device")
        for (uuid, volume_id), device in devices.items():
            if device["attachment_id"] and (uuid, volume_id) not in of_servers:
                yield Finding("device", volume_id, f"of server {uuid} has no attachment")
        for found in self._answering("compute").values():
            for uuid, guest in found["guests"].items():
                for volume_id in guest["volumes"]:
                    if (uuid, volume_id) not in devices:
                        yield Finding("guest", uuid, f"has volume {volume_id}, which is not its server's")

    def images(self):
        """Data without an image, active images without data. Unknown data in a remote store may be another program's:
        not repaired."""
        from image import conf as image_conf
        from image import locations
        from image.db import models
        from image.stores import Stores
        loaded = conf.load("image", image_conf.OPTS, self.state)
        directory = pathlib.Path(loaded.image.store_path or f"{self.state}/images")
        known = {i["id"]: i for i in self._all("image", models.images)}
        for path in directory.rglob("*"):  # includes incoming and staged data
            if path.is_file() and path.stem not in known:
                yield Finding("image", str(path.relative_to(directory)), "has data, but no row", path.unlink)
        try:
            stores = Stores(loaded, str(directory)).all
        except ValueError as error:
            yield Finding("image", "stores", f"cannot be listed: {error}")
            return
        for name, store in stores.items():
            if store.read_only:
                continue
            try:
                there = store.stored()
            except errors.ServiceUnavailable as error:
                yield Finding("image", name, f"cannot be listed: {error}")
                continue
            held = {i for i, row in known.items() if name in locations.store_names(row)}
            for image_id in sorted(there - held):
                row = known.get(image_id)
                if row is None and store.kind != "file" or row is not None and row["status"] == "active" and not (
                        row["progress"] or {}).get("to"):
                    yield Finding("image", image_id, f"has data in store {name}, which is not in its locations")
            for image_id in sorted(held - there):
                if known[image_id]["status"] == "active":
                    yield Finding("image", image_id, f"is active, but store {name} does not have its data")

    def journals(self):
        """Abandoned tasks, and unreadable records."""
        for kind in ("compute", "volume"):
            for host, found in self._answering(kind).items():
                for key, age_s in found["journal"]["unfinished"].items():
                    if age_s > self.stuck_s:
                        yield Finding("task", key, f"is unfinished in the journal of host {host}")
                for key in found["journal"]["broken"]:
                    yield Finding("task", key, f"is an unreadable record in the journal of host {host}, and was set aside; "
                                               "resources of its task may remain")

    def network_devices(self):
        """Bridges, taps, namespaces and filters that belong to no network, and ports without a tap."""
        if self.inventory.network_conf.network.driver != "linux":
            return
        from network.agent import audit
        from network.db import state
        for host, found in self._answering("network").items():
            with self.dbs["network"].reader() as connection:
                wanted = state.of_host(connection, host)
            for what, text in audit.compare(wanted, found):
                yield Finding("network", what, f"{text}, on host {host}", lambda h=host: self.inventory.reconcile("network", h))


def main(state: str, *, repair: bool = False, as_json: bool = False) -> int:
    """0: no findings, or all were repaired; 1: there are findings."""
    shown = []
    for finding in Auditor(state).run():
        repaired = False
        if repair and finding.repair:
            finding.repair()
            repaired = True
        shown.append({"kind": finding.kind, "what": finding.what, "text": finding.text, "repaired": repaired})
        if not as_json:
            print(f"{finding.kind} {finding.what} {finding.text}{' — repaired' if repaired else ''}")
    left = sum(not each["repaired"] for each in shown)
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        print("audit: no findings" if not left else f"audit: {left} finding(s)"
              + ("" if repair else "; --repair repairs those that can be repaired"))
    return 1 if left else 0
