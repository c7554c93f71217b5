"""Groups and what they are granted, credentials, policies, trusts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
ID = sa.String(64)


def _fk(name, target):
    return sa.Column(name, ID, sa.ForeignKey(target, ondelete="CASCADE"), primary_key=True)


def upgrade():
    op.create_table(
        "groups", sa.Column("id", ID, primary_key=True), sa.Column("name", sa.String(64), nullable=False),
        sa.Column("domain_id", ID, sa.ForeignKey("domains.id", name="fk_groups_domain_id_domains"), nullable=False),
        sa.Column("description", sa.Text), sa.UniqueConstraint("domain_id", "name", name="uq_groups_domain_id_name"))
    op.create_table("memberships", _fk("user_id", "users.id"), _fk("group_id", "groups.id"))
    op.create_table("group_assignments", _fk("group_id", "groups.id"),
                    sa.Column("target_type", sa.String(16), primary_key=True), sa.Column("target_id", ID, primary_key=True),
                    _fk("role_id", "roles.id"))
    op.create_table("credentials", sa.Column("id", ID, primary_key=True),
                    sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
                    sa.Column("project_id", ID), sa.Column("type", sa.String(255), nullable=False),
                    sa.Column("encrypted_blob", sa.Text, nullable=False))
    op.create_index("ix_credentials_user_id", "credentials", ["user_id"])
    op.create_table("policies", sa.Column("id", ID, primary_key=True), sa.Column("type", sa.String(255), nullable=False),
                    sa.Column("blob", sa.Text, nullable=False))
    op.create_table(
        "trusts", sa.Column("id", ID, primary_key=True),
        sa.Column("trustor_user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("trustee_user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("project_id", ID, sa.ForeignKey("projects.id", ondelete="CASCADE")),
        sa.Column("impersonation", sa.Boolean, nullable=False), sa.Column("expires_at", sa.Float(53)),
        sa.Column("remaining_uses", sa.Integer), sa.Column("redelegation_count", sa.Integer, nullable=False),
        sa.Column("redelegated_trust_id", ID), sa.Column("roles", sa.JSON, nullable=False))
    op.create_index("ix_trusts_trustor_user_id", "trusts", ["trustor_user_id"])
    op.create_index("ix_trusts_trustee_user_id", "trusts", ["trustee_user_id"])
    op.add_column("revocations", sa.Column("trust_id", ID))
