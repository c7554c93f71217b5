"""No two networks on one segment, and no fixed address with two floating IPs. Refuses while there are such."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

networks = sa.table("networks", *[sa.column(n, sa.String) for n in (
    "provider_network_type", "provider_physical_network", "provider_segment")], sa.column("provider_segmentation_id", sa.Integer))
floatingips = sa.table("floatingips", sa.column("port_id"), sa.column("fixed_ip_address"))


def _refuse_doubles(connection) -> None:
    columns = (networks.c.provider_network_type, networks.c.provider_physical_network, networks.c.provider_segmentation_id)
    doubles = connection.execute(sa.select(*columns).where(columns[0] != "local").group_by(*columns).having(
        sa.func.count() > 1)).all()
    doubles += connection.execute(sa.select(*floatingips.c).where(floatingips.c.port_id.is_not(None)).group_by(
        *floatingips.c).having(sa.func.count() > 1)).all()
    if doubles:
        raise RuntimeError("These segments are those of several networks, or these fixed addresses have several floating IPs; "
                           f"delete all but one of each first: {sorted(map(str, doubles))}")


def upgrade():
    connection = op.get_bind()
    _refuse_doubles(connection)
    op.add_column("networks", sa.Column("provider_segment", sa.String(128)))
    kind, physical, number = networks.c.provider_network_type, networks.c.provider_physical_network, \
        networks.c.provider_segmentation_id
    text = kind + ":" + sa.func.coalesce(physical, "") + ":" + sa.func.coalesce(sa.cast(number, sa.String(16)), "")
    connection.execute(sa.update(networks).where(kind != "local").values(provider_segment=text))
    with op.batch_alter_table("networks") as batch:
        batch.create_unique_constraint("uq_networks_provider_segment", ["provider_segment"])
    with op.batch_alter_table("floatingips") as batch:
        batch.create_unique_constraint("uq_floatingips_port_id_fixed_ip_address", ["port_id", "fixed_ip_address"])
