"""What lets somebody log in to a new instance: a key pair, a rule for SSH from his address, and a floating IP."""

import re
import secrets
import time

from common import errors
from common.rest import path
from dashboard import session
from dashboard.asks import do, get, send
from dashboard.panel import Row

_GROUP = "ssh"
_WAIT_S = 20  # for the port of a new instance, which a compute host makes
# The user of the usual images, by what their name or their property os_distro begins with.
_USERS = {"ubuntu": "ubuntu", "debian": "debian", "fedora": "fedora", "centos": "cloud-user", "rocky": "rocky",
          "almalinux": "almalinux", "alma": "almalinux", "arch": "arch", "opensuse": "opensuse", "sles": "sles",
          "cirros": "cirros", "alpine": "alpine", "freebsd": "freebsd", "rhel": "cloud-user"}
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


def user_of(image: Row | None) -> str:
    """Whom to log in as, as far as the image tells, or nothing."""
    if not image:
        return ""
    said = str(image.get("os_admin_user") or "")
    if _USER.fullmatch(said):  # images are of others too, and what is shown is pasted into a shell
        return said
    names = [str(image.get("os_distro") or "").lower(), str(image.get("name") or "").lower()]
    return next((user for name in names for begin, user in _USERS.items() if name.startswith(begin)), "")


def allows_ssh(groups: list[Row]) -> bool:
    """Whether a rule of these groups lets SSH in from anywhere at all."""
    return any(rule["direction"] == "ingress" and rule["protocol"] in (None, "tcp", "6") and not rule.get("remote_group_id") and (
        rule["port_range_min"] is None or rule["port_range_min"] <= 22 <= rule["port_range_max"])
        for group in groups for rule in group.get("security_group_rules", ()))


def new_key(req) -> tuple[str, str]:
    """(the name of a new key pair, its private key)"""
    name = f"key-{secrets.token_hex(3)}"
    made = do(req, "POST", "compute", path("/v2.1/os-keypairs"), {"keypair": {"name": name, "type": "ssh"}}, "keypair")
    return name, made["private_key"]


def imported_key(req, public_key: str) -> str:
    """The name of a key pair with a public key of the user."""
    words = public_key.split()
    name = "".join(c for c in (words[2] if len(words) > 2 else "") if c.isascii() and (c.isalnum() or c in "-_."))[:60]
    name = f"{name or 'key'}-{secrets.token_hex(2)}"
    do(req, "POST", "compute", path("/v2.1/os-keypairs"), {"keypair": {"name": name, "type": "ssh", "public_key": public_key}})
    return name


def ssh_group(req) -> str:
    """The id of the project's group ``ssh``, with a rule for the user's address. What is there already is used."""
    own = session.required(req).project_id
    mine = req.remote_addr or ""
    found = send(req, get("network", path("/v2.0/security-groups", query={"project_id": own, "name": _GROUP}), "security_groups"))
    group = found[0] if found else do(req, "POST", "network", path("/v2.0/security-groups"), {"security_group": {
        "name": _GROUP, "description": "SSH from the addresses of those who launched instances."}}, "security_group")
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp", "port_range_min": 22,
            "port_range_max": 22, "ethertype": "IPv6" if ":" in mine else "IPv4",
            "remote_ip_prefix": f"{mine}/{128 if ':' in mine else 32}"}
    try:
        do(req, "POST", "network", path("/v2.0/security-group-rules"), {"security_group_rule": rule})
    except errors.Conflict:
        pass  # it has that rule
    return group["id"]


def floating_ip(req, server: str, network: str) -> str:
    """A new floating IP for an instance that is being built. :raises NotFound: the instance got no port in time"""
    until = time.monotonic() + _WAIT_S
    while not (ports := [p for p in send(req, get("network", path("/v2.0/ports", query={"device_id": server}), "ports"))
                         if p["fixed_ips"]]):
        if time.monotonic() > until:
            raise errors.NotFound("The instance has no address yet.")
        time.sleep(0.2)
    made = do(req, "POST", "network", path("/v2.0/floatingips"), {"floatingip": {
        "floating_network_id": network, "port_id": ports[0]["id"]}}, "floatingip")
    return made["floating_ip_address"]
