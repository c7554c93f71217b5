"""The relations of ports that are there: as far as rows that only the service writes say so."""

from alembic import op

revision = "0008"
down_revision = "0007"
ROUTERS = ("device_owner IN ('network:router_interface', 'network:router_interface_distributed', "
           "'network:router_centralized_snat') AND EXISTS (SELECT 1 FROM routers WHERE routers.id = ports.device_id AND "
           "ports.project_id IN (routers.project_id, ''))")


def upgrade():
    for value, where in (
            ("'network:floatingip'", "id IN (SELECT fip_port_id FROM floatingips)"),
            ("'network:router_gateway'", "id IN (SELECT gw_port_id FROM routers WHERE gw_port_id IS NOT NULL)"),
            ("device_owner", ROUTERS),
            ("'network:dhcp'", "device_owner = 'network:dhcp' AND device_id = 'dhcp' AND project_id IN "
                               "(SELECT networks.project_id FROM networks WHERE networks.id = ports.network_id)"),
            ("'compute'", "device_owner LIKE 'compute:%' AND binding_host_id <> ''")):
        op.execute(f"UPDATE ports SET relation = {value} WHERE relation = '' AND {where}")
