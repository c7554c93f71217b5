"""Extra specs of flavors: which names and values OpenStack knows."""

import pytest

from common import errors
from compute_api import extra_specs


@pytest.mark.parametrize(("name", "value"), [
    ("mine", "x"), ("mine:anything", "x"), ("hw:cpu_policy", "dedicated"), ("hw:numa_nodes", "1"), ("hw:numa_cpus.0", "0,2-3"),
    ("hw:mem_page_size", "2MB"), ("hw:cpu_realtime", "yes"), ("hw:cpu_realtime_mask", "^0-1"), ("hw_rng:rate_bytes", "0"),
    ("quota:disk_read_iops_sec", "100"), ("quota:vif_inbound_average", "1"), ("quota:cpu_quota", "-1"),
    ("trait:HW_CPU_X86_AVX", "required"), ("trait1:CUSTOM_GOLD", "forbidden"), ("resources:VCPU", "2"),
    ("resources_a:CUSTOM_FPGA", "1"), ("capabilities:cpu_info:vendor", "<in> Intel"), ("capabilities:host", "a"),
    ("aggregate_instance_extra_specs:ssd", "true"), ("os:secure_boot", "required"), ("pci_passthrough:alias", "gpu:1, nic:2"),
    ("group_policy", "none")])
def test_known_names_and_values(name, value):
    extra_specs.validate({name: value})


@pytest.mark.parametrize(("name", "value", "says"), [
    ("hw:cpu_policy", "some", "is not one of: dedicated, shared, mixed"), ("hw:numa_nodes", "0", "less than the min value"),
    ("hw:numa_nodes", "x", "not a valid integer"), ("hw:numa_nodes", "\u0661", "not a valid integer"),
    ("hw:redirected_usb_ports", "16", "greater than the max"), ("hw:cpu_realtime", "perhaps", "not a valid boolean-like"),
    ("hw:mem_page_size", "huge", "not of the format"), ("hw:nothing", "1", "does not appear to be a valid extra spec"),
    ("trait:NO_SUCH_TRAIT", "required", "does not appear"), ("trait:HW_CPU_X86_AVX", "yes", "is not one of"),
    ("resources:NOTHING", "1", "does not appear"), ("resources:VCPU", "many", "not a valid integer"),
    ("capabilities:nothing", "1", "does not appear"), ("quota:cpu_everything", "1", "does not appear"),
    ("group_policy", "both", "is not one of"), ("trait:", "required", "does not appear")])
def test_what_is_refused(name, value, says):
    with pytest.raises(errors.BadRequest, match=says):
        extra_specs.validate({"mine": "x", name: value})
