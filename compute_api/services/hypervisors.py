"""Hypervisors: the compute hosts, for operators."""


import concurrent.futures

from common import errors
from common.calls import Call
from conductor.db import hosts, instances

_ASKED_AT_ONCE = 16


def nodes(call: Call, with_servers):
    with call.svc.db.reader() as connection:
        found = hosts.all_nodes(connection)
        if with_servers:
            _add_servers(connection, found)
    return found


def uptimes(call: Call, nodes: list[dict]) -> dict[str, str | None]:
    """{host: its uptime, in the format of the command ``uptime``}; None: it is down or does not respond."""
    def ask(node: dict) -> str | None:
        if not hosts.is_up(node, call.svc.conf.service_down_time):
            return None
        try:
            return call.svc.agents.uptime(call.ctx, node["host"])
        except errors.Error:
            return None
    with concurrent.futures.ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        return dict(zip([node["host"] for node in nodes], pool.map(ask, nodes)))


def _add_servers(connection, nodes: list[dict]) -> None:
    servers = instances.uuids_by_host(connection)
    for node in nodes:
        node["servers"] = [{"uuid": uuid, "name": f"instance-{uuid}"} for uuid in servers.get(node["host"], ())]


def servers(call: Call, found) -> None:
    with call.svc.db.reader() as connection:
        _add_servers(connection, found)
