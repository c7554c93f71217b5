"""Filters by server groups. They are applied again in the transaction of a claim, with the members that were placed meanwhile."""

from scheduler.filters.base import Filter

STRICT = ("affinity", "anti-affinity")  # policies that exclude hosts; soft policies only affect the weights


class ServerGroupFilter(Filter):
    why = "against the server group's policy"


class ServerGroupAffinityFilter(ServerGroupFilter):
    def passes(self, host, spec):
        group = spec.get("group")
        return not group or group["policy"] != "affinity" or not group["hosts"] or host["host"] in group["hosts"]


class ServerGroupAntiAffinityFilter(ServerGroupFilter):
    def passes(self, host, spec):
        group = spec.get("group")
        return not group or group["policy"] != "anti-affinity" or group["hosts"].count(host["host"]) < group["most"]
