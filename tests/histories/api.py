"""What users ask of servers in a history: what compute-api writes and sends for each, or that it refuses."""

import sqlalchemy as sa

from common import context, db, errors, server_states
from conductor.db import (
    deletion,
    evacuations,
    instances,
    live_migrations,
    machine,
    models,
    rebuilds,
    resets,
    resizes,
    server_migrations,
    shelving,
)
from scheduler.rpcapi import request_spec
from tests.compute.test_guests import ROW
from tests.histories.world import World

TABLE, DEVICES = models.instances, models.block_devices
FLAVOR = {"name": "small", "id": 1, "disk": 1, "ephemeral": 0, "vcpus": ROW["vcpus"], "ram": ROW["memory_mb"]}
OTHER_FLAVOR = {**FLAVOR, "name": "large", "id": 2, "disk": 2, "vcpus": ROW["vcpus"] + 1, "ram": ROW["memory_mb"] + 50}
NETWORK = "d0000001-0000-4000-8000-000000000000"


def create(world: World, *, own_port: bool = False, volume: bool = False, from_volume: bool = False) -> str:
    """A server with a network, perhaps a port that its owner made, perhaps a volume that goes with it, or that it boots from."""
    uuid = world.services.new_id("e")
    wanted = [{"uuid": NETWORK}]
    if own_port:
        wanted.append({"uuid": NETWORK, "port": world.services.add_port(network_id=NETWORK, name="own")["id"]})
    at = db.now()
    with world.db.writer() as connection:
        connection.execute(sa.insert(TABLE).values({
            **ROW, "uuid": uuid, "flavor": FLAVOR, "requested_networks": wanted,
            "vm_state": server_states.BUILDING, "task_state": server_states.SCHEDULING, "power_state": 0,
            "image_meta": {} if from_volume else {"id": "x", "properties": {}}, "created_at": at, "updated_at": at}))
        if from_volume:
            connection.execute(sa.insert(DEVICES).values({**_device(world, uuid, "/dev/vda", goes=True), "boot_index": 0}))
        if volume:
            connection.execute(sa.insert(DEVICES).values(_device(world, uuid, "/dev/vdb", goes=True)))
    world.mail.append(("scheduler", "build", ([request_spec(world.row(uuid))],)))
    return uuid


def _device(world, uuid: str, name: str, *, goes: bool, **values) -> dict:
    return {"id": world.services.new_id("f"), "instance_uuid": uuid, "device_name": name,
            "volume_id": values.get("volume_id") or world.services.add_volume(), "attachment_id": None, "boot_index": None,
            "delete_on_termination": goes, "request_id": "r",
            **{name: values.get(name) for name in ("requested_action", "requested_at")}}


def delete(world: World, uuid: str) -> None:
    with world.db.writer() as connection:
        row = instances.add_block_devices(connection, [dict(connection.execute(
            sa.select(TABLE).where(TABLE.c.uuid == uuid)).mappings().one())])[0]
        by, _ = deletion.begin(connection, context.service_context(), row, 60)
    if by == deletion.HOST:
        world.mail.append((row["host"], "delete", (uuid,)))


def power(world: World, uuid: str, action: str) -> None:
    row = world.row(uuid)
    if row["host"] is None:
        raise errors.Conflict("never built")
    with world.db.writer() as connection:
        machine.begin(connection, uuid, action)
    world.mail.append((row["host"], "power", (uuid, action)))


def snapshot(world: World, uuid: str) -> None:
    host, image = world.row(uuid)["host"], world.services.new_id("9")
    with world.db.writer() as connection:
        machine.begin(connection, uuid, "image_snapshot")
    world.services.images[image] = {"id": image, "instance_uuid": uuid, "owner": "p", "status": "queued",
                                    "created_at": db.iso(db.now())}
    world.mail.append((host, "snapshot", (uuid, image)))


def _steady(row: dict) -> None:
    if row["vm_state"] not in (server_states.ACTIVE, server_states.STOPPED) or row["task_state"] is not None:
        raise errors.Conflict("busy")


def attach_volume(world: World, uuid: str, volume_id: str | None = None) -> None:
    """A new volume, or one that is available."""
    row = world.row(uuid)
    _steady(row)
    with world.db.writer() as connection:
        device = _device(world, uuid, instances.next_device(connection, row), goes=False, requested_action="attach",
                         requested_at=db.now(), volume_id=volume_id)
        connection.execute(sa.insert(DEVICES).values(device))
    world.mail.append((row["host"], "attach_volume", (uuid, device["volume_id"], device["id"])))


def detach_volume(world: World, uuid: str) -> None:
    row = world.row(uuid)
    _steady(row)
    device = next((d for d in row["block_devices"] if d["attachment_id"] and d["boot_index"] != 0), None)
    if device is None:
        raise errors.NotFound("no volume")
    with world.db.writer() as connection:
        connection.execute(sa.update(DEVICES).where(DEVICES.c.id == device["id"]).values(
            requested_action="detach", requested_at=db.now()))
    world.mail.append((row["host"], "detach_volume", (uuid, device["volume_id"], device["id"])))


def attach_free_volume(world: World, uuid: str) -> None:
    """One that was a server's before, perhaps this one's."""
    held = {d["volume_id"] for row in world.rows() for d in row["block_devices"] if d["requested_action"] != "detach"}
    free = [v for v, volume in world.services.volumes.items() if volume["status"] == "available" and v not in held]
    if not free:
        raise errors.NotFound("no volume is free")
    with world.db.writer() as connection:  # as the API does
        connection.execute(sa.delete(DEVICES).where(DEVICES.c.volume_id == free[-1], DEVICES.c.requested_action == "detach"))
    attach_volume(world, uuid, free[-1])


def extend_volume(world: World, uuid: str) -> None:
    """The volume service asks again until the host has said that the guest sees the new size."""
    row = world.row(uuid)
    device = next((d for d in row["block_devices"] if d["attachment_id"]), None)
    volume = world.services.volumes.get(device["volume_id"]) if device else None
    if volume is None or volume["status"] != "in-use":
        raise errors.NotFound("no volume in use")
    volume["size"] += 1
    if row["host"]:  # else nobody can be told, and the volume service does not wait
        volume["status"] = "extending"
        world.mail.append((row["host"], "extend_volume", (uuid, volume["id"])))


def attach_free_port(world: World, uuid: str) -> None:
    """One of the owner's that was a server's before, perhaps this one's."""
    wanted = {n.get("port") for row in world.rows() for n in row["requested_networks"]}  # by servers that are not built yet, too
    free = [p["id"] for p in world.services.ports.values() if p.get("name") == "own" and not p["device_id"]
            and p["id"] not in wanted]
    if not free:
        raise errors.NotFound("no port is free")
    attach_interface(world, uuid, own_port=True, port_id=free[-1])


def attach_interface(world: World, uuid: str, *, own_port: bool, port_id: str | None = None) -> None:
    """A port of the network, or one of the owner's, new or free. Its caller waits for the answer: nobody sends it again."""
    row = world.row(uuid)
    _steady(row)
    request = {"uuid": NETWORK, "fixed_ip": None, "tag": None}
    if own_port:
        request["port"] = port_id or world.services.add_port(network_id=NETWORK, name="own")["id"]
    world.mail.append((row["host"], "attach_interface", (uuid, request)))


def detach_interface(world: World, uuid: str, port_id: str | None = None) -> None:
    """The last one, or a certain one."""
    row = world.row(uuid)
    _steady(row)
    port = next((p for p in reversed(row["network_info"]) if port_id in (None, p["id"])), None)
    if port is None:
        raise errors.NotFound("no interface")
    world.mail.append((row["host"], "detach_interface", (uuid, port["id"], port.get("attach_id") or "")))


def migrate(world: World, uuid: str) -> str:
    with world.db.writer() as connection:
        row = instances.find(connection, uuid)
        return resizes.begin(connection, context.service_context(), row, action="migrate")


def disable(world: World, host: str) -> None:
    """No server is placed there any more."""
    _set_disabled(world, host, True)


def enable(world: World, host: str) -> None:
    _set_disabled(world, host, False)


def _set_disabled(world: World, host: str, value: bool) -> None:
    with world.db.writer() as connection:
        connection.execute(sa.update(models.services).where(models.services.c.host == host).values(disabled=value))


def migrate_live(world: World, uuid: str) -> str:
    with world.db.writer() as connection:
        row = instances.find(connection, uuid)
        return live_migrations.begin(connection, context.service_context(), row, host=None, force=False, block=None)[0]


def abort_live(world: World, uuid: str) -> None:
    with world.db.writer() as connection:
        for migration in live_migrations.in_progress(connection, uuid):
            live_migrations.ask(connection, migration["id"], live_migrations.ABORT, live_migrations.IN_PROGRESS[:3])


def resize(world: World, uuid: str) -> str:
    """To the other one of two flavors."""
    with world.db.writer() as connection:
        row = instances.find(connection, uuid)
        new = OTHER_FLAVOR if row["flavor"]["id"] == FLAVOR["id"] else FLAVOR
        return resizes.begin(connection, context.service_context(), row, action="resize",
                             flavor={**new, "disk_gb": row["disk_gb"]})


def confirm(world: World, uuid: str) -> str:
    with world.db.writer() as connection:
        return resizes.confirm(connection, context.service_context(), instances.find(connection, uuid))


def revert(world: World, uuid: str) -> str:
    with world.db.writer() as connection:
        return resizes.revert(connection, context.service_context(), instances.find(connection, uuid),
                              server_migrations.open_of(connection, uuid))


def shelve(world: World, uuid: str) -> str:
    image_id = None
    if world.row(uuid)["image_meta"]:
        image_id = world.services.new_id("9")
    with world.db.writer() as connection:
        operation_id = shelving.shelve(connection, context.service_context(), instances.find(connection, uuid), image_id)
    if image_id:
        world.services.images[image_id] = {"id": image_id, "instance_uuid": uuid, "owner": "p", "status": "queued",
                                           "of_shelved": True, "created_at": db.iso(db.now())}
    return operation_id


def offload(world: World, uuid: str) -> str:
    with world.db.writer() as connection:
        return shelving.offload(connection, context.service_context(), instances.find(connection, uuid))


def unshelve(world: World, uuid: str) -> str:
    with world.db.writer() as connection:
        return shelving.unshelve(connection, context.service_context(), instances.find(connection, uuid))


def reset_state(world: World, uuid: str) -> bool:
    """Whether it was not refused."""
    try:
        with world.db.writer() as connection:
            row = instances.find(connection, uuid)
            resets.reset(connection, context.service_context(), row, server_states.ACTIVE)
    except errors.Conflict:
        return False
    return True


def evacuate(world: World, uuid: str) -> str:
    with world.db.writer() as connection:
        return evacuations.begin(connection, context.service_context(), uuid, host=None, force=False, stopped=False,
                                 down_time_s=60)


def rebuild_volume(world: World, uuid: str) -> str:
    """Of a server that boots from a volume."""
    with world.db.writer() as connection:
        row = instances.find(connection, uuid)
        root = next((d for d in row["block_devices"] if d["boot_index"] == 0), None)
        if root is None or row["host"] is None:
            raise errors.Conflict("it has no volume that could get an image")
        machine.begin(connection, uuid, "rebuild")
        return rebuilds.begin(connection, context.service_context(), row, root["volume_id"], world.services.new_id("9"))
