"""Metadata of a guest: one tree of files, served over HTTP and written to config drives.

Layouts: OpenStack metadata (https://docs.openstack.org/nova/latest/user/metadata.html) and Amazon EC2 instance metadata,
2009-04-04.
"""

import base64
import hashlib
import ipaddress
import json

OPENSTACK_VERSIONS = ("2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22",
                      "2018-08-27")
EC2_VERSIONS = ("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01",
                "2008-09-01", "2009-04-04")


def meta_data(row: dict) -> dict:
    """``meta_data.json``. ``row`` is an instance with block_devices."""
    found = {"uuid": row["uuid"], "name": row["display_name"], "hostname": row["hostname"], "launch_index":
             row["launch_index"], "availability_zone": row["availability_zone"] or "nova", "meta": row["metadata"],
             "project_id": row["project_id"], "dedicated_cpus": [],
             # Random, but the same at each read, because a guest may boot from it twice.
             "random_seed": base64.b64encode(hashlib.sha512(f"{row['uuid']}{row['reservation_id']}".encode()).digest()
                                             ).decode(),
             "devices": _tagged(row)}
    if files := row.get("injected_files"):
        found["files"] = [{"path": file["path"], "content_path": f"/content/{n:04}"} for n, file in enumerate(files)]
    if row["key_data"]:
        kind = "x509" if row["key_data"].startswith("-----BEGIN CERTIFICATE") else "ssh"
        found["public_keys"] = {row["key_name"]: row["key_data"].strip() + "\n"}
        found["keys"] = [{"name": row["key_name"], "type": kind, "data": row["key_data"].strip() + "\n"}]
    return found


_BUSES = {"vd": "virtio", "hd": "ide"}  # by the names of disks


def _tagged(row: dict) -> list[dict]:
    """Devices with a tag, by which the guest recognises them."""
    disks = [{"type": "disk", "bus": _BUSES.get(d["device_name"][5:7], "scsi"), "serial": d["volume_id"],
              "path": d["device_name"], "tags": [d["tag"]]}
             for d in row["block_devices"] if d["tag"]]
    return disks + [{"type": "nic", "bus": "virtio", "mac": p["mac_address"], "tags": [p["tag"]]}
                    for p in row["network_info"] if p.get("tag")]


def network_data(row: dict) -> dict:
    """``network_data.json``: one link per port; addresses by DHCP if the subnet uses it."""
    links, networks = [], []
    for i, port in enumerate(row["network_info"]):
        link = f"tap{port['id'][:11]}"
        links.append({"id": link, "vif_id": port["id"], "type": "bridge", "mtu": port.get("mtu"),
                      "ethernet_mac_address": port["mac_address"]})
        for j, ip in enumerate(port["fixed_ips"]):
            version = 6 if ":" in ip["ip_address"] else 4
            entry = {"id": f"network{i}-{j}", "link": link, "network_id": port["network_id"]}
            if ip.get("dhcp", True) or "cidr" not in ip:
                networks.append({**entry, "type": "ipv4_dhcp" if version == 4 else "ipv6_dhcpv6-stateful"})
                continue
            default = "0.0.0.0" if version == 4 else "::"
            routes = [{"network": default, "netmask": default, "gateway": ip["gateway"]}] if ip.get("gateway") else []
            networks.append({**entry, "type": f"ipv{version}", "ip_address": ip["ip_address"],
                             "netmask": str(ipaddress.ip_network(ip["cidr"]).netmask), "routes": routes})
    return {"links": links, "networks": networks, "services": []}


def user_data(row: dict) -> bytes | None:
    return base64.b64decode(row["user_data"]) if row["user_data"] else None


def openstack_files(row: dict) -> dict:
    """{path below /openstack/<version>: text or bytes}."""
    files: dict = {"meta_data.json": json.dumps(meta_data(row)), "vendor_data.json": "{}",
                   "network_data.json": json.dumps(network_data(row))}
    raw = user_data(row)
    if raw is not None:
        files["user_data"] = raw
    return files


def contents(row: dict) -> dict[str, bytes]:
    """{name below /openstack/content: bytes} of the files that were asked for."""
    return {f"{n:04}": base64.b64decode(file["contents"]) for n, file in enumerate(row.get("injected_files") or [])}


def ec2_files(row: dict) -> dict:
    """The tree below /<version>/meta-data as nested dicts; leaves are text."""
    fixed = [ip["ip_address"] for p in row["network_info"] for ip in p["fixed_ips"] if ":" not in ip["ip_address"]]
    floating = [f["floating"] for p in row["network_info"] for f in p.get("floating_ips", [])]
    short = "i-" + row["uuid"].replace("-", "")[:8]
    found: dict = {
        "ami-id": f"ami-{(row['image_ref'] or '0' * 8)[:8]}", "ami-launch-index": str(row["launch_index"]),
        "ami-manifest-path": "FIXME", "instance-action": "none", "instance-id": short,
        "instance-type": row["flavor"]["name"], "hostname": row["hostname"], "local-hostname": row["hostname"],
        "public-hostname": row["hostname"], "local-ipv4": fixed[0] if fixed else "",
        "public-ipv4": floating[0] if floating else "", "reservation-id": row["reservation_id"],
        "placement": {"availability-zone": row["availability_zone"] or "nova"},
        "block-device-mapping": {"ami": row["root_device_name"].rpartition("/")[2], "root": row["root_device_name"],
                                 **_local_disks(row)}}
    if row["key_data"]:
        found["public-keys"] = {f"0={row['key_name']}": {"openssh-key": row["key_data"].strip() + "\n"}}
    return found


def _local_disks(row: dict) -> dict[str, str]:
    """{"ephemeral0", "ephemeral1", ..., "swap": device name}"""
    disks = row["flavor"].get("local_disks", [])
    ephemerals = [d["device_name"] for d in disks if d["kind"] == "ephemeral"]
    found = {f"ephemeral{i}": name for i, name in enumerate(ephemerals)}
    found.update(("swap", d["device_name"]) for d in disks if d["kind"] == "swap")
    return found


def config_drive(row: dict, password: str | None = None) -> dict:
    """{path: text or bytes} of a config drive, in the layout that cloud-init's ConfigDrive source reads.

    :param password: of the administrator in the guest; the metadata service never tells it
    """
    found, files = {}, openstack_files(row)
    if password is not None:
        files["meta_data.json"] = json.dumps({**meta_data(row), "admin_pass": password})
    for version in (OPENSTACK_VERSIONS[-1], "latest"):
        found.update({f"openstack/{version}/{name}": content for name, content in files.items()})
    found.update({f"openstack/content/{name}": content for name, content in contents(row).items()})
    ec2 = {**ec2_files(row)}
    keys = ec2.pop("public-keys", None)
    if keys:
        ec2["public-keys"] = {"0": next(iter(keys.values()))}
    found["ec2/latest/meta-data.json"] = json.dumps(ec2)
    raw = user_data(row)
    if raw is not None:
        found["ec2/latest/user-data"] = raw
    return found


def _walk(tree: dict, parts: list[str]):
    """A leaf, a listing, or None. EC2 lists directories with a slash, except ``0=name``."""
    node: object = tree
    for part in parts:
        if not isinstance(node, dict):
            return None
        match = next((k for k in node if k == part or k.split("=")[0] == part), None)
        if match is None:
            return None
        node = node[match]
    if not isinstance(node, dict):
        return node
    return "\n".join(k if "=" in k else f"{k}/" if isinstance(v, dict) else k for k, v in sorted(node.items()))


def lookup(row: dict, path: str):
    """The text or bytes at a metadata path, or None."""
    parts = [p for p in path.split("/") if p]
    if not parts:
        return "\n".join([*EC2_VERSIONS, "latest"])
    if parts[0] == "openstack":
        if len(parts) == 1:
            return "\n".join([*OPENSTACK_VERSIONS, "latest"])
        if parts[1] == "content":
            return contents(row).get(parts[2]) if len(parts) == 3 else None
        if parts[1] not in (*OPENSTACK_VERSIONS, "latest"):
            return None
        files = {**openstack_files(row), "password": row["posted_password"] or ""}
        return "\n".join(sorted(files)) if len(parts) == 2 else files.get(parts[2]) if len(parts) == 3 else None
    if parts[0] not in (*EC2_VERSIONS, "latest"):
        return None
    tree: dict = {"meta-data": ec2_files(row)}
    raw = user_data(row)
    if raw is not None:
        tree["user-data"] = raw
    return _walk(tree, parts[1:])
