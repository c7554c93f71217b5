"""Tables of the identity database."""

import sqlalchemy as sa

from common.db import NAMING, locks_table

METADATA = sa.MetaData(naming_convention=NAMING)
ID = sa.String(64)


def _named(name: str, *columns):
    return sa.Table(name, METADATA, sa.Column("id", ID, primary_key=True), *columns)


def _open(name: str, *columns):
    """A table of resources to which clients may add attributes (``extra``, JSON), as in Keystone."""
    return _named(name, sa.Column("extra", sa.Text), *columns)


domains = _open("domains", sa.Column("name", sa.String(255), nullable=False, unique=True),
                 sa.Column("description", sa.Text), sa.Column("enabled", sa.Boolean, nullable=False))
projects = _open("projects", sa.Column("name", sa.String(64), nullable=False),
                  sa.Column("domain_id", ID, sa.ForeignKey("domains.id"), nullable=False),
                  sa.Column("parent_id", ID), sa.Column("description", sa.Text),
                  sa.Column("enabled", sa.Boolean, nullable=False), sa.Column("tags", sa.Text),
                  sa.UniqueConstraint("domain_id", "name"))
users = _open("users", sa.Column("name", sa.String(255), nullable=False),
               sa.Column("domain_id", ID, sa.ForeignKey("domains.id"), nullable=False),
               sa.Column("password_hash", sa.String(255)), sa.Column("enabled", sa.Boolean, nullable=False),
               sa.Column("default_project_id", ID), sa.Column("description", sa.Text), sa.Column("email", sa.String(255)),
               # Times are epoch seconds. options: JSON of the compliance rules from which the user is exempt.
               sa.Column("password_created_at", sa.Float(53)), sa.Column("password_expires_at", sa.Float(53)),
               sa.Column("failed_logins", sa.Integer, nullable=False, server_default="0"),
               sa.Column("failed_at", sa.Float(53)), sa.Column("last_active_at", sa.Float(53)), sa.Column("options", sa.Text),
               # Mirrors users of a domain's directory (identity/directory.py).
               sa.Column("external", sa.Boolean, nullable=False, server_default=sa.false()),
               sa.UniqueConstraint("domain_id", "name"))
old_passwords = sa.Table("old_passwords", METADATA, sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
                         sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
                         sa.Column("password_hash", sa.String(255), nullable=False))
# domain_id is "" for global roles. Tokens never contain a domain's role, only the roles that it implies.
roles = _open("roles", sa.Column("name", sa.String(255), nullable=False), sa.Column("description", sa.Text),
               sa.Column("domain_id", ID, nullable=False, server_default=""), sa.UniqueConstraint("domain_id", "name"))
implied_roles = sa.Table("implied_roles", METADATA,
                         sa.Column("prior_role_id", ID, sa.ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
                         sa.Column("implied_role_id", ID, sa.ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True))
# target_type is "project", "domain" or "system", target_id "all" for the system; "domain/projects" are the projects of
# a domain, "project/projects" those below a project, to which such a role is inherited.
assignments = sa.Table("assignments", METADATA,
                       sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
                       sa.Column("target_type", sa.String(16), primary_key=True),
                       sa.Column("target_id", ID, primary_key=True),
                       sa.Column("role_id", ID, sa.ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True))
groups = _open("groups", sa.Column("name", sa.String(64), nullable=False),
                sa.Column("domain_id", ID, sa.ForeignKey("domains.id"), nullable=False),
                sa.Column("description", sa.Text), sa.Column("external", sa.Boolean, nullable=False, server_default=sa.false()),
                sa.UniqueConstraint("domain_id", "name"))


def _key(name: str, target: str) -> sa.Column:
    return sa.Column(name, ID, sa.ForeignKey(target, ondelete="CASCADE"), primary_key=True)


memberships = sa.Table("memberships", METADATA, _key("user_id", "users.id"), _key("group_id", "groups.id"))
group_assignments = sa.Table("group_assignments", METADATA, _key("group_id", "groups.id"),
                             sa.Column("target_type", sa.String(16), primary_key=True),
                             sa.Column("target_id", ID, primary_key=True), _key("role_id", "roles.id"))
# last_step is the time step of the last used TOTP passcode. access_digest finds an EC2 key: a credential keeps its id
# when its key is changed.
credentials = _named("credentials",
                     sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
                     sa.Column("project_id", ID), sa.Column("type", sa.String(255), nullable=False),
                     sa.Column("encrypted_blob", sa.Text, nullable=False), sa.Column("access_digest", sa.String(64)),
                     sa.Column("last_step", sa.BigInteger),
                     sa.Index("ix_credentials_access_digest", "access_digest", unique=True))
policies = _named("policies", sa.Column("type", sa.String(255), nullable=False), sa.Column("blob", sa.Text, nullable=False))
# expires_at is epoch seconds; roles is [role id].
trusts = _named("trusts",
                sa.Column("trustor_user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
                sa.Column("trustee_user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
                sa.Column("project_id", ID, sa.ForeignKey("projects.id", ondelete="CASCADE")),
                sa.Column("impersonation", sa.Boolean, nullable=False), sa.Column("expires_at", sa.Float(53)),
                sa.Column("remaining_uses", sa.Integer), sa.Column("redelegation_count", sa.Integer, nullable=False),
                sa.Column("redelegated_trust_id", ID), sa.Column("roles", sa.JSON, nullable=False))
# roles is [role id]; with access_restricted false there are no access rules, and its tokens allow all requests.
application_credentials = _named(
    "application_credentials",
    sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False), sa.Column("name", sa.String(255)),
    sa.Column("project_id", ID, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("description", sa.Text), sa.Column("secret_hash", sa.String(255), nullable=False),
    sa.Column("roles", sa.JSON, nullable=False), sa.Column("expires_at", sa.Float(53)),
    sa.Column("unrestricted", sa.Boolean, nullable=False), sa.Column("access_restricted", sa.Boolean, nullable=False),
    sa.UniqueConstraint("user_id", "name"))
access_rules = _named(
    "access_rules", sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("service", sa.String(64), nullable=False), sa.Column("method", sa.String(16), nullable=False),
    sa.Column("path", sa.String(128), nullable=False))
application_credential_rules = sa.Table(
    "application_credential_rules", METADATA, _key("application_credential_id", "application_credentials.id"),
    _key("access_rule_id", "access_rules.id"))
# value is JSON, sealed where the option is a secret.
domain_options = sa.Table("domain_options", METADATA, _key("domain_id", "domains.id"),
                          sa.Column("group_name", sa.String(64), primary_key=True),
                          sa.Column("option_name", sa.String(128), primary_key=True), sa.Column("value", sa.Text, nullable=False))
# Secrets are encrypted, not hashed, because OAuth signs with them. The roles of a token are [role id]; times are
# epoch seconds.
consumers = _open("consumers", sa.Column("description", sa.Text), sa.Column("sealed_secret", sa.Text, nullable=False))
oauth_tokens = _named(
    "oauth_tokens", sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("consumer_id", ID, sa.ForeignKey("consumers.id", ondelete="CASCADE"), nullable=False),
    sa.Column("sealed_secret", sa.Text, nullable=False),
    sa.Column("project_id", ID, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    sa.Column("roles", sa.JSON, nullable=False), sa.Column("verifier", sa.String(16)), sa.Column("expires_at", sa.Float(53)))
oauth_nonces = sa.Table("oauth_nonces", METADATA, _key("consumer_id", "consumers.id"),
                        sa.Column("at", sa.String(16), primary_key=True), sa.Column("nonce", sa.String(64), primary_key=True),
                        sa.Column("expires_at", sa.Float(53), nullable=False, index=True))
# Digests of signed requests and receipts, which can be used once; kept until they would have expired.
used_proofs = sa.Table("used_proofs", METADATA, sa.Column("digest", sa.String(64), primary_key=True),
                       sa.Column("expires_at", sa.Float(53), nullable=False, index=True))
# rules, remote_ids: JSON; authorization_ttl: minutes for which group memberships reported by the provider are valid.
identity_providers = _named(
    "identity_providers", sa.Column("domain_id", ID, sa.ForeignKey("domains.id"), nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False), sa.Column("description", sa.Text),
    sa.Column("authorization_ttl", sa.Integer), sa.Column("remote_ids", sa.JSON, nullable=False))
mappings = _named("mappings", sa.Column("rules", sa.JSON, nullable=False), sa.Column("schema_version", sa.String(8)))
federation_protocols = sa.Table(
    "federation_protocols", METADATA, sa.Column("id", ID, primary_key=True), _key("idp_id", "identity_providers.id"),
    sa.Column("mapping_id", ID, sa.ForeignKey("mappings.id"), nullable=False), sa.Column("remote_id_attribute", sa.String(64)))
service_providers = _named(
    "service_providers", sa.Column("auth_url", sa.String(256), nullable=False),
    sa.Column("sp_url", sa.String(256), nullable=False), sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("description", sa.Text), sa.Column("relay_state_prefix", sa.String(256)))
expiring_memberships = sa.Table(
    "expiring_memberships", METADATA, _key("user_id", "users.id"), _key("group_id", "groups.id"),
    _key("idp_id", "identity_providers.id"), sa.Column("expires_at", sa.Float(53), nullable=False))
# "" for unused ids of an association
policy_associations = sa.Table("policy_associations", METADATA, sa.Column("endpoint_id", ID, primary_key=True),
                               sa.Column("service_id", ID, primary_key=True),
                               sa.Column("region_id", sa.String(255), primary_key=True),
                               sa.Column("policy_id", ID, sa.ForeignKey("policies.id", ondelete="CASCADE"), nullable=False))
registered_limits = _named(
    "registered_limits", sa.Column("service_id", ID, sa.ForeignKey("services.id", ondelete="CASCADE"), nullable=False),
    sa.Column("region_id", sa.String(255)), sa.Column("resource_name", sa.String(255), nullable=False),
    sa.Column("default_limit", sa.Integer, nullable=False), sa.Column("description", sa.Text))
limits = _named(
    "limits", sa.Column("project_id", ID, sa.ForeignKey("projects.id", ondelete="CASCADE")),
    sa.Column("domain_id", ID, sa.ForeignKey("domains.id", ondelete="CASCADE")),
    sa.Column("registered_limit_id", ID, sa.ForeignKey("registered_limits.id", ondelete="CASCADE"), nullable=False),
    sa.Column("resource_limit", sa.Integer, nullable=False), sa.Column("description", sa.Text))
regions = _named("regions", sa.Column("description", sa.Text), sa.Column("parent_region_id", sa.String(255)))
services = _open("services", sa.Column("name", sa.String(255)), sa.Column("type", sa.String(255), nullable=False),
                  sa.Column("description", sa.Text), sa.Column("enabled", sa.Boolean, nullable=False))
endpoints = _open("endpoints", sa.Column("service_id", ID, sa.ForeignKey("services.id", ondelete="CASCADE"),
                                          nullable=False),
                   sa.Column("interface", sa.String(8), nullable=False), sa.Column("region_id", sa.String(255)),
                   sa.Column("url", sa.Text, nullable=False), sa.Column("enabled", sa.Boolean, nullable=False))
endpoint_groups = _named("endpoint_groups", sa.Column("name", sa.String(255), nullable=False),
                         sa.Column("description", sa.Text), sa.Column("filters", sa.JSON, nullable=False))
# A project with associated endpoints or endpoint groups has only these in its catalog.
project_endpoints = sa.Table("project_endpoints", METADATA, _key("project_id", "projects.id"),
                             _key("endpoint_id", "endpoints.id"))
project_endpoint_groups = sa.Table("project_endpoint_groups", METADATA, _key("project_id", "projects.id"),
                                   _key("endpoint_group_id", "endpoint_groups.id"))
revocations = sa.Table("revocations", METADATA,
                       sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
                       sa.Column("audit_id", sa.String(32)), sa.Column("audit_chain_id", sa.String(32)),
                       sa.Column("user_id", ID), sa.Column("project_id", ID), sa.Column("domain_id", ID),
                       sa.Column("trust_id", ID), sa.Column("app_credential_id", ID), sa.Column("oauth_token_id", ID),
                       sa.Column("identity_provider_id", ID),
                       sa.Column("issued_before", sa.Float(53), nullable=False),
                       sa.Column("expires_at", sa.Float(53), nullable=False, index=True))
locks = locks_table(METADATA)
