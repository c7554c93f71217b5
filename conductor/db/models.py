"""Tables of the compute database."""

import sqlalchemy as sa

from common.db import MOMENT, NAMING, locks_table

METADATA = sa.MetaData(naming_convention=NAMING)
ID = sa.String(36)
PROJECT = sa.String(64)

instances = sa.Table(
    "instances", METADATA, sa.Column("uuid", ID, primary_key=True),
    sa.Column("project_id", PROJECT, nullable=False, index=True), sa.Column("user_id", PROJECT, nullable=False),
    sa.Column("display_name", sa.String(255), nullable=False), sa.Column("description", sa.String(255)),
    sa.Column("hostname", sa.String(255), nullable=False), sa.Column("image_ref", ID),
    sa.Column("flavor", sa.JSON, nullable=False), sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False), sa.Column("disk_gb", sa.Integer, nullable=False),
    sa.Column("vm_state", sa.String(32), nullable=False), sa.Column("task_state", sa.String(32)),
    sa.Column("power_state", sa.Integer, nullable=False), sa.Column("host", sa.String(255), index=True),
    sa.Column("availability_zone", sa.String(255)), sa.Column("key_name", sa.String(255)),
    sa.Column("key_data", sa.Text), sa.Column("user_data", sa.Text), sa.Column("config_drive", sa.Boolean, nullable=False),
    sa.Column("metadata", sa.JSON, nullable=False), sa.Column("image_meta", sa.JSON, nullable=False),
    sa.Column("security_groups", sa.JSON, nullable=False), sa.Column("requested_networks", sa.JSON, nullable=False),
    sa.Column("network_info", sa.JSON, nullable=False), sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("scheduler_hints", sa.JSON, nullable=False), sa.Column("server_group_id", ID, index=True),
    sa.Column("tried_hosts", sa.JSON, nullable=False), sa.Column("fault", sa.JSON),
    sa.Column("locked", sa.Boolean, nullable=False), sa.Column("root_device_name", sa.String(16), nullable=False),
    sa.Column("access_ip_v4", sa.String(39)), sa.Column("access_ip_v6", sa.String(39)),
    sa.Column("disk_config", sa.String(8), nullable=False), sa.Column("posted_password", sa.Text),
    # [{"path", "contents": base64}] that were asked for, until the server is deleted.
    sa.Column("injected_files", sa.JSON(none_as_null=True)),
    sa.Column("rescue_image", sa.JSON), sa.Column("locked_by", sa.String(8)),  # "owner" or "admin" while the server is locked
    sa.Column("locked_reason", sa.String(255)),
    # The image that a shelved server is booted from when it is unshelved, and since when it has been shelved.
    sa.Column("shelved_image_id", ID), sa.Column("shelved_at", MOMENT),
    sa.Column("soft_deleted_at", MOMENT),  # since when it can only be restored
    sa.Column("requested_host", sa.String(255)),
    # The zone that was asked for, which the server never leaves. ``availability_zone`` is its host's; without a host the same.
    sa.Column("pinned_availability_zone", sa.String(255)),
    # Number of operations begun on the server; a build that moves to another host counts as a new one.
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reservation_id", sa.String(32), nullable=False), sa.Column("launch_index", sa.Integer, nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False), sa.Column("launched_at", MOMENT),
    sa.Column("created_at", MOMENT, nullable=False, index=True), sa.Column("updated_at", MOMENT, nullable=False))
# Deleted servers as they were at the end. Their rows move here from ``instances``, which holds existing servers only.
deleted_instances = sa.Table(
    "deleted_instances", METADATA,
    *(sa.Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable, server_default=c.server_default)
      for c in instances.c),
    sa.Column("deleted_at", MOMENT, nullable=False, index=True), sa.Index(None, "created_at"),
    *(sa.Index(f"ix_deleted_instances_project_id_{moment}", "project_id", moment) for moment in ("created_at", "deleted_at")))
# Sealed: see ``conductor.db.secrets``.
instance_secrets = sa.Table(
    "instance_secrets", METADATA,
    sa.Column("instance_uuid", ID, sa.ForeignKey("instances.uuid", ondelete="CASCADE"), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True), sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False))
block_devices = sa.Table(
    "block_devices", METADATA, sa.Column("id", ID, primary_key=True),
    sa.Column("instance_uuid", ID, sa.ForeignKey("instances.uuid", ondelete="CASCADE"), nullable=False),
    sa.Column("device_name", sa.String(16), nullable=False), sa.Column("volume_id", ID, index=True, nullable=False),
    # ``volume_id``, so that no other server gets the volume; NULL for a multiattach volume.
    sa.Column("exclusive_volume_id", ID, unique=True),
    sa.Column("attachment_id", ID), sa.Column("boot_index", sa.Integer),
    sa.Column("delete_on_termination", sa.Boolean, nullable=False), sa.Column("tag", sa.String(60)),
    # "attach" or "detach" while it is pending, the time it was requested, and the request.
    sa.Column("requested_action", sa.String(8)), sa.Column("requested_at", MOMENT, index=True),
    sa.Column("request_id", sa.String(64)), sa.UniqueConstraint("instance_uuid", "device_name"),
    sa.UniqueConstraint("instance_uuid", "volume_id"))
console_auth_tokens = sa.Table(
    "console_auth_tokens", METADATA, sa.Column("token_hash", sa.String(64), primary_key=True),  # SHA-256, hexadecimal
    sa.Column("instance_uuid", ID, sa.ForeignKey("instances.uuid", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("console_type", sa.String(16), nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False), sa.Column("user_id", PROJECT),  # of the request that created it
    sa.Column("expires_at", MOMENT, nullable=False, index=True))
instance_actions = sa.Table(
    "instance_actions", METADATA, sa.Column("instance_uuid", ID, primary_key=True),
    sa.Column("request_id", sa.String(64), primary_key=True), sa.Column("action", sa.String(64), nullable=False),
    sa.Column("project_id", PROJECT), sa.Column("user_id", PROJECT), sa.Column("message", sa.Text),
    sa.Column("start_time", MOMENT, nullable=False), sa.Column("updated_at", MOMENT, nullable=False))
instance_events = sa.Table(
    "instance_events", METADATA, sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("instance_uuid", ID, nullable=False, index=True), sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("event", sa.String(64), nullable=False), sa.Column("host", sa.String(255)),
    sa.Column("start_time", MOMENT, nullable=False), sa.Column("finish_time", MOMENT),
    sa.Column("result", sa.String(16)), sa.Column("details", sa.Text), sa.Index("ix_events_request", "request_id"))
flavors = sa.Table(
    "flavors", METADATA, sa.Column("id", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True), sa.Column("description", sa.Text),
    sa.Column("ram", sa.Integer, nullable=False), sa.Column("disk", sa.Integer, nullable=False),
    sa.Column("vcpus", sa.Integer, nullable=False), sa.Column("ephemeral", sa.Integer, nullable=False),
    sa.Column("swap", sa.Integer, nullable=False), sa.Column("rxtx_factor", sa.Float, nullable=False),
    sa.Column("is_public", sa.Boolean, nullable=False), sa.Column("extra_specs", sa.JSON, nullable=False))
flavor_access = sa.Table(
    "flavor_access", METADATA,
    sa.Column("flavor_id", sa.String(255), sa.ForeignKey("flavors.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("project_id", PROJECT, primary_key=True))
key_pairs = sa.Table(
    "key_pairs", METADATA, sa.Column("user_id", PROJECT, primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True), sa.Column("type", sa.String(8), nullable=False),
    sa.Column("public_key", sa.Text, nullable=False), sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("created_at", MOMENT, nullable=False))
# ``zone`` is read by schedulers of the previous release only. To be dropped in the next.
services = sa.Table(
    "services", METADATA, sa.Column("id", ID, primary_key=True), sa.Column("binary", sa.String(64), nullable=False),
    sa.Column("host", sa.String(255), nullable=False), sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.String(255)), sa.Column("forced_down", sa.Boolean, nullable=False),
    sa.Column("zone", sa.String(255), nullable=False), sa.Column("updated_at", MOMENT, nullable=False),
    sa.Column("rpc_version", sa.String(8)),  # of the interface that the service implements; NULL: an older release
    sa.Column("report_sequence", sa.BigInteger),  # sequence number of the last heartbeat
    sa.UniqueConstraint("binary", "host"))
# ``generation`` increases with each claim, release and changed report: it is that of the resource provider.
compute_nodes = sa.Table(
    "compute_nodes", METADATA, sa.Column("id", ID, primary_key=True),
    sa.Column("host", sa.String(255), nullable=False, unique=True),
    sa.Column("hypervisor_hostname", sa.String(255), nullable=False),
    sa.Column("vcpus", sa.Integer, nullable=False), sa.Column("memory_mb", sa.Integer, nullable=False),
    sa.Column("local_gb", sa.Integer, nullable=False), sa.Column("vcpus_used", sa.Integer, nullable=False),
    sa.Column("memory_mb_used", sa.Integer, nullable=False), sa.Column("local_gb_used", sa.Integer, nullable=False),
    sa.Column("running_vms", sa.Integer, nullable=False), sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False), sa.Column("updated_at", MOMENT, nullable=False),
    sa.Column("report_digest", sa.String(40)),  # of the last report: most reports repeat it
    # Changes with the host's aggregates; a claim fails if they are not those that the scheduler knows.
    sa.Column("aggregates_generation", sa.Integer, nullable=False, server_default="0"))
# ``metadata``: {name: text}; "availability_zone" is the zone of the aggregate's hosts.
aggregates = sa.Table(
    "aggregates", METADATA, sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", ID, nullable=False), sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("metadata", sa.JSON, nullable=False), sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("updated_at", MOMENT))
aggregate_hosts = sa.Table(
    "aggregate_hosts", METADATA,
    sa.Column("aggregate_id", sa.Integer, sa.ForeignKey("aggregates.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True, index=True))
# Servers' shares of hosts; the totals in ``compute_nodes`` are the sums of these rows.
allocations = sa.Table(
    "allocations", METADATA, sa.Column("instance_uuid", ID, primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True, index=True), sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False), sa.Column("disk_gb", sa.Integer, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False))
# Operations that involve several hosts, while they are in progress: ``conductor/operations``.
operations = sa.Table(
    "operations", METADATA, sa.Column("id", ID, primary_key=True), sa.Column("kind", sa.String(32), nullable=False),
    # The server's attempt that this operation is; a newer attempt supersedes it.
    sa.Column("instance_uuid", ID, nullable=False, index=True), sa.Column("attempt", sa.Integer, nullable=False),
    # ``number`` increases with each step, forward or undo. Reports carry it, and only those with the current number are accepted.
    sa.Column("step", sa.String(32), nullable=False), sa.Column("phase", sa.String(8), nullable=False),
    sa.Column("number", sa.Integer, nullable=False), sa.Column("data", sa.JSON, nullable=False),
    sa.Column("report", sa.JSON(none_as_null=True)), sa.Column("error", sa.Text),
    sa.Column("lease_holder", sa.String(64)), sa.Column("lease_until", MOMENT),
    sa.Column("due_at", MOMENT, nullable=False, index=True), sa.Column("step_at", MOMENT, nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False), sa.Column("project_id", PROJECT),
    sa.Column("created_at", MOMENT, nullable=False), sa.Column("updated_at", MOMENT, nullable=False))
# Migrations and resizes, including finished ones. Flavors are those of ``instances``, with "vcpus", "ram" (MiB) and "disk_gb"
# (GiB, root, ephemeral and swap).
server_migrations = sa.Table(
    "server_migrations", METADATA, sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", ID, nullable=False, index=True), sa.Column("instance_uuid", ID, nullable=False, index=True),
    sa.Column("project_id", PROJECT, nullable=False, index=True), sa.Column("user_id", PROJECT),
    sa.Column("type", sa.String(16), nullable=False), sa.Column("status", sa.String(32), nullable=False, index=True),
    sa.Column("source_host", sa.String(255), nullable=False), sa.Column("dest_host", sa.String(255)),
    sa.Column("vm_state", sa.String(16), nullable=False),  # of the server before
    sa.Column("old_flavor", sa.JSON, nullable=False), sa.Column("new_flavor", sa.JSON, nullable=False),
    # Of a live migration in progress: what is asked of it ("abort" or "force"), and how many bytes have been copied.
    sa.Column("requested_action", sa.String(8)), sa.Column("progress", sa.JSON(none_as_null=True)),
    sa.Column("created_at", MOMENT, nullable=False), sa.Column("updated_at", MOMENT, nullable=False, index=True))
server_groups = sa.Table(
    "server_groups", METADATA, sa.Column("id", ID, primary_key=True), sa.Column("name", sa.String(255), nullable=False),
    sa.Column("policy", sa.String(32), nullable=False), sa.Column("max_server_per_host", sa.Integer),
    sa.Column("project_id", PROJECT, nullable=False, index=True),
    sa.Column("user_id", PROJECT, nullable=False), sa.Column("created_at", MOMENT, nullable=False))
quotas = sa.Table(
    "quotas", METADATA, sa.Column("project_id", PROJECT, primary_key=True),
    sa.Column("resource", sa.String(64), primary_key=True), sa.Column("limit", sa.Integer, nullable=False))
user_quotas = sa.Table(
    "user_quotas", METADATA, sa.Column("project_id", PROJECT, primary_key=True), sa.Column("user_id", PROJECT, primary_key=True),
    sa.Column("resource", sa.String(64), primary_key=True), sa.Column("limit", sa.Integer, nullable=False))
quota_classes = sa.Table(
    "quota_classes", METADATA, sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("resource", sa.String(64), primary_key=True), sa.Column("limit", sa.Integer, nullable=False))
locks = locks_table(METADATA)
