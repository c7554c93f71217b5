"""What a host should look like: the whole state that one agent builds, in a constant number of statements."""

import ipaddress

import sqlalchemy as sa

from common.db import many
from network import roles
from network.db import bindings, groups, hosting, models


def network_details(connection, network_ids: list[str], host: str) -> list[dict]:
    """Networks with their subnets and DHCP port, as the agent of ``host`` gets them (see ``network_of``)."""
    if not network_ids:
        return []
    parts = hosting.parts(connection, network_ids)
    return [network_of(row, host, parts[row["id"]]) for row in whole_networks(connection, network_ids)]


def network_of(row: dict, host: str, parts: dict[str, hosting.Part]) -> dict:
    """A network as the agent of ``host`` gets it.

    ``serves`` says whether that host answers DHCP for the network; ``peers`` are the tunnel addresses of the other
    hosts that have a part of it.

    :param row: of ``whole_networks``
    :param parts: what each host has of the network
    """
    peers = sorted(part.tunnel for other, part in parts.items() if part.tunnel and other != host)
    return {"id": row["id"], "mtu": row["mtu"], "external": row["router_external"], "type": row["provider_network_type"],
            "physical": row["provider_physical_network"], "segment": row["provider_segmentation_id"],
            "subnets": row["subnets"], "dhcp_port": row["dhcp_port"], "serves": row["dhcp_host"] == host, "peers": peers}


def whole_networks(connection, network_ids: list[str]) -> list[dict]:
    """Rows of networks with ``subnets`` and ``dhcp_port``, in two statements."""
    n, s, p, a = models.networks, models.subnets, models.ports, models.ip_allocations
    dhcp: dict[str, dict] = {}
    for row in many(connection, sa.select(p.c.id, p.c.network_id, p.c.mac_address, a.c.subnet_id, a.c.ip_address)
                    .join(a, a.c.port_id == p.c.id, isouter=True).order_by(a.c.ip_address)
                    .where(p.c.network_id.in_(network_ids), p.c.relation == roles.DHCP_PORT)):
        port = dhcp.setdefault(row["network_id"], {"id": row["id"], "mac_address": row["mac_address"], "fixed_ips": []})
        if row["subnet_id"]:
            port["fixed_ips"].append({"subnet_id": row["subnet_id"], "ip_address": row["ip_address"]})
    keep = ("id", "ip_version", "cidr", "gateway_ip", "enable_dhcp", "dns_nameservers", "host_routes", "ipv6_ra_mode",
            "ipv6_address_mode")
    found: dict[str, dict] = {}
    for row in many(connection, sa.select(n, *(s.c[k].label(f"_subnet_{k}") for k in keep)).join(
            s, s.c.network_id == n.c.id, isouter=True).where(n.c.id.in_(network_ids)).order_by(s.c.ip_version, s.c.id)):
        subnet = {k: row.pop(f"_subnet_{k}") for k in keep}
        network = found.setdefault(row["id"], {**row, "dhcp_port": dhcp.get(row["id"]), "subnets": []})
        if subnet["id"]:
            network["subnets"].append(subnet)
    return list(found.values())


def port_details(ports: list[dict], host: str) -> list[dict]:
    """Ports (rows with fixed_ips and security_groups) as the agent of ``host`` gets them; ``here``: it plugs them."""
    keep = ("id", "network_id", "mac_address", "device_id", "device_owner", "project_id", "admin_state_up",
            "port_security_enabled", "allowed_address_pairs", "extra_dhcp_opts", "dns_name", "fixed_ips", "security_groups")
    return [{"here": host in bindings.hosts_of(p), "multiqueue": (p["binding_profile"] or {}).get(bindings.MULTIQUEUE) is True,
             **{k: p[k] for k in keep}} for p in ports]


def _network(prefix: str | None) -> str | None:
    """The network of a rule's prefix, which may have host bits set."""
    return str(ipaddress.ip_interface(prefix).network) if prefix else None


def group_details(connection, group_ids: list[str], members_of=()) -> dict:
    """{group id: {"rules", "members"}} of groups and of those their rules refer to; of these with ``only_members``.

    :param members_of: groups whose members are wanted although no rule of these may refer to them
    """
    rules = groups.rules_of(connection, group_ids)
    remote = {r["remote_group_id"] for rs in rules.values() for r in rs if r["remote_group_id"]} | set(members_of)
    members = groups.member_addresses(connection, sorted(remote))
    keep = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix",
            "remote_group_id")
    found: dict = {g: {"rules": [{k: _network(r[k]) if k == "remote_ip_prefix" else r[k] for k in keep} for r in rs]}
                   for g, rs in rules.items()}
    for group_id in remote:
        found.setdefault(group_id, {"rules": [], "only_members": True})["members"] = members[group_id]
    return found


def with_parts(connection, ports: list[dict]) -> list[dict]:
    """Add ``fixed_ips`` and ``security_groups`` to port rows, one statement in all."""
    a, m = models.ip_allocations, models.port_security_groups
    ips: dict[str, list[dict]] = {p["id"]: [] for p in ports}
    member_of: dict[str, list[str]] = {p["id"]: [] for p in ports}
    query = sa.union_all(
        sa.select(a.c.port_id, a.c.subnet_id, a.c.ip_address).where(a.c.port_id.in_(list(ips))),
        sa.select(m.c.port_id, m.c.security_group_id, sa.literal("")).where(m.c.port_id.in_(list(ips))))
    for port_id, id_, address in sorted(tuple(found) for found in connection.execute(query)) if ports else ():
        if address:
            ips[port_id].append({"subnet_id": id_, "ip_address": address})
        else:
            member_of[port_id].append(id_)
    return [{**p, "fixed_ips": ips[p["id"]], "security_groups": member_of[p["id"]]} for p in ports]


def _leg(port: dict, subnets: dict) -> dict:
    """A router's port: addresses with prefix lengths, and the gateways of its subnets."""
    return {"id": port["id"], "network_id": port["network_id"], "mac_address": port["mac_address"],
            "addresses": [f"{ip['ip_address']}/{ipaddress.ip_network(subnets[ip['subnet_id']]['cidr']).prefixlen}"
                          for ip in port["fixed_ips"]],
            "advertised": [{"cidr": s["cidr"], "mode": s["ipv6_ra_mode"], "dns": s["dns_nameservers"]}
                           for s in (subnets[ip["subnet_id"]] for ip in port["fixed_ips"]) if s["ipv6_ra_mode"]],
            "cidrs": [subnets[ip["subnet_id"]]["cidr"] for ip in port["fixed_ips"]],
            "gateways": [subnets[ip["subnet_id"]]["gateway_ip"] for ip in port["fixed_ips"]
                         if subnets[ip["subnet_id"]]["gateway_ip"]]}


def _parts(router: dict, host: str, own: list[dict], gateway: dict | None, floating: list[dict], subnets: dict,
           has_guests: bool) -> list[dict]:
    """What a host builds of a router: all of it, or of a distributed one its copy for the host's guests ("local"), its
    gateway's end ("snat"), both or none."""
    whole = {"id": router["id"], "part": "whole", "up": router["admin_state_up"], "snat": router["enable_snat"],
             "routes": router["routes"], "gateway": _leg(gateway, subnets) if gateway else None,
             "interfaces": [_leg(x, subnets) for x in own if x["relation"] in roles.INTERFACES], "floating": floating,
             "hops": []}
    if not router["distributed"]:
        return [whole]
    central = [_leg(x, subnets) for x in own if x["relation"] == roles.CENTRAL]
    found = []
    if has_guests:
        found.append({**whole, "part": "local", "gateway": None, "floating": [], "hops": central})
    if router["host"] == host and gateway:
        found.append({**whole, "part": "snat", "interfaces": [{**leg, "advertised": []} for leg in central]})
    return found


def _labels(connection, projects: set[str]) -> dict[str, list[dict]]:
    """{project: labels that count its traffic}; each with its rules, in the order in which they are looked at."""
    labels, rule = models.metering_labels, models.metering_label_rules
    found = many(connection, sa.select(labels).where(sa.or_(labels.c.shared, labels.c.project_id.in_(projects))).order_by(
        labels.c.id))
    by: dict[str, list[dict]] = {}
    for row in many(connection, sa.select(rule).where(rule.c.metering_label_id.in_([x["id"] for x in found])).order_by(
            rule.c.excluded.desc(), rule.c.id)) if found else []:
        by.setdefault(row["metering_label_id"], []).append(
            {k: row[k] for k in ("direction", "excluded", "source_ip_prefix", "destination_ip_prefix")})
    return {p: [{"id": x["id"], "project_id": x["project_id"], "rules": by.get(x["id"], [])}
                for x in found if x["shared"] or x["project_id"] == p] for p in projects}


def router_details(connection, host: str, router_ids: list[str] | None = None) -> list[dict]:
    """The routers, or parts of them, that the agent of ``host`` builds (see ``_parts``): all, or those of ``router_ids``."""
    r, p, f, s = models.routers, models.ports, models.floatingips, models.subnets
    guest = p.alias()
    local = sa.select(p.c.device_id).join(guest, guest.c.network_id == p.c.network_id).where(
        p.c.relation == roles.DISTRIBUTED, bindings.on_host(guest, host), guest.c.relation == roles.SERVER)
    routers = many(connection, sa.select(r, r.c.id.in_(local).label("local")).where(
        sa.or_(r.c.host == host, r.c.id.in_(local)), sa.true() if router_ids is None else r.c.id.in_(router_ids)))
    if not routers:
        return []
    ids = [x["id"] for x in routers]
    ports = with_parts(connection, many(connection, sa.select(p).where(
        p.c.relation.in_(roles.ROUTER_PORTS), p.c.device_id.in_(ids))))
    used = {ip["subnet_id"] for port in ports for ip in port["fixed_ips"]}
    subnets = {x["id"]: x for x in many(connection, sa.select(s).where(s.c.id.in_(used)))}
    labels = _labels(connection, {x["project_id"] for x in routers})
    floating = many(connection, sa.select(f).where(f.c.router_id.in_(ids)))
    found = []
    for router in routers:
        own = [x for x in ports if x["device_id"] == router["id"]]
        gateway = next((x for x in own if x["id"] == router["gw_port_id"]), None)
        pairs = [{"floating": x["floating_ip_address"], "fixed": x["fixed_ip_address"]}
                 for x in floating if x["router_id"] == router["id"]]
        found += [{**part, "labels": labels[router["project_id"]] if part["gateway"] else []}
                  for part in _parts(router, host, own, gateway, pairs, subnets, router["local"])]
    return found


def of_host(connection, host: str) -> dict:
    """Everything that the agent of ``host`` must have: networks, ports, groups, routers, the other hosts' addresses.

    Ports of other hosts are among them where this host serves their network: its DHCP and metadata must know them.
    ``sequence`` is the number of the last change that is in it for certain; it is read first, so that one that comes while
    the rest is read comes to the agent once more.
    """
    n, p = models.networks, models.ports
    sequence = hosting.sequence_of(connection, host)
    routers = router_details(connection, host)
    legs = [leg for r in routers for leg in [*r["interfaces"], *([r["gateway"]] if r["gateway"] else [])]]
    routed = {leg["network_id"] for r in routers for leg in r["interfaces"]}
    served = sa.select(n.c.id).where(n.c.dhcp_host == host)
    ports = with_parts(connection, many(connection, sa.select(p).where(
        p.c.relation == roles.SERVER, p.c.binding_host_id != "",
        sa.or_(bindings.on_host(p, host), p.c.network_id.in_(served), p.c.network_id.in_(routed)))))
    network_ids = {x["network_id"] for x in ports} | {leg["network_id"] for leg in legs}
    group_ids = sorted({g for x in ports if host in bindings.hosts_of(x) for g in x["security_groups"]})
    return {"networks": network_details(connection, sorted(network_ids), host), "ports": port_details(ports, host),
            "groups": group_details(connection, group_ids), "routers": routers,
            "hosts": hosting.other_tunnels(connection, host), "sequence": sequence}
