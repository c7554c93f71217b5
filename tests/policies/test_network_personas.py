"""Every route and attribute of the network API, asked by every persona: who is refused, how, and what is shown to whom."""

import itertools
import json

import pytest

from network import router
from network.conf import QUOTA_RESOURCES
from network.handlers import versions
from tests.policies.runner import Ask, Judge, operation, rules_by_operation, surprises
from tests.tenancy import network
from tests.tenancy.frame import Asker, fill, key, parameters, snapshot, writes

MARK, NOBODYS = "personas-", "f" * 32
_NUMBERS = itertools.count(1)
# Collections, as paths name them, and their nouns.
NOUNS = {"networks": "network", "subnets": "subnet", "ports": "port", "routers": "router", "floatingips": "floatingip",
         "subnetpools": "subnetpool", "security-groups": "security_group", "security-group-rules": "security_group_rule",
         "metering-labels": "metering_label", "metering-label-rules": "metering_label_rule"}
# Lists of other things: those who may not see them get none.
_OTHER_LISTS = {"/v2.0/agents", "/v2.0/availability_zones", "/v2.0/network-ip-availabilities",
                "/v2.0/service-providers"}
# What is needed to make one: (ids, a number) -> attributes.
_NEW = {
    "networks": lambda ids, n: {"name": "p"}, "routers": lambda ids, n: {"name": "p"},
    "subnets": lambda ids, n: {"network_id": ids["networks"], "cidr": f"10.{100 + n // 200}.{n % 200}.0/28"},
    "ports": lambda ids, n: {"network_id": ids["networks"]},
    "subnetpools": lambda ids, n: {"name": "p", "prefixes": ["10.9.0.0/24"]},
    "floatingips": lambda ids, n: {"floating_network_id": ids["external"]}, "security-groups": lambda ids, n: {"name": f"p{n}"},
    "security-group-rules": lambda ids, n: {"security_group_id": ids["security-groups"], "direction": "ingress",
                                            "protocol": "tcp", "port_range_min": 1000 + n, "port_range_max": 1000 + n},
    "metering-labels": lambda ids, n: {"name": "p"},
    "metering-label-rules": lambda ids, n: {"metering_label_id": ids["metering-labels"],
                                            "remote_ip_prefix": f"10.8.{n % 200}.0/24"}}
_LYING_IN = ("subnets", "ports", "security-group-rules")  # another thing, whose project is asked about


@pytest.fixture(scope="module")
def owner(home) -> Asker:
    return home["project member"].asker


@pytest.fixture(scope="module")
def admin(cloud) -> Asker:
    return Asker(cloud.client)


@pytest.fixture(scope="module", autouse=True)
def no_quotas(home, admin):
    unlimited = {"quota": dict.fromkeys(QUOTA_RESOURCES, -1)}
    for persona in ("project member", "foreign project member"):
        status, text = admin("network", "PUT", f"/v2.0/quotas/{home[persona].ctx.project_id}", unlimited)
        assert status == 200, text


@pytest.fixture(scope="module", autouse=True)
def nothing_for_all(admin):
    """What was made external or shared would be found by the tests that come later."""
    yield
    for where in ("networks", "subnetpools"):
        status, text = admin("network", "GET", f"/v2.0/{where}?name=p&fields=id")
        for row in json.loads(text)[where]:
            status, text = admin("network", "DELETE", f"/v2.0/{where}/{row['id']}")
            assert status == 204, text


def objects(home, owner, admin, mark: str) -> dict[str, str]:
    found = network.make(owner, mark)
    label = admin.made("network", "/v2.0/metering/metering-labels", {
        "metering_label": {"name": mark + "label", "project_id": home.project_id}})["id"]
    rule = admin.made("network", "/v2.0/metering/metering-label-rules", {
        "metering_label_rule": {"metering_label_id": label, "remote_ip_prefix": "10.7.0.0/16"}})["id"]
    return {**found, "metering-labels": label, "metering-label-rules": rule, "target": NOBODYS}


@pytest.fixture(scope="module")
def ids(home, owner, admin):
    return objects(home, owner, admin, MARK)


def collection(path: str) -> str:
    """The collection that a route belongs to: "networks", "metering-labels"."""
    return path.removeprefix("/v2.0/").removeprefix("metering/").split("/", 1)[0]


def of_home(home) -> dict:
    """What rules are asked about the home's objects."""
    return {"project_id": home.project_id, "network:project_id": home.project_id, "network:shared": "False",
            "security_group:project_id": home.project_id, "port:device_owner": ""}


def looked_at(home, ctx) -> bool:
    """Whether a thing of the home is looked at for somebody: then a refusal may be told."""
    return ctx.project_id == home.project_id or bool({"admin", "service"} & set(ctx.roles))


def asks(home, ids, owner, admin):
    """A request for each route but lists."""
    judge = Judge("network")

    def unseen(noun: str):
        return lambda ctx: not judge.allows(ctx, f"get_{noun}", of_home(home))
    open_routes = (versions.index, versions.show, versions.extensions, versions.extension)
    for route in router.ROUTES:
        where = collection(route.path)
        if route.handler in open_routes or route.method == "GET" and (not parameters(route) and where != "quotas"):
            continue
        declared = [n for n in rules_by_operation("network").get(operation(route.method, route.path), [])
                    if ":" not in n or n.endswith(":tags")]
        assert len(declared) == 1, f"{key(route)} is the operation of {declared or 'no rule'}"
        noun = NOUNS.get(where)
        of_agents = "dhcp-" in route.path or "l3-" in route.path
        if where == "quotas":
            target, hidden = {"project_id": NOBODYS}, None
        elif of_agents:
            target, hidden = {}, None
        elif where == "agents":
            target, hidden = {}, unseen("agent")
        elif where == "network-ip-availabilities":
            target, hidden = of_home(home), (lambda ctx: True)
        elif route.method == "POST" and not route.path.endswith("/tags"):
            target = (lambda ctx: {**of_home(home), "project_id": ctx.project_id}) if where in _LYING_IN else (
                lambda ctx: {"project_id": ctx.project_id})
            hidden = (lambda ctx: not looked_at(home, ctx)) if where in _LYING_IN else None
        else:
            target, hidden = of_home(home), unseen(noun)
        yield Ask(route.method, fill(route.path, ids), tuple(declared), target, body(route, where, ids), fresh=fresh(
            route, where, ids, owner, admin), allowed=frozenset((404,) if where in ("agents", "metering-label-rules") or of_agents
                                                                or route.path.endswith("/tags/{tag}") else ()),
                  **({"hidden": hidden} if hidden else {}))


def body(route, where: str, ids):
    if route.method == "POST" and where in NOUNS and not route.path.endswith("/tags"):
        return {NOUNS[where]: _NEW[where](ids, next(_NUMBERS))}
    return network.BODIES[key(route)](ids) if writes(route) and route.method != "DELETE" else None


def fresh(route, where: str, ids, owner, admin):
    """How to make anew what a request takes away or makes; None where it does neither."""
    if where not in NOUNS or "/tags" in route.path or route.path.count("/") > 4:
        return None
    path = route.path.removesuffix("/{id}")

    def another_body():
        return route.path, {NOUNS[where]: _NEW[where](ids, next(_NUMBERS))}

    def another():
        values = _NEW[where](ids, next(_NUMBERS))
        who, project = (admin, {"project_id": ids["project"]}) if where == "metering-labels" else (owner, {})
        made = (admin if where.startswith("metering") else who).made("network", path, {NOUNS[where]: {**values, **project}})
        return f"{path}/{made['id']}", None
    return another_body if route.method == "POST" else another if route.method == "DELETE" and route.path != path else None


def test_lists_show_what_each_may_see(home, ids):
    """And nobody is refused."""
    judge, wrong, seen = Judge("network"), [], set()
    for persona in home.people.values():
        for where, noun in NOUNS.items():
            path = f"/v2.0/{'metering/' if where.startswith('metering') else ''}{where}"
            status, text = persona.asker("network", "GET", path)
            wanted = judge.allows(persona.ctx, f"get_{noun}", of_home(home))
            seen.add((noun, wanted))
            if status != 200 or (ids[where] in text) != wanted:
                wrong.append((persona.name, path, status, wanted))
        for path, rule in (("/v2.0/agents", "get_agent"), ("/v2.0/availability_zones", "get_availability_zone"),
                           ("/v2.0/service-providers", "get_service_provider"),
                           ("/v2.0/network-ip-availabilities", "get_network_ip_availability")):
            status, text = persona.asker("network", "GET", path)
            if status != 200 or bool(next(iter(json.loads(text).values()))) != judge.allows(persona.ctx, rule, of_home(home)):
                wrong.append((persona.name, path, status, text[:80]))
    assert not wrong
    assert len(seen) == 2 * len(NOUNS)
    assert _OTHER_LISTS == {r.path for r in router.ROUTES if r.method == "GET" and not parameters(r)
                            and collection(r.path) not in {*NOUNS, "quotas", "extensions", "", "v2.0"} and r.path.count("/") > 1}


SHOWN = {"networks": ("provider:network_type", "provider:physical_network", "provider:segmentation_id"),
         "ports": ("binding:vif_type", "binding:vif_details", "binding:host_id", "binding:profile"),
         "routers": ("distributed", "ha"), "subnets": ("segment_id",)}


def test_attributes_are_shown_to_whom_they_may(home, ids):
    assert {f"get_{NOUNS[w]}:{n}" for w, names in SHOWN.items() for n in names} == {
        r for rules in rules_by_operation("network").values() for r in rules if r.startswith("get_") and ":" in r
        and not r.endswith(":tags")}
    judge, wrong = Judge("network"), []
    for persona, (where, names) in itertools.product(home.people.values(), SHOWN.items()):
        status, text = persona.asker("network", "GET", f"/v2.0/{where}/{ids[where]}")
        if status != 200:
            continue
        for name in names:
            wanted = judge.allows(persona.ctx, f"get_{NOUNS[where]}:{name}", of_home(home))
            if (name in next(iter(json.loads(text).values()))) != wanted:
                wrong.append((persona.name, where, name, wanted))
    assert not wrong


def _order(ask: Ask) -> int:
    """What shows first, what takes away last."""
    return ("GET", "PUT", "POST", "DELETE").index(ask.method)


def test_who_may_do_what(home, ids, owner, admin):
    every = sorted(asks(home, ids, owner, admin), key=_order)
    found = surprises("network", home, every, lambda: snapshot(network.SERVICE, owner, ids))
    assert not found, f"{len(found)}:\n" + "\n".join(found)
    assert len(every) > 90


_FIXED, _PAIR = {"ip_address": "10.91.0.200"}, {"ip_address": "10.91.0.201", "mac_address": "fa:16:3e:00:00:01"}
_PORT = {
    "device_id": "d", "device_owner": "network:x", "mac_address": "fa:16:3e:00:00:02", "fixed_ips": [],
    "fixed_ips:ip_address": [_FIXED], "port_security_enabled": True, "allowed_address_pairs": [],
    "allowed_address_pairs:ip_address": [{"ip_address": "10.91.0.202"}], "allowed_address_pairs:mac_address": [_PAIR],
    "binding:host_id": "h", "binding:profile": {}, "binding:vnic_type": "normal"}
# Values of each attribute that has rules of its own, by (noun's collection, attribute as its rule names it).
_SENT = {
    ("networks", "create"): {"shared": True, "router:external": True, "is_default": True, "port_security_enabled": False,
                             "provider:network_type": "local", "provider:physical_network": "x", "provider:segmentation_id": 77},
    ("networks", "update"): {
        "shared": False, "router:external": False, "is_default": False, "port_security_enabled": True,
        "provider:network_type": "vxlan", "provider:physical_network": None, "provider:segmentation_id": 77},
    ("subnets", "create"): {"service_types": []}, ("subnets", "update"): {"segment_id": None, "service_types": []},
    ("subnetpools", "create"): {"shared": True, "is_default": True}, ("subnetpools", "update"): {"is_default": False},
    ("ports", "create"): _PORT, ("ports", "update"): _PORT,
    ("routers", "create"): {"distributed": False, "ha": False}, ("routers", "update"): {"distributed": False, "ha": False},
    ("floatingips", "create"): {"floating_ip_address": "9.9.9.9"}}


def of_attributes(home, ids):
    judge = Judge("network")
    gateway = {"network_id": ids["external"]}
    more = {"fixed_ips:subnet_id": [{"subnet_id": ids["subnets"]}]}
    info = {"external_gateway_info": gateway, "external_gateway_info:network_id": gateway,
            "external_gateway_info:enable_snat": {**gateway, "enable_snat": True},
            "external_gateway_info:external_fixed_ips": {**gateway, "external_fixed_ips": [{"ip_address": "9.9.9.9"}]}}
    for (where, verb), values in _SENT.items():
        values = {**values, **(more if where == "ports" else info if where == "routers" else {})}
        for name, value in values.items():
            noun, attribute = NOUNS[where], name if name.startswith(("provider:", "router:", "binding:")) else name.split(":")[0]
            asked = [f"{verb}_{noun}", f"{verb}_{noun}:{attribute}"]
            parts = value if isinstance(value, list) else [value]
            asked += sorted({f"{verb}_{noun}:{attribute}:{k}" for p in parts if isinstance(p, dict) for k in p})
            if verb == "create" and name == "binding:vnic_type":
                continue
            new = verb == "create"
            target = {**of_home(home), **({"port:device_owner": "network:x"} if name == "device_owner" else {})}
            lying_in = target if where in _LYING_IN else {}
            here = (lambda ctx, t=lying_in: {**t, "project_id": ctx.project_id}) if new else target
            hidden = ((lambda ctx, w=where: w in _LYING_IN and not looked_at(home, ctx)) if new else
                      (lambda ctx, n=noun: not judge.allows(ctx, f"get_{n}", of_home(home))))
            sent = {**(_NEW[where](ids, next(_NUMBERS)) if new else {}), attribute: value}
            yield Ask("POST" if new else "PUT", f"/v2.0/{where}" + ("" if new else f"/{ids[where]}"), tuple(asked), here,
                      {noun: sent}, hidden=hidden, allowed=frozenset((400,)))


def test_who_may_send_which_attribute(home, owner, admin):
    ids = objects(home, owner, admin, "attributes-")
    every = list(of_attributes(home, ids))
    found = surprises("network", home, every, lambda: snapshot(network.SERVICE, owner, ids))
    assert not found, f"{len(found)}:\n" + "\n".join(found)
    rules = {r for rules in rules_by_operation("network").values() for r in rules if ":" in r and not r.endswith(":tags")
             and not r.startswith("get_")}
    assert rules - {r for ask in every for r in ask.rules} == set()
