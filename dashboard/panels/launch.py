"""The form that launches instances, and the same request as a command."""

import base64
import json
import shlex

from common.rest import path
from dashboard import forms, session
from dashboard.asks import do, get, together
from dashboard.forms import Field
from dashboard.panel import Create
from dashboard.panels.instance_actions import flavor_options
from dashboard.texts import Text

_SOURCES = (("image", "Image"), ("new-volume", "Image, copied to a new volume"), ("volume", "Volume"),
            ("snapshot", "Volume snapshot, copied to a new volume"))
_USER_DATA_BYTES = 49149  # 65535 in base64


def _asks(req) -> dict:
    own = session.required(req).project_id
    return together(
        req, images=get("image", path("/v2/images", query={"status": "active", "limit": 1000}), "images"),
        flavors=get("compute", path("/v2.1/flavors/detail"), "flavors"),
        volumes=get("volume", path("/v3/volumes/detail", query={"status": "available", "bootable": "true", "limit": 1000}),
                    "volumes", instead=[]),
        snapshots=get("volume", path("/v3/snapshots", query={"status": "available", "limit": 1000}), "snapshots", instead=[]),
        networks=get("network", path("/v2.0/networks"), "networks"),
        ports=get("network", path("/v2.0/ports", query={"device_id": "", "project_id": own}), "ports"),
        groups=get("network", path("/v2.0/security-groups", query={"project_id": own}), "security_groups"),
        keys=get("compute", path("/v2.1/os-keypairs"), "keypairs"),
        zones=get("compute", path("/v2.1/os-availability-zone"), "availabilityZoneInfo"),
        server_groups=get("compute", path("/v2.1/os-server-groups"), "server_groups"))


def _fields(req) -> list[Field]:
    found = _asks(req)
    images = [i for i in found["images"] if i["container_format"] not in ("aki", "ari")]
    networks = [n for n in found["networks"] if not n["router:external"]]
    keys = [k["keypair"]["name"] for k in found["keys"]]
    return [
        Field("name", "Name", required=True), Field("description", "Description"),
        Field("count", "Count", "number", True, initial=1, low=1, high=100),
        Field("zone", "Availability zone", "choice", blank="Any", options=[
            (z["zoneName"], z["zoneName"]) for z in found["zones"] if z["zoneState"]["available"]]),
        Field("source", "Boot from", "choice", True, section="Source", options=_SOURCES, initial="image"),
        Field("image", "Image", "choice", options=forms.named(images), blank=None if images else "There are no images yet",
              preset=True),
        Field("volume", "Volume", "choice", blank="–", options=forms.named(found["volumes"])),
        Field("snapshot", "Volume snapshot", "choice", blank="–", options=forms.named(found["snapshots"])),
        Field("volume_gb", "Size of the new volume in GiB", "number", low=1, high=100000),
        Field("delete_volume", "Delete the volume with the instance", "check"),
        Field("flavor", "Flavor", "choice", True, section="Hardware", options=flavor_options(found["flavors"])),
        Field("networks", "Networks", "many", section="Network", options=forms.named(networks),
              initial=[networks[0]["id"]] if len(networks) == 1 else [], help="None: the project's network, if it has only one."),
        Field("ports", "Ports", "many", options=forms.named(found["ports"])),
        Field("groups", "Security groups", "many", options=forms.named(found["groups"]),
              initial=[g["id"] for g in found["groups"] if g["name"] == "default"]),
        Field("key_name", "Key pair", "choice", section="Access", blank="None", options=[(k, k) for k in keys],
              initial=keys[0] if len(keys) == 1 else "",
              help="" if keys else "Create or import one under Compute, Key pairs, to log in with SSH."),
        Field("user_data", "User data", "area", section="Configuration", rows=6, max_length=_USER_DATA_BYTES,
              placeholder="#cloud-config",
              help="A script (#!) or cloud-config (#cloud-config) that the instance runs at its first boot."),
        Field("metadata", "Metadata", "area", help="One key=value per line.", max_length=20000),
        Field("config_drive", "Configuration drive", "check"),
        Field("server_group", "Server group", "choice", section="Placement", blank="None",
              options=forms.named(found["server_groups"])),
        Field("hints", "Scheduler hints", "area", rows=2, help="One key=value per line.", max_length=4000)]


def _check(values: dict) -> None:
    """What depends on several fields."""
    wrong = {}
    needed = {"image": "image", "new-volume": "image", "volume": "volume", "snapshot": "snapshot"}[values["source"]]
    if not values[needed]:
        wrong[needed] = "Choose one."
    if values["source"] == "new-volume" and not values["volume_gb"]:
        wrong["volume_gb"] = "The new volume needs a size."
    text = values["user_data"]
    if len(text.encode()) > _USER_DATA_BYTES:
        wrong["user_data"] = Text("Enter at most {most} bytes.", most=_USER_DATA_BYTES)
    elif text and not text.startswith(("#!", "#cloud-config", "#include", "#part-handler", "#cloud-boothook", "Content-Type:",
                                       "MIME-Version:", "## template:", "{")):
        wrong["user_data"] = "cloud-init would ignore this: its first line must be #cloud-config, or #! and a program."
    if values["source"] == "volume" and values["count"] > 1:
        wrong["count"] = "One volume can boot only one instance."
    if wrong:
        raise forms.Refused(wrong)


def body(values: dict) -> dict:
    """The request of the compute API."""
    _check(values)
    networks = [{"uuid": n} for n in values["networks"]] + [{"port": p} for p in values["ports"]]
    server: dict = {"name": values["name"], "flavorRef": values["flavor"], "min_count": values["count"],
                    "max_count": values["count"], "networks": networks or "auto"}
    server.update({to: values[of] for of, to in (("description", "description"), ("zone", "availability_zone"),
                                                 ("key_name", "key_name")) if values[of]})
    if values["groups"]:
        server["security_groups"] = [{"name": g} for g in values["groups"]]
    if values["user_data"]:
        server["user_data"] = base64.b64encode(values["user_data"].encode()).decode()
    if values["metadata"]:
        server["metadata"] = forms.pairs(values["metadata"])
    if values["config_drive"]:
        server["config_drive"] = True
    if values["source"] == "image":
        server["imageRef"] = values["image"]
    else:
        kind, of = ("image", "image") if values["source"] == "new-volume" else (values["source"], values["source"])
        device = {"boot_index": 0, "source_type": kind, "uuid": values[of], "destination_type": "volume",
                  "delete_on_termination": values["delete_volume"]}
        if kind != "volume" and values["volume_gb"]:
            device["volume_size"] = values["volume_gb"]
        server["block_device_mapping_v2"] = [device]
    hints = forms.pairs(values["hints"], "hints") | ({"group": values["server_group"]} if values["server_group"] else {})
    return {"server": server} | ({"os:scheduler_hints": hints} if hints else {})


def _run(req, values: dict) -> str:
    do(req, "POST", "compute", path("/v2.1/servers"), body(values))
    return Text("{name} is being built.", name=values["name"]) if values["count"] == 1 else Text(
        "{count} instances are being built.", count=values["count"])


def _option(name: str, value: str) -> list[str]:
    """An option and its value, which may begin like an option."""
    return [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]


def command(values: dict) -> str:
    """The same request as a command of the ``openstack`` client, for a shell."""
    asked = body(values)
    server, words = asked["server"], ["openstack", "server", "create"]
    for option, name in (("flavor", "flavorRef"), ("image", "imageRef"), ("description", "description"),
                         ("availability-zone", "availability_zone"), ("key-name", "key_name")):
        if server.get(name):
            words += _option(option, server[name])
    for device in server.get("block_device_mapping_v2", ()):
        words += ["--block-device", ",".join(f"{k}={json.dumps(v) if isinstance(v, bool) else v}" for k, v in device.items())]
    if server["networks"] == "auto":
        words += ["--nic", "auto"]
    for network in server["networks"] if server["networks"] != "auto" else ():
        words += ["--network", network["uuid"]] if "uuid" in network else ["--port", network["port"]]
    words += [word for g in server.get("security_groups", ()) for word in ("--security-group", g["name"])]
    words += [word for k, v in server.get("metadata", {}).items() for word in _option("property", f"{k}={v}")]
    words += [word for k, v in asked.get("os:scheduler_hints", {}).items() for word in _option("hint", f"{k}={v}")]
    if server.get("config_drive"):
        words.append("--use-config-drive")
    if server["max_count"] > 1:
        words += ["--min", str(server["min_count"]), "--max", str(server["max_count"])]
    if "user_data" in server:
        words += ["--user-data", "user-data"]
    if server["name"].startswith("-"):
        words.append("--")
    text = " ".join(map(shlex.quote, [*words, server["name"]]))
    return text + "\n\n# user-data is a file with what you entered." if "user_data" in server else text


LAUNCH = Create("Launch instance", _fields, _run, segment="launch", command=command, max_bytes=262144)
