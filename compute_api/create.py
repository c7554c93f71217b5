"""Creation of servers: validate everything, then quota and rows in one transaction, then the scheduler.

Nothing is written before all that can be refused has been; after the
transaction nothing can be lost: without a scheduler the rows stay
BUILD/scheduling and the conductor asks for them.
"""

import base64
import re
import secrets

import sqlalchemy as sa

from common import context, db, errors, rows, schema, values, wsgi
from common.rest import last_segment, path
from compute_api import devices, microversions
from conductor.db import actions, flavors, models, quotas
from scheduler.rpcapi import request_spec

TABLE = models.instances
_ID = {"oneOf": [schema.UUID, {"type": "null"}]}
_NETWORK = schema.obj({"uuid": _ID, "tag": {"type": "string", "maxLength": 60}, "port": _ID,
                       "fixed_ip": {"type": ["string", "null"], "format": "ip-address"}})
HOST = {"type": "string", "minLength": 1, "maxLength": 255}
# Signatures of images are not checked here: who asks for that must hear it, so only "none" is taken.
CERTIFICATES = {"type": "null"}
_COUNT = schema.integer(1)
MOST_AT_ONCE = 1000
_SERVER_IDS = {"oneOf": [schema.UUID, {"type": "array", "maxItems": 100, "items": schema.UUID}]}
_HINT = {"type": "string", "maxLength": 255}
# A scheduler of the operator's own may read others: they are texts, or lists of texts.
HINTS = {"type": "object", "maxProperties": 32, "properties": {
    "group": schema.UUID, "same_host": _SERVER_IDS, "different_host": _SERVER_IDS,
    "query": {"type": ["string", "object", "array"], "maxLength": 1000},
    "build_near_host_ip": {"type": "string", "format": "ip-address"}, "cidr": {"type": "string", "pattern": "/[0-9a-f.:]{1,45}"},
    "hosts": {"type": "array", "maxItems": 100, "items": _HINT}},
    "additionalProperties": {"anyOf": [_HINT, {"type": "array", "maxItems": 100, "items": _HINT}]}}
_SERVER = {
    "name": schema.NAME, "imageRef": {"type": ["string"], "maxLength": 255},
    "flavorRef": {"type": ["string", "integer"], "minLength": 1, "maxLength": 255},
    "adminPass": {"type": "string", "maxLength": 255}, "metadata": schema.METADATA,
    "networks": {"oneOf": [{"type": "array", "maxItems": 16, "items": _NETWORK}, {"enum": ["auto", "none"]}]},
    "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]}, "accessIPv4": {"type": ["string", "null"]},
    "accessIPv6": {"type": ["string", "null"]}, "host": HOST, "hypervisor_hostname": HOST,
    "trusted_image_certificates": CERTIFICATES, "personality": {"type": "array", "maxItems": 0},
    "key_name": {"type": ["string", "null"], "maxLength": 255}, "config_drive": schema.BOOLEAN,
    "user_data": {"type": ["string", "null"], "maxLength": 65535}, "min_count": _COUNT, "max_count": _COUNT,
    "return_reservation_id": schema.BOOLEAN, "availability_zone": schema.TEXT,
    "security_groups": {"type": "array", "maxItems": 50, "items": {"type": "object", "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 255}}, "additionalProperties": False}},
    "block_device_mapping_v2": devices.SCHEMA, "os:scheduler_hints": HINTS,
    "OS-SCH-HNT:scheduler_hints": HINTS, "description": schema.TEXT,
    "tags": {"type": "array", "maxItems": 50, "uniqueItems": True, "items": {
        "type": "string", "minLength": 1, "maxLength": 60, "pattern": "[^,/]+"}}}
_BODY = schema.compiled(schema.obj({
    "server": schema.obj(_SERVER, ["name", "flavorRef"]), "os:scheduler_hints": HINTS,
    "OS-SCH-HNT:scheduler_hints": HINTS}, ["server"]))
SINCE = {"description": (2, 19), "tags": (2, 52), "trusted_image_certificates": (2, 63), "host": (2, 74),
         "hypervisor_hostname": (2, 74)}
UNTIL = {"personality": (2, 56)}


def hostname_of(name: str) -> str:
    """A server's name as a host name: letters, digits, hyphens; at most 63 (RFC 1123)."""
    cleaned = re.sub(r"[^a-z0-9-]+", "-", name.lower().replace(".", "-").replace("_", "-")).strip("-")
    return cleaned[:63].strip("-") or "server"


def _image(req, given: dict, flavor: dict, mapping: list[dict]) -> dict:
    """The image to boot, checked against the flavor; {} for a server that boots from a volume."""
    ref = given.get("imageRef")
    if any(d["boot_index"] == 0 for d in mapping):
        return {}  # what is booted is the volume, whatever image is named beside it
    if not ref:
        if not any(d["boot_index"] == 0 for d in mapping):
            raise errors.BadRequest("Block Device Mapping is Invalid: Boot sequence for the instance and image/block "
                                    "device mapping combination is not valid.")
        return {}
    return image_of(req, ref, flavor)


def image_of(req, ref: str, flavor: dict) -> dict:
    """What a server keeps of the image that it is built from.

    :raises BadRequest: it is not there, not active, or does not fit the flavor
    """
    ref = last_segment(ref)
    try:
        image = req.svc.rest.request("GET", "image", path("/v2/images/{id}", ref), ctx=req.ctx)
    except errors.NotFound:
        raise errors.BadRequest(f"Can not find requested image {ref}.") from None
    if image["status"] != "active":
        raise errors.BadRequest(f"Image {ref} is not active.")
    if flavor["ram"] < image["min_ram"]:
        raise errors.BadRequest("Flavor's memory is too small for requested image.")
    size_gb = -(-(image.get("virtual_size") or image["size"] or 0) // (1 << 30))
    if flavor["disk"] and flavor["disk"] < max(image["min_disk"], size_gb):
        raise errors.BadRequest(f"Flavor's disk is too small for requested image. Flavor disk is {flavor['disk']} GB, "
                                f"the image needs {max(image['min_disk'], size_gb)} GB.")
    if image["disk_format"] not in ("raw", "qcow2", "ami", "iso"):
        raise errors.BadRequest(f"Servers cannot boot images of disk format {image['disk_format']}.")
    fixed = {"id", "name", "status", "disk_format", "container_format", "size", "virtual_size", "min_disk", "min_ram",
             "checksum", "os_hash_algo", "os_hash_value", "visibility", "protected", "os_hidden", "owner", "created_at",
             "updated_at", "self", "file", "schema", "tags", "stores", "locations", "direct_url"}
    return {**{k: image.get(k) for k in ("id", "disk_format", "container_format", "size", "virtual_size", "checksum",
                                         "os_hash_algo", "os_hash_value", "min_disk", "min_ram")},
            # os_glance_*: how the image's own import went.
            "properties": {k: v for k, v in image.items() if k not in fixed and not k.startswith("os_glance_")}}


def _networks(req, given: dict) -> list[dict] | str:
    """The networks to build ports on, or "none". Ports and networks must exist, and be the caller's to use."""
    wanted = given.get("networks")
    if wanted is None and req.version >= (2, 37):
        raise errors.BadRequest("Invalid input for field/attribute server. 'networks' is a required property")
    if isinstance(wanted, str) and req.version < (2, 37):
        raise errors.BadRequest("Invalid input for field/attribute networks.")
    if wanted == "none":
        return "none"
    if wanted in (None, "auto", []):
        return _default_networks(req)
    found = []
    for item in wanted:
        if item.get("port"):
            port = req.svc.rest.request("GET", "network", path("/v2.0/ports/{id}", item["port"]), ctx=req.ctx)["port"]
            if port["device_id"]:
                raise errors.Conflict(f"Port {port['id']} is still in use.")
            if not port["fixed_ips"]:
                raise errors.BadRequest(f"Port {port['id']} requires a FixedIP in order to be used.")
            found.append({"port": port["id"], "uuid": port["network_id"], "tag": item.get("tag")})
        elif item.get("uuid"):
            found.append({"uuid": item["uuid"], "fixed_ip": item.get("fixed_ip"), "tag": item.get("tag")})
        else:
            raise errors.BadRequest("Bad networks format: network uuid is not in proper format (None)")
    _check_networks(req, found)
    return found


def _check_networks(req, found: list[dict]) -> None:
    ids = {n["uuid"] for n in found if "port" not in n}
    if not ids:
        return
    known = {n["id"]: n for n in req.svc.rest.request("GET", "network", path("/v2.0/networks", query={"id": sorted(ids)}),
                                                      ctx=req.ctx)["networks"]}
    for network_id in ids:
        if network_id not in known:
            raise errors.BadRequest(f"Network {network_id} could not be found.")
        network = known[network_id]
        if network["router:external"] and not network["shared"] and not req.ctx.is_admin:
            raise errors.Forbidden(f"It is not allowed to create an interface on external network {network_id}")


def _default_networks(req) -> list[dict]:
    """Without a choice: the only network there is; several must be chosen from."""
    found = req.svc.rest.request("GET", "network", path("/v2.0/networks", query={
        "router:external": False, "admin_state_up": True}),
                                 ctx=req.ctx)["networks"]
    usable = [n for n in found if n["project_id"] == req.ctx.project_id] or [n for n in found if n["shared"]]
    if len(usable) > 1:
        raise errors.Conflict("Multiple possible networks found, use a Network ID to be more specific.")
    if not usable and req.version >= (2, 37):
        raise errors.BadRequest("There is no network for this project, and none can be made automatically.")
    return [{"uuid": n["id"], "fixed_ip": None, "tag": None} for n in usable]


def _groups(req, given: dict) -> list[dict]:
    """[{"id", "name"}] of the groups named. Without any it is the project's default, which the network service knows: its
    id is left empty."""
    names = [g["name"] for g in given.get("security_groups", []) if g.get("name")]
    if not names or names == ["default"]:
        return [{"id": "", "name": "default"}]
    known = req.svc.rest.request("GET", "network", path("/v2.0/security-groups", query={
        "project_id": req.ctx.project_id}),
                                 ctx=req.ctx)["security_groups"]
    found = []
    for name in dict.fromkeys(names):
        matches = [g for g in known if name in (g["id"], g["name"])]
        if not matches:
            raise errors.BadRequest(f"Security group {name} not found for project {req.ctx.project_id}.")
        if len(matches) > 1 and name not in [g["id"] for g in matches]:
            raise errors.Conflict(f"Multiple security groups found matching '{name}'. Use an ID to be more specific.")
        found.append({"id": matches[0]["id"], "name": matches[0]["name"]})
    return found


def _place(req, given: dict) -> tuple[str | None, str | None]:
    """The zone and the host asked for, or None. Hosts are for admins, by name or as ``zone:host``.

    :raises BadRequest: there is no such zone, or no such host in it
    """
    zone, _, host = (given.get("availability_zone") or "").partition(":")
    hosts = {h for h in (host, given.get("host"), given.get("hypervisor_hostname")) if h}
    if hosts:
        req.svc.policy.check(req.ctx, "servers:create:host", {"project_id": req.ctx.project_id})
    if not (zone or hosts):
        return None, None
    s = models.services
    with req.svc.db.reader() as connection:
        known = connection.execute(sa.select(s.c.zone, s.c.host).where(s.c.binary == "nova-compute")).all()
    if zone and zone not in [z for z, _ in known]:
        raise errors.BadRequest("The requested availability zone is not available")
    for name in sorted(hosts):
        if name not in [h for z, h in known if zone in ("", z)]:
            raise errors.BadRequest(f"Compute host {name} could not be found.")
    if len(hosts) > 1:
        raise errors.BadRequest("No valid host was found: a server cannot be on two hosts.")
    return zone or None, next(iter(hosts), None)


def user_data_of(given: dict) -> str | None:
    """:raises BadRequest: it is not base64"""
    text = given.get("user_data")
    if text:
        try:
            base64.b64decode(text, validate=True)
        except ValueError:
            raise errors.BadRequest("Invalid input for field/attribute user_data. It is not valid base64.") from None
    return text


def address(text: str | None, version: int) -> str | None:
    """An access address in its usual form (RFC 5952), or None; BadRequest for anything else."""
    if not text:
        return None
    return str(values.ip_address(text, f"field/attribute accessIPv{version}", version=version))


def _counts(given: dict) -> tuple[int, int]:
    low = int(given.get("min_count", 1))
    high = int(given.get("max_count", low))
    if low > high:
        raise errors.BadRequest("min_count must be <= max_count")
    return low, high


def _bounded(connection, req, flavor: dict, low: int, high: int) -> int:
    """``high``, or as many as the quota has room for, before anything is made that many times.

    :raises QuotaExceeded: there is no room for ``low``
    :raises BadRequest: without a quota, more than one request may ask for
    """
    room = quotas.room(connection, req.svc.quota_defaults, req.ctx.project_id, flavor)
    if room is not None and room < low:
        quotas.check_servers(connection, req.svc.quota_defaults, req.ctx.project_id, low, flavor)
    high = high if room is None else min(high, max(room, low))
    if high > MOST_AT_ONCE:
        raise errors.BadRequest(f"At most {MOST_AT_ONCE} servers can be created at once.")
    return high


def _hints(req, body: dict) -> dict:
    given = body["server"]
    for holder in (body, given):
        for name in ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"):
            if name in holder:
                return holder[name]
    return {}


def create(req) -> tuple[list[dict], str, bool]:
    """Make the servers that a request asks for.

    :returns: (instance rows, admin password, whether the client wants a reservation id)
    :raises BadRequest, Forbidden, Conflict, QuotaExceeded, ServiceUnavailable: nothing was written
    """
    req.svc.policy.check(req.ctx, "servers:create", {"project_id": req.ctx.project_id})
    body = req.json_object()
    _BODY(body)
    given = body["server"]
    microversions.check_names(req, given, SINCE, UNTIL)
    low, high = _counts(given)
    with req.svc.db.reader() as connection:
        try:
            flavor = flavors.get(connection, req.ctx, last_segment(str(given["flavorRef"])))
        except errors.NotFound as error:
            raise errors.BadRequest(str(error)) from None
        key = key_of(connection, req, given.get("key_name"))
        high = _bounded(connection, req, flavor, low, high)
    asked = given.get("block_device_mapping_v2", [])
    mapping = devices.parse(req, asked, bool(given.get("imageRef")), high)
    image = _image(req, given, flavor, mapping)
    if "block_device_mapping" in image.get("properties", {}):  # of a server that booted from a volume: so does this one
        mapping, image = devices.parse(req, [*devices.of_image(image), *asked], True, high), {}
    networks = _networks(req, given)
    template = _template(req, body, flavor, key, image, networks, _groups(req, given))
    names = [given["name"].strip() if high == 1 else f"{given['name'].strip()}-{i + 1}" for i in range(high)]
    volumes = devices.make_volumes(req, mapping, len(names))
    try:
        made = req.svc.db.transact(_insert, req, template, names, low, flavor, volumes)
    except Exception:
        devices.drop_volumes(req, volumes)
        raise
    devices.drop_volumes(req, volumes[len(made):])
    req.svc.send(req.svc.scheduler.build, req.ctx, [request_spec(r) for r in made])
    reservation = wsgi.bool_value(given.get("return_reservation_id", False))
    return made, given.get("adminPass") or secrets.token_urlsafe(9), reservation


def key_of(connection, req, name: str | None) -> dict:
    """{"name", "public_key"} of the caller's key pair; both None without a name. :raises BadRequest: there is none"""
    if not name:
        return {"name": None, "public_key": None}
    table = models.key_pairs
    row = rows.one(connection, sa.select(table).where(table.c.user_id == req.ctx.user_id, table.c.name == name))
    if row is None:
        raise errors.BadRequest("Invalid key_name provided.")
    return row


def _template(req, body, flavor, key, image, networks, groups) -> dict:
    given, at = body["server"], db.now()
    zone, host = _place(req, given)
    hints = _hints(req, body)
    kept = {k: flavor[k] for k in ("id", "name", "ram", "disk", "vcpus", "ephemeral", "swap", "extra_specs")}
    return {
        "project_id": req.ctx.project_id, "user_id": req.ctx.user_id, "description": given.get("description"),
        "image_ref": image.get("id"), "flavor": kept, "vcpus": flavor["vcpus"], "memory_mb": flavor["ram"],
        "disk_gb": (flavor["disk"] if image else 0) + flavor["ephemeral"], "vm_state": "building",
        "rescue_image": None, "locked_reason": None, "requested_host": host,
        "task_state": "scheduling", "power_state": 0, "host": None, "availability_zone": zone,
        "key_name": key["name"], "key_data": key["public_key"], "user_data": user_data_of(given),
        "config_drive": wsgi.bool_value(given.get("config_drive", False)), "metadata": given.get("metadata", {}),
        "image_meta": image, "security_groups": groups, "network_info": [], "tags": given.get("tags", []),
        "requested_networks": [] if networks == "none" else networks, "scheduler_hints": hints,
        "server_group_id": hints.get("group"), "tried_hosts": [], "fault": None, "locked": False,
        "root_device_name": "/dev/vda", "access_ip_v4": address(given.get("accessIPv4"), 4),
        "access_ip_v6": address(given.get("accessIPv6"), 6), "disk_config": given.get("OS-DCF:diskConfig", "MANUAL"),
        "reservation_id": f"r-{secrets.token_hex(4)}", "request_id": req.ctx.request_id, "launched_at": None,
        "created_at": at, "updated_at": at}


def _insert(connection, req, template: dict, names: list[str], low: int, flavor: dict, volumes: list[list[dict]]):
    """Quota and rows in one transaction. With min_count below max_count, as many as fit."""
    room = quotas.room(connection, req.svc.quota_defaults, req.ctx.project_id, flavor)
    count = len(names) if room is None else max(low, min(len(names), room))
    limit = quotas.check_servers(connection, req.svc.quota_defaults, req.ctx.project_id, count, flavor)
    if 0 <= limit["metadata_items"] < len(template["metadata"]):
        raise errors.QuotaExceeded(resource="metadata_items", requested=len(template["metadata"]), used=0,
                                   limit=limit["metadata_items"])
    if template["server_group_id"]:
        _check_group(connection, req, template["server_group_id"], count, limit["server_group_members"])
    made = [{**template, "uuid": context.new_uuid(), "display_name": name, "hostname": hostname_of(name),
             "launch_index": i} for i, name in enumerate(names[:count])]
    connection.execute(sa.insert(TABLE), made)
    actions.start_new(connection, req.ctx, [r["uuid"] for r in made], "create")
    for row, mapping in zip(made, volumes):
        row["block_devices"] = devices.insert(connection, row["uuid"], mapping)
    return made


def _check_group(connection, req, group_id: str, count: int, limit: int) -> None:
    table = models.server_groups
    found = connection.execute(sa.select(table.c.id).where(table.c.id == group_id,
                                                           table.c.project_id == req.ctx.project_id)).first()
    if found is None:
        raise errors.BadRequest(f"Server group {group_id} could not be found.")
    members = connection.execute(sa.select(sa.func.count()).where(TABLE.c.server_group_id == group_id)).scalar() or 0
    if 0 <= limit < members + count:
        raise errors.Forbidden("Quota exceeded, too many servers in group")
