"""Members of images, tasks, and the catalog of metadata definitions."""

import sqlalchemy as sa
from alembic import op

from common.db import MOMENT

revision = "0002"
down_revision = "0001"

TYPES = ("OS::Glance::Image", "OS::Cinder::Volume", "OS::Nova::Flavor", "OS::Nova::Server", "OS::Nova::Aggregate",
         "OS::Cinder::Snapshot")


def _times():
    return sa.Column("created_at", MOMENT, nullable=False), sa.Column("updated_at", MOMENT, nullable=False)


def _namespace():
    return sa.Column("namespace_id", sa.String(36), sa.ForeignKey("metadef_namespaces.id", ondelete="CASCADE"), primary_key=True)


def upgrade():
    op.create_table("image_members", sa.Column("image_id", sa.String(36), sa.ForeignKey("images.id", ondelete="CASCADE"),
                                               primary_key=True),
                    sa.Column("member_id", sa.String(64), primary_key=True), sa.Column("status", sa.String(20), nullable=False),
                    *_times())
    op.create_index("ix_image_members_member_id", "image_members", ["member_id"])
    op.create_table(
        "tasks", sa.Column("id", sa.String(36), primary_key=True), sa.Column("type", sa.String(30), nullable=False),
        sa.Column("status", sa.String(30), nullable=False), sa.Column("owner", sa.String(255)),
        sa.Column("image_id", sa.String(36)), sa.Column("user_id", sa.String(64)), sa.Column("request_id", sa.String(64)),
        sa.Column("input", sa.JSON, nullable=False), sa.Column("result", sa.JSON), sa.Column("message", sa.Text, nullable=False),
        *_times(), sa.Column("expires_at", MOMENT))
    op.create_index("ix_tasks_image_id", "tasks", ["image_id"])
    op.create_table("metadef_namespaces", sa.Column("id", sa.String(36), primary_key=True),
                    sa.Column("namespace", sa.String(80), nullable=False), sa.Column("display_name", sa.String(80)),
                    sa.Column("description", sa.Text), sa.Column("visibility", sa.String(12), nullable=False),
                    sa.Column("protected", sa.Boolean, nullable=False), sa.Column("owner", sa.String(255), nullable=False),
                    *_times(), sa.UniqueConstraint("namespace", name="uq_metadef_namespaces_namespace"))
    op.create_table("metadef_items", _namespace(), sa.Column("kind", sa.String(12), primary_key=True),
                    sa.Column("name", sa.String(80), primary_key=True), sa.Column("body", sa.JSON, nullable=False), *_times())
    types = op.create_table("metadef_resource_types", sa.Column("name", sa.String(80), primary_key=True), *_times())
    op.create_table("metadef_associations", _namespace(), sa.Column("name", sa.String(80), primary_key=True),
                    sa.Column("prefix", sa.String(80)), sa.Column("properties_target", sa.String(80)), *_times())
    now = sa.func.current_timestamp()
    for name in TYPES:
        op.execute(types.insert().values(name=name, created_at=now, updated_at=now))
