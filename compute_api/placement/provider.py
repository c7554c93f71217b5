"""A compute host as a resource provider.

Its inventories are the numbers by which the scheduler's filters decide, so that a candidate shown here has room there too.
"""

import dataclasses

from common import host_traits
from compute_api.placement import names
from compute_api.placement.groups import Group
from conductor.db import aggregates

# {resource class: (total of a host, what is used of it, amount of an allocation)}, columns of the compute database.
COLUMNS = {names.CPUS: ("vcpus", "vcpus_used", "vcpus"), names.MEMORY: ("memory_mb", "memory_mb_used", "memory_mb"),
           names.DISK: ("local_gb", "local_gb_used", "disk_gb")}
_RATIOS = {names.CPUS: "cpu_allocation_ratio", names.MEMORY: "ram_allocation_ratio", names.DISK: "disk_allocation_ratio"}


@dataclasses.dataclass(frozen=True)
class Provider:
    """``inventories``: {resource class: inventory as the API shows it}; ``used``: {resource class: amount}."""

    node: dict
    inventories: dict[str, dict]
    used: dict[str, int]
    aggregates: frozenset[str] = frozenset()

    @property
    def uuid(self) -> str:
        return self.node["id"]

    @property
    def generation(self) -> int:
        return self.node["generation"]

    @property
    def traits(self) -> frozenset[str]:
        """Needs a node with its facts."""
        facts = self.node["facts"]
        disabled = frozenset(("COMPUTE_STATUS_DISABLED",) if self.node["disabled"] or facts.get("unusable") else ())
        return host_traits.of(facts) & names.traits() | disabled

    def capacity(self, resource_class: str) -> int:
        inventory = self.inventories[resource_class]
        return int((inventory["total"] - inventory["reserved"]) * inventory["allocation_ratio"])

    def has_room(self, resources: dict[str, int]) -> bool:
        return all(self._has(name, amount) for name, amount in resources.items())

    def _has(self, name: str, amount: int) -> bool:
        inventory = self.inventories.get(name)
        return (inventory is not None and inventory["min_unit"] <= amount <= inventory["max_unit"]
                and self.used[name] + amount <= self.capacity(name))

    def meets(self, group: Group) -> bool:
        return (group.in_tree in (None, self.uuid) and self.has_room(group.resources) and group.aggregates.accept(self.aggregates)
                and (not group.traits.names() or group.traits.accept(self.traits)))


def of_node(node: dict, conf, of_host: list[dict]) -> Provider:
    """
    :param conf: the group "scheduler" of the options
    :param of_host: the host's aggregates, which may set ratios
    """
    ratios = {resource: aggregates.number(of_host, option, conf[option]) for resource, option in _RATIOS.items()}
    kept = {names.MEMORY: conf.reserved_memory_mb}
    inventories = {name: {
        "total": node[total], "reserved": min(kept.get(name, 0), node[total]), "min_unit": 1, "max_unit": node[total],
        "step_size": 1, "allocation_ratio": ratios[name]} for name, (total, _, _) in COLUMNS.items() if node[total] > 0}
    return Provider(node, inventories, {name: node[COLUMNS[name][1]] for name in inventories},
                    frozenset(one["uuid"] for one in of_host))


def amounts(allocation: dict) -> dict[str, int]:
    """{resource class: amount} of an allocation; there is none of nothing."""
    return {name: allocation[column] for name, (_, _, column) in COLUMNS.items() if allocation[column]}
