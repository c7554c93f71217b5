"""The databases of a cloud with three hosts, of which none runs: for what only reads them."""

import datetime

import sqlalchemy as sa

from common import db
from common.rows import insert
from conductor.db import allocations, hosts, models
from network import roles
from network.db import heartbeats
from tests.compute.services import add_service
from tests.compute.test_guests import ROW
from volume.db import models as volume_models
from volume.db import volumes

UUID = "11111111-2222-4333-8444-{:012}"
RESOURCES = {"hypervisor_hostname": "h", "vcpus": 4, "memory_mb": 1024, "local_gb": 10, "facts": {}}
LONG_AGO = datetime.timedelta(hours=2)
_VOLUME = {"project_id": "p", "user_id": "u", "availability_zone": "nova", "bootable": False, "metadata": {},
           "image_metadata": {}}


def fill(overview) -> None:
    """Hosts ``here`` (up), ``gone`` (silent), ``resting`` (disabled); servers 1 (active), 2 and 3 (building, 2 for long on the
    host that is gone); volumes 1 and 2 (available) and 3 (creating for long)."""
    def writer(name):
        return overview.database(name).writer()
    with writer("compute") as connection:
        for name in ("here", "gone", "resting"):
            add_service(connection, "nova-compute", name, "nova")
            hosts.report(connection, name, RESOURCES)
        services = models.services
        connection.execute(sa.update(services).where(services.c.host == "gone").values(updated_at=db.now() - LONG_AGO))
        connection.execute(sa.update(services).where(services.c.host == "resting").values(disabled=True))
        node = next(n for n in hosts.all_nodes(connection) if n["host"] == "here")
        allocations.claim(connection, node, UUID.format(1), {"vcpus": 3, "memory_mb": 512, "disk_gb": 2}, {})
        server(connection, 1, "active", None)
        server(connection, 2, "building", "networking", host="gone", ago=LONG_AGO)
        server(connection, 3, "building", "scheduling", host=None)
    with writer("volume") as connection:
        volumes.heartbeat(connection, "cinder-volume", "here", {"total_capacity_gb": 100, "free_capacity_gb": 60})
        for number, status in ((1, "available"), (2, "available"), (3, "creating")):
            volume(connection, number, status, ago=LONG_AGO if status == "creating" else datetime.timedelta())
    with writer("network") as connection:
        heartbeats.write(connection, {"here": {"roles": [roles.BRIDGE, roles.DHCP]}})


def server(connection, number: int, vm_state: str, task_state: str | None, *, host="here", ago=datetime.timedelta()) -> None:
    """Asked for ``ago``; it was sent again just now, as the conductor does."""
    insert(connection, models.instances, {
        **ROW, "uuid": UUID.format(number), "vm_state": vm_state, "task_state": task_state, "power_state": 0, "host": host,
        "created_at": db.now() - ago, "updated_at": db.now()}, conflict="")
    insert(connection, models.instance_actions, {
        "instance_uuid": UUID.format(number), "request_id": f"req-{number}", "action": "create", "start_time": db.now() - ago,
        "updated_at": db.now() - ago}, conflict="")


def volume(connection, number: int, status: str, *, host="here", ago=datetime.timedelta(), **more) -> None:
    at = db.now() - ago
    insert(connection, volume_models.volumes, {
        **_VOLUME, "id": UUID.format(number), "size": number, "status": status, "host": host, "request_id": f"req-v{number}",
        "created_at": at, "updated_at": at, **more}, conflict="")
