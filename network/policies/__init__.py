"""Rules of the network service: OpenStack's names, defaults and scopes, noun by noun.

All are for tokens of a project: one of a domain or of the system is refused. Beside the resource's own project, a rule may ask
for what it lies in: ``network:project_id``, ``network:shared``, ``security_group:project_id``.
"""

from network.policies import (
    agents,
    base,
    floatingips,
    metering,
    networks,
    ports,
    quotas,
    routers,
    security_groups,
    subnetpools,
    subnets,
)

RULES = [*base.RULES, *networks.RULES, *subnets.RULES, *subnetpools.RULES, *ports.RULES, *routers.RULES, *floatingips.RULES,
         *security_groups.RULES, *agents.RULES, *metering.RULES, *quotas.RULES]


def list_rules() -> list:
    """For oslo.policy's generators of sample files and documents."""
    return RULES
