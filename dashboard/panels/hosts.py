"""Hosts, services and agents, for the operator."""

import dataclasses
import typing

from common import errors
from common.rest import path
from dashboard.asks import do, get, send
from dashboard.forms import Field
from dashboard.panel import Action, Column, Panel, Partly, Row, Source, Tab, Table
from dashboard.panels.fields import deletion
from dashboard.texts import Text

_REASON = (Field("reason", "Reason"),)

_HOW = Field("how", "Method", "choice", True, options=(("live", "Live migration"), ("cold", "Cold migration")),
             help="Live: instances keep running, and those that are off stay off. Cold: they are stopped, and each move must be "
                  "confirmed afterwards.")


def _servers(req, row: Row) -> list[Row]:
    return send(req, get("compute", path("/v2.1/servers/detail", query={
        "all_tenants": "1", "host": row["service"]["host"], "limit": 1000}), "servers"))


def _each(req, row: Row, body: typing.Callable[[Row], dict | None]) -> str:
    """Ask the same of every instance of a host, whatever fails for some. :param body: of one, or None to leave it out"""
    done, refused = 0, []
    for server in _servers(req, row):
        wanted = body(server)
        if wanted is None:
            continue
        try:
            do(req, "POST", "compute", path("/v2.1/servers/{id}/action", server["id"]), wanted)
            done += 1
        except errors.Unauthorized:
            raise
        except errors.Error as error:
            refused.append(f"{server['name']}: {error}")
    text = Text("{done} of {all} instances are being moved.", done=done, all=done + len(refused))
    return Partly("{done} {refused}", done=text, refused=" ".join(refused[:5])) if refused else text


def _migrate(req, id, values, row):
    def body(server: Row) -> dict | None:
        if values["how"] == "live" and server["status"] in ("ACTIVE", "PAUSED"):
            return {"os-migrateLive": {"host": None, "block_migration": "auto"}}
        return {"migrate": None} if server["status"] in ("ACTIVE", "SHUTOFF") else None
    return _each(req, row, body)


def _evacuate(req, id, values, row):
    body = {"evacuate": {"host": values["host"]} if values["host"] else {}}
    return _each(req, row, lambda server: body if server["status"] in ("ACTIVE", "SHUTOFF", "ERROR") else None)


def _other_hosts(req, row) -> list[Field]:
    found = send(req, get("compute", path("/v2.1/os-services", query={"binary": "nova-compute"}), "services"))
    return [Field("host", "New host", "choice", blank="The scheduler chooses", options=[
        (s["host"], s["host"]) for s in found if s["state"] == "up" and s["host"] != row["service"]["host"]])]


def _version(row: Row) -> str:
    """The version of a hypervisor, which the API has as one number."""
    number = row["hypervisor_version"]  # 0: not known
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}" if number else ""


HYPERVISORS = Panel(
    path="/admin/hypervisors", title="Hypervisors", noun="hypervisor", menu="Admin", admin=True,
    # 2.87 is the last version that tells the capacity.
    source=Source("compute", lambda query: path("/v2.1/os-hypervisors/detail", query=query), "hypervisors", pages=False,
                  sort=("hypervisor_hostname", "asc"), version="2.87"),
    columns=(Column("Host", "hypervisor_hostname", "link", "hypervisor_hostname"), Column("State", "state", "status", "state"),
             Column("Status", "status", "status"), Column("Type", "hypervisor_type"),
             Column("VCPUs", lambda r: (r["vcpus_used"], r["vcpus"]), "bar"),
             Column("RAM, GiB", lambda r: (r["memory_mb_used"] / 1024, r["memory_mb"] / 1024), "bar"),
             Column("Disk, GiB", lambda r: (r["local_gb_used"], r["local_gb"]), "bar"),
             Column("Instances", "running_vms", sort="running_vms")),
    item=lambda req, id: get("compute", path("/v2.1/os-hypervisors/{id}", id), "hypervisor", version="2.87"),
    name="hypervisor_hostname", status="state",
    actions=(
        Action("migrate", "Migrate all instances", _migrate, (_HOW,), when=lambda row: row["state"] == "up", danger="danger",
               ask="Every instance of {name} is moved to a host that the scheduler chooses. Disable its service first, so that "
                   "it gets no new ones."),
        Action("evacuate", "Evacuate host", _evacuate, _other_hosts, when=lambda row: row["state"] == "down", danger="danger",
               ask="{name} is down. Its instances are built again on other hosts. Their disks begin again from their images, so "
                   "what was on them is lost. Volumes and addresses stay.")),
    tabs=(Tab("overview", "Overview", facts=(
        ("Capacity", (Column("VCPUs", lambda r: (r["vcpus_used"], r["vcpus"]), "bar"),
                      Column("RAM, GiB", lambda r: (r["memory_mb_used"] / 1024, r["memory_mb"] / 1024), "bar"),
                      Column("Disk, GiB", lambda r: (r["local_gb_used"], r["local_gb"]), "bar"))),
        ("Host", (Column("ID", "id", "code"), Column("Address", "host_ip"), Column("Type", "hypervisor_type"),
                  Column("Version", _version), Column("Status", "status", "status"),
                  Column("Disabled because", lambda r: r["service"].get("disabled_reason"))))),),
        Tab("instances", "Instances", lambda req, id: {"of": get("compute", path("/v2.1/os-hypervisors/{id}", id, query={
            "with_servers": "true"}), "hypervisor", version="2.87")}, tables=(Table(
                "Instances", lambda found, row: found["of"].get("servers") or [], (
                    Column("Name", lambda s: [(f"/admin/instances/{s['uuid']}/", s["name"])], "links"),
                    Column("ID", "uuid", "code")),
                "There are no instances on this host. New ones come here while its service is enabled."),))),
    empty="There are no hypervisors yet. A host appears here when its compute service has started.")


def _row(row: Row) -> Row:
    return {**row, "enabled": row["status"] == "enabled"}


_SERVICES = Panel(
    path="/admin/services", title="Compute services", noun="service", menu="Admin", admin=True,
    source=Source("compute", lambda query: path("/v2.1/os-services", query=query), "services", pages=False,
                  sort=("binary", "asc"),
                  row=_row),
    columns=(Column("Name", "binary", sort="binary"), Column("Host", "host", sort="host"), Column("Zone", "zone"),
             Column("Status", "status", "status"), Column("State", "state", "status", "state"),
             Column("Reason", "disabled_reason"),
             Column("Last seen", "updated_at", "time", "updated_at")),
    name=lambda row: Text("{what} on {host}", what=row["binary"], host=row["host"]),
    empty="There are no services yet. Each appears here when it has started.")


def _set_service(req, id: str, body: dict) -> None:
    do(req, "PUT", "compute", path("/v2.1/os-services/{id}", id), body)


def _disable(req, id, values, row):
    _set_service(req, id, {"status": "disabled"} | ({"disabled_reason": values["reason"]} if values["reason"] else {}))


def _service(req, id: str):
    return get("compute", path("/v2.1/os-services"), "services")


SERVICES = dataclasses.replace(
    _SERVICES, item=_service, actions=(
        Action("disable", "Disable", _disable, _REASON, when=lambda row: row["enabled"] and row["binary"] == "nova-compute",
               danger="danger", ask="No new instances are built there. Running instances are not affected.",
               done="{name} is disabled."),
        Action("enable", "Enable", lambda req, id, values, row: _set_service(req, id, {"status": "enabled"}),
               when=lambda row: not row["enabled"], done="{name} is enabled."),
        Action("down", "Force down", lambda req, id, values, row: _set_service(req, id, {"forced_down": True}),
               when=lambda row: row["binary"] == "nova-compute" and not row["forced_down"], danger="danger",
               ask="{name} counts as down, so that its instances can be evacuated. Be sure that the host is off.",
               done="{name} counts as down."),
        Action("up", "Undo force down", lambda req, id, values, row: _set_service(req, id, {"forced_down": False}),
               when=lambda row: row["forced_down"], done="{name} is up or down as its heartbeat says.")))

VOLUME_SERVICES = Panel(
    path="/admin/volume_services", title="Volume services", noun="service", menu="Admin", admin=True,
    source=Source("volume", lambda query: path("/v3/os-services", query=query), "services", pages=False, sort=("binary", "asc"),
                  row=lambda row: {**row, "id": f"{row['binary']} {row['host']}"}),
    columns=(Column("Name", "binary", sort="binary"), Column("Host", "host", sort="host"), Column("Zone", "zone"),
             Column("Status", "status", "status"), Column("State", "state", "status", "state"),
             Column("Reason", "disabled_reason"), Column("Last seen", "updated_at", "time")), empty=_SERVICES.empty)

AGENTS = Panel(
    path="/admin/agents", title="Network agents", noun="agent", menu="Admin", admin=True,
    source=Source("network", lambda query: path("/v2.0/agents", query=query), "agents", pages=False, sort=("agent_type", "asc")),
    columns=(Column("Type", "agent_type", sort="agent_type"), Column("Host", "host", sort="host"),
             Column("Status", lambda r: "enabled" if r["admin_state_up"] else "disabled", "status"),
             Column("State", lambda r: "up" if r["alive"] else "down", "status"),
             Column("Last seen", "heartbeat_timestamp", "time")),
    name=lambda row: Text("{what} on {host}", what=row["agent_type"], host=row["host"]),
    item=lambda req, id: get("network", path("/v2.0/agents/{id}", id), "agent"),
    actions=(Action("disable", "Disable", lambda req, id, values, row: do(req, "PUT", "network", path("/v2.0/agents/{id}", id), {
        "agent": {"admin_state_up": False}}), when=lambda row: row["admin_state_up"], danger="danger",
        ask="{name} is given no new work.", done="{name} is disabled."),
        Action("enable", "Enable", lambda req, id, values, row: do(req, "PUT", "network", path("/v2.0/agents/{id}", id), {
            "agent": {"admin_state_up": True}}), when=lambda row: not row["admin_state_up"], done="{name} is enabled."),
        deletion("network", lambda id: path("/v2.0/agents/{id}", id), when=lambda row: not row["alive"],
                 ask="{name} is forgotten until it reports again.")),
    empty="There are no network agents yet. Each appears here when it has started.")
