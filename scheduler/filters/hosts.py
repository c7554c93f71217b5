"""Filters by the properties and the load of hosts."""

import typing

from scheduler.filters import operators
from scheduler.filters.base import Filter, extra_specs, facts, number


class AllHostsFilter(Filter):
    def passes(self, host, spec):
        return True


class ComputeFilter(Filter):
    """The host is up and enabled."""

    why = "down or disabled"

    def passes(self, host, spec):
        return host["up"] and not host["disabled"]


# Hypervisors that run containers; all others run virtual machines. An image for one of the latter runs on each of them.
_CONTAINERS = ("lxc",)


class ImagePropertiesFilter(Filter):
    """The architecture, the hypervisor and the kind of guests (``exe``: containers) that the image requires."""

    why = "cannot run the image"

    def passes(self, host, spec):
        wanted, known = spec["image_properties"], host["facts"]
        arch = wanted.get("hw_architecture") or wanted.get("architecture")
        kind = wanted.get("img_hv_type") or wanted.get("hypervisor_type")
        mode = wanted.get("hw_vm_mode") or wanted.get("vm_mode")
        own = known.get("hypervisor_type", "").lower()
        same_kind = kind in (None, own) or kind in ("kvm", "qemu") and own not in _CONTAINERS
        return arch in (None, known.get("arch")) and same_kind and mode in (None, "exe" if own in _CONTAINERS else "hvm")


class ComputeCapabilitiesFilter(Filter):
    """Extra specs ``capabilities:...``, and those without a namespace that name an attribute of hosts."""

    why = "without the capabilities that the flavor asks for"

    def passes(self, host, spec):
        wanted = extra_specs(spec)
        known = facts(host) if wanted else {}
        return all(self._passes(known, name, str(value)) for name, value in wanted.items())

    @staticmethod
    def _passes(known: dict, name: str, value: str) -> bool:
        namespace, *path = name.split(":")
        if not path:
            if namespace not in known:
                return True
            path = [namespace]
        elif namespace != "capabilities":
            return True
        found: typing.Any = known
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        return found is not None and operators.match(str(found), value)


class IoOpsFilter(Filter):
    """The number of I/O operations on the host (builds, migrations, images of servers, ...) is below the maximum."""

    why = "too many I/O operations in progress"
    wants_io_ops = True

    def __init__(self, conf):
        super().__init__(conf)
        self.option = conf.filter_scheduler.max_io_ops_per_host

    def most(self, host) -> float:
        return self.option

    def passes(self, host, spec):
        return (host["io_ops"] or 0) < self.most(host)


class AggregateIoOpsFilter(IoOpsFilter):
    def most(self, host):
        return number(host, "max_io_ops_per_host", super().most(host))


class NumInstancesFilter(Filter):
    why = "too many servers"

    def __init__(self, conf):
        super().__init__(conf)
        self.option = conf.filter_scheduler.max_instances_per_host

    def most(self, host) -> float:
        return self.option

    def limits(self, host):
        return {"running_vms": self.most(host)}

    def passes(self, host, spec):
        return host["running_vms"] < self.most(host)


class AggregateNumInstancesFilter(NumInstancesFilter):
    def most(self, host):
        return number(host, "max_instances_per_host", super().most(host))


class IsolatedHostsFilter(Filter):
    """Isolated images run only on isolated hosts, which by default run nothing else."""

    why = "isolated from the image, or the image from them"

    def __init__(self, conf):
        super().__init__(conf)
        options = conf.filter_scheduler
        self.hosts, self.images = set(options.isolated_hosts), set(options.isolated_images)
        self.only_images = options.restrict_isolated_hosts_to_isolated_images

    def passes(self, host, spec):
        of_host, of_image = host["host"] in self.hosts, spec.get("image_id") in self.images
        if self.only_images:
            return of_image == of_host
        return of_host or not of_image
