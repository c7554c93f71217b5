"""Races for networks, subnets, addresses, ports, routers, floating IPs and security groups."""

import ipaddress
import random
from functools import partial

from tests.races.race import WIDTH, Race, kept, kind, once, over_quota, remove, word

NET = "network"


def network(race: Race, **values) -> str:
    client = race.admin if any(":" in k for k in values) else race.member
    return client.call(NET, "POST", "/networks", {"network": {"name": word(), **values}})["network"]["id"]


def subnet(race: Race, network_id: str, cidr: str = "10.9.0.0/24", **values) -> dict:
    return race.admin.call(NET, "POST", "/subnets", {"subnet": {
        "network_id": network_id, "ip_version": 4, "cidr": cidr, "enable_dhcp": False,
        "project_id": race.member.project_id, **values}})["subnet"]


def port(race: Race, network_id: str, **values) -> dict:
    return race.member.call(NET, "POST", "/ports", {"port": {"network_id": network_id, **values}})["port"]


def group(race: Race) -> str:
    return race.member.call(NET, "POST", "/security-groups", {"security_group": {"name": word()}})["security_group"]["id"]


def sweep(race: Race, network_id: str) -> None:
    """Remove a network with its ports."""
    for each in race.get(NET, f"/ports?network_id={network_id}")["ports"]:
        remove(race, NET, f"/ports/{each['id']}")
    remove(race, NET, f"/networks/{network_id}")


def limit(resource: str) -> tuple:
    return NET, "/quotas/{project}", {"quota": {resource: "{limit}"}}


over_quota("networks", NET, "networks", "network", lambda race, _: {"name": "{n}"}, limit("network"))
over_quota("subnets", NET, "subnets", "subnet", lambda race, net: {
    "network_id": net, "ip_version": 4, "cidr": "10.1.{n}.0/24", "enable_dhcp": False}, limit("subnet"), ready=network)
over_quota("ports", NET, "ports", "port", lambda race, net: {"network_id": net}, limit("port"), ready=network)
over_quota("routers", NET, "routers", "router", lambda race, _: {"name": "{n}"}, limit("router"))
over_quota("floating IPs", NET, "floatingips", "floatingip", lambda race, net: {"floating_network_id": net},
           limit("floatingip"), ready=lambda race: race.admin.find(NET, "networks", "public")["id"])
over_quota("security groups", NET, "security-groups", "security_group", lambda race, _: {"name": "{n}"},
           limit("security_group"))
over_quota("security group rules", NET, "security-group-rules", "security_group_rule", lambda race, made: {
    "security_group_id": made, "direction": "ingress", "protocol": "tcp", "port_range_min": "1{n}", "port_range_max": "1{n}"},
    limit("security_group_rule"), ready=group)
over_quota("subnet pools", NET, "subnetpools", "subnetpool", lambda race, _: {
    "name": "{n}", "prefixes": ["10.2.0.0/16"]}, limit("subnetpool"))


@kind("overlapping subnets")
def overlapping(race: Race) -> None:
    for _ in race.rounds():
        net = network(race)
        cidr = random.choice(["10.3.0.0/24", "fd00::/64"])
        answers = race.same(race.member, NET, "POST", "/subnets", {"subnet": {
            "network_id": net, "ip_version": ipaddress.ip_network(cidr).version, "cidr": cidr, "name": "{n}"}})
        race.twice(sum(a.ok for a in answers) - 1)
        sweep(race, net)


@kind("one VXLAN id for two networks")
def segments(race: Race) -> None:
    for _ in race.rounds():
        answers = race.same(race.admin, NET, "POST", "/networks", {"network": {"name": "{n}"}})
        made = [a["network"] for a in answers if a.ok]
        race.twice(len(made) - len({n["provider:segmentation_id"] for n in made}))
        for each in made:
            remove(race, NET, f"/networks/{each['id']}")


def _segment(race: Race) -> dict:
    return {"network": {"provider:network_type": "vxlan", "provider:segmentation_id": random.randrange(1 << 20, 1 << 23)}}


once("a VXLAN id asked for", NET, "/networks", _segment)
once("a flat network", NET, "/networks", lambda race: {"network": {
    "provider:network_type": "flat", "provider:physical_network": word()}})


@kind("one address for two ports, asked for")
def addresses(race: Race) -> None:
    net = network(race)
    made = subnet(race, net, "10.4.0.0/16")
    for number in race.rounds():
        ip = str(ipaddress.ip_address("10.4.1.0") + number)
        answers = race.same(race.member, NET, "POST", "/ports", {"port": {
            "network_id": net, "fixed_ips": [{"subnet_id": made["id"], "ip_address": ip}]}})
        race.twice(sum(a.ok for a in answers) - 1)


@kind("one address for two ports, chosen")
def chosen_addresses(race: Race) -> None:
    for _ in race.rounds():
        net = network(race)
        subnet(race, net, "10.5.0.0/29")  # five addresses beside the gateway's
        answers = race.same(race.member, NET, "POST", "/ports", {"port": {"network_id": net}})
        ips = [a["port"]["fixed_ips"][0]["ip_address"] for a in answers if a.ok]
        race.twice(len(ips) - len(set(ips)))
        if len(ips) != 5:
            race.broken.append(f"{len(ips)} of 5 addresses were given")
        sweep(race, net)


@kind("one MAC for two ports of a network")
def macs(race: Race) -> None:
    net = network(race)
    for _ in race.rounds():
        mac = "fa:16:3e:" + ":".join(f"{random.randrange(256):02x}" for _ in range(3))
        answers = race.same(race.admin, NET, "POST", "/ports", {"port": {"network_id": net, "mac_address": mac}})
        race.twice(sum(a.ok for a in answers) - 1)


def _routed(race: Race, servers: int = 1) -> tuple[str, list[str]]:
    """(external network, ports on a subnet that a router joins with it)."""
    outside = network(race, **{"router:external": True})
    subnet(race, outside, "172.30.0.0/24")
    inside = network(race)
    joined = subnet(race, inside)
    router = race.admin.call(NET, "POST", "/routers", {"router": {
        "external_gateway_info": {"network_id": outside}, "project_id": race.member.project_id}})["router"]["id"]
    race.admin.call(NET, "PUT", f"/routers/{router}/add_router_interface", {"subnet_id": joined["id"]})
    return outside, [port(race, inside)["id"] for _ in range(servers)]


@kind("one floating IP address for two")
def floating_addresses(race: Race) -> None:
    outside, _ = _routed(race, 0)
    for number in race.rounds():
        ip = str(ipaddress.ip_address("172.30.0.20") + number % 200)
        answers = race.same(race.admin, NET, "POST", "/floatingips", {"floatingip": {
            "floating_network_id": outside, "floating_ip_address": ip}})
        race.twice(sum(a.ok for a in answers) - 1)
        for each in answers:
            if each.ok:
                remove(race, NET, f"/floatingips/{each['floatingip']['id']}")


@kind("two floating IPs for one fixed address")
def associations(race: Race) -> None:
    outside, ports = _routed(race)
    made = [race.admin.call(NET, "POST", "/floatingips", {"floatingip": {
        "floating_network_id": outside, "project_id": race.member.project_id}})["floatingip"]["id"] for _ in range(WIDTH)]
    for _ in race.rounds():
        answers = race.together(*[partial(race.ask, race.admin, NET, "PUT", f"/floatingips/{f}", {
            "floatingip": {"port_id": ports[0]}}) for f in made])
        race.twice(sum(a.ok for a in answers) - 1)
        for each in made:
            race.ask(race.admin, NET, "PUT", f"/floatingips/{each}", {"floatingip": {"port_id": None}})


@kind("a floating IP given to two ports")
def taken(race: Race) -> None:
    """Whoever is last has it; it never is at two, and no address translates to a port that another holds."""
    outside, ports = _routed(race, WIDTH)
    made = race.admin.call(NET, "POST", "/floatingips", {"floatingip": {
        "floating_network_id": outside, "project_id": race.member.project_id}})["floatingip"]["id"]
    for _ in race.rounds():
        race.together(*[partial(race.ask, race.admin, NET, "PUT", f"/floatingips/{made}", {
            "floatingip": {"port_id": p}}) for p in ports])
        found = race.get(NET, f"/floatingips/{made}")["floatingip"]
        held = race.get(NET, f"/ports/{found['port_id']}")["port"]["fixed_ips"]
        race.twice(int(found["fixed_ip_address"] not in [i["ip_address"] for i in held]))


def _router(race: Race) -> str:
    return race.member.call(NET, "POST", "/routers", {"router": {"name": word()}})["router"]["id"]


@kind("one subnet twice on a router")
def interfaces(race: Race) -> None:
    for _ in race.rounds():
        router, net = _router(race), network(race)
        made = subnet(race, net)
        ports = [port(race, net)["id"] for _ in range(WIDTH // 2)]
        bodies = [{"port_id": p} for p in ports] + [{"subnet_id": made["id"]}] * (WIDTH - len(ports))
        answers = race.together(*[partial(
            race.ask, race.member, NET, "PUT", f"/routers/{router}/add_router_interface", b) for b in bodies])
        race.twice(sum(a.ok for a in answers) - 1)


@kind("overlapping subnets on a router")
def overlapping_interfaces(race: Race) -> None:
    for _ in race.rounds():
        router = _router(race)
        made = [subnet(race, network(race))["id"] for _ in range(WIDTH)]
        answers = race.together(*[partial(
            race.ask, race.member, NET, "PUT", f"/routers/{router}/add_router_interface", {"subnet_id": s}) for s in made])
        race.twice(sum(a.ok for a in answers) - 1)


@kind("one port on two routers")
def ports_of_routers(race: Race) -> None:
    for _ in race.rounds():
        net = network(race)
        subnet(race, net)
        wanted, routers = port(race, net)["id"], [_router(race) for _ in range(WIDTH)]
        answers = race.together(*[partial(
            race.ask, race.member, NET, "PUT", f"/routers/{r}/add_router_interface", {"port_id": wanted}) for r in routers])
        race.twice(sum(a.ok for a in answers) - 1)


@kind("a router deleted while it gets an interface")
def deleted_routers(race: Race) -> None:
    for _ in race.rounds():
        router, made = _router(race), subnet(race, network(race))["id"]
        answers = race.together(partial(race.ask, race.member, NET, "DELETE", f"/routers/{router}"), *[
            partial(race.ask, race.member, NET, "PUT", f"/routers/{router}/add_router_interface", {"subnet_id": made})
            for _ in range(WIDTH - 1)])
        left = race.get(NET, f"/ports?device_id={router}")["ports"]
        race.twice(len(left) if answers[0].ok else 0)


@kind("one prefix twice from a subnet pool")
def pools(race: Race) -> None:
    for _ in race.rounds():
        pool = race.member.call(NET, "POST", "/subnetpools", {"subnetpool": {
            "name": word(), "prefixes": ["10.6.0.0/24"], "default_prefixlen": 26}})["subnetpool"]["id"]
        nets = [network(race) for _ in range(WIDTH)]
        answers = race.together(*[partial(race.ask, race.member, NET, "POST", "/subnets", {
            "subnet": {"network_id": n, "ip_version": 4, "subnetpool_id": pool}}) for n in nets])
        cidrs = [a["subnet"]["cidr"] for a in answers if a.ok]
        race.twice(len(cidrs) - len(set(cidrs)))
        for each in nets:
            sweep(race, each)


@kind("two default security groups")
def default_groups(race: Race) -> None:
    for _ in race.rounds():
        project = word() * 3 + "00"
        race.together(*[partial(race.ask, race.admin, NET, "POST", "/security-groups", {"security_group": {
            "name": word(), "project_id": project}}) for _ in range(WIDTH // 2)], *[
            partial(race.ask, race.admin, NET, "POST", "/networks", {"network": {"name": "n", "project_id": project}})
            for _ in range(WIDTH // 2)])
        net = race.get(NET, f"/networks?project_id={project}")["networks"][0]["id"]
        race.same(race.admin, NET, "POST", "/ports", {"port": {"network_id": net, "project_id": project}})
        found = race.get(NET, f"/security-groups?project_id={project}&name=default")["security_groups"]
        race.twice(len(found) - 1)
        rules = [r for g in found for r in g["security_group_rules"]]
        race.twice(len(rules) - 4)


@kind("one rule twice in a group")
def rules(race: Race) -> None:
    for _ in race.rounds():
        made = group(race)
        answers = race.same(race.member, NET, "POST", "/security-group-rules", {"security_group_rule": {
            "security_group_id": made, "direction": "ingress", "protocol": "tcp"}})
        race.twice(sum(a.ok for a in answers) - 1)
        remove(race, NET, f"/security-groups/{made}")


@kind("a group deleted while a port takes it")
def deleted_groups(race: Race) -> None:
    net = network(race)
    ports = [port(race, net)["id"] for _ in range(WIDTH - 1)]
    for _ in race.rounds():
        made = group(race)
        answers = race.together(partial(race.ask, race.member, NET, "DELETE", f"/security-groups/{made}"), *[
            partial(race.ask, race.member, NET, "PUT", f"/ports/{p}", {"port": {"security_groups": [made]}})
            for p in ports])
        held = [p for p in race.get(NET, f"/ports?network_id={net}")["ports"] if made in p["security_groups"]]
        race.twice(len(held) if answers[0].ok else 0)
        for each in held:
            race.ask(race.member, NET, "PUT", f"/ports/{each['id']}", {"port": {"security_groups": []}})


@kind("a network deleted while ports are made")
def deleted_networks(race: Race) -> None:
    for _ in race.rounds():
        net = network(race)
        answers = race.together(partial(race.ask, race.member, NET, "DELETE", f"/networks/{net}"), *[
            partial(race.ask, race.member, NET, "POST", "/ports", {"port": {"network_id": net}})
            for _ in range(WIDTH - 1)])
        left = len(race.get(NET, f"/ports?network_id={net}")["ports"])
        race.twice(left if answers[0].ok else sum(a.ok for a in answers[1:]) - left)
        sweep(race, net)


@kind("a subnet deleted while ports take its addresses")
def deleted_subnets(race: Race) -> None:
    net = network(race)
    for _ in race.rounds():
        made = subnet(race, net, enable_dhcp=True)["id"]
        answers = race.together(partial(race.ask, race.member, NET, "DELETE", f"/subnets/{made}"), *[
            partial(race.ask, race.member, NET, "POST", "/ports", {"port": {
                "network_id": net, "fixed_ips": [{"subnet_id": made}]}}) for _ in range(WIDTH - 1)])
        left = race.get(NET, f"/ports?network_id={net}")["ports"]
        if answers[0].ok:
            race.twice(sum(i["subnet_id"] == made for p in left for i in p["fixed_ips"]))
        for each in left:
            remove(race, NET, f"/ports/{each['id']}")
        remove(race, NET, f"/subnets/{made}")


@kind("two DHCP ports in a network")
def dhcp_ports(race: Race) -> None:
    for _ in race.rounds():
        net = network(race)
        race.same(race.member, NET, "POST", "/subnets", {"subnet": {
            "network_id": net, "ip_version": 4, "cidr": "10.8.{n}.0/24"}})
        race.twice(len(race.get(NET, f"/ports?network_id={net}&device_owner=network:dhcp")["ports"]) - 1)
        sweep(race, net)


kept("tags of a network", NET, lambda race: f"/networks/{network(race)}",
     lambda race, path, n: race.ask(race.member, NET, "PUT", f"{path}/tags/t{n}"),
     lambda race, path: len(race.get(NET, f"{path}/tags")["tags"]))


def _routes(race: Race) -> str:
    router = _router(race)
    race.member.call(NET, "PUT", f"/routers/{router}/add_router_interface",
                     {"subnet_id": subnet(race, network(race))["id"]})
    return f"/routers/{router}"


kept("routes of a router", NET, _routes,
     lambda race, path, n: race.ask(race.member, NET, "PUT", f"{path}/add_extraroutes", {"router": {"routes": [
         {"destination": f"10.99.{n}.0/24", "nexthop": "10.9.0.9"}]}}),
     lambda race, path: len(race.get(NET, path)["router"]["routes"]))
