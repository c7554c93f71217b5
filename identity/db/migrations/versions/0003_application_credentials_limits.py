"""Application credentials with access rules, limits, tags of projects."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
ID = sa.String(64)


def _fk(name, target, *, table, **more):
    key = sa.ForeignKey(target, ondelete="CASCADE", name=f"fk_{table}_{name}_{target.split('.')[0]}"[:60])
    return sa.Column(name, ID, key, **more)


def upgrade():
    op.add_column("projects", sa.Column("tags", sa.Text))
    op.add_column("revocations", sa.Column("app_credential_id", ID))
    name = "application_credentials"
    op.create_table(
        name, sa.Column("id", ID, primary_key=True), _fk("user_id", "users.id", table=name, nullable=False),
        sa.Column("name", sa.String(255)), _fk("project_id", "projects.id", table=name, nullable=False),
        sa.Column("description", sa.Text), sa.Column("secret_hash", sa.String(255), nullable=False),
        sa.Column("roles", sa.JSON, nullable=False), sa.Column("expires_at", sa.Float(53)),
        sa.Column("unrestricted", sa.Boolean, nullable=False), sa.Column("access_restricted", sa.Boolean, nullable=False),
        sa.UniqueConstraint("user_id", "name", name="uq_application_credentials_user_id_name"))
    op.create_table(
        "access_rules", sa.Column("id", ID, primary_key=True), _fk("user_id", "users.id", table="access_rules", nullable=False),
        sa.Column("service", sa.String(64), nullable=False), sa.Column("method", sa.String(16), nullable=False),
        sa.Column("path", sa.String(128), nullable=False))
    op.create_index("ix_access_rules_user_id", "access_rules", ["user_id"])
    op.create_table(
        "application_credential_rules",
        _fk("application_credential_id", "application_credentials.id", table="acr", primary_key=True),
        _fk("access_rule_id", "access_rules.id", table="acr", primary_key=True))
    op.create_table(
        "registered_limits", sa.Column("id", ID, primary_key=True),
        _fk("service_id", "services.id", table="registered_limits", nullable=False), sa.Column("region_id", sa.String(255)),
        sa.Column("resource_name", sa.String(255), nullable=False), sa.Column("default_limit", sa.Integer, nullable=False),
        sa.Column("description", sa.Text))
    op.create_table(
        "limits", sa.Column("id", ID, primary_key=True), _fk("project_id", "projects.id", table="limits"),
        _fk("domain_id", "domains.id", table="limits"),
        _fk("registered_limit_id", "registered_limits.id", table="limits", nullable=False),
        sa.Column("resource_limit", sa.Integer, nullable=False), sa.Column("description", sa.Text))
