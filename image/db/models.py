"""Tables of the image database."""

import sqlalchemy as sa

from common.db import MOMENT, NAMING, locks_table

METADATA = sa.MetaData(naming_convention=NAMING)

images = sa.Table(
    "images", METADATA,
    sa.Column("id", sa.String(36), primary_key=True), sa.Column("name", sa.String(255), index=True),
    sa.Column("status", sa.String(30), nullable=False), sa.Column("visibility", sa.String(12), nullable=False),
    sa.Column("owner", sa.String(64), index=True), sa.Column("disk_format", sa.String(20)),
    sa.Column("container_format", sa.String(20)), sa.Column("size", sa.BigInteger),
    sa.Column("virtual_size", sa.BigInteger), sa.Column("checksum", sa.String(32)),
    sa.Column("os_hash_algo", sa.String(64)), sa.Column("os_hash_value", sa.String(128)),
    sa.Column("min_disk", sa.Integer, nullable=False), sa.Column("min_ram", sa.Integer, nullable=False),
    sa.Column("protected", sa.Boolean, nullable=False), sa.Column("os_hidden", sa.Boolean, nullable=False),
    sa.Column("properties", sa.JSON, nullable=False), sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, index=True),
    sa.Column("updated_at", MOMENT, nullable=False),
    # [{"url", "metadata"}], in the order in which they were added. Old images with data have none: they are in the
    # store "file".
    sa.Column("locations", sa.JSON(none_as_null=True)),
    # {"to": [store], "failed": [store]} of the last import: the stores still to be written, and those that failed;
    # and {"left": [store]}: those that did not respond, and may contain data of a failed upload or import.
    sa.Column("progress", sa.JSON(none_as_null=True)))

# Ids of deleted images. They are never reused, because others may still refer to them.
retired_ids = sa.Table(
    "retired_ids", METADATA, sa.Column("id", sa.String(36), primary_key=True), sa.Column("deleted_at", MOMENT, nullable=False))


def _times() -> tuple[sa.Column, sa.Column]:
    return sa.Column("created_at", MOMENT, nullable=False), sa.Column("updated_at", MOMENT, nullable=False)


def _namespace() -> sa.Column:
    return sa.Column("namespace_id", sa.String(36), sa.ForeignKey("metadef_namespaces.id", ondelete="CASCADE"), primary_key=True)


# type: api_image_import (import of an image), location_import (hashes of a location) or import (created as a task);
# status: pending, processing, success, failure.
tasks = sa.Table(
    "tasks", METADATA, sa.Column("id", sa.String(36), primary_key=True), sa.Column("type", sa.String(30), nullable=False),
    sa.Column("status", sa.String(30), nullable=False), sa.Column("owner", sa.String(255)),
    sa.Column("image_id", sa.String(36), index=True), sa.Column("user_id", sa.String(64)), sa.Column("request_id", sa.String(64)),
    sa.Column("input", sa.JSON, nullable=False), sa.Column("result", sa.JSON), sa.Column("message", sa.Text, nullable=False),
    *_times(), sa.Column("expires_at", MOMENT))
# status is the member's decision: pending, accepted or rejected.
image_members = sa.Table(
    "image_members", METADATA,
    sa.Column("image_id", sa.String(36), sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("member_id", sa.String(64), primary_key=True, index=True), sa.Column("status", sa.String(20), nullable=False),
    *_times())
metadef_namespaces = sa.Table(
    "metadef_namespaces", METADATA, sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("namespace", sa.String(80), nullable=False, unique=True), sa.Column("display_name", sa.String(80)),
    sa.Column("description", sa.Text), sa.Column("visibility", sa.String(12), nullable=False),
    sa.Column("protected", sa.Boolean, nullable=False), sa.Column("owner", sa.String(255), nullable=False), *_times())
# kind is object, property or tag; body is the definition that the client sent, without the name.
metadef_items = sa.Table(
    "metadef_items", METADATA, _namespace(), sa.Column("kind", sa.String(12), primary_key=True),
    sa.Column("name", sa.String(80), primary_key=True), sa.Column("body", sa.JSON, nullable=False), *_times())
metadef_resource_types = sa.Table("metadef_resource_types", METADATA, sa.Column("name", sa.String(80), primary_key=True),
                                  *_times())
metadef_associations = sa.Table(
    "metadef_associations", METADATA, _namespace(), sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("prefix", sa.String(80)), sa.Column("properties_target", sa.String(80)), *_times())
locks = locks_table(METADATA)
