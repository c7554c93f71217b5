"""Rules of the identity service, with Keystone's names, defaults, scopes and target attributes."""

from identity.policies import (
    access_rules,
    application_credentials,
    auth,
    base,
    credentials,
    domain_config,
    domains,
    ec2,
    endpoint_filter,
    endpoint_policy,
    endpoints,
    federation,
    grants,
    groups,
    limits,
    oauth1,
    policies,
    projects,
    regions,
    roles,
    services,
    trusts,
    users,
)

_NOUNS = (base, access_rules, application_credentials, auth, credentials, domain_config, domains, ec2, endpoint_filter,
          endpoint_policy, endpoints, federation, grants, groups, limits, oauth1, policies, projects, regions, roles, services,
          trusts, users)
RULES = [rule for noun in _NOUNS for rule in noun.RULES]


def list_rules() -> list:
    """For oslo.policy's generators."""
    return RULES
