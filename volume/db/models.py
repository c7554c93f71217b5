"""Tables of the volume database."""

import sqlalchemy as sa

from common.db import MOMENT, NAMING, locks_table

METADATA = sa.MetaData(naming_convention=NAMING)
ID = sa.String(36)
ATTACHED, RESERVED, CONNECTED = "attached", "reserved", "connected"  # of an attachment, besides "attaching"

volume_types = sa.Table(
    "volume_types", METADATA, sa.Column("id", ID, primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True), sa.Column("description", sa.String(255)),
    sa.Column("is_public", sa.Boolean, nullable=False), sa.Column("extra_specs", sa.JSON, nullable=False))
volume_type_projects = sa.Table(
    "volume_type_projects", METADATA,
    sa.Column("volume_type_id", ID, sa.ForeignKey("volume_types.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("project_id", sa.String(255), primary_key=True))
volumes = sa.Table(
    "volumes", METADATA, sa.Column("id", ID, primary_key=True), sa.Column("name", sa.String(255)),
    sa.Column("description", sa.String(255)), sa.Column("project_id", sa.String(64), nullable=False, index=True),
    sa.Column("user_id", sa.String(64), nullable=False), sa.Column("size", sa.Integer, nullable=False),
    sa.Column("extending_to", sa.Integer), sa.Column("status", sa.String(32), nullable=False, index=True),
    sa.Column("fault", sa.Text), sa.Column("availability_zone", sa.String(255), nullable=False),
    sa.Column("bootable", sa.Boolean, nullable=False),
    sa.Column("readonly", sa.Boolean), sa.Column("multiattach", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("volume_type_id", ID, sa.ForeignKey("volume_types.id")), sa.Column("host", sa.String(255)),
    sa.Column("metadata", sa.JSON, nullable=False), sa.Column("image_metadata", sa.JSON, nullable=False),
    sa.Column("image_id", ID), sa.Column("snapshot_id", ID), sa.Column("source_volid", ID),
    sa.Column("reimage_metadata", sa.JSON(none_as_null=True)),  # image_metadata of the image that is being written on it
    sa.Column("upload_image_id", ID),  # the image to which it is being uploaded, or was at last
    sa.Column("request_id", sa.String(64), nullable=False), sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("updated_at", MOMENT, nullable=False), sa.Column("resent_at", MOMENT))
snapshots = sa.Table(
    "snapshots", METADATA, sa.Column("id", ID, primary_key=True), sa.Column("name", sa.String(255)),
    sa.Column("description", sa.String(255)), sa.Column("project_id", sa.String(64), nullable=False, index=True),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("volume_id", ID, sa.ForeignKey("volumes.id"), nullable=False, index=True),
    sa.Column("volume_size", sa.Integer, nullable=False), sa.Column("status", sa.String(32), nullable=False, index=True),
    sa.Column("fault", sa.Text), sa.Column("metadata", sa.JSON, nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False), sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("updated_at", MOMENT, nullable=False), sa.Column("resent_at", MOMENT))
# One row per attachment: the server, and the connection info, whose secrets only agents get.
attachments = sa.Table(
    "attachments", METADATA, sa.Column("id", ID, primary_key=True),
    sa.Column("volume_id", ID, sa.ForeignKey("volumes.id"), nullable=False, index=True),
    sa.Column("project_id", sa.String(64), nullable=False), sa.Column("instance_uuid", ID),
    sa.Column("attach_status", sa.String(16), nullable=False), sa.Column("mountpoint", sa.String(255)),
    sa.Column("attached_host", sa.String(255)), sa.Column("connector", sa.JSON, nullable=False),
    sa.Column("connection_info", sa.JSON, nullable=False), sa.Column("attach_mode", sa.String(8), nullable=False),
    sa.Column("attached_at", MOMENT), sa.Column("created_at", MOMENT, nullable=False))
services = sa.Table(
    "services", METADATA, sa.Column("binary", sa.String(64), primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True), sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.String(255)), sa.Column("zone", sa.String(255), nullable=False),
    sa.Column("capabilities", sa.JSON, nullable=False), sa.Column("updated_at", MOMENT, nullable=False),
    sa.Column("rpc_version", sa.String(8)))  # of the interface that the service implements; NULL: an older release
quotas = sa.Table(
    "quotas", METADATA, sa.Column("project_id", sa.String(64), primary_key=True),
    sa.Column("resource", sa.String(64), primary_key=True), sa.Column("limit", sa.Integer, nullable=False))
locks = locks_table(METADATA)
