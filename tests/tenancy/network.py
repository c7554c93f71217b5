"""The network API: what belongs to a project, and what may name another's."""

import functools
import typing

from network import router
from network.handlers.resource import Handlers
from network.schemas import routers
from network.services.resource import COMMON, Resource
from tests.tenancy.frame import Asker, Ids, Reference, Service, properties

NOWHERE = "00000000-0000-4000-8000-000000000000"
RESOURCES: dict[str, Resource] = {
    r.handler.__self__.resource.singular: r.handler.__self__.resource for r in router.ROUTES
    if isinstance(getattr(r.handler, "__self__", None), Handlers)}


def make(who: Asker, mark: str) -> Ids:
    def made(noun: str, **values) -> dict:
        path = {"security_group": "security-groups", "security_group_rule": "security-group-rules"}.get(noun, noun + "s")
        return who.made("network", f"/v2.0/{path}", {noun: values})
    status, text = who("network", "GET", "/v2.0/networks?router:external=True&fields=id")
    external = text.split('"')[5]
    network = made("network", name=mark + "net")["id"]
    subnet = made("subnet", network_id=network, cidr="10.91.0.0/24", name=mark + "subnet")["id"]
    spare = made("subnet", network_id=network, cidr="10.92.0.0/24", name=mark + "spare")["id"]
    group = made("security_group", name=mark + "group")["id"]
    hop = made("router", name=mark + "router", external_gateway_info={"network_id": external})["id"]
    status, text = who("network", "PUT", f"/v2.0/routers/{hop}/add_router_interface", {"subnet_id": subnet})
    assert status == 200, text
    port = made("port", network_id=network, name=mark + "port", fixed_ips=[{"subnet_id": subnet}], security_groups=[group])
    found = {
        "external": external, "networks": network, "subnets": subnet, "spare": spare, "security-groups": group, "routers": hop,
        "ports": port["id"], "address": port["fixed_ips"][0]["ip_address"],
        "subnetpools": made("subnetpool", name=mark + "pool", prefixes=["10.93.0.0/16"], default_prefixlen=26)["id"],
        "floatingips": made("floatingip", floating_network_id=external, description=mark + "ip", port_id=port["id"])["id"],
        "security-group-rules": made("security_group_rule", security_group_id=group, direction="ingress", protocol="tcp",
                                     port_range_min=22, port_range_max=22, description=mark + "rule")["id"]}
    for plural in ("networks", "ports", "routers"):
        who("network", "PUT", f"/v2.0/{plural}/{found[plural]}/tags/t", {})
    # Nobody but an admin may make these, or see that they exist.
    of_admins = {name: NOWHERE for name in ("agents", "metering-labels", "metering-label-rules")}
    return {**found, **of_admins, "target": who.project_id, "tag": "t", "alias": "router", "network_id": network,
            "router_id": hop, "network-ip-availabilities": network, "project": who.project_id, "device": NOWHERE}


def _named(noun: str):
    return lambda ids: {noun: {"name": "taken"}}


PLURALS = {"network": "networks", "subnet": "subnets", "port": "ports", "subnetpool": "subnetpools", "router": "routers",
           "security_group": "security-groups"}
BODIES = {("PUT", f"/v2.0/{plural}/{{id}}"): _named(noun) for noun, plural in PLURALS.items()}
BODIES.update({(verb, f"/v2.0/{plural}/{{id}}/tags"): lambda ids: {"tags": ["x"]} for verb in ("POST", "PUT")
               for plural in (*PLURALS.values(), "floatingips")})
BODIES.update({("PUT", f"/v2.0/{plural}/{{id}}/tags/{{tag}}"): lambda ids: {}
               for plural in (*PLURALS.values(), "floatingips")})
BODIES.update({("PUT", f"/v2.0/routers/{{id}}/{verb}_router_interface"): lambda ids: {"subnet_id": ids["subnets"]}
               for verb in ("add", "remove")})
BODIES.update({("PUT", f"/v2.0/routers/{{id}}/{verb}_extraroutes"): lambda ids: {
    "router": {"routes": [{"destination": "10.99.0.0/24", "nexthop": ids["address"]}]}} for verb in ("add", "remove")})
BODIES.update({
    ("PUT", "/v2.0/floatingips/{id}"): lambda ids: {"floatingip": {"port_id": None}},
    ("PUT", "/v2.0/quotas/{target}"): lambda ids: {"quota": {"port": 1}},
    ("PUT", "/v2.0/agents/{id}"): lambda ids: {"agent": {"description": "taken"}},
    ("POST", "/v2.0/agents/{id}/dhcp-networks"): lambda ids: {"network_id": ids["networks"]},
    ("POST", "/v2.0/agents/{id}/l3-routers"): lambda ids: {"router_id": ids["routers"]}})


def _new(noun: str, values, **more) -> Reference:
    """A POST of a noun with an id in it. ``values``: (own, theirs) -> attributes."""
    path = {"security_group": "security-groups", "security_group_rule": "security-group-rules"}.get(noun, noun + "s")
    return Reference("POST", f"/v2.0/{path}", lambda own, theirs: {noun: values(own, theirs)}, **more)


def _change(noun: str, values, **more) -> Reference:
    return Reference("PUT", f"/v2.0/{PLURALS.get(noun, noun + 's')}/{{id}}", lambda own, theirs: {noun: values(own, theirs)},
                     **more)


# What each noun needs to be made, but for the project: (own ids, a number) -> attributes.
_WHOLE: dict[str, typing.Callable[[Ids, int], dict]] = {
    "network": lambda own, n: {}, "router": lambda own, n: {}, "security_group": lambda own, n: {"name": "n"},
    "subnet": lambda own, n: {"network_id": own["networks"], "cidr": f"10.94.{n}.0/28"},
    "port": lambda own, n: {"network_id": own["networks"]}, "subnetpool": lambda own, n: {"prefixes": ["10.95.0.0/24"]},
    "floatingip": lambda own, n: {"floating_network_id": own["external"]},
    "security_group_rule": lambda own, n: {"security_group_id": own["security-groups"], "direction": "ingress",
                                           "protocol": str(100 + n)}}


def _for_project(noun: str, name: str, own: Ids, theirs: Ids) -> dict:
    return {name: theirs["project"], **_WHOLE[noun](own, len(name))}


REFERENCES = {
    **{(noun, name): [_new(noun, functools.partial(_for_project, noun, name))]
       for name in ("project_id", "tenant_id") for noun in _WHOLE},
    ("subnet", "network_id"): [_new("subnet", lambda own, theirs: {"network_id": theirs["networks"], "cidr": "10.96.0.0/28"})],
    ("subnet", "subnetpool_id"): [_new("subnet", lambda own, theirs: {
        "network_id": own["networks"], "subnetpool_id": theirs["subnetpools"], "ip_version": 4})],
    ("port", "network_id"): [_new("port", lambda own, theirs: {"network_id": theirs["networks"]})],
    ("port", "fixed_ips[]/subnet_id"): [
        _new("port", lambda own, theirs: {"network_id": own["networks"], "fixed_ips": [{"subnet_id": theirs["spare"]}]}),
        _change("port", lambda own, theirs: {"fixed_ips": [{"subnet_id": own["subnets"], "ip_address": own["address"]},
                                                           {"subnet_id": theirs["spare"]}]})],
    ("port", "security_groups"): [
        _new("port", lambda own, theirs: {"network_id": own["networks"], "security_groups": [theirs["security-groups"]]}),
        _change("port", lambda own, theirs: {"security_groups": [theirs["security-groups"]]})],
    # Whose server it is, is not known here: what is written there binds nothing. A router's is.
    ("port", "device_id"): [
        _new("port", lambda own, theirs: {"network_id": own["networks"], "device_id": theirs["routers"]}),
        _new("port", lambda own, theirs: {"network_id": own["networks"], "device_id": theirs["routers"],
                                          "device_owner": "network:router_interface"}),
        _change("port", lambda own, theirs: {"device_id": theirs["routers"]})],
    ("port", "binding:host_id"): [_new("port", lambda own, theirs: {
        "network_id": own["networks"], "binding:host_id": "elsewhere"}, control=False)],
    ("router", "external_gateway_info/network_id"): [
        _new("router", lambda own, theirs: {"external_gateway_info": {"network_id": theirs["networks"]}}, control=False),
        _change("router", lambda own, theirs: {"external_gateway_info": {"network_id": theirs["networks"]}}, control=False)],
    ("router", "external_gateway_info/external_fixed_ips[]/subnet_id"): [_new("router", lambda own, theirs: {
        "external_gateway_info": {"network_id": own["external"], "external_fixed_ips": [{"subnet_id": theirs["subnets"]}]}},
        control=False)],
    ("router_interface", "subnet_id"): [
        Reference("PUT", "/v2.0/routers/{id}/add_router_interface", lambda own, theirs: {"subnet_id": theirs["spare"]}),
        Reference("PUT", "/v2.0/routers/{id}/remove_router_interface", lambda own, theirs: {"subnet_id": theirs["spare"]})],
    ("router_interface", "port_id"): [
        Reference("PUT", "/v2.0/routers/{id}/add_router_interface", lambda own, theirs: {"port_id": theirs["ports"]},
                  control=False),
        Reference("PUT", "/v2.0/routers/{id}/remove_router_interface", lambda own, theirs: {"port_id": theirs["ports"]},
                  control=False)],
    ("floatingip", "floating_network_id"): [_new("floatingip", lambda own, theirs: {
        "floating_network_id": theirs["networks"]}, control=False)],
    ("floatingip", "port_id"): [
        _change("floatingip", lambda own, theirs: {"port_id": theirs["ports"], "fixed_ip_address": theirs["address"]}),
        _new("floatingip", lambda own, theirs: {"floating_network_id": own["external"], "port_id": theirs["ports"]},
             control=False)],
    ("floatingip", "subnet_id"): [_new("floatingip", lambda own, theirs: {
        "floating_network_id": own["external"], "subnet_id": theirs["subnets"]}, control=False)],
    ("security_group_rule", "security_group_id"): [_new("security_group_rule", lambda own, theirs: {
        "security_group_id": theirs["security-groups"], "direction": "egress", "protocol": "tcp"})],
    ("security_group_rule", "remote_group_id"): [_new("security_group_rule", lambda own, theirs: {
        "security_group_id": own["security-groups"], "direction": "ingress", "protocol": "sctp",
        "remote_group_id": theirs["security-groups"]})],
    **{("metering_label", name): [Reference("POST", "/v2.0/metering/metering-labels", lambda own, theirs, n=name: {
        "metering_label": {"name": "l", n: theirs["project"]}}, control=False)] for name in ("project_id", "tenant_id")},
    ("metering_label_rule", "metering_label_id"): [Reference(
        "POST", "/v2.0/metering/metering-label-rules", lambda own, theirs: {"metering_label_rule": {
            "metering_label_id": theirs["metering-labels"], "remote_ip_prefix": "10.0.0.0/8"}}, control=False)],
    ("agent", "network_id"): [Reference("POST", "/v2.0/agents/{id}/dhcp-networks", lambda own, theirs: {
        "network_id": theirs["networks"]}, control=False)],
    ("agent", "router_id"): [Reference("POST", "/v2.0/agents/{id}/l3-routers", lambda own, theirs: {
        "router_id": theirs["routers"]}, control=False)],
}


def declared() -> dict[str, set[str]]:
    found = {singular: set().union(*(properties({"properties": {n: a.schema}}) for n, a in {
        **COMMON, **resource.attributes}.items())) for singular, resource in RESOURCES.items()}
    return {**found, "router_interface": properties(routers.INTERFACE), "agent": {"network_id", "router_id"}}


SERVICE = Service(
    "network", router.ROUTES, make, BODIES, declared, REFERENCES,
    no_reference={
        ("subnetpool", "prefixes"): "addresses", ("network", "provider:segmentation_id"): "a number, for admins",
        ("port", "device_owner"): "a kind", ("subnet", "segment_id"): "null, and nothing else",
        ("metering_label_rule", "project_id"): "taken from the label",
        ("metering_label_rule", "tenant_id"): "taken from the label"},
    exceptions={("GET", "/v2.0/extensions/{alias}"): (frozenset((200,)), "the same for all")},
    filters=(("device_id", "routers"), ("network_id", "networks"), ("security_group_id", "security-groups"),
             ("port_id", "ports"), ("fixed_ips=ip_address", "address"), ("router_id", "routers"), ("marker", "ports")))
