"""Creation of servers: validate everything, then quota and rows in one transaction, then the scheduler.

Nothing is written before the whole request has been validated. After the transaction nothing can be lost: if no scheduler
responds, the rows stay BUILD/scheduling, and the conductor repeats the request.
"""

import base64
import re
import secrets

import sqlalchemy as sa

from common import context, db, errors, guest_hardware, rows, schema, server_states, values, wsgi
from common.calls import Call
from common.rest import last_segment, path
from compute_api import access, devices, disk_names, hints, images, local_disks, microversions, networks, personality
from compute_api.schemas import servers as schemas
from compute_api.services import security_groups, zones
from conductor.db import actions, aggregates, flavors, models, quotas
from conductor.db import secrets as server_secrets
from scheduler.rpcapi import request_spec

TABLE = models.instances
MAX_PER_REQUEST = 1000
_BODY = schema.compiled(schemas.CREATE)
SINCE = {"description": (2, 19), "tags": (2, 52), "trusted_image_certificates": (2, 63), "host": (2, 74),
         "hypervisor_hostname": (2, 74), "hostname": (2, 90)}
UNTIL = {"personality": (2, 56)}


def hostname_of(name: str) -> str:
    """A server's name as a host name: letters, digits, hyphens; at most 63 (RFC 1123)."""
    cleaned = re.sub(r"[^a-z0-9-]+", "-", name.lower().replace(".", "-").replace("_", "-")).strip("-")
    return cleaned[:63].strip("-") or "server"


def _image(call: Call, given: dict, flavor: dict, mapping: list[dict]) -> dict:
    """The image to boot from, checked against the flavor; {} if the server boots from a volume."""
    ref = given.get("imageRef")
    if any(d["boot_index"] == 0 for d in mapping):
        return {}  # the server boots from the volume, even if the request also has an image
    if not ref:
        if not any(d["boot_index"] == 0 for d in mapping):
            raise errors.BadRequest("Block Device Mapping is Invalid: Boot sequence for the instance and image/block "
                                    "device mapping combination is not valid.")
        return {}
    if not flavor["disk"] and not call.svc.policy.allows(call.ctx, "os_compute_api:servers:create:zero_disk_flavor",
                                                        access.own(call)):
        raise errors.Forbidden("Only volume-backed servers are allowed for flavors with zero disk.")
    return images.of(call, ref, flavor)


def _groups(call: Call, given: dict, chosen: networks.Chosen) -> list[dict]:
    """[{"id", "name"}] of the requested groups. Without any it is the project's default group, with an empty id, because the
    network service knows it; where no port is created that has it, those of the named ports.

    :raises BadRequest: a requested group does not exist, or cannot apply to one of the networks
    """
    names = [g["name"] for g in given.get("security_groups", []) if g.get("name")]
    if set(names) <= {"default"}:
        return [{"id": "", "name": "default"}] if chosen.secured else [
            {"id": g["id"], "name": g["name"]} for g in security_groups.by_ids(call, chosen.groups)]
    if chosen.unsecured:
        raise errors.BadRequest("Network requires port_security_enabled and subnet associated in order to apply security groups.")
    where = path("/v2.0/security-groups", query={"project_id": call.ctx.project_id})
    known = call.svc.rest.request("GET", "network", where, ctx=call.ctx)["security_groups"]
    found = []
    for name in dict.fromkeys(names):
        group = networks.group_named(known, name)
        if group is None:
            raise errors.BadRequest(f"Security group {name} not found for project {call.ctx.project_id}.")
        found.append({"id": group["id"], "name": group["name"]})
    return found


def _place(call: Call, given: dict) -> tuple[str | None, str | None]:
    """The requested zone and host, each or None. Only administrators may request a host, by name or as ``zone:host``.

    :raises BadRequest: there is no such zone, or no such host in it
    """
    zone, _, host = (given.get("availability_zone") or call.svc.conf.compute.default_schedule_zone or "").partition(":")
    named = {h for h in (given.get("host"), given.get("hypervisor_hostname")) if h}
    if host:
        access.check(call, "os_compute_api:servers:create:forced_host")
    if named:
        access.check(call, "compute:servers:create:requested_destination")
    if host and named:
        raise errors.BadRequest("One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node "
                                "are mutually exclusive.")
    hosts = named | ({host} if host else set())
    if not (zone or hosts):
        return None, None
    known = [row for row in zones.services(call) if row["binary"] == aggregates.COMPUTE]
    if zone and zone not in zones.usable(known):
        raise errors.BadRequest(f"The requested availability zone is not available: {zone}")
    for name in sorted(hosts):
        if name not in [row["host"] for row in known if zone in ("", row["zone"])]:
            raise errors.BadRequest(f"Compute host {name} could not be found.")
    if len(hosts) > 1:
        raise errors.BadRequest("No valid host was found: a server cannot be on two hosts.")
    return zone or None, next(iter(hosts), None)


def user_data_of(given: dict) -> str | None:
    """:raises BadRequest: it is not base64"""
    text = given.get("user_data")
    if text:
        try:
            base64.b64decode("".join(text.split()), validate=True)  # some tools wrap the text
        except ValueError:
            raise errors.BadRequest("Invalid input for field/attribute user_data. It is not valid base64.") from None
    return text


def address(text: str | None, version: int) -> str | None:
    """An access address in canonical form (RFC 5952), or None. :raises BadRequest: it is invalid"""
    if not text:
        return None
    return str(values.ip_address(text, f"field/attribute accessIPv{version}", version=version))


def _counts(given: dict) -> tuple[int, int]:
    low = int(given.get("min_count", 1))
    high = int(given.get("max_count", low))
    if low > high:
        raise errors.BadRequest("min_count must be <= max_count")
    return low, high


def _bounded(connection, call: Call, flavor: dict, low: int, high: int) -> int:
    """``high``, or the number that the quota allows, determined before anything is created for each server.

    :raises QuotaExceeded: there is no room for ``low``
    :raises BadRequest: the quota is unlimited, and the number exceeds that for one request
    """
    known = quotas.Servers(connection, call.svc.quota_defaults, call.ctx.project_id, call.ctx.user_id)
    room = known.room(flavor)
    if room is not None and room < low:
        known.check(low, flavor)
    high = high if room is None else min(high, max(room, low))
    if high > MAX_PER_REQUEST:
        raise errors.BadRequest(f"At most {MAX_PER_REQUEST} servers can be created at once.")
    return high


def create(call: Call, body: dict) -> tuple[list[dict], str, bool]:
    """Create the servers of a request.

    :returns: (instance rows, admin password, whether the client wants a reservation id)
    :raises BadRequest, Forbidden, Conflict, QuotaExceeded, ServiceUnavailable: nothing was written
    """
    _BODY(body)
    given = body["server"]
    _check_policy(call, given)
    microversions.check_names(call, given, SINCE, UNTIL)
    microversions.check_host_name(call, given)
    low, high = _counts(given)
    if given.get("hostname") and high > 1:
        raise errors.BadRequest("Unable to allocate a single hostname to multiple instances")
    with call.svc.db.reader() as connection:
        try:
            flavor = flavors.get(connection, last_segment(str(given["flavorRef"])), access.scope(call))
        except errors.NotFound as error:
            raise errors.BadRequest(str(error)) from None
        key = key_of(connection, call, given.get("key_name"))
        if high > 1:
            high = _bounded(connection, call, flavor, low, high)
    asked = given.get("block_device_mapping_v2", [])
    mapping = devices.parse(call, asked, bool(given.get("imageRef")), high)
    image = _image(call, given, flavor, mapping)
    if "block_device_mapping" in image.get("properties", {}):  # of a server that boots from a volume: so does this
        mapping, image = devices.parse(call, [*devices.of_image(image), *asked], True, high), {}
    if mapping:  # new volumes are created before the transaction that checks the quota
        with call.svc.db.reader() as connection:
            quotas.Servers(connection, call.svc.quota_defaults, call.ctx.project_id, call.ctx.user_id).check(low, flavor)
    chosen = networks.chosen(call, given, _counts(given)[1])
    template = _template(call, body, flavor, key, image, chosen.requested, _groups(call, given, chosen))
    devices.choose_prefixes(mapping, guest_hardware.of_server(template))
    names = [given["name"].strip() if high == 1 else f"{given['name'].strip()}-{i + 1}" for i in range(high)]
    volumes, password = devices.make_volumes(call, mapping, len(names)), new_password(given)
    try:
        made = call.svc.db.transact(_insert, call, template, names, low, flavor, volumes, password)
    except Exception:
        devices.drop_volumes(call, volumes)
        raise
    devices.drop_volumes(call, volumes[len(made):])
    call.svc.send(call.svc.scheduler.build, call.ctx, [request_spec(r) for r in made])
    reservation = wsgi.bool_value(given.get("return_reservation_id", False))
    return made, password, reservation


def new_password(given: dict) -> str:
    """The password that a request asks for, else a random one."""
    return given.get("adminPass") or secrets.token_urlsafe(9)


def _check_policy(call: Call, given: dict) -> None:
    """:raises Forbidden: a rule refuses a part of the request"""
    asked = {"availability_zone": given.get("availability_zone"), **access.own(call)}
    call.svc.policy.check(call.ctx, "os_compute_api:servers:create", asked)
    if given.get("block_device_mapping_v2"):
        call.svc.policy.check(call.ctx, "os_compute_api:servers:create:attach_volume", asked)
    if given.get("networks") not in (None, [], "none"):
        call.svc.policy.check(call.ctx, "os_compute_api:servers:create:attach_network", asked)


def key_of(connection, call: Call, name: str | None) -> dict:
    """{"name", "public_key"} of the caller's key pair; both None without a name. :raises BadRequest: there is none"""
    if not name:
        return {"name": None, "public_key": None}
    table = models.key_pairs
    row = rows.one(connection, sa.select(table).where(table.c.user_id == call.ctx.user_id, table.c.name == name))
    if row is None:
        raise errors.BadRequest(f"Invalid key_name provided. The user has no key pair {name}.")
    return row


def _template(call: Call, body, flavor, key, image, wanted, groups) -> dict:
    given, at = body["server"], db.now()
    zone, host = _place(call, given)
    asked = hints.of(call, body)
    kept = {k: flavor[k] for k in ("id", "name", "ram", "disk", "vcpus", "ephemeral", "swap", "extra_specs")}
    hardware = guest_hardware.of(flavor["vcpus"], flavor["ram"], flavor["extra_specs"], image.get("properties", {}))
    disks = given.get("block_device_mapping_v2", [])
    prefix = disk_names.root_prefix(disks, hardware)
    kept["local_disks"] = local_disks.of(flavor, disks, root=bool(image), prefix=prefix, hardware=hardware,
                                         most=call.svc.conf.compute.max_local_block_devices)
    return {
        "project_id": call.ctx.project_id, "user_id": call.ctx.user_id, "description": given.get("description"),
        "hostname": given.get("hostname"),
        "image_ref": image.get("id"), "flavor": kept, "vcpus": flavor["vcpus"], "memory_mb": flavor["ram"],
        "disk_gb": local_disks.host_disk_gb(flavor, root=bool(image)), "vm_state": server_states.BUILDING,
        "rescue_image": None, "locked_reason": None, "requested_host": host,
        "task_state": server_states.SCHEDULING, "power_state": server_states.NOSTATE, "host": None, "availability_zone": zone,
        "pinned_availability_zone": zone,
        "key_name": key["name"], "key_data": key["public_key"], "user_data": user_data_of(given),
        "config_drive": wsgi.bool_value(given.get("config_drive", False)) or (
            image.get("properties", {}).get("img_config_drive") == "mandatory"), "metadata": given.get("metadata", {}),
        "injected_files": personality.of(given) or None,
        "image_meta": image, "security_groups": groups, "network_info": [], "tags": given.get("tags", []),
        "requested_networks": wanted, "scheduler_hints": asked, "attempt": 0,
        "server_group_id": asked.get("group"), "tried_hosts": [], "fault": None, "locked": False,
        "root_device_name": f"{prefix}a", "access_ip_v4": address(given.get("accessIPv4"), 4),
        "access_ip_v6": address(given.get("accessIPv6"), 6), "disk_config": given.get("OS-DCF:diskConfig", "MANUAL"),
        "reservation_id": f"r-{secrets.token_hex(4)}", "request_id": call.ctx.request_id, "launched_at": None,
        "created_at": at, "updated_at": at}


def _insert(connection, call: Call, template: dict, names: list[str], low: int, flavor: dict, volumes: list[list[dict]],
            password: str):
    """Check the quota and insert the rows, in one transaction: as many as the quota allows, at least ``low``."""
    count, limit = quotas.check_servers(connection, call.svc.quota_defaults, call.ctx.project_id, call.ctx.user_id, low,
                                        len(names), flavor)
    if 0 <= limit["metadata_items"] < len(template["metadata"]):
        raise errors.QuotaExceeded(resource="metadata_items", requested=len(template["metadata"]), used=0,
                                   limit=limit["metadata_items"])
    if template["injected_files"]:
        personality.check(quotas.limits(connection, call.ctx.project_id, quotas.INJECTION, user_id=call.ctx.user_id),
                          template["injected_files"])
    if template["server_group_id"]:
        _check_group(connection, call, template["server_group_id"], count, limit["server_group_members"])
    made = [{**template, "uuid": context.new_uuid(), "display_name": name, "hostname": template["hostname"] or hostname_of(name),
             "launch_index": i} for i, name in enumerate(names[:count])]
    connection.execute(sa.insert(TABLE), made)
    actions.start_new(connection, call.ctx, [r["uuid"] for r in made], "create")
    if server_secrets.are_injected(call.svc.conf, template):
        server_secrets.put_password(connection, call.svc.vault, [r["uuid"] for r in made], password)
    for row, mapping in zip(made, volumes):
        row["block_devices"] = devices.insert(connection, row, mapping)
    return made


def _check_group(connection, call: Call, group_id: str, count: int, limit: int) -> None:
    table = models.server_groups
    found = rows.one(connection, sa.select(table.c.id).where(table.c.id == group_id,
                                                             table.c.project_id == call.ctx.project_id))
    if found is None:
        raise errors.BadRequest(f"Server group {group_id} could not be found.")
    members = connection.execute(sa.select(sa.func.count()).where(TABLE.c.server_group_id == group_id)).scalar() or 0
    if 0 <= limit < members + count:
        raise errors.Forbidden(f"Quota exceeded, too many servers in group {group_id}: it has {members} of {limit}.")
