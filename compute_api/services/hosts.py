"""os-hosts, until 2.42: hosts with their capacity and usage. Newer clients use os-hypervisors and os-services."""

import typing

from common import errors, rows
from common.calls import Call
from conductor.db import aggregates, hosts, instances, models

SERVICES = models.services


def index(call: Call, zone: str | None) -> list[dict]:
    """The services that are not disabled, of one zone or of all, by host."""
    with call.svc.db.reader() as connection:
        found = aggregates.services(connection, call.svc.conf.compute.default_availability_zone, disabled=False)
    return [row for row in found if zone in (None, row["zone"])]


def show(call: Call, id: str):
    call.svc.policy.check(call.ctx, "os_compute_api:os-hosts:show", {})
    with call.svc.db.reader() as connection:
        node = next((n for n in hosts.all_nodes(connection) if n["host"] == id), None)
        if node is None:
            raise errors.NotFound(f"Compute host {id} could not be found.")
        used = instances.usage_on_host(connection, id)
    return used, node


def update(call: Call, enabled, id: str) -> None:
    with call.svc.db.writer() as connection:
        values = {"disabled": not enabled, "disabled_reason": None}
        if not rows.update_where(connection, SERVICES, values, host=id, binary="nova-compute"):
            raise errors.NotFound(f"Compute host {id} could not be found.")


def maintain(call: Call, id: str) -> typing.NoReturn:
    """Change a host's maintenance mode, which libvirt does not have: the answer is that of Nova's libvirt driver.

    :raises NotFound: there is no such host
    :raises NotSupported: otherwise
    """
    with call.svc.db.reader() as connection:
        _check_known(connection, id)
    raise errors.NotSupported()


def _check_known(connection, id: str) -> None:
    if not hosts.is_known(connection, id):
        raise errors.NotFound(f"Compute host {id} could not be found.")


def power(call: Call, id: str, rule: str) -> None:
    """Reboot, shut down or start a host, which libvirt cannot: the answer is that of Nova's libvirt driver.

    :raises NotFound: there is no such host
    :raises BadRequest: it is down
    :raises NotSupported: otherwise
    """
    call.svc.policy.check(call.ctx, rule, {})
    with call.svc.db.reader() as connection:
        _check_known(connection, id)
        if not hosts.service_up(connection, id, call.svc.conf.service_down_time):
            raise errors.BadRequest(f"Compute service of {id} is unavailable at this time.")
    raise errors.NotSupported()
