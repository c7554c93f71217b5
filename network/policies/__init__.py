"""Rules of the network service, with OpenStack's names, defaults and scopes.

All of them require a project-scoped token. Besides the project of the resource, a rule can check the attributes of the network
or the security group that it belongs to: ``network:project_id``, ``network:shared``, ``security_group:project_id``.
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
