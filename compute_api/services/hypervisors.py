"""Hypervisors: the compute hosts, for operators."""


from common.calls import Call
from conductor.db import hosts, instances


def nodes(call: Call, with_servers):
    with call.svc.db.reader() as connection:
        found = hosts.all_nodes(connection)
        if with_servers:
            _add_servers(connection, found)
    return found


def _add_servers(connection, nodes: list[dict]) -> None:
    servers = instances.uuids_by_host(connection)
    for node in nodes:
        node["servers"] = [{"uuid": uuid, "name": f"instance-{uuid}"} for uuid in servers.get(node["host"], ())]


def servers(call: Call, found) -> None:
    with call.svc.db.reader() as connection:
        _add_servers(connection, found)
