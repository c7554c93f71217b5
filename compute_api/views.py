"""A server, as each microversion shows it."""

import hashlib

from common import db, server_states
from compute_api import access, hints, image_properties
from compute_api.viewer import Viewer


def links(req, kind: str, item_id: str) -> list[dict]:
    base = req.base_url()
    return [{"rel": "self", "href": f"{base}/v2.1/{kind}/{item_id}"},
            {"rel": "bookmark", "href": f"{base}/{kind}/{item_id}"}]


def addresses(row: dict) -> dict:
    """{network name: [address]} from the server's network_info."""
    found: dict[str, list] = {}
    for port in row["network_info"]:
        own = found.setdefault(port["network_name"], [])
        for ip in port["fixed_ips"]:
            common = {"OS-EXT-IPS-MAC:mac_addr": port["mac_address"]}
            own.append({"version": 6 if ":" in ip["ip_address"] else 4, "addr": ip["ip_address"],
                        "OS-EXT-IPS:type": "fixed", **common})
            own += [{"version": 4, "addr": f["floating"], "OS-EXT-IPS:type": "floating", **common}
                    for f in port.get("floating_ips", []) if f["fixed"] == ip["ip_address"]]
    return found


def host_id(row: dict) -> str:
    """The same for all servers of a project on one host, without revealing the host's name."""
    if not row["host"]:
        return ""
    return hashlib.sha224((row["project_id"] + row["host"]).encode()).hexdigest()


def brief(req, row: dict) -> dict:
    return {"id": row["uuid"], "name": row["display_name"], "links": links(req, "servers", row["uuid"])}


def _flavor(req, row: dict, viewer: Viewer) -> dict:
    flavor = row["flavor"]
    if req.version >= (2, 47):
        all_of_it = viewer.sees("os_compute_api:servers:show:flavor-extra-specs", row)
        specs = {"extra_specs": flavor["extra_specs"]} if all_of_it else {}
        return {"vcpus": flavor["vcpus"], "ram": flavor["ram"], "disk": flavor["disk"],
                "ephemeral": flavor["ephemeral"], "swap": flavor["swap"], "original_name": flavor["name"], **specs}
    return {"id": flavor["id"], "links": links(req, "flavors", flavor["id"])[1:]}


def _volumes(req, row: dict) -> list[dict]:
    extra = req.version >= (2, 3)
    return [{"id": d["volume_id"], **({"delete_on_termination": d["delete_on_termination"]} if extra else {})}
            for d in row["block_devices"]]


def _image(req, row: dict) -> dict | str:
    """The image of a server, "" if it boots from a volume."""
    if not row["image_ref"]:
        return ""
    properties = {"properties": image_properties.shown(row["image_meta"])} if req.version >= (2, 98) else {}
    return {"id": row["image_ref"], "links": links(req, "images", row["image_ref"])[1:], **properties}


def server(req, row: dict, viewer: Viewer) -> dict:
    """All attributes of a server that the caller may see."""
    status = server_states.status(row)
    shown = {
        **brief(req, row), "status": status, "tenant_id": row["project_id"], "user_id": row["user_id"],
        "metadata": row["metadata"], "hostId": host_id(row), "image": _image(req, row), "flavor": _flavor(req, row, viewer),
        "created": db.iso(row["created_at"]), "updated": db.iso(row["updated_at"]), "addresses": addresses(row),
        "accessIPv4": row["access_ip_v4"] or "", "accessIPv6": row["access_ip_v6"] or "",
        "OS-DCF:diskConfig": row["disk_config"], "OS-EXT-AZ:availability_zone": row["availability_zone"] or "",
        "config_drive": "True" if row["config_drive"] else "", "key_name": row["key_name"],
        "OS-SRV-USG:launched_at": db.iso(row["launched_at"], zulu=False, micro=True),
        "OS-SRV-USG:terminated_at": db.iso(row.get("deleted_at"), zulu=False, micro=True),
        "OS-EXT-STS:task_state": row["task_state"],
        "OS-EXT-STS:vm_state": row["vm_state"], "OS-EXT-STS:power_state": row["power_state"],
        "os-extended-volumes:volumes_attached": _volumes(req, row)}
    if row["security_groups"]:
        shown["security_groups"] = [{"name": g["name"]} for g in row["security_groups"]]
    if status in ("ACTIVE", "BUILD", "REBOOT", "HARD_REBOOT"):
        shown["progress"] = 100 if status == "ACTIVE" else 0
    if row["fault"] and status in ("ERROR", "DELETED"):
        shown["fault"] = {k: v for k, v in row["fault"].items() if k != "details"}
        if row["fault"].get("details") and (row["fault"]["code"] != 500 or access.knows_all(req.call)):
            shown["fault"]["details"] = row["fault"]["details"]
    if viewer.sees("os_compute_api:os-extended-server-attributes", row):
        shown.update(_extended(req, row))
    if (host_status := viewer.host_status(row)) is not None:
        shown["host_status"] = host_status
    return _by_version(req, row, shown)


_LATER = ("OS-EXT-", "OS-SRV-USG:", "os-extended-volumes:", "config_drive", "key_name", "security_groups", "host_status")


def whole(req, row: dict, viewer: Viewer) -> dict:
    """``server``, with the attributes that only a single server has."""
    shown = server(req, row, viewer)
    if req.version >= (2, 71):
        shown["server_groups"] = [row["server_group_id"]] if row["server_group_id"] else []
    return shown


def updated(req, row: dict, viewer: Viewer, *, rebuilt: bool = False) -> dict:
    """The response to an update. Before 2.75 it lacks the attributes that extensions added."""
    shown = whole(req, row, viewer)
    if rebuilt and req.version >= (2, 57):
        shown["user_data"] = row["user_data"]
        shown.pop("OS-EXT-SRV-ATTR:user_data", None)
    if req.version >= (2, 75):
        return shown
    kept = {"key_name": row["key_name"]} if rebuilt and req.version >= (2, 54) else {}
    shown = {**{k: v for k, v in shown.items() if not k.startswith(_LATER)}, **kept}
    shown["addresses"] = {name: [{"addr": a["addr"], "version": a["version"]} for a in found]
                          for name, found in shown["addresses"].items()}
    return shown


def _extended(req, row: dict) -> dict:
    found = {"OS-EXT-SRV-ATTR:host": row["host"], "OS-EXT-SRV-ATTR:hypervisor_hostname": row["host"],
             "OS-EXT-SRV-ATTR:instance_name": f"instance-{row['uuid']}"}
    if req.version >= (2, 3):
        properties = row["image_meta"].get("properties", {})
        found.update({f"OS-EXT-SRV-ATTR:{k}": v for k, v in {
            "reservation_id": row["reservation_id"], "launch_index": row["launch_index"], "hostname": row["hostname"],
            "kernel_id": properties.get("kernel_id", ""), "ramdisk_id": properties.get("ramdisk_id", ""),
            "root_device_name": row["root_device_name"], "user_data": row["user_data"]}.items()})
    return found


def _by_version(req, row: dict, shown: dict) -> dict:
    if req.version >= (2, 9):
        shown["locked"] = row["locked"]
    if req.version >= (2, 19):
        shown["description"] = row["description"]
    if req.version >= (2, 26):
        shown["tags"] = row["tags"]
    if req.version >= (2, 63):
        shown["trusted_image_certificates"] = None
    if req.version >= (2, 73):
        shown["locked_reason"] = row["locked_reason"]
    if req.version >= (2, 90):
        shown["OS-EXT-SRV-ATTR:hostname"] = row["hostname"]
    if req.version >= (2, 96):
        shown["pinned_availability_zone"] = row["pinned_availability_zone"]
    if req.version >= (2, 100):
        shown["scheduler_hints"] = hints.shown(row["scheduler_hints"])
    return shown
