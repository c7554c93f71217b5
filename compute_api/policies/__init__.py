"""Rules of the compute service, with the names, defaults and scopes of OpenStack's."""

from oslo_policy.policy import RuleDefault

from compute_api.policies import (
    actions,
    aggregates,
    attachments,
    base,
    consoles,
    external_events,
    flavors,
    floating_ips,
    hosts,
    hypervisors,
    instance_actions,
    interfaces,
    keypairs,
    migrations,
    networks,
    quotas,
    security_groups,
    server_groups,
    server_metadata,
    server_migrations,
    server_password,
    servers,
    services,
    usage,
    versions,
    volumes,
    zones,
)

RULES: list[RuleDefault] = [
    *base.RULES, *servers.RULES, *actions.RULES, *aggregates.RULES,
    *attachments.RULES, *consoles.RULES, *external_events.RULES, *flavors.RULES,
    *floating_ips.RULES, *hosts.RULES, *hypervisors.RULES, *instance_actions.RULES, *interfaces.RULES, *keypairs.RULES,
    *migrations.RULES, *networks.RULES, *quotas.RULES,
    *security_groups.RULES, *server_groups.RULES, *server_metadata.RULES,
    *server_migrations.RULES, *server_password.RULES, *services.RULES, *usage.RULES,
    *versions.RULES, *volumes.RULES, *zones.RULES]


def list_rules() -> list[RuleDefault]:
    """For the generators of oslo.policy."""
    return RULES
