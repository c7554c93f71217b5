"""Weighers: which of the fitting hosts is best. One of your own is a class with ``weigh(host, spec)`` in 0…1."""


class Weigher:
    multiplier = 1.0

    def __init__(self, conf):
        self.conf = conf

    def weigh(self, host: dict, spec: dict) -> float:
        raise AssertionError("a weigher must implement weigh")


class Ram(Weigher):
    """Spread: the more memory is free, the better."""

    def weigh(self, host, spec):
        return 1 - host["memory_mb_used"] / max(host["memory_mb"], 1)


class Core(Weigher):
    def __init__(self, conf):
        super().__init__(conf)
        self.ratio = conf.scheduler.cpu_allocation_ratio

    def weigh(self, host, spec):
        return 1 - host["vcpus_used"] / max(host["vcpus"] * self.ratio, 1)


class ServerGroup(Weigher):
    """The preference of soft policies, with more weight than other weighers."""

    multiplier = 10.0

    def weigh(self, host, spec):
        group = spec.get("group") or {}
        members = group.get("hosts", [])
        share = members.count(host["host"]) / len(members) if members else 0
        return {"soft-affinity": share, "soft-anti-affinity": 1 - share}.get(group.get("policy", ""), 0)
