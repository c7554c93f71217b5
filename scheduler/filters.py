"""Filters: which hosts a server can go to. A filter of your own is a class with ``passes(host, spec)``.

A host is a row of ``conductor.db.hosts.all_nodes`` with ``up`` (bool), ``zone`` and ``aggregates`` (its aggregates, as
``conductor.db.aggregates.of_hosts`` says) added;
``spec`` is ``scheduler.rpcapi.request_spec`` with ``group`` added: None or
{"policy", "most": how many members of an anti-affine group may share a host,
"hosts": [host of each member]}.
"""

import fnmatch

from common import guest_needs


class Filter:
    """``why`` is how the fault names the hosts that this filter removed."""

    why = ""

    def __init__(self, conf):
        self.conf = conf

    def passes(self, host: dict, spec: dict) -> bool:
        raise AssertionError("a filter must implement passes")

    def reason(self, spec: dict) -> str:
        """``why``, for this server."""
        return self.why

    def limits(self, host: dict) -> dict:
        """{column of what is used of the host: most that may be}. A claim keeps to it, whatever others claim meanwhile."""
        return {}


class AvailabilityZone(Filter):
    """The requested zone or host."""

    why = "not in the availability zone, or not the host asked for"

    def passes(self, host, spec):
        return spec["availability_zone"] in (None, host["zone"]) and spec["requested_host"] in (None, host["host"])


class Compute(Filter):
    """The host is up and enabled."""

    why = "down or disabled"

    def passes(self, host, spec):
        return host["up"] and not host["disabled"]


class TriedHosts(Filter):
    why = "failed to build it already"

    def passes(self, host, spec):
        return host["host"] not in spec["tried_hosts"]


class Ram(Filter):
    why = "not enough memory"

    def __init__(self, conf):
        super().__init__(conf)
        self.ratio, self.reserved_mb = conf.scheduler.ram_allocation_ratio, conf.scheduler.reserved_memory_mb

    def _most(self, host):
        return (host["memory_mb"] - self.reserved_mb) * self.ratio

    def limits(self, host):
        return {"memory_mb_used": self._most(host)}

    def passes(self, host, spec):
        return host["memory_mb_used"] + spec["memory_mb"] <= self._most(host)


class Core(Filter):
    """Enough virtual CPUs in all, and never more in one server than the host really has."""

    why = "not enough CPUs"

    def __init__(self, conf):
        super().__init__(conf)
        self.ratio = conf.scheduler.cpu_allocation_ratio

    def limits(self, host):
        return {"vcpus_used": host["vcpus"] * self.ratio}

    def passes(self, host, spec):
        return spec["vcpus"] <= host["vcpus"] and host["vcpus_used"] + spec["vcpus"] <= host["vcpus"] * self.ratio


class Disk(Filter):
    why = "not enough disk"

    def __init__(self, conf):
        super().__init__(conf)
        self.ratio = conf.scheduler.disk_allocation_ratio

    def limits(self, host):
        return {"local_gb_used": host["local_gb"] * self.ratio}

    def passes(self, host, spec):
        return host["local_gb_used"] + spec["disk_gb"] <= host["local_gb"] * self.ratio


class ImageProperties(Filter):
    """Architecture and hypervisor that the image asks for."""

    why = "cannot run the image"

    def passes(self, host, spec):
        wanted, facts = spec["image_properties"], host["facts"]
        arch = wanted.get("hw_architecture") or wanted.get("architecture")
        kind = wanted.get("img_hv_type") or wanted.get("hypervisor_type")
        same_kind = kind in (None, facts.get("hypervisor_type", "").lower(), "kvm", "qemu")
        return arch in (None, facts.get("arch")) and same_kind


class Hardware(Filter):
    """Hardware that the flavor's extra specs or the image's properties ask for: firmware, buses, dedicated CPUs and so on."""

    why = "without hardware that the flavor or the image asks for"

    def passes(self, host, spec):
        return not spec.get("needs") or not guest_needs.missing(host["facts"], spec["needs"])

    def reason(self, spec):
        return f"{self.why} ({', '.join(guest_needs.missing({}, spec['needs']))})"


class HostHints(Filter):
    """Hints ``query``-free: ``same_host``, ``different_host`` (server ids), ``host`` patterns are resolved by the
    scheduler into host names before filtering."""

    why = "against the scheduler hints"

    def passes(self, host, spec):
        near, far = spec.get("near_hosts"), spec.get("far_hosts") or []
        patterns = spec["hints"].get("hosts") or []
        patterns = [patterns] if isinstance(patterns, str) else patterns
        return ((near is None or host["host"] in near) and host["host"] not in far
                and (not patterns or any(fnmatch.fnmatch(host["host"], p) for p in patterns)))


class ServerGroup(Filter):
    """It is asked once more in the transaction of a claim, with the members that were placed meanwhile."""

    why = "against the server group's policy"
    STRICT = ("affinity", "anti-affinity")  # the policies that remove hosts; soft ones only weigh

    def passes(self, host, spec):
        group = spec.get("group")
        if not group:
            return True
        if group["policy"] == "anti-affinity":
            return group["hosts"].count(host["host"]) < group["most"]
        return group["policy"] != "affinity" or not group["hosts"] or host["host"] in group["hosts"]
