"""Instances: the list and the pages of one, for projects and for the operator. What can be done with them is declared in
``instance_actions``, how they are launched in ``launch``."""

import dataclasses
import re

from common.rest import path
from dashboard import asks
from dashboard.asks import get
from dashboard.panel import Column, Filter, Panel, Row, Source, Tab, Table
from dashboard.panels import devices
from dashboard.panels.fields import NONE_OF_ALL, shown
from dashboard.panels.instance_actions import ACTIONS
from dashboard.panels.launch import LAUNCH
from dashboard.texts import Text

_LINES = {"50": 50, "500": 500, "all": -1}
_STATUSES = ("ACTIVE", "BUILD", "ERROR", "MIGRATING", "PAUSED", "RESCUE", "SHELVED", "SHELVED_OFFLOADED", "SHUTOFF",
             "SOFT_DELETED", "SUSPENDED",
             "VERIFY_RESIZE")


def _list(query: dict):
    if "name" in query:  # the API takes it for a regular expression
        query = {**query, "name": re.escape(query["name"])}
    return path("/v2.1/servers/detail", query=query)


def addresses(row: Row) -> list[str]:
    return [a["addr"] for found in row["addresses"].values() for a in found]


def _image(row: Row) -> str:
    return row.get("image_name") or (row["image"] or {}).get("id") or Text("a volume")


def _image_link(row: Row) -> list[tuple[str, str]]:
    return [(f"/project/images/{row['image']['id']}/" if row["image"] else "", _image(row))]


def _name_groups(req, rows: list[Row]) -> None:
    """The names of server groups, of which the API tells the ids, and only for one instance."""
    if any(row.get("server_groups") for row in rows):
        found = asks.send(req, get("compute", path("/v2.1/os-server-groups"), "server_groups", instead=[]))
        names = {group["id"]: group["name"] for group in found}
        for row in rows:
            row["server_groups"] = [names.get(id, id) for id in row.get("server_groups") or ()]


def _more(req, rows: list[Row]) -> None:
    """The names of images, for rows of any number, and of server groups."""
    _name_groups(req, rows)
    ids = sorted({row["image"]["id"] for row in rows if row["image"]})
    if not ids:
        return
    found = asks.send(req, get("image", path("/v2/images", query={"id": f"in:{','.join(ids)}", "limit": len(ids)}), "images",
                               instead=[]))
    names = {image["id"]: image["name"] for image in found}
    for row in rows:
        if row["image"]:
            row["image_name"] = names.get(row["image"]["id"])


def _item(req, id: str):
    return get("compute", path("/v2.1/servers/{id}", id), "server")


def _log(req, id: str):
    lines = _LINES.get(req.GET.get("lines", ""), 50)
    return {"log": asks.Ask("compute", path("/v2.1/servers/{id}/action", id), "output", "POST",
                            {"os-getConsoleOutput": {"length": lines}}, instead=Text("The log cannot be read now."))}


def _interfaces(req, id: str):
    return {"ports": get("network", path("/v2.0/ports", query={"device_id": id}), "ports", instead=[]),
            "floating": get("network", path("/v2.0/floatingips"), "floatingips", instead=[]),
            "networks": get("network", path("/v2.0/networks", query={"fields": ["id", "name"]}), "networks", instead=[])}


def _ports(found: dict, row: Row) -> list[Row]:
    names = {n["id"]: n["name"] for n in found["networks"]}
    public: dict[str, list[str]] = {}
    for ip in found["floating"]:
        public.setdefault(ip["port_id"], []).append(ip["floating_ip_address"])
    return [{**port, "floating": public.get(port["id"], []), "network": [
        (f"/project/networks/{port['network_id']}/", names.get(port["network_id"]) or port["network_id"])]}
            for port in found["ports"]]


def _volumes(req, id: str):
    return {"attachments": get("compute", path("/v2.1/servers/{id}/os-volume_attachments", id), "volumeAttachments", instead=[]),
            "volumes": get("volume", path("/v3/volumes/detail", query={"limit": 1000}), "volumes", instead=[])}


def _attached(found: dict, row: Row) -> list[Row]:
    known = {v["id"]: v for v in found["volumes"]}
    return [{**a, "volume": [(f"/project/volumes/{a['volumeId']}/", known.get(a["volumeId"], {}).get("name") or a["volumeId"])],
             "size": known.get(a["volumeId"], {}).get("size")} for a in found["attachments"]]


def _groups(req, id: str):
    return {"groups": get("compute", path("/v2.1/servers/{id}/os-security-groups", id), "security_groups", instead=[])}


def _guest_password(req, id: str):
    return {"password": get("compute", path("/v2.1/servers/{id}/os-server-password", id), "password")}


def _actions(req, id: str):
    found = {"actions": get("compute", path("/v2.1/servers/{id}/os-instance-actions", id), "instanceActions")}
    request = req.GET.get("request")
    if request:
        found["steps"] = get("compute", path("/v2.1/servers/{id}/os-instance-actions/{name}", id, request), "instanceAction")
    return found


def _metrics(req, id: str):
    return {"of": get("compute", path("/v2.1/servers/{id}/diagnostics", id), instead={})}


def _totals(found: dict, row: Row) -> list[Row]:
    of = found["of"]
    if not of:
        return []
    return [{"uptime": of["uptime"], "cpus": of["num_cpus"], "maximum": of["memory_details"]["maximum"],
             "used": of["memory_details"]["used"]}]


def _each(kind: str):
    """The rows of a kind of device, numbered."""
    return lambda found, row: [{**device, "number": n} for n, device in enumerate(found["of"].get(kind) or [])]


_RULES = (Column("Protocol", lambda r: r["ip_protocol"] or Text("any")), Column("First port", "from_port"),
          Column("Last port", "to_port"),
          Column("Source", lambda r: (r.get("ip_range") or {}).get("cidr") or (r.get("group") or {}).get("name") or Text("any")))


def _rules(found: dict, row: Row) -> list[Row]:
    return [{**rule, "group_name": group["name"]} for group in found["groups"] for rule in group["rules"]]


TABS = (
    Tab("overview", "Overview", facts=(
        ("Instance", (
            Column("ID", "id", "code"), Column("Description", "description"), Column("Status", "status", "status"),
            Column("Task", "OS-EXT-STS:task_state"), Column("Locked", "locked", "yes"), Column("Lock reason", "locked_reason"),
            Column("Project", "tenant_id", "project"), Column("User", "user_id", "user"),
            Column("Availability zone", "OS-EXT-AZ:availability_zone"), Column("Created", "created", "time"),
            Column("Updated", "updated", "time"), Column("Host", lambda r: r.get("OS-EXT-SRV-ATTR:host")))),
        ("Hardware", (
            Column("Flavor", lambda r: r["flavor"].get("original_name")), Column("VCPUs", lambda r: r["flavor"].get("vcpus")),
            Column("RAM", lambda r: r["flavor"].get("ram"), "mib"), Column("Disk", lambda r: r["flavor"].get("disk"), "gib"))),
        ("Source and access", (
            Column("Image", _image_link, "links"), Column("Key pair", "key_name"), Column("IP addresses", addresses, "lines"),
            Column("Server groups", lambda r: r.get("server_groups"), "lines"), Column("Tags", "tags", "lines"),
            Column("Metadata", lambda r: shown(r["metadata"]), "lines"))))),
    Tab("log", "Log", _log, template="log.html"),
    Tab("interfaces", "Interfaces", _interfaces, tables=(Table(
        "Interfaces", _ports, (
            Column("Network", "network", "links"),
            Column("IP addresses", lambda p: [ip["ip_address"] for ip in p["fixed_ips"]], "lines"),
            Column("Floating IPs", "floating", "lines"), Column("MAC address", "mac_address", "code"),
            Column("Status", "status", "status"), Column("Port", devices.port_link, "links")),
        "This instance has no interfaces. Attach one to give it a network.", actions=("port-groups", "detach-interface"),
        add=("attach-interface", "associate")),)),
    Tab("volumes", "Volumes", _volumes, tables=(Table(
        "Volumes", _attached, (Column("Volume", "volume", "links"), Column("Device", "device", "code"), Column(
            "Size", "size", "gib"), Column("Deleted with the instance", "delete_on_termination", "yes")),
        "No volumes are attached. Attach one for data that is to outlive the instance.", target="volumeId",
        actions=("detach-volume",), add=("attach-volume",)),)),
    Tab("groups", "Security groups", _groups, tables=(
        Table("Security groups", lambda found, row: found["groups"], (
            Column("Name", lambda g: [(f"/project/security_groups/{g['id']}/", g["name"])], "links"),
            Column("Description", "description")),
            "This instance has no security groups. Choose some, so that it can be reached.", add=("groups",)),
        Table("Rules", _rules, (Column("Group", "group_name"), *_RULES),
              "There are no rules, so nothing reaches the instance. Add some to one of its security groups."))),
    Tab("metrics", "Metrics", _metrics, tables=(
        Table("Memory and time", _totals, (Column("Uptime", "uptime", "duration"), Column("VCPUs", "cpus"), Column(
            "RAM", "maximum", "mib"), Column("RAM that the host gave", "used", "mib")),
            "It does not tell how much memory it uses. Reload the page in a moment.", target="uptime"),
        Table("Processors", _each("cpu_details"), (Column(
            "Processor", lambda cpu: Text("Processor {number}", number=cpu["number"])), Column(
            "Time used", lambda cpu: cpu["time"] / 1e9, "duration")),
            "It does not tell what its processors do. Reload the page in a moment.", target="number"),
        Table("Disks", _each("disk_details"), (
            Column("Disk", lambda disk: Text("Disk {number}", number=disk["number"])),
            Column("Read", "read_bytes", "size"), Column("Reads", "read_requests", "count"),
            Column("Written", "write_bytes", "size"), Column("Writes", "write_requests", "count"),
            Column("Errors", "errors_count", "count")),
            "It has no disks. Attach a volume to give it one.", target="number"),
        Table("Network", _each("nic_details"), (
            Column("Interface", lambda nic: nic["mac_address"] or nic["number"]), Column("Received", "rx_octets", "size"),
            Column("Packets in", "rx_packets", "count"), Column("Drops in", "rx_drop", "count"),
            Column("Sent", "tx_octets", "size"), Column("Packets out", "tx_packets", "count"),
            Column("Drops out", "tx_drop", "count")),
            "It has no interfaces. Attach one to give it a network.", target="number")),
        empty="There are no metrics. Only instances that run have some, and only administrators see them unless this cloud's "
              "policy says otherwise."),
    Tab("password", "Password", _guest_password, template="password.html"),
    Tab("actions", "Action log", _actions, template="steps.html"))

PANEL = Panel(
    path="/project/instances", title="Instances", noun="instance", menu="Compute",
    source=Source("compute", _list, "servers", search="name"),
    columns=(
        Column("Name", "name", "link", "display_name"), Column("IP addresses", addresses, "lines"), Column("Image", _image),
        Column("Flavor", lambda r: r["flavor"].get("original_name")),
        Column("Status", lambda r: (r["status"], r["OS-EXT-STS:task_state"]), "states", "vm_state"),
        Column("Zone", "OS-EXT-AZ:availability_zone", sort="availability_zone"),
        Column("Created", "created", "time", "created_at")),
    filters=(Filter("status", "Status", tuple((s, s) for s in _STATUSES)),),
    actions=ACTIONS, item=_item, tabs=TABS, create=LAUNCH, more=_more, status="status",
    busy=lambda row: bool(row["OS-EXT-STS:task_state"]) or row["status"] == "BUILD",
    empty="There are no instances yet. Launching one takes a few seconds.")

OF_ALL = dataclasses.replace(
    PANEL, path="/admin/instances", title="All instances", menu="Admin", admin=True, create=None, empty=NONE_OF_ALL,
    source=dataclasses.replace(PANEL.source, query={"all_tenants": "1"}),
    columns=(PANEL.columns[0], Column("Project", "tenant_id", "project", "project_id"),
             Column("Host", lambda r: r.get("OS-EXT-SRV-ATTR:host"), sort="host"),
             *(c for c in PANEL.columns[1:] if c.title != "Zone")))
