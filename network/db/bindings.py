"""The hosts that plug a port: the one that it is bound to, and while its server is migrated live, the other one too."""

import sqlalchemy as sa

from network.db.models import ports

COLUMNS = (ports.c.binding_host_id, ports.c.binding_migrating_to)
MIGRATING_TO = "migrating_to"  # in a port's binding profile, as Nova sets it for Neutron
MULTIQUEUE = "multiqueue"  # there too: its guest's interface has several queues


def hosts_of(port: dict) -> list[str]:
    return [port[c.name] for c in COLUMNS if port[c.name]]


def on_host(table, host: str) -> sa.ColumnElement[bool]:
    """The WHERE of the ports that a host plugs. ``table``: ports, or an alias of it."""
    return sa.or_(*(table.c[c.name] == host for c in COLUMNS))


def changed(old: dict, values: dict) -> dict:
    """The columns that an update of a port's host or profile sets. A port that is bound to another host has arrived.

    :param old: the port
    :param values: what was asked for; "binding_host_id" or "binding_profile" is in it
    """
    profile = values.get("binding_profile", old["binding_profile"]) or {}
    found: dict = {}
    if "binding_host_id" in values:
        host = values["binding_host_id"] or ""
        found.update(binding_host_id=host, binding_vif_type="bridge" if host else "unbound")
        if host != old["binding_host_id"]:
            profile = {name: value for name, value in profile.items() if name != MIGRATING_TO}
        if not host:
            found["status"] = "DOWN"
            profile = {name: value for name, value in profile.items() if name != MULTIQUEUE}
    target = profile.get(MIGRATING_TO)
    bound = found.get("binding_host_id", old["binding_host_id"])
    valid = isinstance(target, str) and len(target) <= 255 and bound and target != bound
    return {**found, "binding_profile": profile, "binding_migrating_to": target if valid else ""}
