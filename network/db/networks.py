"""Networks: who may see them, their segments, and what is on them."""

import sqlalchemy as sa

from common import db, errors, rows
from network import roles
from network.db import models

TABLE, SUBNETS, PORTS, FLOATINGIPS = models.networks, models.subnets, models.ports, models.floatingips
VXLAN_IDS = range(1001, 1 << 24)
OPEN_TO_ALL = sa.or_(TABLE.c.shared, TABLE.c.router_external)


def on_open_network(table: rows.Table):
    """The WHERE of what is on a network that every project sees."""
    return table.c.network_id.in_(sa.select(TABLE.c.id).where(OPEN_TO_ALL))


def on_network_of(table: rows.Table, project_id: str | None):
    """The WHERE of what is on a network of a project."""
    return table.c.network_id.in_(sa.select(TABLE.c.id).where(TABLE.c.project_id == (project_id or "-")))


def on_network_with(table: rows.Table, column: str, values: list):
    """The WHERE of what is on a network that has one of these values in a column."""
    return table.c.network_id.in_(sa.select(TABLE.c.id).where(TABLE.c[column].in_(values)))


def having_subnets(subnet_ids: list[str]):
    return TABLE.c.id.in_(sa.select(SUBNETS.c.network_id).where(SUBNETS.c.id.in_(subnet_ids)))


_ASKED = [TABLE.c[name] for name in ("id", "project_id", "shared", "router_external")]  # about which policy rules ask


def with_network(connection, found: list[dict]) -> list[dict]:
    """Add to rows that are on networks the attributes of these that policy rules ask about, as ``network``. One statement,
    none if all rows have it."""
    ids = sorted({row["network_id"] for row in found if "network" not in row})
    by_id = {row["id"]: row for row in rows.many(connection, sa.select(*_ASKED).where(TABLE.c.id.in_(ids)))} if ids else {}
    return [row if "network" in row else {**row, "network": by_id[row["network_id"]]} for row in found]


def find_on_network(connection, table: rows.Table, row_id: str, *conditions) -> dict | None:
    """As ``rows.find``, with ``network`` as ``with_network`` adds it; one statement, which in a write transaction locks the row
    alone."""
    network = [sa.select(c).where(TABLE.c.id == table.c.network_id).scalar_subquery().label(f"_network_{c.name}") for c in _ASKED]
    row = rows.one(connection, sa.select(table, *network).where(table.c.id == row_id, *conditions))
    if row is None or row["id"] != row_id:  # as in ``rows.find``
        return None
    return {**row, "network": {str(c.name): row.pop(f"_network_{c.name}") for c in _ASKED}}


def subnet_ids(connection, network_ids: list[str]) -> dict[str, list[str]]:
    """{network id: the ids of its subnets} in one statement."""
    found: dict[str, list[str]] = {i: [] for i in network_ids}
    query = sa.select(SUBNETS.c.network_id, SUBNETS.c.id).where(SUBNETS.c.network_id.in_(network_ids)).order_by(SUBNETS.c.id)
    for network_id, subnet_id in connection.execute(query) if network_ids else ():
        found[network_id].append(subnet_id)
    return found


def free_vxlan_id(connection) -> int:
    """The id after the highest one in use; if that is the last there is, the lowest free one.

    :raises Conflict: all are in use
    """
    db.lock(connection, "VXLAN ids")
    id_, following = TABLE.c.provider_segmentation_id, TABLE.alias()
    used = sa.and_(TABLE.c.provider_network_type == "vxlan", id_ >= VXLAN_IDS[0])
    last = connection.execute(sa.select(sa.func.max(id_)).where(used)).scalar() or VXLAN_IDS[0] - 1
    if last + 1 in VXLAN_IDS:
        return last + 1
    if not rows.exists(connection, TABLE, used, provider_segmentation_id=VXLAN_IDS[0]):
        return VXLAN_IDS[0]
    found = connection.execute(sa.select(sa.func.min(id_)).where(used, ~sa.exists().where(
        following.c.provider_network_type == "vxlan", following.c.provider_segmentation_id == id_ + 1))).scalar()
    if found is None or found + 1 not in VXLAN_IDS:
        raise errors.Conflict("Unable to create the network. No tenant network is available for allocation.",
                              kind="NoNetworkAvailable")
    return found + 1


def used_by_others(connection, network: dict) -> bool:
    """Whether a project that sees the network only because it is shared has a subnet or a port on it."""
    of_others = {"network_id": network["id"]}
    owners = [network["project_id"], ""]
    return rows.exists(connection, SUBNETS, SUBNETS.c.project_id.not_in(owners), **of_others) or rows.exists(
        connection, PORTS, PORTS.c.project_id.not_in(owners), relation=["", roles.SERVER, *roles.INTERFACES], **of_others)


def ports_in_use(connection, network_id: str) -> list[str]:
    """The ids of the ports that keep a network from being deleted."""
    own = sa.select(PORTS.c.id).where(PORTS.c.network_id == network_id, PORTS.c.relation.not_in([
        roles.DHCP_PORT, roles.FLOATING])).order_by(PORTS.c.id)
    of_floating_ips = sa.select(FLOATINGIPS.c.fip_port_id).where(
        FLOATINGIPS.c.floating_network_id == network_id, FLOATINGIPS.c.port_id.is_not(None))
    return [*connection.execute(own).scalars(), *connection.execute(of_floating_ips).scalars()]


def delete_contents(connection, network_id: str) -> None:
    """Delete the subnets, ports and floating IPs of a network."""
    rows.delete_where(connection, FLOATINGIPS, floating_network_id=network_id)
    allocations = models.ip_allocations
    connection.execute(sa.delete(allocations).where(allocations.c.port_id.in_(
        sa.select(PORTS.c.id).where(PORTS.c.network_id == network_id))))
    rows.delete_where(connection, PORTS, network_id=network_id)
    rows.delete_where(connection, SUBNETS, network_id=network_id)
