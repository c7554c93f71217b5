"""What the rules about passwords and logins must remember."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade():
    for column in (sa.Column("password_created_at", sa.Float(53)), sa.Column("password_expires_at", sa.Float(53)),
                   sa.Column("failed_logins", sa.Integer, nullable=False, server_default="0"),
                   sa.Column("failed_at", sa.Float(53)), sa.Column("last_active_at", sa.Float(53)),
                   sa.Column("options", sa.Text)):
        op.add_column("users", column)
    op.create_table("old_passwords", sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
                    sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id", name="fk_old_passwords_user_id_users",
                                                                      ondelete="CASCADE"), nullable=False),
                    sa.Column("password_hash", sa.String(255), nullable=False))
    op.create_index("ix_old_passwords_user_id", "old_passwords", ["user_id"])
