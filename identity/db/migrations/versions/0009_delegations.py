"""The default domain; configurations of domains, OAuth consumers and tokens, one-time passwords, associations of policies."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def _key(name, target, length=64):
    return sa.Column(name, sa.String(length), sa.ForeignKey(target, ondelete="CASCADE"), primary_key=True)


def upgrade():
    # Clients of old know no other domain, and may be the first who come.
    domains = sa.table("domains", sa.column("id"), sa.column("name"), sa.column("enabled", sa.Boolean), sa.column("description"))
    if not op.get_bind().execute(sa.select(domains.c.id).where(domains.c.id == "default")).first():
        op.bulk_insert(domains, [{"id": "default", "name": "Default", "enabled": True, "description": "The default domain"}])
    for name in ("users", "groups"):
        op.add_column(name, sa.Column("external", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("credentials", sa.Column("last_step", sa.BigInteger))
    op.add_column("revocations", sa.Column("oauth_token_id", sa.String(64)))
    op.create_table("domain_options", _key("domain_id", "domains.id"), sa.Column("group_name", sa.String(64), primary_key=True),
                    sa.Column("option_name", sa.String(128), primary_key=True), sa.Column("value", sa.Text, nullable=False))
    op.create_table("consumers", sa.Column("id", sa.String(64), primary_key=True), sa.Column("extra", sa.Text),
                    sa.Column("description", sa.Text), sa.Column("sealed_secret", sa.Text, nullable=False))
    op.create_table(
        "oauth_tokens", sa.Column("id", sa.String(64), primary_key=True), sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("consumer_id", sa.String(64), sa.ForeignKey("consumers.id", ondelete="CASCADE"), nullable=False),
        sa.Column("sealed_secret", sa.Text, nullable=False),
        sa.Column("project_id", sa.String(64), sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("roles", sa.JSON, nullable=False), sa.Column("verifier", sa.String(16)), sa.Column("expires_at", sa.Float(53)))
    op.create_index("ix_oauth_tokens_user_id", "oauth_tokens", ["user_id"])
    op.create_table("oauth_nonces", _key("consumer_id", "consumers.id"), sa.Column("at", sa.String(16), primary_key=True),
                    sa.Column("nonce", sa.String(64), primary_key=True), sa.Column("expires_at", sa.Float(53), nullable=False))
    op.create_index("ix_oauth_nonces_expires_at", "oauth_nonces", ["expires_at"])
    op.add_column("revocations", sa.Column("identity_provider_id", sa.String(64)))
    op.create_table(
        "identity_providers", sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("domain_id", sa.String(64), sa.ForeignKey("domains.id"), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False), sa.Column("description", sa.Text),
        sa.Column("authorization_ttl", sa.Integer), sa.Column("remote_ids", sa.JSON, nullable=False))
    op.create_table("mappings", sa.Column("id", sa.String(64), primary_key=True), sa.Column("rules", sa.JSON, nullable=False),
                    sa.Column("schema_version", sa.String(8)))
    op.create_table(
        "federation_protocols", sa.Column("id", sa.String(64), primary_key=True), _key("idp_id", "identity_providers.id"),
        sa.Column("mapping_id", sa.String(64), sa.ForeignKey("mappings.id"), nullable=False),
        sa.Column("remote_id_attribute", sa.String(64)))
    op.create_table(
        "service_providers", sa.Column("id", sa.String(64), primary_key=True), sa.Column("auth_url", sa.String(256), nullable=False),
        sa.Column("sp_url", sa.String(256), nullable=False), sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("description", sa.Text), sa.Column("relay_state_prefix", sa.String(256)))
    op.create_table("expiring_memberships", _key("user_id", "users.id"), _key("group_id", "groups.id"),
                    _key("idp_id", "identity_providers.id"), sa.Column("expires_at", sa.Float(53), nullable=False))
    op.create_table("policy_associations", sa.Column("endpoint_id", sa.String(64), primary_key=True),
                    sa.Column("service_id", sa.String(64), primary_key=True),
                    sa.Column("region_id", sa.String(255), primary_key=True),
                    sa.Column("policy_id", sa.String(64), sa.ForeignKey("policies.id", ondelete="CASCADE"), nullable=False))
