"""Weighers rank the suitable hosts. A custom weigher is a class with ``weigh(host, spec)``, which returns 0 to 1.

``option`` is the option of ``[filter_scheduler]`` with the multiplier; aggregate metadata of the same name overrides it.
"""

from scheduler.filters.base import number


class Weigher:
    option = ""
    wants_io_ops = False

    def __init__(self, conf):
        self.conf = conf
        self._multiplier = conf.filter_scheduler[self.option] if self.option else 1.0

    def multiplier(self, host: dict) -> float:
        return number(host, self.option, self._multiplier)

    def weigh(self, host: dict, spec: dict) -> float:
        raise AssertionError("a weigher must implement weigh")


class RAMWeigher(Weigher):
    """Prefers hosts with more free memory."""

    option = "ram_weight_multiplier"

    def weigh(self, host, spec):
        return 1 - host["memory_mb_used"] / max(host["memory_mb"], 1)


class CPUWeigher(Weigher):
    option = "cpu_weight_multiplier"

    def __init__(self, conf):
        super().__init__(conf)
        self.ratio = conf.scheduler.cpu_allocation_ratio

    def weigh(self, host, spec):
        ratio = number(host, "cpu_allocation_ratio", self.ratio)
        return 1 - host["vcpus_used"] / max(host["vcpus"] * ratio, 1)


class DiskWeigher(Weigher):
    option = "disk_weight_multiplier"

    def weigh(self, host, spec):
        return 1 - host["local_gb_used"] / max(host["local_gb"], 1)


class NumInstancesWeigher(Weigher):
    """0 without servers; approaches 1 with more servers."""

    option = "num_instances_weight_multiplier"

    def weigh(self, host, spec):
        return 1 - 1 / (1 + host["running_vms"])


class IoOpsWeigher(Weigher):
    """0 without I/O operations in progress; approaches 1 with more."""

    option = "io_ops_weight_multiplier"
    wants_io_ops = True

    def weigh(self, host, spec):
        return 1 - 1 / (1 + (host["io_ops"] or 0))


class _Group(Weigher):
    policy = ""

    def share(self, host, spec) -> float | None:
        """The fraction of the group's members that are on the host; None: it has another policy, or no members yet."""
        group = spec.get("group")
        if not group or group["policy"] != self.policy or not group["hosts"]:
            return None
        return group["hosts"].count(host["host"]) / len(group["hosts"])


class ServerGroupSoftAffinityWeigher(_Group):
    option, policy = "soft_affinity_weight_multiplier", "soft-affinity"

    def weigh(self, host, spec):
        return self.share(host, spec) or 0


class ServerGroupSoftAntiAffinityWeigher(_Group):
    option, policy = "soft_anti_affinity_weight_multiplier", "soft-anti-affinity"

    def weigh(self, host, spec):
        share = self.share(host, spec)
        return 0 if share is None else 1 - share


NAMED: dict[str, type[Weigher]] = {cls.__name__: cls for cls in (
    RAMWeigher, CPUWeigher, DiskWeigher, NumInstancesWeigher, IoOpsWeigher, ServerGroupSoftAffinityWeigher,
    ServerGroupSoftAntiAffinityWeigher)}
