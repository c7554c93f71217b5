"""Migrations and resizes of servers: the checks before one begins.

The scheduler chooses the host later. If no host fits, the server is unchanged, and its history contains the reason.
"""

from common import errors, guest_hardware, guest_needs, quotas
from common.calls import Call
from compute_api import access, changes, local_disks
from conductor.db import actions, flavors, hosts, instances, resizes, server_migrations
from conductor.db import quotas as limits


def _begun(call: Call, connection, id: str, rule: str, recorded: str) -> dict:
    row = access.server(call, connection, id, rule)
    access.check_lock(call, row)
    actions.start(connection, call.ctx, id, recorded)
    return row


def migrate(call: Call, id: str, host: str | None) -> None:
    """Begin to migrate a server.

    :param host: the destination; None: the scheduler chooses
    :raises BadRequest: there is no such host, or the server is on it
    :raises Conflict: the server's state, or its hypervisor, does not allow it
    """
    rule = "os_compute_api:os-migrate-server:migrate:host" if host else "os_compute_api:os-migrate-server:migrate"
    with call.svc.db.writer() as connection:
        row = _begun(call, connection, id, rule, "migrate")
        access.check_hypervisor(connection, row, guest_needs.RESIZE)
        if host and not hosts.is_known(connection, host):
            raise errors.BadRequest(f"Compute host {host} could not be found.")
        if host and host == row["host"]:
            raise errors.BadRequest(f"Cannot migrate to the host where the server exists: {host}")
        operation_id = resizes.begin(connection, call.ctx, row, action="migrate", host=host)
    drive(call, operation_id, "resize.prep.start", row)


def resize(call: Call, id: str, flavor_id: str, disk_config: str | None) -> None:
    """Begin to resize a server to another flavor.

    :raises BadRequest: there is no such flavor, it is the current one, or the server does not fit into it
    :raises Conflict: as ``migrate``
    :raises QuotaExceeded: over the project's quota
    """
    with call.svc.db.writer() as connection:
        row = _begun(call, connection, id, "os_compute_api:servers:resize", "resize")
        access.check_hypervisor(connection, row, guest_needs.RESIZE)
        try:
            found = flavors.get(connection, flavor_id, access.scope(call))
        except errors.NotFound:
            raise errors.BadRequest(f"Flavor {flavor_id} could not be found.") from None
        flavor = _fitting(row, found)
        quotas.lock_owner(connection, row["project_id"])
        limits.Servers(connection, call.svc.quota_defaults, row["project_id"], row["user_id"]).check_growth(row["flavor"], flavor)
        operation_id = resizes.begin(connection, call.ctx, row, action="resize", flavor=flavor)
        if disk_config:
            instances.write(connection, id, disk_config=disk_config)
    drive(call, operation_id, "resize.prep.start", row)


def _fitting(row: dict, found: dict) -> dict:
    """The flavor in the format of a server's row, with all its disk space on the host."""
    old, image = row["flavor"], row["image_meta"]
    new = {name: found[name] for name in old if name in found}
    if new["id"] == old["id"]:
        raise errors.BadRequest("When resizing, instances must change flavor!")
    if image and not new["disk"] and old["disk"]:
        raise errors.BadRequest("Resize to zero disk flavor is not allowed.")
    if image and new["disk"] < old["disk"] or new["ephemeral"] < old["ephemeral"]:
        raise errors.BadRequest("Resize to a flavor with a smaller disk is not allowed.")
    if new["ram"] < int(image.get("min_ram") or 0):
        raise errors.BadRequest("Flavor's memory is too small for requested image.")
    if new["disk"] and new["disk"] < int(image.get("min_disk") or 0):
        raise errors.BadRequest("Flavor's disk is too small for requested image.")
    guest_hardware.of(new["vcpus"], new["ram"], new["extra_specs"], image.get("properties", {}))
    taken = {d["device_name"] for d in row["block_devices"]}
    return {**new, "local_disks": local_disks.resized(old, new, taken, row["root_device_name"][:-1]),
            "disk_gb": local_disks.host_disk_gb(new, root=bool(image))}


def confirm(call: Call, id: str) -> None:
    """:raises Conflict: the server is not waiting to be confirmed"""
    with call.svc.db.writer() as connection:
        row = _begun(call, connection, id, "os_compute_api:servers:confirm_resize", "confirmResize")
        operation_id = resizes.confirm(connection, call.ctx, row)
    drive(call, operation_id, "resize.confirm.start", row)


def revert(call: Call, id: str) -> None:
    """:raises Conflict: the server is not waiting to be confirmed
    :raises QuotaExceeded: the project has used the quota that the smaller flavor released
    """
    with call.svc.db.writer() as connection:
        row = _begun(call, connection, id, "os_compute_api:servers:revert_resize", "revertResize")
        migration = server_migrations.open_of(connection, id)
        old = migration["old_flavor"] if migration and migration["status"] == server_migrations.FINISHED else row["flavor"]
        if old["vcpus"] > row["vcpus"] or old["ram"] > row["memory_mb"]:
            quotas.lock_owner(connection, row["project_id"])
            limits.Servers(connection, call.svc.quota_defaults, row["project_id"], row["user_id"]).check_growth(
                row["flavor"], old)
        operation_id = resizes.revert(connection, call.ctx, row, migration)
    drive(call, operation_id, "resize.revert.start", row)


def drive(call: Call, operation_id: str, what: str, row: dict) -> None:
    """Request a conductor to run the operation. If the message is lost, the conductors find it within some seconds."""
    call.svc.send(call.svc.conductor.drive_operation, call.ctx, operation_id)
    call.svc.notifier.notify(call.ctx, f"compute.instance.{what}", instances.notification_payload(row))


def index(call: Call, filters: dict[str, str], times: dict, *, limit: int, marker: str | None) -> list[dict]:
    """Migrations, newest first, as ``server_migrations.page``.

    :param filters: without ``project_id``, or with another project's, they select from all projects
    :raises Forbidden: the caller may not list these
    """
    own = access.own(call)
    call.svc.policy.check(call.ctx, "os_compute_api:os-migrations:index", own)
    if filters.get("project_id") != call.ctx.project_id:
        call.svc.policy.check(call.ctx, "os_compute_api:os-migrations:index:all_projects", own)
    if filters.keys() & {"host", "source_compute"}:  # otherwise names of hosts could be guessed
        call.svc.policy.check(call.ctx, "os_compute_api:os-migrations:index:host", own)
    # A marker must not reveal migrations that the caller cannot list.
    scope = {} if call.svc.policy.allows(call.ctx, "os_compute_api:os-migrations:index:all_projects", own) else {
        "project_id": call.ctx.project_id}
    with call.svc.db.reader() as connection:
        return server_migrations.page(connection, filters, changes.conditions(times, server_migrations.TABLE.c.updated_at),
                                      limit=limit, marker=marker, scope=scope)


def shows_hosts(call: Call) -> bool:
    """Whether the caller may see the hosts of migrations."""
    return call.svc.policy.allows(call.ctx, "os_compute_api:os-migrations:index:host", access.own(call))
