"""A launch as a command of the ``openstack`` client, and as Terraform."""

import json
import re
import shlex
import typing

from dashboard.panels.launch_request import NEW_KEY, body

_KEY = "my-key"
_ESCAPE, _ESCAPES = re.compile(r"\\."), {"\\b": "\\u0008", "\\f": "\\u000c"}


def _option(name: str, value: str) -> list[str]:
    """An option and its value, which may begin like an option."""
    return [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]


def command(values: dict) -> str:
    """The same request as a command of the ``openstack`` client, for a shell."""
    new_key = values["key_name"] == NEW_KEY
    asked = body({**values, "key_name": _KEY if new_key else values["key_name"]})
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
    lines = [f"openstack keypair create --private-key {_KEY}.pem {_KEY}"] if new_key else []
    lines.append(" ".join(map(shlex.quote, [*words, server["name"]])))
    if "user_data" in server:
        lines += ["", "# user-data is a file with what you entered."]
    return "\n".join(lines)


def _quoted(value: typing.Any) -> str:
    """A value of HCL: as JSON, except for the beginnings of its templates, and two escapes that it has not."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_quoted, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_quoted(k)} = {_quoted(v)}" for k, v in value.items()) + " }"
    text = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        return text
    text = _ESCAPE.sub(lambda found: _ESCAPES.get(found[0], found[0]), text)
    return text.replace("${", "$${").replace("%{", "%%{")


def _block(name: str, **values) -> list[str]:
    """A block of a resource, whose values are set."""
    return [f"  {name} {{", *(f"    {key} = {_quoted(value)}" for key, value in values.items() if value is not None), "  }"]


def terraform(values: dict) -> str:
    """The same request as a resource of Terraform's OpenStack provider."""
    new_key = values["key_name"] == NEW_KEY
    asked = body({**values, "key_name": _KEY if new_key else values["key_name"]})
    server = asked["server"]
    plain = {"name": server["name"], "flavor_id": server["flavorRef"], "image_id": server.get("imageRef"),
             "key_pair": server.get("key_name"), "availability_zone": server.get("availability_zone"),
             "config_drive": server.get("config_drive"), "metadata": server.get("metadata"),
             "security_groups": [g["name"] for g in server["security_groups"]] if "security_groups" in server else None,
             "user_data": values["user_data"] or None}
    lines = ['resource "openstack_compute_instance_v2" "server" {']
    if server["max_count"] > 1:
        lines.append(f"  count = {server['max_count']}")
    for key, value in plain.items():
        if value is not None:
            quoted = "openstack_compute_keypair_v2.key.name" if key == "key_pair" and new_key else _quoted(value)
            lines.append(f"  {key} = {quoted}")
    if server["networks"] == "auto":
        lines.append('  network_mode = "auto"')
    for network in server["networks"] if server["networks"] != "auto" else ():
        lines += _block("network", uuid=network.get("uuid"), port=network.get("port"))
    for device in server.get("block_device_mapping_v2", ()):
        lines += _block("block_device", **device)
    hints = asked.get("os:scheduler_hints", {})
    if hints:
        others = {k: v for k, v in hints.items() if k != "group"}
        lines += _block("scheduler_hints", group=hints.get("group"), additional_properties=others or None)
    lines.append("}")
    if new_key:
        lines = ['resource "openstack_compute_keypair_v2" "key" {', f"  name = {_quoted(_KEY)}", "}", "", *lines]
    if values.get("floating"):
        lines += ["", "# A floating IP: openstack_networking_floatingip_v2 and openstack_networking_floatingip_associate_v2."]
    return "\n".join(lines)
