"""Tables of the network database. A column ``a_b`` may hold the API's attribute ``a:b``."""

import sqlalchemy as sa

from common.db import MOMENT, NAMING, locks_table

METADATA = sa.MetaData(naming_convention=NAMING)
ID = sa.String(36)


def _resource(name: str, *columns):
    return sa.Table(
        name, METADATA, sa.Column("id", ID, primary_key=True), sa.Column("name", sa.String(255), nullable=False),
        sa.Column("project_id", sa.String(64), index=True), sa.Column("description", sa.String(255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False), sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("revision_number", sa.Integer, nullable=False),
        sa.Column("tags", sa.Text), *columns)


def _flag(name: str):
    return sa.Column(name, sa.Boolean, nullable=False)


def _ref(name: str, target: str, *, nullable: bool = False, cascade: bool = False):
    return sa.Column(name, ID, sa.ForeignKey(f"{target}.id", ondelete="CASCADE" if cascade else None),
                     nullable=nullable, index=True)


networks = _resource(
    "networks", _flag("admin_state_up"), sa.Column("status", sa.String(16), nullable=False), _flag("shared"),
    _flag("router_external"), _flag("is_default"), _flag("port_security_enabled"),
    sa.Column("mtu", sa.Integer, nullable=False), sa.Column("dns_domain", sa.String(255), nullable=False),
    sa.Column("provider_network_type", sa.String(16), nullable=False),
    sa.Column("provider_physical_network", sa.String(64)), sa.Column("provider_segmentation_id", sa.Integer),
    sa.Column("dhcp_host", sa.String(255), nullable=False, server_default=""),
    # type:physical network:id of all but local ones: a constraint of these three would not hold where one is NULL.
    sa.Column("provider_segment", sa.String(128)), sa.UniqueConstraint("provider_segment"),
    sa.UniqueConstraint("provider_network_type", "provider_physical_network", "provider_segmentation_id"))
subnetpools = _resource(
    "subnetpools", sa.Column("ip_version", sa.Integer, nullable=False), sa.Column("prefixes", sa.JSON, nullable=False),
    *[sa.Column(n, sa.Integer, nullable=False) for n in ("default_prefixlen", "min_prefixlen", "max_prefixlen")],
    _flag("shared"), _flag("is_default"), sa.Column("default_quota", sa.Integer))
subnets = _resource(
    "subnets", _ref("network_id", "networks"), _ref("subnetpool_id", "subnetpools", nullable=True),
    sa.Column("ip_version", sa.Integer, nullable=False), sa.Column("cidr", sa.String(64), nullable=False),
    sa.Column("gateway_ip", sa.String(64)), _flag("enable_dhcp"),
    sa.Column("allocation_pools", sa.JSON, nullable=False), sa.Column("dns_nameservers", sa.JSON, nullable=False),
    sa.Column("host_routes", sa.JSON, nullable=False), sa.Column("ipv6_ra_mode", sa.String(16)),
    sa.Column("ipv6_address_mode", sa.String(16)))
ports = _resource(
    "ports", _ref("network_id", "networks"), sa.Column("mac_address", sa.String(32), nullable=False),
    _flag("admin_state_up"), sa.Column("status", sa.String(16), nullable=False),
    sa.Column("device_id", sa.String(255), nullable=False, index=True),
    sa.Column("device_owner", sa.String(255), nullable=False),
    sa.Column("relation", sa.String(64), nullable=False, server_default="", index=True),  # db/ports.py says what it means
    sa.Column("created_for_server", sa.Boolean),  # as well; NULL: a release created it that did not record this
    sa.Column("binding_host_id", sa.String(255), nullable=False, index=True),
    sa.Column("binding_vnic_type", sa.String(64), nullable=False),
    sa.Column("binding_vif_type", sa.String(64), nullable=False), sa.Column("binding_profile", sa.JSON, nullable=False),
    # The host that plugs the port too while its server is migrated there live: the profile's "migrating_to".
    sa.Column("binding_migrating_to", sa.String(255), nullable=False, server_default="", index=True),
    _flag("port_security_enabled"), sa.Column("allowed_address_pairs", sa.JSON, nullable=False),
    sa.Column("extra_dhcp_opts", sa.JSON, nullable=False), sa.Column("dns_name", sa.String(255), nullable=False),
    sa.UniqueConstraint("network_id", "mac_address"))
# The primary key prevents an address from being allocated twice.
ip_allocations = sa.Table(
    "ip_allocations", METADATA,
    sa.Column("subnet_id", ID, sa.ForeignKey("subnets.id"), primary_key=True),
    sa.Column("ip_address", sa.String(64), primary_key=True),
    sa.Column("port_id", ID, sa.ForeignKey("ports.id", ondelete="CASCADE"), nullable=False, index=True))
security_groups = _resource("security_groups", _flag("stateful"), _flag("is_default"))
security_group_rules = _resource(
    "security_group_rules", _ref("security_group_id", "security_groups", cascade=True),
    sa.Column("direction", sa.String(8), nullable=False), sa.Column("ethertype", sa.String(8), nullable=False),
    sa.Column("protocol", sa.String(40)), sa.Column("port_range_min", sa.Integer),
    sa.Column("port_range_max", sa.Integer), sa.Column("remote_ip_prefix", sa.String(64)),
    _ref("remote_group_id", "security_groups", nullable=True, cascade=True))
port_security_groups = sa.Table(
    "port_security_groups", METADATA,
    sa.Column("port_id", ID, sa.ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("security_group_id", ID, sa.ForeignKey("security_groups.id"), primary_key=True, index=True))
routers = _resource(
    "routers", _flag("admin_state_up"), sa.Column("status", sa.String(16), nullable=False),
    _ref("gw_port_id", "ports", nullable=True), _flag("enable_snat"), _flag("distributed"),
    sa.Column("routes", sa.JSON, nullable=False),
    sa.Column("host", sa.String(255), nullable=False))
floatingips = _resource(
    "floatingips", _ref("floating_network_id", "networks"),
    sa.Column("floating_ip_address", sa.String(64), nullable=False), _ref("fip_port_id", "ports"),
    _ref("port_id", "ports", nullable=True), sa.Column("fixed_ip_address", sa.String(64)),
    _ref("router_id", "routers", nullable=True), sa.Column("status", sa.String(16), nullable=False),
    sa.UniqueConstraint("floating_network_id", "floating_ip_address"),
    sa.UniqueConstraint("port_id", "fixed_ip_address"))
metering_labels = _resource("metering_labels", _flag("shared"))
metering_label_rules = _resource(
    "metering_label_rules", _ref("metering_label_id", "metering_labels", cascade=True),
    sa.Column("direction", sa.String(8), nullable=False), sa.Column("source_ip_prefix", sa.String(64)),
    sa.Column("destination_ip_prefix", sa.String(64)), _flag("excluded"))
agents = sa.Table(
    "agents", METADATA, sa.Column("id", ID, primary_key=True), sa.Column("host", sa.String(255), nullable=False),
    sa.Column("agent_type", sa.String(64), nullable=False, server_default="Linux bridge agent"),
    sa.Column("admin_state_up", sa.Boolean, nullable=False), sa.Column("started_at", MOMENT, nullable=False),
    sa.Column("heartbeat_at", MOMENT, nullable=False), sa.Column("configurations", sa.JSON, nullable=False),
    sa.Column("description", sa.String(255), nullable=False),
    sa.Column("rpc_version", sa.String(8)),  # of the interface that the agent implements; NULL: a release that does not report it
    sa.UniqueConstraint("host", "agent_type"))
# Number of the last change for each host. Its agent counts too, and so notices lost changes.
host_sequences = sa.Table(
    "host_sequences", METADATA, sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False))
quotas = sa.Table(
    "quotas", METADATA, sa.Column("project_id", sa.String(64), primary_key=True),
    sa.Column("resource", sa.String(64), primary_key=True), sa.Column("limit", sa.Integer, nullable=False))
locks = locks_table(METADATA)
