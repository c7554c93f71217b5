"""The compute API: servers and what belongs to them; the old routes to networks are those of the network service."""

import json

from common.periodic import wait_for
from compute_api import router
from compute_api.schemas import actions
from tests.tenancy import network, schemas
from tests.tenancy.frame import REFUSED, Asker, Ids, Key, Raw, Reference, Service, key, writes

NOWHERE = network.NOWHERE
VERSION = "compute 2.104"
AS_OLD = "compute 2.35"
FLAVOR = "42"


def _get(who: Asker, service: str, path: str, version: str = VERSION) -> dict:
    status, text = who(service, "GET", path, version=version if service == "compute" else "")
    assert status < 300, (path, status, text)
    return json.loads(text)


def public_image(who: Asker) -> str:
    return _get(who, "image", "/v2/images?visibility=public")["images"][0]["id"]


def private_image(who: Asker, mark: str) -> str:
    made = who.made("image", "/v2/images", {"name": mark + "image", "disk_format": "raw", "container_format": "bare",
                                                "k": "v"})["id"]
    status, text = who("image", "PUT", f"/v2/images/{made}/file", Raw(b"\0" * 4096))
    assert status == 204, text
    return made


def new_volume(who: Asker, name: str, **more) -> str:
    made = who.made("volume", "/v3/volumes", {"volume": {"name": name, "size": 1, **more}})["id"]
    wait_for(lambda: _get(who, "volume", f"/v3/volumes/{made}")["volume"]["status"] == "available", 20, what="a volume")
    return made


def new_server(who: Asker, name: str, **more) -> str:
    body = {"name": name, "flavorRef": FLAVOR, "imageRef": public_image(who), **more}
    made = who.made("compute", "/v2.1/servers", {"server": body}, version=VERSION)["id"]
    wait_for(lambda: _get(who, "compute", f"/v2.1/servers/{made}")["server"]["status"] == "ACTIVE", 30, what="a server")
    return made


_CONSOLE = {"remote_console": {"protocol": "serial", "type": "serial"}}


def make(who: Asker, mark: str) -> Ids:
    net = who.made("network", "/v2.0/networks", {"network": {"name": mark + "lan"}})["id"]
    subnet = who.made("network", "/v2.0/subnets", {"subnet": {"network_id": net, "cidr": "10.81.0.0/24", "name": mark + "lan"}})
    group = who.made("network", "/v2.0/security-groups", {"security_group": {"name": mark + "rules"}})["id"]
    rule = who.made("network", "/v2.0/security-group-rules", {"security_group_rule": {
        "security_group_id": group, "direction": "ingress"}})["id"]
    port = who.made("network", "/v2.0/ports", {"port": {"network_id": net, "name": mark + "spare"}})
    pair = {"name": mark + "key", "type": "ssh", "public_key": KEY}
    who.made("compute", "/v2.1/os-keypairs", {"keypair": pair}, version=VERSION)
    together = who.made("compute", "/v2.1/os-server-groups", {"server_group": {"name": mark + "together", "policy": "affinity"}},
                        version=VERSION)["id"]
    server = new_server(who, mark + "server", networks=[{"uuid": net}], metadata={"k": "v"}, tags=["t"], key_name=mark + "key",
                        security_groups=[{"name": mark + "rules"}])
    volume = new_volume(who, mark + "disk")
    status, text = who("compute", "POST", f"/v2.1/servers/{server}/os-volume_attachments", {
        "volumeAttachment": {"volumeId": volume}}, version=VERSION)
    assert status == 202, text
    history = _get(who, "compute", f"/v2.1/servers/{server}/os-instance-actions")["instanceActions"]
    (nic,) = _get(who, "compute", f"/v2.1/servers/{server}/os-interface")["interfaceAttachments"]
    external = _get(who, "network", "/v2.0/networks?router:external=True")["networks"][0]["id"]
    floating = who.made("network", "/v2.0/floatingips", {"floatingip": {"floating_network_id": external}})
    kept = new_volume(who, mark + "kept")
    taken = who.made("volume", "/v3/snapshots", {"snapshot": {"volume_id": kept, "name": mark + "snapshot"}})["id"]
    wait_for(lambda: _get(who, "volume", f"/v3/snapshots/{taken}")["snapshot"]["status"] == "available", 20, what="a snapshot")
    image = private_image(who, mark)
    status, text = who("compute", "POST", f"/v2.1/servers/{server}/remote-consoles", _CONSOLE, version=VERSION)
    assert status == 200, text
    return {
        "token": json.loads(text)["remote_console"]["url"].rpartition("token=")[2],
        "os-volumes": kept, "os-snapshots": taken, "images": image, "os-networks": net, "os-tenant-networks": net,
        "project_id": who.project_id, "servers": server, "label": mark + "lan", "servers/key": "k", "metadata/key": "k",
        "tag": "t", "migration_id": "1", "volume_id": volume, "port_id": nic["port_id"],
        "request_id": history[0]["request_id"], "flavors": FLAVOR,
        "os-extra_specs/key": "k", "name": mark + "key", "os-services": NOWHERE, "os-hypervisors": NOWHERE, "os-hosts": "nowhere",
        "os-aggregates": "0",
        "target": who.project_id, "os-quota-class-sets": mark + "class", "os-server-groups": together,
        "os-floating-ips": floating["id"], "os-security-groups": group,
        "os-security-group-rules": rule, "network": net, "subnet": subnet["id"], "port": port["id"],
        "address": floating["floating_ip_address"], "image": image, "spare": new_volume(who, mark + "spare"),
        "group_name": mark + "rules", "user": who.user_id, "alias": "os-consoles",
        "before": "2001-01-01%2000:00:00"}


KEY = ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDbl0eYFOt3CN8Tkd1dRgn4pnmwdmqmRhpX+dJRWMi7yVzZLfZgQ2JMkcqBJNnr1sn1yVfZk6rkK"
       "EGwOTCcHWWjVbPiFAY1ALG1NTi3yKdBQwIJ5jE4Xb5c8DUpm9ARHkvDXVMtHEYaBnWrTnGc0YVMD3zKrqDXYU7qB8SbtFYxGw== a@b")
# What each action is sent with; nothing where its schema asks for nothing.
_ARGUMENTS: dict = {
    "evacuate": {}, "changePassword": {"adminPass": "x"}, "trigger_crash_dump": None, "injectNetworkInfo": None,
    "reboot": {"type": "HARD"}, "addSecurityGroup": {"name": "default"}, "removeSecurityGroup": {"name": "default"},
    "addFloatingIp": {"address": "172.24.4.9"}, "removeFloatingIp": {"address": "172.24.4.9"},
    "addFixedIp": {"networkId": NOWHERE}, "removeFixedIp": {"address": "10.81.0.9"},
    "createBackup": {"name": "b", "backup_type": "daily", "rotation": 1}, "createImage": {"name": "i"},
    "rebuild": {"imageRef": NOWHERE}, "os-resetState": {"state": "error"}, "os-getConsoleOutput": {}, "lock": {}, "unlock": None,
    "os-getVNCConsole": {"type": "novnc"}, "os-getSPICEConsole": {"type": "spice-html5"},
    "os-getSerialConsole": {"type": "serial"},
    "migrate": None, "os-migrateLive": {"host": None, "block_migration": "auto"},
    "resize": {"flavorRef": "3"}, "rescue": None, "forceDelete": None, "restore": None, "unshelve": None}
ACTIONS = [{name: None if schema is actions.NOTHING else _ARGUMENTS[name]} for name, schema in actions.SCHEMAS.items()]
_META = {"metadata": {"k": "taken"}}
_BODIES: dict = {
    ("PUT", "/servers/{id}"): {"server": {"name": "taken"}}, ("POST", "/servers/{id}/action"): ACTIONS,
    ("POST", "/servers/{id}/remote-consoles"): _CONSOLE,
    ("POST", "/servers/{id}/migrations/{migration_id}/action"): {"force_complete": None},
    ("POST", "/servers/{id}/metadata"): _META, ("PUT", "/servers/{id}/metadata"): _META,
    ("PUT", "/servers/{id}/metadata/{key}"): {"meta": {"k": "taken"}}, ("PUT", "/servers/{id}/tags"): {"tags": ["x"]},
    ("PUT", "/servers/{id}/tags/{tag}"): {}, ("POST", "/servers/{id}/os-interface"): {"interfaceAttachment": {}},
    ("POST", "/images/{id}/metadata"): _META, ("PUT", "/images/{id}/metadata"): _META,
    ("PUT", "/images/{id}/metadata/{key}"): {"meta": {"k": "taken"}},
    ("PUT", "/flavors/{id}"): {"flavor": {"description": "taken"}},
    ("POST", "/flavors/{id}/action"): {"addTenantAccess": {"tenant": "x"}},
    ("POST", "/flavors/{id}/os-extra_specs"): {"extra_specs": {"k": "v"}},
    ("PUT", "/flavors/{id}/os-extra_specs/{key}"): {"k": "v"}, ("PUT", "/os-services/{id}"): {"status": "disabled"},
    ("PUT", "/os-hosts/{id}"): {"status": "disable"},
    ("PUT", "/os-aggregates/{id}"): {"aggregate": {"name": "taken"}},
    ("POST", "/os-aggregates/{id}/action"): [
        {"add_host": {"host": "nowhere"}}, {"remove_host": {"host": "nowhere"}}, {"set_metadata": {"metadata": {"k": "taken"}}}],
    ("POST", "/os-aggregates/{id}/images"): {"cache": [{"id": NOWHERE}]},
    ("PUT", "/os-quota-sets/{target}"): {"quota_set": {"cores": 1}},
    ("PUT", "/os-quota-class-sets/{id}"): {"quota_class_set": {"cores": 1}},
    ("PUT", "/os-security-groups/{id}"): {"security_group": {"name": "taken", "description": ""}}}
BODIES: dict[Key, object] = {k: lambda ids, body=body: body for k, body in _BODIES.items()}
BODIES.update({
    ("POST", "/servers/{id}/os-volume_attachments"): lambda ids: {"volumeAttachment": {"volumeId": ids["spare"]}},
    ("PUT", "/servers/{id}/os-volume_attachments/{volume_id}"): lambda ids: {"volumeAttachment": {
        "volumeId": ids["volume_id"], "delete_on_termination": True}}})


def _body(method: str, path: str):
    """The body of a route with or without the project in its path; of one that makes things an empty one."""
    plain = path.removeprefix("/v2.1").removeprefix("/{project_id}")
    return BODIES.get((method, plain)) or (None if "{" in plain else lambda ids: {})


def _server(values, **more) -> Reference:
    """A new server with an id in it. ``values``: (own, theirs) -> attributes."""
    def body(own: Ids, theirs: Ids) -> dict:
        return {"server": {"name": "s", "flavorRef": FLAVOR, "imageRef": own["image"], "networks": "none", **values(own, theirs)}}
    return Reference("POST", "/v2.1/servers", body, **more)


def _action(name: str, arguments, **more) -> Reference:
    return Reference("POST", "/v2.1/servers/{id}/action", lambda own, theirs: {name: arguments(own, theirs)}, **more)


def _post(path: str, body, **more) -> Reference:
    return Reference("POST", "/v2.1" + path, body, **more)


REFERENCES = {
    ("compute_api.create", "server/imageRef"): [_server(lambda own, theirs: {"imageRef": theirs["image"]})],
    ("compute_api.create", "server/networks[]/uuid"): [_server(lambda own, theirs: {"networks": [{"uuid": theirs["network"]}]})],
    ("compute_api.create", "server/networks[]/port"): [_server(lambda own, theirs: {"networks": [{"port": theirs["port"]}]})],
    ("compute_api.create", "server/key_name"): [_server(lambda own, theirs: {"key_name": theirs["name"]})],
    ("compute_api.create", "server/security_groups"): [
        _server(lambda own, theirs, n=name: {"security_groups": [{"name": theirs[n]}], "networks": [{"uuid": own["network"]}]})
        for name in ("group_name", "os-security-groups")],
    ("compute_api.create", "server/block_device_mapping_v2[]/uuid"): [
        _server(lambda own, theirs, k=kind, n=name: {"block_device_mapping_v2": [{
            "boot_index": 0, "source_type": k, "destination_type": "volume", "uuid": theirs[n], "volume_size": 1}]},
            control=False)
        for kind, name in (("volume", "spare"), ("image", "image"), ("snapshot", "spare"))],
    ("compute_api.create", "server/block_device_mapping_v2[]/volume_id"): [_server(lambda own, theirs: {
        "block_device_mapping_v2": [{"volume_id": theirs["spare"], "boot_index": 0}]}, control=False)],
    **{("compute_api.create", f"{where}/group"): [Reference("POST", "/v2.1/servers", lambda own, theirs: {
        "server": {"name": "s", "flavorRef": FLAVOR, "imageRef": own["image"], "networks": "none"},
        "os:scheduler_hints": {"group": theirs["os-server-groups"]}}, control=False)]
       for where in ("OS-SCH-HNT:scheduler_hints", "os:scheduler_hints", "server/OS-SCH-HNT:scheduler_hints",
                     "server/os:scheduler_hints")},
    ("compute_api.handlers.actions", "imageRef"): [_action("rebuild", lambda own, theirs: {"imageRef": theirs["image"]},
                                                           control=False)],
    ("compute_api.handlers.actions", "key_name"): [_action("rebuild", lambda own, theirs: {
        "imageRef": own["image"], "key_name": theirs["name"]}, control=False)],
    ("compute_api.handlers.actions", "rescue_image_ref"): [_action("rescue", lambda own, theirs: {
        "rescue_image_ref": theirs["image"]}, control=False)],
    ("compute_api.handlers.attachments", "volumeAttachment/volumeId"): [
        _post("/servers/{id}/os-volume_attachments", lambda own, theirs: {"volumeAttachment": {"volumeId": theirs["spare"]}})],
    ("compute_api.handlers.interfaces", "interfaceAttachment/net_id"): [
        _post("/servers/{id}/os-interface", lambda own, theirs: {"interfaceAttachment": {"net_id": theirs["network"]}},
              control=False)],
    ("compute_api.handlers.interfaces", "interfaceAttachment/port_id"): [
        _post("/servers/{id}/os-interface", lambda own, theirs: {"interfaceAttachment": {"port_id": theirs["port"]}},
              control=False)],
    ("compute_api.handlers.keypairs", "keypair/user_id"): [_post("/os-keypairs", lambda own, theirs: {"keypair": {
        "name": "k", "type": "ssh", "public_key": KEY, "user_id": theirs["user"]}})],
    ("compute_api.handlers.flavors", "addTenantAccess/tenant"): [_post("/flavors/{id}/action", lambda own, theirs: {
        "addTenantAccess": {"tenant": theirs["project_id"]}}, control=False)],
    ("compute_api.handlers.flavors", "removeTenantAccess/tenant"): [_post("/flavors/{id}/action", lambda own, theirs: {
        "removeTenantAccess": {"tenant": theirs["project_id"]}}, control=False)],
    ("compute_api.handlers.external_events", "events[]/server_uuid"): [_post("/os-server-external-events", lambda own, theirs: {
        "events": [{"name": "network-changed", "server_uuid": theirs["servers"]}]}, control=False)],
    ("compute_api.handlers.volumes", "volume/snapshot_id"): [_post("/os-volumes", lambda own, theirs: {"volume": {
        "size": 1, "snapshot_id": theirs["os-snapshots"]}})],
    ("compute_api.handlers.volumes", "snapshot/volume_id"): [_post("/os-snapshots", lambda own, theirs: {"snapshot": {
        "volume_id": theirs["os-volumes"]}})],
    ("compute_api.handlers.security_groups", "security_group_rule/parent_group_id"): [
        _post("/os-security-group-rules", lambda own, theirs: {"security_group_rule": {
            "parent_group_id": theirs["os-security-groups"], "ip_protocol": "tcp", "from_port": 1, "to_port": 2,
            "cidr": "10.0.0.0/8"}})],
    ("compute_api.handlers.security_groups", "security_group_rule/group_id"): [
        _post("/os-security-group-rules", lambda own, theirs: {"security_group_rule": {
            "parent_group_id": own["os-security-groups"], "ip_protocol": "tcp", "from_port": 3, "to_port": 4,
            "group_id": theirs["os-security-groups"]}})],
}
_SEEN_IN_ACTIONS = [
    _action("addSecurityGroup", lambda own, theirs: {"name": theirs["group_name"]}, control=False),
    _action("addSecurityGroup", lambda own, theirs: {"name": theirs["os-security-groups"]}, control=False)]
REFERENCES[("compute_api.handlers.actions", "imageRef")] += _SEEN_IN_ACTIONS
_PARTS = "its parts are tried"
NO_REFERENCE = {
    ("compute_api.create", "server/networks"): _PARTS, ("compute_api.handlers.security_groups", "security_group"): _PARTS,
    ("compute_api.handlers.server_groups", "server_group"): _PARTS,
    ("compute_api.create", "server/return_reservation_id"): "a choice",
    **{("compute_api.handlers.security_groups", f"security_group_rule/{name}"): "a number" for name in ("from_port", "to_port")},
    ("compute_api.create", "server/flavorRef"): "flavors are everybody's, or admins give access",
    ("compute_api.handlers.actions", "flavorRef"): "flavors are everybody's, or admins give access",
    ("compute_api.create", "server/block_device_mapping_v2[]/volume_type"): "types are everybody's, or admins give access",
    ("compute_api.handlers.volumes", "volume/volume_type"): "types are everybody's, or admins give access",
    **{("compute_api.devices", name): "the same as in compute_api.create" for name in (
        "[]/uuid", "[]/volume_id", "[]/volume_type")},
    ("compute_api.handlers.actions", "networkId"): "only before 2.44; asked of the network service as the user",
    ("compute_api.handlers.aggregates", "cache[]/id"): "only admins, who see every image",
    ("compute_api.handlers.attachments", "volumeAttachment/id"): "must say what is",
    ("compute_api.handlers.attachments", "volumeAttachment/serverId"): "must say what is",
    **{("compute_api.handlers.external_events", f"events[]/ports[]/{name}"): "only of ports that the server's host plugged"
       for name in ("id", "network_id", "fixed_ips[]/subnet_id", "security_groups", "security_groups[]/id")},
    ("compute_api.handlers.flavors", "flavor/id"): "a new id", ("compute_api.handlers.quotas", "quota_set/tenant_id"): "not read",
    ("compute_api.handlers.quotas", "quota_set/security_groups"): "a number",
    ("compute_api.handlers.quota_classes", "quota_class_set/security_groups"): "a number"}
_OK = frozenset((200,))
EXCEPTIONS = {(r.method, r.path): (_OK | {404, 400}, "flavors are everybody's") for r in router.ROUTES
              if r.method == "GET" and "/flavors/{id}" in r.path and "access" not in r.path}
EXCEPTIONS.update({(r.method, r.path): (_OK | {400}, "the cloud's defaults, whatever project is named")
                   for r in router.ROUTES if r.path.endswith("/os-quota-sets/{target}/defaults")})
EXCEPTIONS.update({(r.method, r.path): (_OK | {400}, "the same for all")
                   for r in router.ROUTES if r.path.endswith("/extensions/{alias}")})
EXCEPTIONS.update({(r.method, r.path): (REFUSED | {400}, "before 2.53 it was named otherwise, with other members")
                   for r in router.ROUTES if r.method == "PUT" and r.path.endswith("/os-services/{id}")})
SERVICE = Service("compute", router.ROUTES, make,
                  {key(r): body for r in router.ROUTES if writes(r) and "{" in r.path and (body := _body(r.method, r.path))},
                  lambda: schemas.of("compute_api"), REFERENCES, NO_REFERENCE, EXCEPTIONS, version="2.85",
                  moving={("GET", "/v2.1/os-simple-tenant-usage/{target}"): "hours that servers are used grow"},
                  filters=(("user_id", "user"), ("marker", "servers"), ("uuid", "servers"), ("instance_uuid", "servers")))
