"""The extra specs of flavors that OpenStack defines, and what each may be.

In a namespace that is known (the part before the colon), other names are refused; names without one, and those in other
namespaces, are the operator's own.

Source: the reference of extra specs in the compute service's documentation; pages "flavors" and "extra specs".
"""

import functools
import re
import typing

from oslo_utils import strutils

from common import errors
from compute_api.placement import names

Check = typing.Callable[[str], None]
_GROUP = "([a-zA-Z0-9_-]{1,64})?"
_CPUS = r"\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*"


def _refused(text: str) -> errors.BadRequest:
    return errors.BadRequest(f"Validation failed; {text}.")


def _any(value: str) -> None:
    """Accepts every text."""


def _boolean(value: str) -> None:
    try:
        strutils.bool_from_string(value, strict=True)
    except ValueError:
        raise _refused(f"'{value}' is not a valid boolean-like value") from None


def _integer(low: int | None = None, high: int | None = None) -> Check:
    def check(value: str) -> None:
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", value):
            raise _refused(f"'{value}' is not a valid integer value")
        if high is not None and int(value) > high:
            raise _refused(f"'{value}' is greater than the max value of '{high}'")
        if low is not None and int(value) < low:
            raise _refused(f"'{value}' is less than the min value of '{low}'")
    return check


def _one_of(*choices: str) -> Check:
    def check(value: str) -> None:
        if value not in choices:
            raise _refused(f"'{value}' is not one of: {', '.join(choices)}")
    return check


def _format(pattern: str) -> Check:
    def check(value: str) -> None:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise _refused(f"'{value}' is not of the format '{pattern}'")
    return check


_POSITIVE, _NATURAL, _NUMBER, _WANTED = _integer(1), _integer(0), _integer(), _one_of("required", "forbidden")
_LEVEL = _one_of("custom", "high", "normal", "low")
_CAPABILITIES = (
    "id", "uuid", "service_id", "host", "vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used", "local_gb_used",
    "hypervisor_type", "hypervisor_version", "hypervisor_hostname", "free_ram_mb", "free_disk_gb", "current_workload",
    "running_vms", "disk_available_least", "host_ip", "mapped", "cpu_allocation_ratio", "ram_allocation_ratio",
    "disk_allocation_ratio", "total_usable_ram_mb", "total_usable_disk_gb", "disk_mb_used", "free_disk_mb", "vcpus_total",
    "num_instances", "num_io_ops", "failed_builds", "aggregates", "cell_uuid", "updated")
_NESTED_CAPABILITIES = ("cpu_info", "metrics", "stats", "numa_topology", "supported_hv_specs", "pci_device_pools", "nodename",
                        "pci_stats", "supported_instances", "limits", "instances")
_NAMED: dict[str, Check] = {
    "accel:device_profile": _any, "hide_hypervisor_id": _boolean, "group_policy": _one_of("isolate", "none"),
    **{f"hw:{name}": _boolean for name in (
        "cpu_realtime", "hide_hypervisor_id", "locked_memory", "boot_menu", "vif_multiqueue_enabled", "mem_encryption", "pmu",
        "virtio_packed_ring", "ephemeral_encryption")},
    **{f"hw:{name}": _POSITIVE for name in (
        "numa_nodes", "cpu_sockets", "cpu_cores", "cpu_threads", "cpu_max_sockets", "cpu_max_cores", "cpu_max_threads")},
    "hw:cpu_realtime_mask": _format(_CPUS), "hw:cpu_dedicated_mask": _format(_CPUS),
    "hw:cpu_policy": _one_of("dedicated", "shared", "mixed"), "hw:cpu_thread_policy": _one_of("prefer", "isolate", "require"),
    "hw:emulator_threads_policy": _one_of("isolate", "share"),
    "hw:mem_page_size": _format(r"(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)"),
    "hw:mem_encryption_model": _one_of("amd-sev", "amd-sev-es", "amd-sev-snp", "intel-tdx"),
    "hw:pci_numa_affinity_policy": _one_of("required", "preferred", "legacy", "socket"),
    "hw:pmem": _format("[a-zA-Z0-9_]+(,[a-zA-Z0-9_]+)*,?"), "hw:serial_port_count": _NATURAL,
    "hw:tpm_model": _one_of("tpm-tis", "tpm-crb"), "hw:tpm_version": _one_of("1.2", "2.0"),
    "hw:tpm_secret_security": _one_of("user", "host", "deployment"),
    "hw:watchdog_action": _one_of("none", "pause", "poweroff", "reset", "disabled"),
    "hw:viommu_model": _one_of("intel", "smmuv3", "virtio", "auto"),
    "hw:sound_model": _one_of("sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "virtio"),
    "hw:usb_model": _one_of("none", "nec-xhci", "qemu-xhci"), "hw:redirected_usb_ports": _integer(0, 15),
    "hw:ephemeral_encryption_format": _one_of("plain", "luks", "luksv2"),
    "hw_rng:allowed": _boolean, "hw_rng:rate_bytes": _NATURAL, "hw_rng:rate_period": _NATURAL, "hw_video:ram_max_mb": _NATURAL,
    "os:secure_boot": _one_of("disabled", "required"), "pci_passthrough:alias": _format(r"[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*"),
    "quota:cpu_shares": _NATURAL, "quota:cpu_period": _NATURAL, "quota:cpu_quota": _NUMBER,
    **{f"quota:{key}_{name}": check for key in ("cpu", "memory", "disk_io", "vif") for name, check in (
        ("limit", _NATURAL), ("reservation", _NUMBER), ("shares_level", _LEVEL), ("shares_share", _NATURAL))},
    **{f"quota:disk_{way}_{unit}_sec": _NATURAL for way in ("read", "write", "total") for unit in ("bytes", "iops")},
    **{f"quota:vif_{way}_{rate}": _NATURAL for way in ("inbound", "outbound") for rate in ("average", "peak", "burst")},
    **{f"capabilities:{name}": _any for name in _CAPABILITIES}, "vmware:hw_version": _any, "vmware:storage_policy": _any}
_SHAPED: tuple[tuple[str, Check], ...] = (
    ("aggregate_instance_extra_specs:.+", _any), (rf"capabilities:({'|'.join(_NESTED_CAPABILITIES)})(:\w+)*", _any),
    (r"hw:numa_cpus\.\d+", _format(_CPUS)), (r"hw:numa_mem\.\d+", _POSITIVE), (f"resources{_GROUP}:CUSTOM_[A-Z0-9_]+", _NUMBER),
    (f"trait{_GROUP}:CUSTOM_[A-Z0-9_]+", _WANTED))
_SPACES = re.compile(f"accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough|quota|"
                     f"resources{_GROUP}|trait{_GROUP}|vmware")


@functools.cache
def _standard() -> dict[str, tuple[frozenset[str], Check]]:
    """{namespace: names defined by placement, and their valid values}"""
    return {"resources": (frozenset(names.resource_classes()), _NUMBER), "trait": (names.traits(), _WANTED)}


def _check_of(name: str) -> Check | None:
    """The valid values of an extra spec; None if there is none with this name."""
    if name in _NAMED:
        return _NAMED[name]
    for pattern, check in _SHAPED:
        if re.fullmatch(pattern, name, re.ASCII):
            return check
    space, _, rest = name.partition(":")
    for kind, (known, check) in _standard().items() if rest else ():
        if re.fullmatch(kind + _GROUP, space) and rest in known:
            return check
    return None


def validate(specs: dict[str, str]) -> None:
    """:raises BadRequest: one of them has a name of a known namespace that is none, or a value that it may not have"""
    for name, value in specs.items():
        check = _check_of(name)
        if check is not None:
            check(value)
        elif ":" in name and _SPACES.fullmatch(name.partition(":")[0]):
            raise _refused(f"extra spec '{name}' does not appear to be a valid extra spec")
