"""Filters that are always applied: in OpenStack, the placement service does this, or operators cannot disable them."""

import fnmatch

from common import guest_needs, host_traits
from scheduler.filters.base import Filter, number


class AvailabilityZone(Filter):
    """The requested zone or host."""

    why = "not in the availability zone, or not the host asked for"

    def passes(self, host, spec):
        return spec["availability_zone"] in (None, host["zone"]) and spec["requested_host"] in (None, host["host"])


class UsableHypervisor(Filter):
    why = "without a working hypervisor"

    def passes(self, host, spec):
        return not host["facts"].get("unusable")


class TriedHosts(Filter):
    why = "failed to build it already"

    def passes(self, host, spec):
        return host["host"] not in spec["tried_hosts"]


class Ram(Filter):
    """Aggregates may override the ratio with ``ram_allocation_ratio``."""

    why = "not enough memory"

    def __init__(self, conf):
        super().__init__(conf)
        self.ratio, self.reserved_mb = conf.scheduler.ram_allocation_ratio, conf.scheduler.reserved_memory_mb

    def _most(self, host):
        return (host["memory_mb"] - self.reserved_mb) * number(host, "ram_allocation_ratio", self.ratio)

    def limits(self, host):
        return {"memory_mb_used": self._most(host)}

    def passes(self, host, spec):
        return host["memory_mb_used"] + spec["memory_mb"] <= self._most(host)


class Core(Filter):
    """Enough virtual CPUs in total, and no server has more than the host has physically. Aggregates may override the ratio
    with ``cpu_allocation_ratio``."""

    why = "not enough CPUs"

    def __init__(self, conf):
        super().__init__(conf)
        self.ratio = conf.scheduler.cpu_allocation_ratio

    def _most(self, host):
        return host["vcpus"] * number(host, "cpu_allocation_ratio", self.ratio)

    def limits(self, host):
        return {"vcpus_used": self._most(host)}

    def passes(self, host, spec):
        return spec["vcpus"] <= host["vcpus"] and host["vcpus_used"] + spec["vcpus"] <= self._most(host)


class Disk(Filter):
    """Aggregates may override the ratio with ``disk_allocation_ratio``."""

    why = "not enough disk"

    def __init__(self, conf):
        super().__init__(conf)
        self.ratio = conf.scheduler.disk_allocation_ratio

    def _most(self, host):
        return host["local_gb"] * number(host, "disk_allocation_ratio", self.ratio)

    def limits(self, host):
        return {"local_gb_used": self._most(host)}

    def passes(self, host, spec):
        return host["local_gb_used"] + spec["disk_gb"] <= self._most(host)


class Hardware(Filter):
    """Hardware that the flavor's extra specs or the image's properties ask for: firmware, buses, dedicated CPUs and so on."""

    why = "without hardware that the flavor or the image asks for"

    def passes(self, host, spec):
        needs = spec.get("hardware_needs")
        return not needs or not guest_needs.missing(host["facts"], needs, host_traits.of)

    def reason(self, spec):
        needs = spec["hardware_needs"]
        return f"{self.why} ({', '.join([*needs['features'], *guest_needs.amounts(needs)])})"


class SupportingHypervisor(Filter):
    """What not every hypervisor supports: volumes, migrations and so on."""

    why = "with a hypervisor that does not support"

    def passes(self, host, spec):
        return not set(spec.get("hypervisor_needs") or ()).intersection(host["facts"].get("unsupported", ()))

    def reason(self, spec):
        return f"{self.why} {', '.join(spec['hypervisor_needs'])}"


class HintedHosts(Filter):
    """The hint ``hosts``: patterns of names, which administrators may give."""

    why = "not among the hosts of the scheduler hints"

    def passes(self, host, spec):
        patterns = spec["hints"].get("hosts") or []
        patterns = [patterns] if isinstance(patterns, str) else patterns
        return not patterns or any(fnmatch.fnmatch(host["host"], p) for p in patterns)
