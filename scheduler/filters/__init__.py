"""Filters: the hosts that a server can be placed on. ``base`` says how to write one; those in NAMED are enabled by name."""

from scheduler.filters import aggregates, always, groups, hints, hosts
from scheduler.filters.base import Filter

# Applied in this order, before the enabled ones.
ALWAYS: tuple[type[Filter], ...] = (
    always.AvailabilityZone, always.UsableHypervisor, always.TriedHosts, always.HintedHosts, always.Ram, always.Core,
    always.Disk, always.Hardware, always.SupportingHypervisor)
# By their names in OpenStack.
NAMED: dict[str, type[Filter]] = {cls.__name__: cls for cls in (
    hosts.AllHostsFilter, hosts.ComputeFilter, hosts.ComputeCapabilitiesFilter, hosts.ImagePropertiesFilter,
    hosts.IoOpsFilter, hosts.AggregateIoOpsFilter, hosts.NumInstancesFilter, hosts.AggregateNumInstancesFilter,
    hosts.IsolatedHostsFilter, aggregates.AggregateInstanceExtraSpecsFilter, aggregates.AggregateMultiTenancyIsolation,
    aggregates.AggregateImagePropertiesIsolation, aggregates.AggregateTypeAffinityFilter, hints.SameHostFilter,
    hints.DifferentHostFilter, hints.SimpleCIDRAffinityFilter, hints.JsonFilter, groups.ServerGroupAffinityFilter,
    groups.ServerGroupAntiAffinityFilter)}
