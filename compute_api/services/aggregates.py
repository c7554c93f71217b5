"""Host aggregates: groups of hosts with metadata, which filters of the scheduler read. One key of the metadata is
the hosts' availability zone.

A server stays in its zone, so a host is in one zone only, which cannot change while it has servers.
"""

import typing

from common import errors, rows
from common.calls import Call
from compute_api import images
from conductor.db import aggregates, hosts
from conductor.db.aggregates import ZONE

_ADD, _REMOVE, _UPDATE = "Cannot add host to", "Cannot remove host from", "Cannot update"
_METADATA = "Cannot update metadata of"


def _check(call: Call, rule: str) -> None:
    call.svc.policy.check(call.ctx, rule, {})


def _notify(call: Call, what: str, aggregate_id: int, **payload) -> None:
    """Notify subscribers of a change that has been committed."""
    call.svc.notifier.notify(call.ctx, f"aggregate.{what}.end", {"aggregate_id": aggregate_id, **payload})


def _changing(connection, id: int) -> dict:
    """An aggregate that nobody else changes, and whose hosts nobody claims, until the transaction ends."""
    aggregates.lock(connection)
    found = aggregates.get(connection, id)
    aggregates.touch(connection, found["hosts"])
    return found


def index(call: Call) -> list[dict]:
    _check(call, "os_compute_api:os-aggregates:index")
    with call.svc.db.reader() as connection:
        return aggregates.all_of_them(connection)


def show(call: Call, id: int) -> dict:
    _check(call, "os_compute_api:os-aggregates:show")
    with call.svc.db.reader() as connection:
        return aggregates.get(connection, id)


def create(call: Call, name: str, zone: str | None) -> dict:
    """:raises Conflict: there is one with this name"""
    _check(call, "os_compute_api:os-aggregates:create")
    with call.svc.db.writer() as connection:
        made = aggregates.insert(connection, name, {ZONE: zone} if zone else {})
    _notify(call, "create", made["id"], name=name)
    return made


def update(call: Call, id: int, given: dict) -> dict:
    """:param given: "name", "availability_zone", or both

    :raises BadRequest: the zone of the hosts cannot be changed
    :raises Conflict: there is another with this name
    """
    _check(call, "os_compute_api:os-aggregates:update")
    with call.svc.db.writer() as connection:
        found = _changing(connection, id)
        values: dict[str, typing.Any] = {"name": given["name"]} if "name" in given else {}
        if ZONE in given:
            _check_zone(connection, found, given[ZONE], _UPDATE)
            values["metadata"] = {**found["metadata"], ZONE: given[ZONE]}
        changed = aggregates.write(connection, found, **values)
    _notify(call, "updateprop", id, **given)
    return changed


def set_metadata(call: Call, id: int, given: dict) -> dict:
    """:param given: {name: text, or None to remove it}; others stay as they are

    :raises BadRequest: as ``update``
    """
    _check(call, "os_compute_api:os-aggregates:set_metadata")
    with call.svc.db.writer() as connection:
        found = _changing(connection, id)
        if ZONE in given:
            _check_zone(connection, found, given[ZONE], _METADATA)
        metadata = {name: text for name, text in {**found["metadata"], **given}.items() if text is not None}
        changed = aggregates.write(connection, found, metadata=metadata)
    _notify(call, "updatemetadata", id, meta_data=given)
    return changed


def _check_zone(connection, found: dict, zone: str | None, what: str) -> None:
    """:raises BadRequest: the aggregate's hosts cannot be in this zone, or servers would change theirs"""
    if not zone:
        raise _refused(found, what, f"Aggregate {found['name']} does not support empty named availability zone")
    others = _other_zones(connection, found, found["hosts"], zone)
    if others:
        raise _refused(found, what, f"One or more hosts already in availability zone(s) {others}")
    if zone != found["metadata"].get(ZONE) and aggregates.servers_on(connection, found["hosts"]):
        raise _refused(found, what, "One or more hosts contain instances in this zone")


def _other_zones(connection, found: dict, names: list[str], zone: str) -> list[str]:
    """The zones that these hosts are in by other aggregates, and that are not this one."""
    return sorted({a["metadata"][ZONE] for of in aggregates.of_hosts(connection, names).values() for a in of
                   if a["id"] != found["id"] and a["metadata"].get(ZONE, zone) != zone})


def _refused(found: dict, what: str, reason: str, error: type[errors.Error] = errors.BadRequest) -> errors.Error:
    return error(f"{what} aggregate {found['id']}. Reason: {reason}.")


def delete(call: Call, id: int) -> None:
    """:raises BadRequest: it has hosts"""
    _check(call, "os_compute_api:os-aggregates:delete")
    with call.svc.db.writer() as connection:
        found = _changing(connection, id)
        if found["hosts"]:
            raise _refused(found, _REMOVE, "Host aggregate is not empty")
        rows.delete(connection, aggregates.TABLE, id, resource="Aggregate")
    _notify(call, "delete", id)


def add_host(call: Call, id: int, host: str) -> dict:
    """
    :raises NotFound: there is no such aggregate or host
    :raises Conflict: the host is in it, or is in another zone
    """
    _check(call, "os_compute_api:os-aggregates:add_host")
    with call.svc.db.writer() as connection:
        aggregates.lock(connection)
        found = aggregates.get(connection, id)
        if not hosts.is_known(connection, host):
            raise errors.NotFound(f"Compute host {host} could not be found.")
        aggregates.touch(connection, [host])
        zone = found["metadata"].get(ZONE)
        if zone:
            others = _other_zones(connection, found, [host], zone)
            if others:
                raise _refused(found, _ADD, f"One or more hosts already in availability zone(s) {others}", errors.Conflict)
            _check_move(connection, found, host, _ADD, "added to", None, zone)
        rows.insert(connection, aggregates.HOSTS, {"aggregate_id": id, "host": host},
                    conflict=f"Aggregate {id} already has host {host}.")
        changed = aggregates.write(connection, {**found, "hosts": sorted({*found["hosts"], host})})
    _notify(call, "addhost", id, host_name=host)
    return changed


def remove_host(call: Call, id: int, host: str) -> dict:
    """
    :raises NotFound: there is no such aggregate, or the host is not in it
    :raises Conflict: servers on the host would change their zone
    """
    _check(call, "os_compute_api:os-aggregates:remove_host")
    with call.svc.db.writer() as connection:
        aggregates.lock(connection)
        found = aggregates.get(connection, id)
        if host not in found["hosts"]:
            raise errors.NotFound(f"Cannot remove host {host} in aggregate {id}")
        aggregates.touch(connection, [host])
        zone = found["metadata"].get(ZONE)
        if zone:
            _check_move(connection, found, host, _REMOVE, "removed from", zone, None)
        rows.delete_where(connection, aggregates.HOSTS, aggregate_id=id, host=host)
        changed = aggregates.write(connection, {**found, "hosts": [name for name in found["hosts"] if name != host]})
    _notify(call, "removehost", id, host_name=host)
    return changed


def _check_move(connection, found: dict, host: str, what: str, verb: str, old: str | None, new: str | None) -> None:
    """
    :param old: the host's zone, if this aggregate decides it; as ``new``
    :raises Conflict: the host's zone would change, and it has servers
    """
    others = [a for a in aggregates.of_hosts(connection, [host]).get(host, []) if a["id"] != found["id"]]
    if any(ZONE in a["metadata"] for a in others):  # it is the same zone: hosts are in one only
        return
    count = aggregates.servers_on(connection, [host])
    if count:
        raise _refused(found, what, f"The host cannot be {verb} the aggregate as the availability zone of the host would change "
                                    f"from '{old}' to '{new}' but the host already has {count} instance(s)", errors.Conflict)


def cache_images(call: Call, id: int, image_ids: list[str]) -> None:
    """Have each host of the aggregate that is up fetch images. What a host cannot fetch now it fetches when a server needs it.

    :raises BadRequest: an image is named twice, or is not there for the caller
    """
    _check(call, "compute:aggregates:images")
    if len(set(image_ids)) < len(image_ids):
        raise errors.BadRequest("Duplicate images in request")
    with call.svc.db.reader() as connection:
        found = aggregates.get(connection, id)
        states = hosts.statuses(connection, set(found["hosts"]), call.svc.conf.service_down_time)
    files = [images.file_of(call, image_id) for image_id in image_ids]
    for host in found["hosts"]:
        if states[host] in ("UP", "MAINTENANCE"):
            call.svc.send(call.svc.agents.cache_images, call.ctx, host, files)
