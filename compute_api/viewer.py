"""The attributes of servers that only some callers may see."""

from common.calls import Call
from compute_api import access
from conductor.db import hosts

ALL_STATES = "os_compute_api:servers:show:host_status"
UNKNOWN_STATE = "os_compute_api:servers:show:host_status:unknown-only"


class Viewer:
    """The rules for one caller and a list of servers; each rule is checked once for each owner, not for each server.

    ``statuses``: {host: state} of the hosts whose state, or part of it, the caller may see.
    """

    def __init__(self, call: Call, connection, servers: list[dict]):
        self._call = call
        self._known: dict[tuple, bool] = {}
        seen = {row["host"] for row in servers if row["host"] and self._sees_host(row)}
        self.statuses = hosts.statuses(connection, seen, call.svc.conf.service_down_time)

    def sees(self, rule: str, row: dict) -> bool:
        key = (rule, row["project_id"], row["user_id"])
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._call.svc.policy.allows(self._call.ctx, rule, access.target(row))
        return found

    def _sees_host(self, row: dict) -> bool:
        return self._call.version >= (2, 16) and (self.sees(ALL_STATES, row) or self.sees(UNKNOWN_STATE, row))

    def host_status(self, row: dict) -> str | None:
        """The state of a server's host, "" if the server has none; None if the caller may not see it."""
        if not self._sees_host(row):
            return None
        status = self.statuses[row["host"]] if row["host"] else ""
        return status if status == "UNKNOWN" or self.sees(ALL_STATES, row) else None
