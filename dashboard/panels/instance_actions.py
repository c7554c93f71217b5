"""What can be done with an instance: every action of the compute API, with the states in which it is offered."""

import typing
import urllib.parse

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send, together
from dashboard.forms import Field
from dashboard.panel import Action, Page, Row
from dashboard.panels.fields import TARGET, edited, memory, of_project, pairs_field, sized
from dashboard.panels.networks import port_options, usable
from dashboard.panels.security_groups import group_options
from dashboard.texts import Text

CONSOLES = {"vnc": {"protocol": "vnc", "type": "novnc"}, "serial": {"protocol": "serial", "type": "serial"}}

def _act(req, id: str, body: dict) -> None:
    do(req, "POST", "compute", path("/v2.1/servers/{id}/action", id), body)


def _plain(body: dict):
    return lambda req, id, values, row: _act(req, id, body)


def _idle(*statuses: str):
    return lambda row: row["status"] in statuses and not row["OS-EXT-STS:task_state"]


_RUNS = _idle("ACTIVE")
_AT_REST = _idle("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED")
_ON_OR_OFF = _idle("ACTIVE", "SHUTOFF")


def _console(verb: str):
    def run(req, id, values, row):
        """Lead to the page of the console proxy, with a token that works once."""
        made = do(req, "POST", "compute", path("/v2.1/servers/{id}/remote-consoles", id), {"remote_console": CONSOLES[verb]},
                  "remote_console")
        url = urllib.parse.urlsplit(made["url"])
        if verb == "serial":  # the URL of the WebSocket; the page takes the same query
            url = url._replace(scheme=url.scheme.replace("ws", "http"), path="/serial.html")
        return Page("elsewhere.html", {"url": url.geturl()})
    return run


def _flavor(name: str, of: dict) -> Text:
    return Text("{name}: {vcpus} VCPU, {ram} RAM, {disk} GiB disk", name=name, vcpus=of["vcpus"], ram=memory(of["ram"]),
                disk=of["disk"])


def flavor_options(flavors: list[dict]) -> forms.Options:
    return [(f["id"], _flavor(f["name"], f)) for f in sorted(flavors, key=lambda f: (f["ram"], f["vcpus"], f["name"]))]


def _resize_fields(req, row):
    flavors = send(req, get("compute", path("/v2.1/flavors/detail"), "flavors"))
    own = row["flavor"].get("original_name")
    return [Field("flavor", "New flavor", "choice", True, Text("The current flavor is {name}.", name=_flavor(own, row["flavor"])),
                  options=flavor_options([f for f in flavors if f["name"] != own]))]


def images(req) -> list[dict]:
    """Images that an instance can boot from."""
    found = send(req, get("image", path("/v2/images", query={"status": "active", "limit": 1000}), "images"))
    return [i for i in found if i["container_format"] not in ("aki", "ari")]


def _rebuild_fields(req, row):
    return [Field("image", "Image", "choice", True, options=forms.named(images(req)), initial=(row["image"] or {}).get("id", "")),
            Field("name", "Name", initial=row["name"], required=True)]


def _rebuild(req, id, values, row):
    _act(req, id, {"rebuild": {"imageRef": values["image"], "name": values["name"]}})


def _rescue_fields(req, row):
    return [Field("image", "Image to boot", "choice", options=forms.named(images(req)), blank="The instance's own")]


def _host_field(req, row) -> Field:
    found = send(req, get("compute", path("/v2.1/os-services", query={"binary": "nova-compute"}), "services", instead=[]))
    own = row.get("OS-EXT-SRV-ATTR:host")
    others = [s for s in found if s["host"] != own]
    return Field("host", "Host", "choice", blank="The scheduler chooses", options=[(s["host"], s["host"]) for s in others],
                 unfit={s["host"]: Text("down") if s["state"] != "up" else Text("disabled") for s in others
                        if s["state"] != "up" or s["status"] != "enabled"},
                 help=Text("Its host is {host}.", host=own) if own else "")


def _rescue(req, id, values, row):
    _act(req, id, {"rescue": {"rescue_image_ref": values["image"]} if values["image"] else {}})


def _reset_state(req, id, values, row):
    _act(req, id, {"os-resetState": values})


def _move(name: str, more: typing.Callable[[dict], dict] = lambda values: {}):
    """A move to a host that was chosen, or that the scheduler chooses."""
    def run(req, id, values, row):
        body = more(values)
        if values["host"] or name == "os-migrateLive":
            body["host"] = values["host"] or None
        _act(req, id, {name: body or (None if name == "migrate" else {})})
    return run


def _lock(req, id, values, row):
    _act(req, id, {"lock": {"locked_reason": values["reason"]} if values.get("reason") else None})


def _edit(req, id, values, row):
    do(req, "PUT", "compute", path("/v2.1/servers/{id}", id), {"server": values})


def _metadata(req, id, values, row):
    do(req, "PUT", "compute", path("/v2.1/servers/{id}/metadata", id), {
        "metadata": edited(row["metadata"], values["metadata"])})


def _tags(req, id, values, row):
    do(req, "PUT", "compute", path("/v2.1/servers/{id}/tags", id), {"tags": forms.lines(values["tags"])})


def _attach_interface_fields(req, row):
    found = together(req, networks=get("network", path("/v2.0/networks"), "networks"),
                     ports=get("network", path("/v2.0/ports", query={"device_id": ""}), "ports"))
    return [Field("network", "Network", "choice", options=forms.named(usable(found["networks"], row["tenant_id"]))),
            Field("port", "Port", "choice", blank="A new one", help="An existing port, instead of a network.",
                  options=port_options(p for p in found["ports"] if p["project_id"] == row["tenant_id"])),
            Field("fixed_ip", "Fixed IP address", help="Leave empty for any address of the network.")]


def _attach_interface(req, id, values, row):
    if bool(values["network"]) == bool(values["port"]):
        raise forms.Refused({"network": "Choose either a network or a port."})
    body: dict = {"port_id": values["port"]} if values["port"] else {"net_id": values["network"]}
    if values["fixed_ip"]:
        body["fixed_ips"] = [{"ip_address": values["fixed_ip"]}]
    do(req, "POST", "compute", path("/v2.1/servers/{id}/os-interface", id), {"interfaceAttachment": body})


def _detach_interface(req, id, values, row):
    do(req, "DELETE", "compute", path("/v2.1/servers/{id}/os-interface/{id}", id, values["target"]))


def _attach_volume_fields(req, row):
    found = send(req, get("volume", path("/v3/volumes/detail", query={
        "limit": 1000, "status": "available", **of_project(req, row["tenant_id"])}), "volumes"))
    return [Field("volume", "Volume", "choice", True, options=sized(found),
                  help="" if found else "There are no available volumes: create one first.")]


def _attach_volume(req, id, values, row):
    do(req, "POST", "compute", path("/v2.1/servers/{id}/os-volume_attachments", id),
       {"volumeAttachment": {"volumeId": values["volume"]}})


def _detach_volume(req, id, values, row):
    do(req, "DELETE", "compute", path("/v2.1/servers/{id}/os-volume_attachments/{id}", id, values["target"]))


def _groups_fields(req, row):
    present = _present_groups(_own_ports(req, row["id"]))
    return [Field("groups", "Security groups", "many", options=group_options(req, row["tenant_id"], present),
                  initial=sorted(present))]


def _port_groups_fields(req, row):
    port = send(req, get("network", path("/v2.0/ports/{id}", row["target"]), "port"))
    present = port["security_groups"]
    return [TARGET, Field("groups", "Security groups", "many", options=group_options(req, port["project_id"], present),
                          initial=present)]


def _set_port_groups(req, id, values, row):
    do(req, "PUT", "network", path("/v2.0/ports/{id}", values["target"]), {"port": {"security_groups": values["groups"]}})


def _own_ports(req, id: str) -> list[Row]:
    return send(req, get("network", path("/v2.0/ports", query={"device_id": id}), "ports"))


def _present_groups(ports: list[Row]) -> set[str]:
    return {group for port in ports for group in port["security_groups"]}


def _set_groups(req, id, values, row):
    """What was chosen is added to each port of the instance, and what was no longer chosen is taken from each. So ports with
    different groups stay different."""
    ports = _own_ports(req, id)
    wanted, present = set(values["groups"]), _present_groups(ports)
    for port in ports:
        old = set(port["security_groups"])
        new = old - (present - wanted) | (wanted - present)
        if new != old:
            do(req, "PUT", "network", path("/v2.0/ports/{id}", port["id"]), {"port": {"security_groups": sorted(new)}})


def _associate_fields(req, row):
    found = together(req, ips=get("network", path("/v2.0/floatingips", query={"project_id": row["tenant_id"]}),
                              "floatingips"),
                     ports=get("network", path("/v2.0/ports", query={"device_id": row["id"]}), "ports"))
    free = [(ip["id"], ip["floating_ip_address"]) for ip in found["ips"] if not ip["port_id"]]
    return [Field("ip", "Floating IP", "choice", True, options=free,
                  help="" if free else "None is free: allocate one under Network, Floating IPs."),
            Field("port", "Interface", "choice", True, options=[
                (p["id"], ", ".join(ip["ip_address"] for ip in p["fixed_ips"]) or p["id"]) for p in found["ports"]])]


def _associate(req, id, values, row):
    do(req, "PUT", "network", path("/v2.0/floatingips/{id}", values["ip"]), {"floatingip": {"port_id": values["port"]}})


def _disassociate_fields(req, row):
    addresses = {a["addr"] for found in row["addresses"].values() for a in found if a.get("OS-EXT-IPS:type") == "floating"}
    found = send(req, get("network", path("/v2.0/floatingips"), "floatingips"))
    return [Field("ip", "Floating IP", "choice", True, options=[
        (ip["id"], ip["floating_ip_address"]) for ip in found if ip["floating_ip_address"] in addresses])]


def _disassociate(req, id, values, row):
    do(req, "PUT", "network", path("/v2.0/floatingips/{id}", values["ip"]), {"floatingip": {"port_id": None}})


def _has_floating(row: Row) -> bool:
    return any(a.get("OS-EXT-IPS:type") == "floating" for found in row["addresses"].values() for a in found)


def _delete(req, id, values, row):
    do(req, "DELETE", "compute", path("/v2.1/servers/{id}", id))


def _password(req, id, values, row):
    if values["password"] != values["password_again"]:
        raise forms.Refused({"password_again": "The passwords differ."})
    _act(req, id, {"changePassword": {"adminPass": values["password"]}})


def _forget_password(req, id, values, row):
    do(req, "DELETE", "compute", path("/v2.1/servers/{id}/os-server-password", id))


def _present(row: Row) -> bool:
    return row["status"] not in ("DELETED", "SOFT_DELETED")


def _alive(row: Row) -> bool:
    return row["status"] not in ("DELETED", "SOFT_DELETED", "BUILD", "SHELVED_OFFLOADED") and not row["OS-EXT-STS:task_state"]


_STATE = Field("state", "State", "choice", True, options=(("active", "active"), ("error", "error")))
_SNAPSHOT = (Field("name", "Name of the image", required=True, max_length=255),)
_PASSWORD = (Field("password", "New password", "password", True),
             Field("password_again", "Repeat the password", "password", True))


def _edit_fields(req, row):
    return [Field("name", "Name", required=True, initial=row["name"]),
            Field("description", "Description", initial=row["description"] or "")]


def _metadata_fields(req, row):
    return [pairs_field("metadata", "Metadata", row["metadata"])]


def _tags_fields(req, row):
    return [Field("tags", "Tags", "area", help="One per line.", max_length=4000, initial="\n".join(row["tags"]))]


def _is_locked(row: Row) -> bool:
    return bool(row["locked"])


ACTIONS = (
    Action("start", "Start", _plain({"os-start": None}), when=_idle("SHUTOFF"), bulk=True, primary=True,
           done="{name} is being started."),
    Action("stop", "Shut off", _plain({"os-stop": None}), when=_idle("ACTIVE", "ERROR"), bulk=True,
           ask="{name} is shut down, and what runs in it ends. Its disks and addresses stay.",
           done="{name} is being shut off."),
    Action("vnc", "Console", _console("vnc"), when=_RUNS, primary=True, opens=True),
    Action("serial", "Serial console", _console("serial"), when=_RUNS, opens=True),
    Action("confirm", "Confirm resize", _plain({"confirmResize": None}), when=_idle("VERIFY_RESIZE"), primary=True,
           ask="{name} stays as it is now. What was kept to go back is deleted.",
           done="The resize of {name} is being confirmed."),
    Action("revert", "Revert resize", _plain({"revertResize": None}), when=_idle("VERIFY_RESIZE"), primary=True,
           ask="{name} is stopped, and goes back to the flavor and the host that it had. What was written to its own disk since "
               "then is lost.",
           done="The resize of {name} is being reverted."),
    Action("unpause", "Unpause", _plain({"unpause": None}), when=_idle("PAUSED"), primary=True, done="{name} is being unpaused."),
    Action("resume", "Resume", _plain({"resume": None}), when=_idle("SUSPENDED"), primary=True, done="{name} is being resumed."),
    Action("unshelve", "Unshelve", _plain({"unshelve": None}), when=_idle("SHELVED", "SHELVED_OFFLOADED"), primary=True,
           done="{name} is being unshelved."),
    Action("unrescue", "Unrescue", _plain({"unrescue": None}), when=_idle("RESCUE"), primary=True,
           done="{name} is being brought back from rescue."),
    Action("reboot", "Reboot", _plain({"reboot": {"type": "SOFT"}}), when=_RUNS, bulk=True,
           ask="{name} is shut down and started again. What runs in it ends.", done="{name} is being rebooted."),
    Action("hard-reboot", "Hard reboot", _plain({"reboot": {"type": "HARD"}}), when=_idle(
        "ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "ERROR"), danger="danger",
        ask="{name} is switched off and on, as by its power button. Data that has not been written to its disks is lost."),
    Action("pause", "Pause", _plain({"pause": None}), when=_RUNS, done="{name} is being paused.",
           ask="{name} stands still until it is unpaused. Its memory stays in its host's memory."),
    Action("suspend", "Suspend", _plain({"suspend": None}), when=_RUNS, done="{name} is being suspended.",
           ask="{name} stands still until it is resumed. Its memory is kept on disk."),
    Action("shelve", "Shelve", _plain({"shelve": None}), when=_AT_REST,
           ask="{name} is stopped, and an image of it is kept until it is unshelved. Its memory is lost; its addresses and "
               "volumes stay."),
    Action("shelve-offload", "Remove from its host", _plain({"shelveOffload": None}), when=_idle("SHELVED"), admin=True,
           ask="{name} gives up what it uses on its host, and is built from its image when it is unshelved.",
           done="{name} is being removed from its host."),
    Action("edit", "Edit", _edit, _edit_fields, when=_present, done="{name} was changed."),
    Action("metadata", "Edit metadata", _metadata, _metadata_fields, when=_present, done="The metadata was changed."),
    Action("tags", "Edit tags", _tags, _tags_fields, when=_present, done="The tags were changed."),
    Action("snapshot", "Create snapshot", lambda req, id, values, row: _act(req, id, {"createImage": values}), _SNAPSHOT,
           when=_AT_REST, done="A snapshot of {name} is being made: see Images."),
    Action("attach-volume", "Attach volume", _attach_volume, _attach_volume_fields, when=_alive, tab="volumes",
           done="The volume is being attached."),
    Action("detach-volume", "Detach", _detach_volume, (TARGET,), when=_alive, title="Detach volume",
           hidden=True, danger="danger", tab="volumes",
           ask="The volume is detached from {name}. Unmount it there first, or data may be lost.",
           done="The volume is being detached."),
    Action("attach-interface", "Attach interface", _attach_interface, _attach_interface_fields, when=_alive, tab="interfaces",
           done="The interface was attached."),
    Action("detach-interface", "Detach", _detach_interface, (TARGET,), when=_alive, title="Detach interface",
           hidden=True, danger="danger",
           tab="interfaces",
           ask="The interface is taken from {name}, with its addresses.", done="The interface is being detached."),
    Action("port-groups", "Edit security groups", _set_port_groups, _port_groups_fields, when=_alive, hidden=True,
           tab="interfaces", done="The security groups of the interface were changed."),
    Action("associate", "Associate floating IP", _associate, _associate_fields, when=_alive, tab="interfaces",
           done="The address was associated."),
    Action("disassociate", "Disassociate floating IP", _disassociate, _disassociate_fields, when=_has_floating, tab="interfaces",
           done="The address was disassociated."),
    Action("groups", "Edit security groups", _set_groups, _groups_fields, when=_alive, tab="groups",
           done="The security groups were changed."),
    Action("resize", "Resize", lambda req, id, values, row: _act(req, id, {"resize": {"flavorRef": values["flavor"]}}),
           _resize_fields, when=_ON_OR_OFF, done="{name} is being resized. Confirm or revert it afterwards.",
           ask="{name} is stopped, gets the new flavor, and is started. Confirm or revert it afterwards."),
    Action("lock", "Lock", _lock, (Field("reason", "Reason"),), when=lambda row: not row["locked"], submit="Lock",
           ask="{name} cannot be changed or deleted until it is unlocked.",
           done="{name} is locked."),
    Action("unlock", "Unlock", _plain({"unlock": None}), when=_is_locked, done="{name} is unlocked."),
    Action("password", "Change password", _password, _PASSWORD, when=_RUNS, done="The password was changed."),
    Action("forget-password", "Forget this password", _forget_password, when=_present, hidden=True, danger="danger",
           tab="password", ask="The cloud forgets the password that {name} made. In {name} it stays as it is.",
           done="The password is forgotten."),
    Action("rescue", "Rescue", _rescue, _rescue_fields, when=_idle("ACTIVE", "SHUTOFF", "ERROR"),
           ask="{name} boots from another disk, with its own attached as the second one.", done="{name} is being rescued."),
    Action("rebuild", "Rebuild", _rebuild, _rebuild_fields, when=_idle("ACTIVE", "SHUTOFF", "ERROR"), danger="danger",
           ask="The disk of {name} is replaced by the image. Everything on it is lost; addresses and volumes stay.",
           done="{name} is being rebuilt."),
    Action("migrate", "Migrate", _move("migrate"), lambda req, row: [_host_field(req, row)], when=_ON_OR_OFF, admin=True,
           ask="{name} is stopped, moved to another host, and started. Confirm or revert it afterwards.",
           done="{name} is being migrated."),
    Action("live-migrate", "Live-migrate", _move("os-migrateLive", lambda values: {"block_migration": "auto"}),
           lambda req, row: [_host_field(req, row)], when=_idle("ACTIVE", "PAUSED"), admin=True,
           ask="{name} is moved to another host while it runs.", done="{name} is being migrated."),
    Action("evacuate", "Evacuate", _move("evacuate"), lambda req, row: [_host_field(req, row)], when=_idle(
        "ACTIVE", "SHUTOFF", "ERROR"), admin=True, danger="danger",
        ask="{name} is built again on another host because its own is down. Its disk begins again from the image, so what was "
            "on it is lost. Volumes and addresses stay.",
        done="{name} is being evacuated."),
    Action("reset-state", "Reset state", _reset_state, (_STATE,), admin=True,
           ask="This changes only what the database says about {name}.", danger="danger", done="The state was reset."),
    Action("restore", "Restore", _plain({"restore": None}), when=_idle("SOFT_DELETED"), primary=True,
           done="{name} is being restored."),
    Action("force-delete", "Delete now", _plain({"forceDelete": None}), when=_idle("SOFT_DELETED"), danger="name", leaves=True,
           ask="{name} is deleted now, instead of after a while, and can no longer be restored.",
           done="{name} is being deleted."),
    Action("delete", "Delete", _delete, when=_present, bulk=True, danger="danger", leaves=True,
           ask="{name} is deleted with its disk and its addresses. Volumes stay, unless they are deleted with it. This cannot be "
               "undone, unless this cloud keeps deleted instances for a while.", done="{name} is being deleted."),
)
