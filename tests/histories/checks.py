"""What must be true of a world: always, and when it has come to rest."""

from common import server_states
from conductor.db import allocations, operations, resizes, server_migrations
from tests.histories.world import HOSTS, World

WITH_GUEST = {server_states.ACTIVE: (server_states.RUNNING,), server_states.STOPPED: (server_states.SHUTDOWN,),
              server_states.VM_PAUSED: (server_states.PAUSED,),
              server_states.RESIZED: (server_states.RUNNING, server_states.SHUTDOWN),
              server_states.SHELVED: (server_states.SHUTDOWN,), server_states.SOFT_DELETED: (server_states.SHUTDOWN,)}
OFF = (server_states.STOPPED, server_states.SHELVED, server_states.SOFT_DELETED)


def always(world: World) -> None:
    """No server that is well is harmed: its guest, ports and volumes are there, whatever else goes on."""
    if world.mistakes.found:
        raise AssertionError("an error that nobody expected") from world.mistakes.found[0]
    returned = _returned(world) if world.troubled else ()
    for row in world.rows():
        if row["vm_state"] in WITH_GUEST and not row["task_state"] and row["uuid"] not in returned and not _worked_on(world, row):
            whole(world, row)


def _returned(world: World) -> set[str]:
    """Servers that could not be evacuated, and whose ports are about to be their own host's again."""
    return {o["instance_uuid"] for o in world.operations_left() if o["kind"] == resizes.REMOVE and o["step"] in ("", "rebind")}


def _worked_on(world: World, row: dict) -> bool:
    """Whether its own host does something to it, was interrupted in that, or has not come to it after a power cut."""
    if row["uuid"] in world.lost and row["uuid"] not in world.guests(row["host"]):
        return True
    if any(d["requested_action"] for d in row["block_devices"]) or any(
            a.host == row["host"] and row["uuid"] in (a.subject, a.name.rpartition(" ")[2]) for a in world.actors):
        return True
    journal = world.path / row["host"] / "tasks" / "compute"
    return any(row["uuid"] in path.read_text() for path in journal.glob("*.json"))


def whole(world: World, row: dict) -> None:
    uuid, host = row["uuid"], row["host"]
    power = world.guests(host).get(uuid)
    if power is None and uuid in world.lost and (
            row["vm_state"] in OFF or row["power_state"] == server_states.NOSTATE):
        return  # a power cut took it away, which is known, and it is made anew when it is to start
    if uuid in world.given_up and power in (server_states.SHUTDOWN, server_states.PAUSED, server_states.RUNNING):
        power = WITH_GUEST[row["vm_state"]][0]  # as the host will say when it compares
    assert power in WITH_GUEST[row["vm_state"]], f"server {uuid} is {row['vm_state']} on {host}, its guest there: {power}"
    ports = {p["id"] for p in row["network_info"]}
    for port in ports:
        found = world.services.ports.get(port)
        assert found is not None, f"server {uuid} lost port {port}"
        assert (found["device_id"], found["binding:host_id"], found["binding:profile"]) == (uuid, host, {}), \
            f"port {port} of server {uuid} is {found}"
    guest = world.guest(host, uuid)
    for volume, size_gb in guest.get("sizes", {}).items():
        now = world.services.volumes[volume]
        assert now["size"] == size_gb or now["status"] == "extending", f"guest {uuid} sees {size_gb} GiB of {now}"
    assert set(guest["ports"]) == ports, f"guest {uuid} has ports {guest['ports']}, its server {ports}"
    held = {d["volume_id"]: d["attachment_id"] for d in row["block_devices"]}
    assert set(guest["volumes"]) == set(held), f"guest {uuid} has volumes {guest['volumes']}, its server {held}"
    for volume, attachment in held.items():
        found = world.services.attachments.get(attachment)
        assert found and found["host"] == host, f"server {uuid} lost attachment {attachment} of {volume}: {found}"


def _offloaded(world: World, row: dict) -> None:
    """No host has anything of it; its ports and volumes are its own."""
    assert row["host"] is None and not any(row["uuid"] in world.guests(host) for host in HOSTS), f"a guest is left of {row}"
    image = world.services.images.get(row["shelved_image_id"])
    assert not row["image_meta"] or image and image["status"] == "active", f"the image of {row['uuid']} is {image}"
    for port in row["network_info"]:
        found = world.services.ports.get(port["id"])
        assert found and (found["device_id"], found["binding:host_id"]) == (row["uuid"], ""), f"port of {row['uuid']}: {found}"
    for device in row["block_devices"]:
        found = world.services.attachments.get(device["attachment_id"])
        assert found and (found["instance"], found["status"]) == (row["uuid"], "reserved"), f"volume of {row['uuid']}: {found}"


def at_rest(world: World) -> None:
    """Everything is where its server is, and nothing is left of any other."""
    always(world)
    rows = {row["uuid"]: row for row in world.rows()}
    assert world.is_settled(), f"it does not come to rest: {[(r['uuid'], r['task_state'], r['host']) for r in rows.values()]}," \
        f" {world.mail}, {[world.agents[h].tasks.journal.records() for h in HOSTS]}"
    for row in rows.values():
        if row["vm_state"] in WITH_GUEST:
            whole(world, row)
        elif row["vm_state"] == server_states.SHELVED_OFFLOADED:
            _offloaded(world, row)
        else:
            assert row["vm_state"] == server_states.ERROR and row["fault"] and world.troubled, \
                f"server {row['uuid']} is {row['vm_state']}: {row['fault']}"
    with world.db.reader() as connection:
        moving, left = server_migrations.held(connection), operations.list_all(connection)
    assert not left, f"operations are left: {left}"
    for host in HOSTS:
        foreign = [u for u in world.guests(host) if u not in rows or rows[u]["host"] != host and (u, host) not in moving]
        assert not foreign, f"guests on {host} that have no server there: {foreign}"
        twice = [u for u, power in world.guests(host).items() if power == server_states.RUNNING and u in rows
                 and rows[u]["host"] != host]
        assert not twice, f"guests run on {host} whose servers are on another host: {twice}"
        kept = {p.parent.name for p in (world.path / host / "instances").glob("*/*") if p.is_dir()}
        assert not [u for u in kept if (u, host) not in moving], f"disks are kept on {host}: {kept}"
        paths = [p.name for p in (world.path / host / "snapshots").iterdir()]
        assert not paths, f"files of snapshots on {host}: {paths}"
    _images(world, rows)
    _ports(world, rows)
    _volumes(world, rows)
    _claims(world)


def _images(world: World, rows: dict) -> None:
    """Nobody waits for one any more. Of a server that is gone, one stays whose request was lost, as in OpenStack."""
    for snapshot in world.services.snapshots.values():
        image = world.services.images.get(snapshot["metadata"]["image_id"])
        assert image and image["status"] == "active", f"a snapshot is left of an image that never came to be: {snapshot}"
    shelved = {row["shelved_image_id"] for row in rows.values()}
    left = [i for i, image in world.services.images.items() if image.get("of_shelved") and i not in shelved]
    assert not left, f"images are left of servers that are not shelved: {left}"
    for image in world.services.images.values():
        assert image["status"] == "active" or image["instance_uuid"] not in rows, f"an image is left: {image}"


def _ports(world: World, rows: dict) -> None:
    for port in world.services.ports.values():
        row = rows.get(port["device_id"])
        if row is None:
            assert not port["device_id"] and port.get("name") == "own", f"port {port['id']} is left of a server: {port}"
        else:
            known = {p["id"] for p in row["network_info"]}
            assert port["id"] in known or row["vm_state"] == server_states.ERROR, f"port {port['id']} is nobody's: {port}"


def _volumes(world: World, rows: dict) -> None:
    held = {d["volume_id"]: (d, row) for row in rows.values() for d in row["block_devices"]}
    for attachment in world.services.attachments.values():
        device, row = held.get(attachment["volume_id"], (None, None))
        assert device is not None, f"attachment is left: {attachment}"
        assert device["attachment_id"] in (None, attachment["id"]), f"attachment {attachment} beside {device['attachment_id']}"
    attached = {a["volume_id"] for a in world.services.attachments.values()}
    for volume in world.services.volumes.values():
        device, row = held.get(volume["id"], (None, None))
        offloaded = row is not None and row["vm_state"] == server_states.SHELVED_OFFLOADED
        # A rebuild failed, or was given up, which had reserved it for the start of the guest.
        given_up = row is not None and (row["vm_state"] == server_states.ERROR or row["uuid"] in world.lost) and not any(
            a["host"] for a in world.services.attachments.values() if a["volume_id"] == volume["id"])
        used = "in-use" if volume["id"] in attached else "available"
        expected = "reserved" if offloaded or given_up and volume["id"] in attached else used
        assert volume["status"] == expected, f"volume {volume} of {row and row['uuid']}"
    for uuid, device in ((row["uuid"], d) for d, row in held.values()):
        assert device["volume_id"] in world.services.volumes, f"server {uuid} lost volume {device['volume_id']}"


def _claims(world: World) -> None:
    with world.db.reader() as connection:
        faults = allocations.inconsistencies(connection)
    assert not faults, f"claims of hosts: {faults}"
