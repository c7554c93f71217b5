"""EC2 keys are found by their own digest: a credential keeps its id when its key is changed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade():
    op.add_column("credentials", sa.Column("access_digest", sa.String(64)))
    op.create_index("ix_credentials_access_digest", "credentials", ["access_digest"], unique=True)
    credentials = sa.table("credentials", sa.column("id"), sa.column("type"), sa.column("access_digest"))
    op.execute(credentials.update().where(credentials.c.type == "ec2").values(access_digest=credentials.c.id))
