"""Upgrades know what a port is to the service from rows that only the service wrote, and believe no client's text."""

import datetime

import sqlalchemy as sa
from alembic import command

from common import migrate

ROUTER, NETWORK, OWNER, OTHER = "r", "n", "theirs", "anothers"


def test_an_upgrade_finds_the_relations_of_ports(tmp_path):
    url = f"sqlite:///{tmp_path}/network.sqlite"
    config = migrate.config("network.db", url)
    command.upgrade(config, "0007")
    engine = sa.create_engine(url)
    tables = sa.MetaData()
    tables.reflect(engine)
    base = {"name": "", "description": "", "revision_number": 0, "created_at": datetime.datetime(2026, 1, 1),
            "updated_at": datetime.datetime(2026, 1, 1), "project_id": OWNER}
    ports = {  # id: (device_owner, device_id, project, bound host, what it is)
        "dhcp": ("network:dhcp", "dhcp", OWNER, "", "network:dhcp"), "leg": ("network:router_interface", ROUTER, OWNER, "",
                                                                              "network:router_interface"),
        "gw": ("network:router_gateway", ROUTER, "", "", "network:router_gateway"),
        "floating": ("network:floatingip", "f", "", "", "network:floatingip"),
        "nic": ("compute:nova", "server", OTHER, "host1", "compute"),
        "false-nic": ("compute:nova", "server", OTHER, "", ""), "false-dhcp": ("network:dhcp", "dhcp", OTHER, "", ""),
        "false-leg": ("network:router_interface", ROUTER, OTHER, "", ""),
        "false-gw": ("network:router_gateway", ROUTER, OTHER, "", ""), "plain": ("", "", OWNER, "", "")}
    with engine.begin() as connection:
        connection.execute(tables.tables["networks"].insert().values(
            **base, id=NETWORK, admin_state_up=True, status="ACTIVE", shared=True, router_external=False, is_default=False,
            port_security_enabled=True, mtu=1500, dns_domain="", provider_network_type="local", dhcp_host=""))
        for number, (name, (owner, device, project, host, _)) in enumerate(ports.items()):
            connection.execute(tables.tables["ports"].insert().values(**{**base, "project_id": project}, **{
                "id": name, "network_id": NETWORK, "mac_address": f"fa:16:3e:00:00:{number:02x}", "admin_state_up": True,
                "status": "ACTIVE", "device_id": device, "device_owner": owner, "binding_host_id": host,
                "binding_vnic_type": "normal", "binding_vif_type": "", "binding_profile": {}, "port_security_enabled": True,
                "allowed_address_pairs": [], "extra_dhcp_opts": [], "dns_name": ""}))
        connection.execute(tables.tables["routers"].insert().values(
            **base, id=ROUTER, admin_state_up=True, status="ACTIVE", gw_port_id="gw", enable_snat=True, distributed=False,
            routes=[], host=""))
        connection.execute(tables.tables["floatingips"].insert().values(
            **base, id="f", floating_network_id=NETWORK, floating_ip_address="1.2.3.4", fip_port_id="floating", status="DOWN"))
    migrate.sync("network.db", url)
    with engine.connect() as connection:
        found = dict(connection.execute(sa.text("SELECT id, relation FROM ports")).all())
    assert found == {name: values[-1] for name, values in ports.items()}
